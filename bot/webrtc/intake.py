"""Takes encrypted video straight from the sockets, past the queues and tasks of aioice and aiortc.

Comes in: datagrams as the event loop reads them. Goes out: decrypted RTP and RTCP to a receiver, at once;
everything else (STUN, DTLS) goes on to where it always went.

By aiortc's own way each packet is tried as STUN by an exception, queued, fetched by a task, and passed on
through coroutines; that costs more than decrypting and decoding a thumbnail does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import pylibsrtp
from aiortc import RTCDtlsTransport

_RTP_FIRST: Final = 128
_RTP_BEHIND: Final = 192  # RFC 7983
_RTCP_TYPES: Final = range(192, 224)  # RFC 5761


class Intake:
    """The sockets of one connection that carries one stream."""

    def __init__(
        self,
        transport: RTCDtlsTransport,
        on_rtp: Callable[[bytes], None],
        on_rtcp: Callable[[bytes], None],
    ) -> None:
        """Set up; ``open`` begins."""
        self._transport, self._on_rtp, self._on_rtcp = transport, on_rtp, on_rtcp
        self._protocols: list[Any] = []

    def open(self) -> None:
        """Begin, as soon as there are sockets; calling it again changes nothing."""
        protocols: list[Any] = list(self._transport.transport._connection._protocols)
        for protocol in protocols:
            if protocol not in self._protocols:
                self._protocols.append(protocol)
                protocol.datagram_received = self._reader(protocol.datagram_received)

    def close(self) -> None:
        """Leave the sockets as they were."""
        for protocol in self._protocols:
            del protocol.datagram_received
        self._protocols.clear()

    def _reader(
        self, others: Callable[[bytes, tuple[Any, ...]], None]
    ) -> Callable[[bytes, tuple[Any, ...]], None]:
        transport: Any = self._transport
        on_rtp, on_rtcp = self._on_rtp, self._on_rtcp

        def datagram_received(data: bytes, address: tuple[Any, ...]) -> None:
            if len(data) < 2:
                return  # an empty one, which anybody can send, ends a connection of aiortc's
            session = transport._rx_srtp  # None until the connection is encrypted
            if session is None or not _RTP_FIRST <= data[0] < _RTP_BEHIND:
                others(data, address)
                return
            try:
                if data[1] in _RTCP_TYPES:
                    plain, take = session.unprotect_rtcp(data), on_rtcp
                else:
                    plain, take = session.unprotect(data), on_rtp
            except (pylibsrtp.Error, ValueError):
                return  # forged, doubled, or longer than any packet
            take(plain)

        return datagram_received
