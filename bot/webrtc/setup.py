"""Process-wide patches of aiortc and aioice; ``peer`` applies them when it is imported."""

from __future__ import annotations

from typing import Final

from aioice import ice, turn
from aiortc import rtcicetransport
from aiortc.codecs import CODECS, HEADER_EXTENSIONS
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters

from bot.webrtc.ice import ClosingConnection, GuardedStunProtocol

SOCKET_BUFFER_BYTES: Final = 4 << 20
"""Receive buffer requested for each UDP socket; the kernel grants at most ``net.core.rmem_max``."""

ORIENTATION: Final = "urn:3gpp:video-orientation"
"""Header extension of a frame's last packet that signals the frame's rotation (3GPP TS 26.114, 7.4.5)."""

_ABS_SEND_TIME: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
_REMB: Final = "goog-remb"


def prepare_aiortc() -> None:
    """Patch aiortc and aioice in place; another call changes nothing.

    * ``abs-send-time`` and ``goog-remb`` are no longer negotiated for video. aiortc estimates bandwidth for
      each track, but forwarding servers apply the estimate to the whole connection, so that many cameras
      starve each other. Computing it also takes a sixth of the receiving time.
    * ``video-orientation`` is negotiated. A phone that has agreed on it with a server sends rotated frames,
      and the receiver has to rotate them.
    * UDP sockets get a large receive buffer. With the default size, an event loop that is busy for half a
      second loses hundreds of packets.
    * Malformed STUN datagrams are dropped, and a connection sends checks to few unknown addresses.
    * ICE connections end all their tasks when they are closed while they are still connecting.
    """
    kept = [known for known in HEADER_EXTENSIONS["video"] if known.uri not in (_ABS_SEND_TIME, ORIENTATION)]
    number = max(known.id for known in kept) + 1
    HEADER_EXTENSIONS["video"][:] = [*kept, RTCRtpHeaderExtensionParameters(number, ORIENTATION)]
    for codec in CODECS["video"]:
        codec.rtcpFeedback = [feedback for feedback in codec.rtcpFeedback if feedback.type != _REMB]
    turn.UDP_SOCKET_BUFFER_SIZE = SOCKET_BUFFER_BYTES
    ice.StunProtocol = GuardedStunProtocol  # type: ignore[misc]  # the name that aioice uses
    rtcicetransport.Connection = ClosingConnection  # type: ignore[attr-defined]  # the name that aiortc uses
