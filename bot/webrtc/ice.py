"""ICE: the configured servers, and a connection that closes cleanly and withstands strangers' datagrams.

``setup`` makes aiortc and aioice use these classes in the whole process.
"""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterable
from typing import Any, ClassVar, Final

from aioice import Connection, stun
from aioice.ice import StunProtocol
from aiortc import RTCIceServer

from bot.ice_servers import parse_ice_server

_STUN_PARSER_RAISES: Final = (struct.error, LookupError, TypeError, AttributeError, OverflowError)


def rtc_servers(ice_servers: Iterable[str]) -> list[RTCIceServer]:
    """Convert ``webrtc.ice_servers`` to aiortc's type."""
    return [
        RTCIceServer(urls=server.url, username=server.username, credential=server.credential)
        for server in map(parse_ice_server, ice_servers)
    ]


MAX_PEER_REFLEXIVE: Final = 4
"""Addresses not in the offer that a browser may be reached at. Each makes the bot send some ten datagrams,
and the source address of a datagram can be forged."""


class GuardedStunProtocol(StunProtocol):
    """A UDP socket that drops malformed STUN datagrams.

    Anybody can send them. aioice's parser raises errors other than ValueError for some, which the event loop
    would log with a traceback each.

    Attributes:
        dropped: Malformed datagrams since the program started, on all sockets.
    """

    dropped: ClassVar[int] = 0

    def datagram_received(self, data: bytes | str, addr: tuple[Any, ...]) -> None:
        """Pass a datagram on, unless it is malformed."""
        try:
            super().datagram_received(data, addr)
        except _STUN_PARSER_RAISES:
            GuardedStunProtocol.dropped += 1


class ClosingConnection(Connection):
    """An ICE connection whose ``close``, at any moment, ends all its tasks and closes all its sockets.

    In aioice 0.13 two kinds of tasks can outlive their connection: requests to STUN and TURN servers when
    ``gather_candidates`` is cancelled, and the consent checks (RFC 7675), which start after ``connect`` even
    if ``close`` was called just before ``connect`` returned.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        """Accept the arguments of aioice's ``Connection``."""
        super().__init__(*args, **kwargs)
        self._gathering: asyncio.Task[None] | None = None

    async def gather_candidates(self) -> None:
        """Gather local candidates, for 5 s at most; cancelling the caller does not cancel the gathering."""
        if self._gathering is None:
            self._gathering = asyncio.create_task(super().gather_candidates(), name="ice-gathering")
        await asyncio.shield(self._gathering)

    def check_incoming(self, message: stun.Message, addr: tuple[str, int], protocol: StunProtocol) -> None:
        """Answer a check with one of our own, to only a few addresses that the offer does not name."""
        known = {(candidate.host, candidate.port) for candidate in self._remote_candidates}
        learnt = sum(candidate.type == "prflx" for candidate in self._remote_candidates)
        if addr in known or learnt < MAX_PEER_REFLEXIVE:
            super().check_incoming(message, addr, protocol)

    async def connect(self) -> None:
        """Connect.

        Raises:
            ConnectionError: no candidate pair works, or the connection was closed meanwhile.
        """
        await super().connect()
        if self._closing and self._query_consent_task is not None:
            self._query_consent_task.cancel()
            raise ConnectionError("closed while connecting")

    async def close(self) -> None:
        """Close for good, after any gathering has finished."""
        if self._gathering is not None:
            await asyncio.gather(self._gathering, return_exceptions=True)
        await super().close()
