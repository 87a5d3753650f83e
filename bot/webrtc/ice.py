"""ICE: the servers of the settings, and a connection that leaves nothing behind when closed while connecting.

The connection stands in for aioice's ``Connection``, for every one of aiortc's in this process (``setup``).
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any

from aioice import Connection
from aiortc import RTCIceServer

from bot.ice_servers import parse_ice_server


def rtc_servers(given: Iterable[str]) -> list[RTCIceServer]:
    """``webrtc.ice_servers`` as aiortc takes them."""
    return [
        RTCIceServer(urls=server.url, username=server.username, credential=server.credential)
        for server in map(parse_ice_server, given)
    ]


class ClosingConnection(Connection):
    """An ICE connection; closing it at any moment ends all its tasks and closes all its sockets.

    Of aioice 0.13 two kinds of tasks outlive their connection: what asks STUN and TURN servers for addresses
    when that is cancelled; and what looks after the other side, begun when ``connect`` is through, also where
    ``close`` came just before ``connect`` learned of its success.
    """

    def __init__(self, *args: Any, **more: Any) -> None:
        """As aioice's."""
        super().__init__(*args, **more)
        self._gathering: asyncio.Task[None] | None = None

    async def gather_candidates(self) -> None:
        """Find the addresses to be reached at; goes on when cancelled, for aioice takes 5 s at most."""
        if self._gathering is None:
            self._gathering = asyncio.create_task(super().gather_candidates(), name="ice-gathering")
        await asyncio.shield(self._gathering)

    async def connect(self) -> None:
        """Connect.

        Raises:
            ConnectionError: no way was found, or the connection was closed meanwhile.
        """
        await super().connect()
        if self._closing and self._query_consent_task is not None:
            self._query_consent_task.cancel()
            raise ConnectionError("closed while connecting")

    async def close(self) -> None:
        """Close for good."""
        if self._gathering is not None:
            await asyncio.gather(self._gathering, return_exceptions=True)
        await super().close()
