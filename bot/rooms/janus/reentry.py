"""The way back into a room after a loss: how often, how long, and when it is given up.

Comes in: how to enter, and where. Goes out: a ``Visit``, or why there will be none.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from bot.rooms.contract import RoomUnavailable
from bot.rooms.janus.messages import JanusError, JanusRefused
from bot.rooms.janus.videoroom import NO_SUCH_ROOM, TAKES_NOBODY_NEW, RoomAddress, as_room_error
from bot.rooms.janus.visit import Visit

RECONNECT_TIMEOUT_S: Final = 2.5
"""How long one try may take to reach the server, seconds."""

_PAUSES_S: Final = (0.2, 0.4, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class Patience:
    """How long the bot waits for what was lost.

    Attributes:
        server_s: While the server cannot be reached, seconds.
        room_s: While it is back without the room, seconds.
        chat_s: While the room has lost its chat and everybody must be told, seconds.
    """

    server_s: float = 300.0
    room_s: float = 60.0
    chat_s: float = 20.0


USUAL_PATIENCE: Final = Patience()


async def come_back(enter: Callable[[], Awaitable[Visit]], address: RoomAddress, patience: Patience) -> Visit:
    """Try until the room is entered again.

    Args:
        enter: Enters, or raises a ``JanusError``.
        address: The room.
        patience: How long to try.

    Raises:
        RoomError: it is gone for good, or no longer lets the bot in.
    """
    clock = asyncio.get_running_loop().time
    lost_s, tries = clock(), 0
    roomless_s: float | None = None
    cause: JanusError
    while True:
        try:
            return await enter()
        except JanusRefused as exc:
            if exc.code not in (NO_SUCH_ROOM, TAKES_NOBODY_NEW):
                raise as_room_error(exc, address) from exc
            roomless, cause = exc.code == NO_SUCH_ROOM, exc
        except JanusError as exc:
            roomless, cause = False, exc
        roomless_s = (roomless_s or clock()) if roomless else None
        if roomless_s is not None and clock() - roomless_s >= patience.room_s:
            raise RoomUnavailable(
                f"room {address.room} is gone: the Janus server came back without it"
            ) from cause
        if roomless_s is None and clock() - lost_s >= patience.server_s:
            raise RoomUnavailable(
                "the Janus server was lost and did not come back within "
                f"{patience.server_s:.0f} s: check the server and the network"
            ) from cause
        await asyncio.sleep(_PAUSES_S[min(tries, len(_PAUSES_S) - 1)])
        tries += 1
