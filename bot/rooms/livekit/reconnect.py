"""Retries to join the room after the connection was lost, until it succeeds or a timeout passes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final, TypeVar

from bot.rooms.contract import RoomUnavailable
from bot.rooms.livekit.refusals import NoSuchRoom, RoomFull

ATTEMPT_TIMEOUT_S: Final = 6.0
"""Time for one attempt to join, seconds. A server that has just started lets everybody in at once."""

_PAUSES_S: Final = (0.1, 0.2, 0.4, 0.8, 1.0)

Joined = TypeVar("Joined")


@dataclass(frozen=True, slots=True)
class ReconnectTimeouts:
    """How long the bot waits for what was lost.

    Attributes:
        server_s: Seconds to wait for a server that cannot be reached.
        room_s: Seconds to wait for the room if the server is running without it.
    """

    server_s: float = 300.0
    room_s: float = 60.0


DEFAULT_TIMEOUTS: Final = ReconnectTimeouts()


async def reconnect(join: Callable[[], Awaitable[Joined]], timeouts: ReconnectTimeouts) -> Joined:
    """Retry until the room is joined again; return what ``join`` returns.

    Args:
        join: Joins the room or raises a ``RoomError``.
        timeouts: When to give up.

    Raises:
        RoomError: a timeout passed, or the room no longer admits the bot.
    """
    clock = asyncio.get_running_loop().time
    give_up_s, attempts = clock() + timeouts.server_s, 0
    without_room_s = float("inf")
    while True:
        try:
            return await join()
        except NoSuchRoom as exc:
            without_room_s = min(without_room_s, clock() + timeouts.room_s)
            if clock() >= without_room_s:
                raise RoomUnavailable("the room is gone: the LiveKit server came back without it") from exc
        except RoomFull:
            if clock() >= give_up_s:
                raise
        except RoomUnavailable as exc:
            without_room_s = float("inf")
            if clock() >= give_up_s:
                raise RoomUnavailable(
                    "check the server and the network: the LiveKit server was lost and did not come back "
                    f"within {timeouts.server_s:.0f} s"
                ) from exc
        await asyncio.sleep(_PAUSES_S[min(attempts, len(_PAUSES_S) - 1)])
        attempts += 1
