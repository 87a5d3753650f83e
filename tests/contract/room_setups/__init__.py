"""What each adapter needs around it in the contract tests: a room, and people who come and go.

One module an adapter, of the adapter's name, with a class ``RoomSetup``. A test fails where one is missing.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class RoomSetup(AbstractAsyncContextManager["RoomSetup"], Protocol):
    """Surroundings of one room, up while the context lasts.

    Attributes:
        url: Room URL.
        bad_urls: URLs of this scheme that must be refused.
        secret: A text that must not stand in the room's public URL, or empty.
    """

    url: str
    bad_urls: tuple[str, ...]
    secret: str

    async def come(self) -> None:
        """A participant with a camera comes; called after the room was joined."""
        ...

    async def go(self) -> None:
        """That participant goes."""
        ...
