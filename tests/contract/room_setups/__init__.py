"""What each room adapter needs in the contract tests: a room, and a participant who joins and leaves.

There is one module for each adapter, named after its URL scheme, with a class ``RoomSetup``. If a module is
missing, the contract tests of its adapter fail.
"""

from __future__ import annotations

from contextlib import AbstractAsyncContextManager
from typing import Protocol


class RoomSetup(AbstractAsyncContextManager["RoomSetup"], Protocol):
    """The environment of one room; ``async with`` starts and stops it.

    Attributes:
        url: URL of the room.
        bad_urls: URLs of this scheme that the adapter must reject.
        secret: A text that the room's public URL must not contain, or empty.
    """

    url: str
    bad_urls: tuple[str, ...]
    secret: str

    async def participant_joins(self) -> None:
        """Let a participant with a camera join; called after the bot has joined."""
        ...

    async def participant_leaves(self) -> None:
        """Let that participant leave."""
        ...
