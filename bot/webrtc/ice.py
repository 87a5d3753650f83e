"""ICE: the configured servers, and a connection that can be closed cleanly while it is still connecting.

``setup`` makes aiortc use this connection class instead of aioice's, in the whole process.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from aioice import Connection
from aiortc import RTCIceServer

from bot.ice_servers import parse_ice_server


def rtc_servers(ice_servers: Iterable[str]) -> list[RTCIceServer]:
    """Convert ``webrtc.ice_servers`` to aiortc's type."""
    return [
        RTCIceServer(urls=server.url, username=server.username, credential=server.credential)
        for server in map(parse_ice_server, ice_servers)
    ]


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
