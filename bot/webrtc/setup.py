"""What aiortc and aioice must be told before the first connection.

Called by ``peer`` when it is imported; nothing else in the program need know.
"""

from __future__ import annotations

from typing import Final

from aioice import turn
from aiortc import rtcicetransport
from aiortc.codecs import CODECS, HEADER_EXTENSIONS

from bot.webrtc.ice import ClosingConnection

SOCKET_BUFFER_BYTES: Final = 4 << 20
"""Receive buffer asked of the kernel for each UDP socket; it grants what ``net.core.rmem_max`` allows."""

_ABS_SEND_TIME: Final = "http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
_REMB: Final = "goog-remb"


def prepare_aiortc() -> None:
    """Mend aiortc's tables, in place; calling it again changes nothing.

    * ``abs-send-time`` and ``goog-remb`` are no longer negotiated for video: aiortc sends an estimate
      for each track where selective forwarding servers read it for the connection, so that many cameras
      starve each other; working it out also costs a sixth of the receiving time.
    * UDP sockets get a large receive buffer: with the default one a loop busy for half a second loses
      hundreds of packets.
    * ICE connections end all their tasks when they are closed while still connecting.
    """
    HEADER_EXTENSIONS["video"][:] = [
        extension for extension in HEADER_EXTENSIONS["video"] if extension.uri != _ABS_SEND_TIME
    ]
    for codec in CODECS["video"]:
        codec.rtcpFeedback = [feedback for feedback in codec.rtcpFeedback if feedback.type != _REMB]
    turn.UDP_SOCKET_BUFFER_SIZE = SOCKET_BUFFER_BYTES
    rtcicetransport.Connection = ClosingConnection  # type: ignore[attr-defined]  # where aiortc looks
