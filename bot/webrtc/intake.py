"""Takes encrypted video straight from the sockets, past the queues and tasks of aioice and aiortc.

Comes in: datagrams as the event loop reads them. Goes out: decrypted RTP to a receiver, at ``BatchTicks`` all
cameras share, and RTCP at once; everything else (STUN, DTLS) goes on to where it always went.

By aiortc's own way each packet is tried as STUN by an exception, queued, fetched by a task, and passed on
through coroutines; that costs more than decrypting and decoding a thumbnail does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pylibsrtp
from aiortc import RTCDtlsTransport

from bot.webrtc.batch_ticks import BatchTicks

MAX_WAITING: Final = 256
"""Packets of a camera that may wait for a moment; when there are more they are taken at once."""

_RTP_FIRST: Final = 128
_RTP_BEHIND: Final = 192  # RFC 7983
_RTCP_TYPES: Final = range(192, 224)  # RFC 5761


_Receive = Callable[[bytes, tuple[Any, ...]], None]


class Intake:
    """The sockets of one connection that carries one stream."""

    def __init__(
        self,
        transport: RTCDtlsTransport,
        on_rtp: Callable[[bytes, float], None],
        on_rtcp: Callable[[bytes, float], None],
        clock: Callable[[], float],
        moments: BatchTicks | None = None,
    ) -> None:
        """Set up; ``open`` begins.

        Args:
            transport: The connection's.
            on_rtp: Given a packet, and when it came.
            on_rtcp: The same.
            clock: Monotonic seconds.
            moments: When RTP is decrypted and given on; None for as it comes.
        """
        self._transport: Any = transport
        self._on_rtp, self._on_rtcp, self._clock, self._moments = on_rtp, on_rtcp, clock, moments
        self._protocols: list[Any] = []
        self._waiting: list[tuple[bytes, float]] = []

    def open(self) -> None:
        """Begin, as soon as there are sockets; calling it again changes nothing."""
        protocols: list[Any] = list(self._transport.transport._connection._protocols)
        for protocol in protocols:
            if protocol not in self._protocols:
                self._protocols.append(protocol)
                protocol.datagram_received = self._reader(protocol.datagram_received)

    def close(self) -> None:
        """Leave the sockets as they were; what waits is dropped."""
        for protocol in self._protocols:
            del protocol.datagram_received
        self._protocols.clear()
        self._waiting.clear()

    def _reader(self, others: _Receive) -> _Receive:
        def datagram_received(data: bytes, address: tuple[Any, ...]) -> None:
            if len(data) < 2:
                return  # an empty one, which anybody can send, ends a connection of aiortc's
            # There is no session until the connection is encrypted.
            if not _RTP_FIRST <= data[0] < _RTP_BEHIND or self._transport._rx_srtp is None:
                others(data, address)
            elif data[1] in _RTCP_TYPES:
                self._take_rtcp(data)
            else:
                self._put(data)

        return datagram_received

    def _put(self, data: bytes) -> None:
        waiting = self._waiting
        waiting.append((data, self._clock()))
        if self._moments is None or len(waiting) >= MAX_WAITING:
            self._take_waiting()
        elif len(waiting) == 1:
            self._moments.call(self._take_waiting)

    def _take_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for data, at_s in waiting:
            try:
                packet = self._transport._rx_srtp.unprotect(data)
            except (pylibsrtp.Error, ValueError):
                continue  # forged, doubled, or longer than any packet
            self._on_rtp(packet, at_s)

    def _take_rtcp(self, data: bytes) -> None:
        try:
            packet = self._transport._rx_srtp.unprotect_rtcp(data)
        except (pylibsrtp.Error, ValueError):
            return
        self._on_rtcp(packet, self._clock())
