"""Reads media packets directly from the sockets, bypassing the queues and tasks of aioice and aiortc.

RTP is decrypted and handed to the receiver at the next batch tick, RTCP at once. Everything else (STUN, DTLS)
is passed to the socket's original handler.

aiortc tries to parse each packet as STUN and catches the exception, queues it, fetches it in a task and
passes it on through coroutines. That costs more than decrypting and decoding a thumbnail.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pylibsrtp
from aiortc import RTCDtlsTransport

from bot.webrtc.batch_ticks import BatchTicks

MAX_WAITING: Final = 256
"""Packets of a connection that may wait for a batch tick; if more arrive, all are processed at once."""

MAX_SSRCS: Final = 1024
"""Different SSRCs that a connection may use in its lifetime. libsrtp keeps a list of them and searches it for
each packet, so a sender that uses tens of thousands would slow down the event loop."""

_RTP_FIRST_BYTES: Final = range(128, 192)  # RFC 7983
_RTCP_TYPES: Final = range(192, 224)  # RFC 5761

_DatagramHandler = Callable[[bytes, tuple[Any, ...]], None]


class Intake:
    """Reads the media packets of one connection."""

    def __init__(
        self,
        transport: RTCDtlsTransport,
        on_rtp: Callable[[bytes, float], None],
        on_rtcp: Callable[[bytes, float], None],
        clock: Callable[[], float],
        batch_ticks: BatchTicks | None = None,
    ) -> None:
        """Set up; ``open`` starts reading.

        Args:
            transport: The connection's encrypted transport.
            on_rtp: Called with each decrypted packet and its time of arrival.
            on_rtcp: The same for RTCP.
            clock: Monotonic seconds.
            batch_ticks: When RTP packets are processed; None to process each as it arrives.
        """
        self._transport: Any = transport
        self._on_rtp, self._on_rtcp, self._clock, self._batch_ticks = on_rtp, on_rtcp, clock, batch_ticks
        self._protocols: list[Any] = []
        self._waiting: list[tuple[bytes, float]] = []
        self._ssrcs: set[bytes] = set()  # of authenticated packets

    def open(self) -> None:
        """Start reading from the existing sockets; another call adds only new sockets."""
        protocols: list[Any] = list(self._transport.transport._connection._protocols)
        for protocol in protocols:
            if protocol not in self._protocols:
                self._protocols.append(protocol)
                protocol.datagram_received = self._reader(protocol.datagram_received)

    def close(self) -> None:
        """Restore the sockets' own handlers and drop the waiting packets."""
        for protocol in self._protocols:
            del protocol.datagram_received
        self._protocols.clear()
        self._waiting.clear()

    def _reader(self, original: _DatagramHandler) -> _DatagramHandler:
        def datagram_received(data: bytes, address: tuple[Any, ...]) -> None:
            if len(data) < 2:
                return  # anybody can send an empty datagram, which would end aiortc's connection
            # There is no SRTP session before the DTLS handshake has finished.
            if data[0] not in _RTP_FIRST_BYTES or self._transport._rx_srtp is None:
                original(data, address)
            elif data[1] in _RTCP_TYPES:
                self._process_rtcp(data)
            else:
                self._enqueue(data)

        return datagram_received

    def _enqueue(self, data: bytes) -> None:
        waiting = self._waiting
        waiting.append((data, self._clock()))
        if self._batch_ticks is None or len(waiting) >= MAX_WAITING:
            self._process_waiting()
        elif len(waiting) == 1:
            self._batch_ticks.call(self._process_waiting)

    def _process_waiting(self) -> None:
        waiting, self._waiting = self._waiting, []
        for data, at_s in waiting:
            ssrc = data[8:12]
            if not self._accepts(ssrc):
                continue
            try:
                packet = self._transport._rx_srtp.unprotect(data)
            except (pylibsrtp.Error, ValueError):
                continue  # forged, a duplicate, or longer than any packet
            self._ssrcs.add(ssrc)
            self._on_rtp(packet, at_s)

    def _accepts(self, ssrc: bytes) -> bool:
        return ssrc in self._ssrcs or len(self._ssrcs) < MAX_SSRCS

    def _process_rtcp(self, data: bytes) -> None:
        ssrc = data[4:8]
        if not self._accepts(ssrc):
            return
        try:
            packet = self._transport._rx_srtp.unprotect_rtcp(data)
        except (pylibsrtp.Error, ValueError):
            return
        self._ssrcs.add(ssrc)
        self._on_rtcp(packet, self._clock())
