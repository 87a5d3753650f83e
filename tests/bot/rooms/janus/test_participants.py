"""Who is in the room, by what Janus tells and by its roll; nothing is received here."""

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


class Stay:
    """A stay in a room, and what was told of it."""

    def __init__(self) -> None:
        self.told: list[RoomEvent] = []
        self.people = Participants(self.told.append, receives=False)

    def begin(self, own_feed: Feed, *there: RoomMember) -> None:
        reception = Reception(
            session=JanusSession("ws://192.0.2.1", 1.0),
            address=RoomAddress("ws://192.0.2.1", 1, None, "Bot", ""),
            private_id=None,
            options=ReceiveOptions(WebrtcSettings(), ThreadPoolExecutor(1)),
            temporal=0,
            turnstile=asyncio.Semaphore(1),
        )
        self.people.connect(reception, own_feed, [Present(person) for person in there])

    def roll(self, *there: RoomMember) -> None:
        self.people.on_participant_list(list(there), {person.feed for person in there})

    def names(self) -> list[str | None]:
        return [event.name for event in self.told if isinstance(event, Joined)]

    def left(self) -> int:
        return sum(isinstance(event, Left) for event in self.told)


@pytest.fixture
async def stay() -> Stay:
    return Stay()


async def test_who_came_while_an_older_roll_was_on_its_way_is_not_taken_for_gone(stay: Stay) -> None:
    stay.begin(9)
    stay.roll(ADA)
    stay.people.on_notification(Publishing(RoomMember(2, "Bea", CAMERA)))
    stay.roll(ADA)  # called before Bea came
    assert stay.left() == 0
    stay.roll(ADA, BEA)
    stay.roll(ADA)
    assert stay.left() == 0
    stay.roll(ADA)
    assert stay.left() == 1
    stay.roll(ADA)
    assert (stay.left(), stay.names()) == (1, ["Ada", "Bea"])


async def test_the_bots_of_lost_stays_are_nobody_and_somebody_given_their_feed_is(stay: Stay) -> None:
    for own_feed in range(100, 130):
        stay.begin(own_feed, RoomMember(100, "Bot"), RoomMember(own_feed, "Bot"), ADA)
    assert set(stay.names()) == {"Ada"}
    stay.begin(7, RoomMember(100, "Dan"), RoomMember(8, "Bot"))
    assert set(stay.names()) == {"Ada", "Dan", "Bot"}, (
        "feeds of a restarted server; a student called as the bot"
    )


async def test_a_moderated_camera_is_off_and_what_is_not_known_changes_nothing(stay: Stay) -> None:
    stay.begin(9)
    stay.people.on_notification(Moderated(1, "0", True))
    stay.people.on_notification(Renamed(1, "Nobody"))
    assert stay.told == []
    stay.people.on_notification(Publishing(RoomMember(1, "Ada", CAMERA)))
    stay.people.on_notification(Moderated(1, "1", True))
    stay.people.on_notification(Moderated(1, "0", True))
    stay.people.on_notification(Moderated(1, "0", True))
    stay.people.on_notification(Moderated(1, "0", False))
    muted = [event.muted for event in stay.told if isinstance(event, Muted)]
    assert muted == [False, False, True, False]  # on joining, on publishing, and by the moderator twice


async def test_a_moderated_camera_that_cannot_be_decoded_is_off_first(stay: Stay) -> None:
    stay.begin(9)
    stay.people.on_notification(Publishing(RoomMember(1, "Ada", Camera("0", "vp9", False, moderated=True))))
    stay.people.on_notification(Moderated(1, "0", False))
    assert [type(event) for event in stay.told] == [Joined, Muted, Muted, UnsupportedCodec]
    assert Muted(stay.told[-1].participant_id, True) in stay.told  # type: ignore[union-attr]
