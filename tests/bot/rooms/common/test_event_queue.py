"""The event queue is bounded, and a slow reader ends with the same participants, cameras and opt-outs."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.frames import RawFrame
from bot.rooms.common.event_queue import EventQueue
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
from bot.tracks import TrackEnded


@dataclass(frozen=True)
class FakeTrack:
    """A track without frames."""

    track_id: str
    participant_id: str

    async def recv(self) -> RawFrame:
        raise TrackEnded(self.track_id)


async def test_get_returns_the_events_in_order_and_then_none_every_time() -> None:
    queue = EventQueue()
    reading = asyncio.create_task(queue.get())
    await asyncio.sleep(0)
    queue.put(Joined("a"))
    queue.put(Muted("a", True))
    queue.end()
    queue.put(Left("a"))
    assert await reading == Joined("a")
    assert [await queue.get(), await queue.get(), await queue.get()] == [Muted("a", True), None, None]


async def test_the_error_is_raised_after_the_queued_events_and_a_second_end_is_ignored() -> None:
    queue = EventQueue()
    queue.put(Joined("a"))
    queue.end(RoomUnavailable("gone"))
    queue.end()
    assert await queue.get() == Joined("a")
    with pytest.raises(RoomUnavailable, match="gone"):
        await queue.get()


async def test_a_full_queue_drops_participants_who_left_unread_but_keeps_their_opt_outs() -> None:
    queue = EventQueue(limit=50)
    queue.put(Joined("stays"))
    for number in range(10_000):
        participant_id = f"p{number}"
        track = FakeTrack(f"t{number}", participant_id)
        for event in (
            Joined(participant_id),
            Muted(participant_id, False),
            TrackAdded(track),
            TrackRemoved(track.track_id, participant_id),
        ):
            queue.put(event)
        if number == 7:
            queue.put(OptedOut(participant_id))
        queue.put(Left(participant_id))
    queue.end()
    read = []
    while (event := await queue.get()) is not None:
        read.append(event)
    assert len(read) < 50
    assert read[:2] == [Joined("stays"), OptedOut("p7")]


async def test_the_queue_ends_with_an_error_if_compacting_does_not_shorten_it_enough() -> None:
    queue = EventQueue(limit=50)
    for number in range(1000):
        queue.put(Joined(f"p{number}"))
    with pytest.raises(RoomUnavailable, match="more people joined and left than this machine could follow"):
        await queue.get()


@dataclass
class ReaderState:
    """The state that a reader derives from the events."""

    participants: dict[str, RoomEvent | None] = field(default_factory=dict)
    tracks: set[str] = field(default_factory=set)
    opted_out: set[str] = field(default_factory=set)
    connected: bool = True

    def apply(self, event: RoomEvent) -> None:
        match event:
            case Joined(participant_id):
                self.participants.setdefault(participant_id, None)
            case Left(participant_id):
                self.participants.pop(participant_id, None)
            case Muted(participant_id) | UnsupportedCodec(participant_id):
                if participant_id in self.participants:
                    self.participants[participant_id] = event
            case TrackAdded(track):
                assert track.participant_id in self.participants
                self.tracks.add(track.track_id)
            case TrackRemoved(track_id):
                self.tracks.discard(track_id)
            case OptedOut(participant_id):
                self.opted_out.add(participant_id)
            case Disconnected() | Reconnected():
                self.connected = isinstance(event, Reconnected)


class SimulatedRoom:
    """Turns random actions of participants into the events that the adapter would report."""

    def __init__(self) -> None:
        self.track_ids: dict[str, str | None] = {}  # by participant identifier
        self.tracks = 0

    def apply(self, action: str, participant_id: str) -> list[RoomEvent]:
        track = self.track_ids.get(participant_id)
        removed: list[RoomEvent] = [] if track is None else [TrackRemoved(track, participant_id)]
        match action:
            case "toggle" if participant_id in self.track_ids:
                del self.track_ids[participant_id]
                return [Left(participant_id), *removed]
            case "toggle":
                self.track_ids[participant_id] = None
                return [Joined(participant_id), Muted(participant_id, True)]
            case "camera" if participant_id in self.track_ids:
                self.tracks += 1
                name = self.track_ids[participant_id] = f"track {self.tracks}"
                return [*removed, Muted(participant_id, False), TrackAdded(FakeTrack(name, participant_id))]
            case "codec" if participant_id in self.track_ids:
                self.track_ids[participant_id] = None
                return [*removed, UnsupportedCodec(participant_id, "vp9")]
            case "opt out" if participant_id in self.track_ids:
                self.track_ids[participant_id] = None
                return [*removed, OptedOut(participant_id)]
            case "loss":
                removed_tracks: list[RoomEvent] = [
                    TrackRemoved(one, participant_id) for participant_id, one in self.track_ids.items() if one
                ]
                self.track_ids = dict.fromkeys(self.track_ids)
                rejoined = [
                    event
                    for participant_id in self.track_ids
                    for event in (Joined(participant_id), Muted(participant_id, True))
                ]
                return [Disconnected("cut"), *removed_tracks, Reconnected(), *rejoined]
        return []


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["toggle", "toggle", "camera", "codec", "opt out", "loss", "read"]),
        st.sampled_from("abc"),
    ),
    max_size=60,
)


@given(STEPS)
def test_a_slow_reader_ends_with_the_same_state_as_a_prompt_one(steps: list[tuple[str, str]]) -> None:
    async def run() -> None:
        room, queue, slow, prompt = SimulatedRoom(), EventQueue(limit=34), ReaderState(), ReaderState()
        for action, participant_id in steps:
            for event in room.apply(action, participant_id):
                prompt.apply(event)
                queue.put(event)
            if action == "read":
                queue.put(Disconnected("reason"))
                queue.put(Reconnected())
                for _ in range(2):
                    event = await queue.get()
                    assert event is not None
                    slow.apply(event)
        queue.end()
        while (event := await queue.get()) is not None:
            slow.apply(event)
        assert slow == prompt

    asyncio.run(run())
