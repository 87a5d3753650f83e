"""Decides when a bot that is alone in a room leaves it.

A LiveKit server creates a room for whoever joins first, and keeps it as long as somebody is in it. So a
mistyped name leads to an empty room, and a bot that stayed would keep every room open.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from bot.rooms.contract import RoomEnded, RoomError, RoomUnavailable

_CHECK_INTERVAL_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the bot stays alone.

    Attributes:
        nobody_s: Seconds in a room to which nobody has come yet.
        deserted_s: Seconds in a room that everybody has left.
    """

    nobody_s: float = 900.0
    deserted_s: float = 60.0


DEFAULT_PATIENCE: Final = Patience()


async def wait_until_deserted(present: Callable[[], int], patience: Patience) -> RoomError:
    """Wait until the bot has been alone for too long; return what to tell the host.

    Args:
        present: Number of people in the room.
        patience: How long the bot stays alone.
    """
    clock = asyncio.get_running_loop().time
    alone_since_s, anybody = clock(), False
    interval_s = min(_CHECK_INTERVAL_S, patience.nobody_s / 4, patience.deserted_s / 4)
    while True:
        if present():
            alone_since_s, anybody = clock(), True
        elif clock() - alone_since_s >= (patience.deserted_s if anybody else patience.nobody_s):
            break
        await asyncio.sleep(interval_s)
    if anybody:
        return RoomEnded("Everybody has left the room.")
    return RoomUnavailable(
        f"check the room's name: nobody came within {patience.nobody_s / 60:.0f} minutes, and a LiveKit "
        "server makes an empty room of a name that it does not know"
    )
