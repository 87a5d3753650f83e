"""A world for every adapter: what has to stand around a room so that people can come and go.

One module an adapter, of the adapter's name, with a class ``World``. A test fails where one is missing.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class World(AbstractAsyncContextManager["World"], Protocol):
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
