"""The participants by Janus' notifications and participant lists; no camera is received here."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.config import WebrtcSettings
from bot.rooms.contract import Joined, Left, Muted, RoomEvent, UnsupportedCodec
from bot.rooms.janus.camera import Reception
from bot.rooms.janus.participants import Participants
from bot.rooms.janus.session import JanusSession
from bot.rooms.janus.videoroom import (
    Camera,
    Feed,
    Moderated,
    Present,
    Publishing,
    Renamed,
    RoomAddress,
    RoomMember,
)
from bot.webrtc.receive_options import ReceiveOptions

ADA, BEA = RoomMember(1, "Ada"), RoomMember(2, "Bea")
CAMERA = Camera("0", "vp8", False)


class ParticipantsRecorder:
    """Participants of a room, and the room events they emitted."""

    def __init__(self) -> None:
        self.events: list[RoomEvent] = []
        self.participants = Participants(self.events.append, receives=False)

    def connect(self, own_feed: Feed, *present: RoomMember) -> None:
        reception = Reception(
            session=JanusSession("ws://192.0.2.1", 1.0),
            address=RoomAddress("ws://192.0.2.1", 1, None, "Bot", ""),
            private_id=None,
            options=ReceiveOptions(WebrtcSettings(), ThreadPoolExecutor(1)),
            temporal=0,
            connection_limit=asyncio.Semaphore(1),
        )
        self.participants.connect(reception, own_feed, [Present(member) for member in present])

    def list_participants(self, *present: RoomMember) -> None:
        self.participants.on_participant_list(list(present), {member.feed for member in present})

    def joined_names(self) -> list[str | None]:
        return [event.name for event in self.events if isinstance(event, Joined)]

    def left_count(self) -> int:
        return sum(isinstance(event, Left) for event in self.events)


@pytest.fixture
async def recorder() -> ParticipantsRecorder:
    return ParticipantsRecorder()


async def test_a_participant_who_joined_after_the_list_was_made_is_not_removed(
    recorder: ParticipantsRecorder,
) -> None:
    recorder.connect(9)
    recorder.list_participants(ADA)
    recorder.participants.on_notification(Publishing(RoomMember(2, "Bea", CAMERA)))
    recorder.list_participants(ADA)  # made before Bea joined
    assert recorder.left_count() == 0
    recorder.list_participants(ADA, BEA)
    recorder.list_participants(ADA)
    assert recorder.left_count() == 0
    recorder.list_participants(ADA)
    assert recorder.left_count() == 1
    recorder.list_participants(ADA)
    assert (recorder.left_count(), recorder.joined_names()) == (1, ["Ada", "Bea"])


async def test_bots_of_lost_connections_are_ignored_but_a_participant_with_their_feed_is_not(
    recorder: ParticipantsRecorder,
) -> None:
    for own_feed in range(100, 130):
        recorder.connect(own_feed, RoomMember(100, "Bot"), RoomMember(own_feed, "Bot"), ADA)
    assert set(recorder.joined_names()) == {"Ada"}
    recorder.connect(7, RoomMember(100, "Dan"), RoomMember(8, "Bot"))
    assert set(recorder.joined_names()) == {"Ada", "Dan", "Bot"}, (
        "feeds of a restarted server; a student with the bot's name"
    )


async def test_a_moderated_camera_is_off_and_unknown_feeds_and_streams_change_nothing(
    recorder: ParticipantsRecorder,
) -> None:
    recorder.connect(9)
    recorder.participants.on_notification(Moderated(1, "0", True))
    recorder.participants.on_notification(Renamed(1, "Nobody"))
    assert recorder.events == []
    recorder.participants.on_notification(Publishing(RoomMember(1, "Ada", CAMERA)))
    recorder.participants.on_notification(Moderated(1, "1", True))
    recorder.participants.on_notification(Moderated(1, "0", True))
    recorder.participants.on_notification(Moderated(1, "0", True))
    recorder.participants.on_notification(Moderated(1, "0", False))
    muted = [event.muted for event in recorder.events if isinstance(event, Muted)]
    assert muted == [False, False, True, False]  # on joining, on publishing, and by the moderator twice


async def test_a_moderated_camera_with_an_unsupported_codec_is_reported_as_off_first(
    recorder: ParticipantsRecorder,
) -> None:
    recorder.connect(9)
    recorder.participants.on_notification(
        Publishing(RoomMember(1, "Ada", Camera("0", "vp9", False, moderated=True)))
    )
    recorder.participants.on_notification(Moderated(1, "0", False))
    assert [type(event) for event in recorder.events] == [Joined, Muted, Muted, UnsupportedCodec]
    assert Muted(recorder.events[-1].participant_id, True) in recorder.events  # type: ignore[union-attr]
