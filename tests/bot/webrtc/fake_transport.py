"""A connection that is not there, under a receiver."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Session:
    """Stands in for SRTP: what comes is taken for genuine, as it is of a hostile student."""

    def unprotect(self, data: bytes) -> bytes:
        return data

    unprotect_rtcp = unprotect


class Wire:
    """Stands in for the connection under the receiver, and keeps what it was asked to send."""

    def __init__(self) -> None:
        self.transport = self._connection = self
        self._protocols = [self]
        self._rx_srtp = Session()
        self.sent: list[tuple[bytes, float]] = []  # and when, monotonic seconds
        self._news = asyncio.Event()

    def datagram_received(self, data: bytes, address: object) -> None:
        """Not for the receiver."""

    async def _send_rtp(self, data: bytes) -> None:
        self.sent.append((data, time.monotonic()))
        self._news.set()

    async def until(self, true: Callable[[], bool]) -> None:
        """Wait until enough was sent."""
        async with asyncio.timeout(10):
            while not true():
                self._news.clear()
                await self._news.wait()
