"""Joins rooms of a real Janus in tests, and acts as a moderator there."""

from __future__ import annotations

from typing import Any

from bot.config import Settings, WebrtcSettings
from bot.rooms.janus.adapter import Adapter
from bot.rooms.registry import RoomContext
from tests.janus_server import OPEN_ROOM, SECRET
from tests.janus_students import JanusStudent
from tests.room_recorder import RoomRecorder

FAST_SETTINGS = Settings(webrtc=WebrtcSettings(connect_timeout_s=10.0, silence_timeout_s=1.0))


def record(url: str, settings: Settings = FAST_SETTINGS) -> RoomRecorder:
    """Make a recorder of the room with this URL; ``async with`` joins the room."""
    return RoomRecorder(Adapter(RoomContext(settings)).open(url))


async def kick(moderator: JanusStudent, display: str) -> None:
    listed = await participants(moderator)
    (feed,) = [feed for feed, participant in listed.items() if participant["display"] == display]
    await moderator.request({"request": "kick", "room": OPEN_ROOM, "secret": SECRET, "id": feed})


async def participants(student: JanusStudent) -> dict[int, dict[str, Any]]:
    """Return Janus' descriptions of everybody in the room, by feed."""
    reply = await student.request({"request": "listparticipants", "room": OPEN_ROOM})
    return {participant["id"]: participant for participant in reply.data["participants"]}
