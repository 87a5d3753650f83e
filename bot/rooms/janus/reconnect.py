"""Retries to join the room after the connection was lost, until it succeeds or a timeout passes."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Final

from bot.rooms.contract import RoomUnavailable
from bot.rooms.janus.connection import RoomConnection
from bot.rooms.janus.messages import JanusError, JanusRefused
from bot.rooms.janus.videoroom import NO_SUCH_ROOM, NOT_ACCEPTING_SESSIONS, RoomAddress, as_room_error

ATTEMPT_TIMEOUT_S: Final = 2.5
"""Time for one attempt to connect to the server, seconds."""

_PAUSES_S: Final = (0.2, 0.4, 0.8, 1.0)


@dataclass(frozen=True, slots=True)
class ReconnectTimeouts:
    """How long the bot waits for a lost server, room or chat.

    Attributes:
        server_s: Seconds to wait for a server that cannot be reached.
        room_s: Seconds to wait for the room if the server is running without it.
        chat_s: Seconds to wait for the chat if everybody in the class must be informed.
    """

    server_s: float = 300.0
    room_s: float = 60.0
    chat_s: float = 20.0


DEFAULT_TIMEOUTS: Final = ReconnectTimeouts()


async def reconnect(
    join: Callable[[], Awaitable[RoomConnection]], address: RoomAddress, timeouts: ReconnectTimeouts
) -> RoomConnection:
    """Retry until the room is joined again.

    Args:
        join: Joins the room or raises a ``JanusError``.
        address: The room.
        timeouts: When to give up.

    Raises:
        RoomError: a timeout passed, or the room no longer admits the bot.
    """
    clock = asyncio.get_running_loop().time
    lost_s, attempts = clock(), 0
    room_missing_since_s: float | None = None
    cause: JanusError
    while True:
        try:
            return await join()
        except JanusRefused as exc:
            if exc.code not in (NO_SUCH_ROOM, NOT_ACCEPTING_SESSIONS):
                raise as_room_error(exc, address) from exc
            room_missing, cause = exc.code == NO_SUCH_ROOM, exc
        except JanusError as exc:
            room_missing, cause = False, exc
        room_missing_since_s = (room_missing_since_s or clock()) if room_missing else None
        if room_missing_since_s is not None and clock() - room_missing_since_s >= timeouts.room_s:
            raise RoomUnavailable(
                f"room {address.room} is gone: the Janus server came back without it"
            ) from cause
        if room_missing_since_s is None and clock() - lost_s >= timeouts.server_s:
            raise RoomUnavailable(
                "the Janus server was lost and did not come back within "
                f"{timeouts.server_s:.0f} s: check the server and the network"
            ) from cause
        await asyncio.sleep(_PAUSES_S[min(attempts, len(_PAUSES_S) - 1)])
        attempts += 1
