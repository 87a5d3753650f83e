"""Rooms of a real Janus as tests join them, and what moderators do there."""

from __future__ import annotations

import asyncio
from typing import Any

from bot.config import Settings, WebrtcSettings
from bot.rooms.contract import TrackAdded
from bot.rooms.janus.adapter import Adapter
from bot.rooms.registry import RoomContext
from bot.tracks import TrackEnded
from tests.followed_room import Followed
from tests.janus_server import OPEN_ROOM, SECRET
from tests.janus_students import JanusStudent

QUICK = Settings(webrtc=WebrtcSettings(connect_timeout_s=10.0, silence_timeout_s=1.0))


def follow(url: str, settings: Settings = QUICK) -> Followed:
    return Followed(Adapter(RoomContext(settings)).open(url))


async def ended(followed: Followed, place: int = 0) -> None:
    """Wait until the track of the n-th TrackAdded gives no more frames."""
    added = [event for event in followed.events if isinstance(event, TrackAdded)][place]
    async with asyncio.timeout(20):
        try:
            while True:
                await added.track.recv()
        except TrackEnded:
            return


async def kick(moderator: JanusStudent, display: str) -> None:
    people = await participants(moderator)
    (feed,) = [feed for feed, person in people.items() if person["display"] == display]
    await moderator.ask({"request": "kick", "room": OPEN_ROOM, "secret": SECRET, "id": feed})


async def participants(student: JanusStudent) -> dict[int, dict[str, Any]]:
    reply = await student.ask({"request": "listparticipants", "room": OPEN_ROOM})
    return {person["id"]: person for person in reply.data["participants"]}
