"""Opens LiveKit rooms for tests."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from benchmarks.simulation.clips import read_identity
from benchmarks.simulation.livekit_students import LiveKitStudents
from bot.config import LiveKitSettings, WebrtcSettings
from bot.frames import RawFrame
from bot.rooms.contract import Joined, RoomEvent, TrackAdded
from bot.rooms.livekit.adapter import parse_url
from bot.rooms.livekit.room import LiveKitRoom
from tests.livekit_server import API_KEY, API_SECRET, LiveKitServer
from tests.room_recorder import RoomRecorder

ROOM = "math"
KEY_SETTINGS = LiveKitSettings.model_validate({"api_key": API_KEY, "api_secret": API_SECRET})


async def open_room(server: LiveKitServer, query: str = "", room: str = ROOM, **options: Any) -> LiveKitRoom:
    """A room that is not joined yet."""
    address, access = await asyncio.to_thread(parse_url, server.room_url(room, query), KEY_SETTINGS)
    options = {"samples_per_s": 2.0, **options}
    return LiveKitRoom(address, access, WebrtcSettings(), **options)


@asynccontextmanager
async def class_of(
    server: LiveKitServer, query: str = "", **options: Any
) -> AsyncIterator[tuple[RoomRecorder, LiveKitStudents]]:
    """A room that the bot has joined, and the process of its students."""
    room = await open_room(server, query, **options)
    async with LiveKitStudents(server.url, ROOM) as students, RoomRecorder(room) as recorder:
        yield recorder, students


async def next_frame(recorder: RoomRecorder, after: int = 0, within_s: float = 15) -> RawFrame:
    """The next frame of the first track from event ``after`` on."""
    track = (await recorder.wait_for_kind(TrackAdded, after, within_s)).track
    async with asyncio.timeout(within_s):
        return await track.recv()


async def shown_identity(recorder: RoomRecorder, after: int = 0) -> int:
    """The identity drawn into the next frame of the first track from event ``after`` on."""
    return read_identity((await next_frame(recorder, after)).luma())


def joined_names(recorder: RoomRecorder) -> list[str | None]:
    return [event.name for event in recorder.events if isinstance(event, Joined)]


def kinds(recorder: RoomRecorder, *wanted: type[RoomEvent]) -> list[RoomEvent]:
    return [event for event in recorder.events if isinstance(event, wanted)]
