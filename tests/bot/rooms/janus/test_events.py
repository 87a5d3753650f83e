"""Events wait boundedly, and whoever reads them late ends with the same people, cameras and opt-outs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.frames import RawFrame
from bot.rooms.contract import (
    Disconnected,
    Joined,
    Left,
    Muted,
    OptedOut,
    Reconnected,
    RoomEvent,
    RoomUnavailable,
    TrackAdded,
    TrackRemoved,
    UnsupportedCodec,
)
from bot.rooms.janus.events import EventQueue
from bot.tracks import TrackEnded


@dataclass(frozen=True)
class Track:
    """A camera by name only."""

    track_id: str
    participant_id: str

    async def recv(self) -> RawFrame:
        raise TrackEnded(self.track_id)


async def test_events_come_in_order_then_the_end_as_often_as_asked() -> None:
    queue = EventQueue()
    reading = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put(Joined("a"))
    queue.put(Muted("a", True))
    queue.end()
    queue.put(Left("a"))
    assert await reading == Joined("a")
    assert [await queue.get(), await queue.get(), await queue.get()] == [Muted("a", True), None, None]


async def test_an_error_comes_after_what_waits_and_the_first_end_counts() -> None:
    queue = EventQueue()
    queue.put(Joined("a"))
    queue.end(RoomUnavailable("gone"))
    queue.end()
    assert await queue.get() == Joined("a")
    with pytest.raises(RoomUnavailable, match="gone"):
        await queue.get()


async def test_ten_thousand_who_come_and_go_unread_take_no_room_and_an_opt_out_is_kept() -> None:
    queue = EventQueue(limit=50)
    queue.put(Joined("stays"))
    for number in range(10_000):
        who = f"p{number}"
        track = Track(f"t{number}", who)
        for event in (Joined(who), Muted(who, False), TrackAdded(track), TrackRemoved(track.track_id, who)):
            queue.put(event)
        if number == 7:
            queue.put(OptedOut(who))
        queue.put(Left(who))
    queue.end()
    read = []
    while (event := await queue.get()) is not None:
        read.append(event)
    assert len(read) < 50
    assert read[:2] == [Joined("stays"), OptedOut("p7")]


async def test_more_people_than_can_be_followed_end_the_class_and_say_so() -> None:
    queue = EventQueue(limit=50)
    for number in range(1000):
        queue.put(Joined(f"p{number}"))
    with pytest.raises(RoomUnavailable, match="more people came and went than this machine could follow"):
        await queue.get()


@dataclass
class Reader:
    """What a class makes of events."""

    people: dict[str, RoomEvent | None] = field(default_factory=dict)
    tracks: set[str] = field(default_factory=set)
    opted_out: set[str] = field(default_factory=set)
    connected: bool = True

    def take(self, event: RoomEvent) -> None:
        match event:
            case Joined(who):
                self.people.setdefault(who, None)
            case Left(who):
                self.people.pop(who, None)
            case Muted(who) | UnsupportedCodec(who):
                if who in self.people:
                    self.people[who] = event
            case TrackAdded(track):
                assert track.participant_id in self.people
                self.tracks.add(track.track_id)
            case TrackRemoved(track_id):
                self.tracks.discard(track_id)
            case OptedOut(who):
                self.opted_out.add(who)
            case Disconnected() | Reconnected():
                self.connected = isinstance(event, Reconnected)


class World:
    """A room in which anything may happen, told as the adapter tells it."""

    def __init__(self) -> None:
        self.there: dict[str, str | None] = {}  # who, and their track
        self.tracks = 0

    def happens(self, what: str, who: str) -> list[RoomEvent]:
        track = self.there.get(who)
        removed: list[RoomEvent] = [] if track is None else [TrackRemoved(track, who)]
        match what:
            case "toggle" if who in self.there:
                del self.there[who]
                return [Left(who), *removed]
            case "toggle":
                self.there[who] = None
                return [Joined(who), Muted(who, True)]
            case "camera" if who in self.there:
                self.tracks += 1
                name = self.there[who] = f"track {self.tracks}"
                return [*removed, Muted(who, False), TrackAdded(Track(name, who))]
            case "codec" if who in self.there:
                self.there[who] = None
                return [*removed, UnsupportedCodec(who, "vp9")]
            case "opt out" if who in self.there:
                self.there[who] = None
                return [*removed, OptedOut(who)]
            case "loss":
                gone: list[RoomEvent] = [TrackRemoved(one, who) for who, one in self.there.items() if one]
                self.there = dict.fromkeys(self.there)
                again = [event for who in self.there for event in (Joined(who), Muted(who, True))]
                return [Disconnected("cut"), *gone, Reconnected(), *again]
        return []


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["toggle", "toggle", "camera", "codec", "opt out", "loss", "read"]),
        st.sampled_from("abc"),
    ),
    max_size=60,
)


@given(STEPS)
def test_a_reader_that_falls_behind_ends_with_the_same(steps: list[tuple[str, str]]) -> None:
    async def live() -> None:
        world, queue, late, prompt = World(), EventQueue(limit=34), Reader(), Reader()
        for what, who in steps:
            for event in world.happens(what, who):
                prompt.take(event)
                queue.put(event)
            if what == "read":
                queue.put(Disconnected("a while"))
                queue.put(Reconnected())
                for _ in range(2):
                    event = await queue.get()
                    assert event is not None
                    late.take(event)
        queue.end()
        while (event := await queue.get()) is not None:
            late.take(event)
        assert late == prompt

    asyncio.run(live())
