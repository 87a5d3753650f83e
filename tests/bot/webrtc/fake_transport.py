"""A transport without network and encryption, to test a receiver packet by packet."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class FakeSrtp:
    """Replaces the SRTP session: accepts every packet, since a hostile student can encrypt any."""

    def unprotect(self, data: bytes) -> bytes:
        return data

    unprotect_rtcp = unprotect


class FakeTransport:
    """Replaces the transports and the socket below a receiver, and records what the receiver sends.

    Attributes:
        sent: Each packet sent, and its time in monotonic seconds.
    """

    def __init__(self) -> None:
        self.transport = self._connection = self
        self._protocols = [self]
        self._rx_srtp = FakeSrtp()
        self.sent: list[tuple[bytes, float]] = []
        self._sent_more = asyncio.Event()

    def datagram_received(self, data: bytes, address: object) -> None:
        """The original handler of the socket, which the receiver replaces while it listens."""

    async def _send_rtp(self, data: bytes) -> None:
        self.sent.append((data, time.monotonic()))
        self._sent_more.set()

    async def until(self, condition: Callable[[], bool]) -> None:
        """Wait until the packets sent satisfy a condition."""
        async with asyncio.timeout(10):
            while not condition():
                self._sent_more.clear()
                await self._sent_more.wait()
