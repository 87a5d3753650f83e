"""What aiortc and aioice must be told before the first connection.

Called by ``peer`` when it is imported; nothing else in the program need know.
"""

from __future__ import annotations

from typing import Final

from aioice import turn
from aiortc import rtcicetransport
from aiortc.codecs import CODECS, HEADER_EXTENSIONS
from aiortc.rtcrtpparameters import RTCRtpHeaderExtensionParameters

from bot.webrtc.ice import ClosingConnection

SOCKET_BUFFER_BYTES: Final = 4 << 20
"""Receive buffer asked of the kernel for each UDP socket; it grants what ``net.core.rmem_max`` allows."""

ORIENTATION: Final = "urn:3gpp:video-orientation"
"""Says with a picture's last packet how it is to be turned (3GPP TS 26.114, 7.4.5)."""

_ABS_SEND_TIME: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
_REMB: Final = "goog-remb"


def prepare_aiortc() -> None:
    """Mend aiortc's tables, in place; calling it again changes nothing.

    * ``abs-send-time`` and ``goog-remb`` are no longer negotiated for video: aiortc sends an estimate
      for each track where selective forwarding servers read it for the connection, so that many cameras
      starve each other; working it out also costs a sixth of the receiving time.
    * ``video-orientation`` is: a telephone that agreed on it with a server in between sends its pictures
      lying, and whoever receives them has to turn them.
    * UDP sockets get a large receive buffer: with the default one a loop busy for half a second loses
      hundreds of packets.
    * ICE connections end all their tasks when they are closed while still connecting.
    """
    kept = [known for known in HEADER_EXTENSIONS["video"] if known.uri not in (_ABS_SEND_TIME, ORIENTATION)]
    number = max(known.id for known in kept) + 1
    HEADER_EXTENSIONS["video"][:] = [*kept, RTCRtpHeaderExtensionParameters(number, ORIENTATION)]
    for codec in CODECS["video"]:
        codec.rtcpFeedback = [feedback for feedback in codec.rtcpFeedback if feedback.type != _REMB]
    turn.UDP_SOCKET_BUFFER_SIZE = SOCKET_BUFFER_BYTES
    rtcicetransport.Connection = ClosingConnection  # type: ignore[attr-defined]  # where aiortc looks
