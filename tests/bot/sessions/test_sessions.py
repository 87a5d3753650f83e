"""Classes from join to end: every state has its reason, and nothing is left behind."""

import asyncio
from collections.abc import Callable
from types import TracebackType

import pytest
from prometheus_client import generate_latest

from bot.config import Settings
from bot.rooms.contract import (
    Disconnected,
    Joined,
    Pulse,
    Reconnected,
    RoomDenied,
    RoomError,
    RoomRemoved,
    RoomUnavailable,
    TrackAdded,
)
from bot.sessions.lifecycle import NOTICE, NOTICE_WITHOUT_FACES, Sessions
from reports.store import Store
from reports.summary.classes import ClassState
from reports.summary.windows import PulseKind
from reports.web.controller import RoomRefused
from tests.bot.sessions.session_setup import Desk, FakeAdapter
from tests.fakes import FakeRoom, FakeTrack


async def test_a_class_from_start_to_end(desk: Callable[..., Desk]) -> None:
    held = desk()
    info = await held.start()
    assert (info.state, info.code, info.student_url) == (ClassState.JOINING, "ABCD", "http://here/c/ABCD")
    await held.state(info.id, ClassState.LIVE)
    assert held.room.told == [NOTICE]
    held.room.tell(Joined("a", consented=True), TrackAdded(FakeTrack("a", 100)), Pulse("a", PulseKind.OK))
    await asyncio.sleep(1.5)
    marker = await held.sessions.mark(info.id, "cells")
    ended = await held.sessions.end(info.id)
    assert ended is not None
    assert (ended.state, ended.reason) == (ClassState.ENDED, "The host ended the class.")
    assert ended.ended_at is not None
    windows = await held.store.windows(info.id)
    assert windows[0].analysed == 1
    assert await held.store.markers(info.id) == [marker]
    assert [pulse.kind for pulse in await held.store.pulses(info.id)] == [PulseKind.OK]
    assert len(await held.store.consents(info.id)) == 1
    assert not held.room.inside
    assert held.sessions.running(info.id) is None
    assert await held.sessions.mark(info.id, "too late") is None
    assert await held.sessions.end(info.id) == ended
    assert await held.sessions.end("nobody") is None


async def test_a_marker_set_while_joining_stands_at_the_beginning(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    admitted = asyncio.Event()

    async def wait_at_the_door(room: FakeRoom) -> FakeRoom:
        await admitted.wait()
        return room

    monkeypatch.setattr(FakeRoom, "__aenter__", wait_at_the_door)
    held = desk()
    info = await held.start()
    await asyncio.sleep(1.0)
    await held.sessions.mark(info.id, "before")
    admitted.set()
    await held.state(info.id, ClassState.LIVE)
    await held.sessions.mark(info.id, "begin")
    await held.sessions.end(info.id)
    assert [marker.label for marker in await held.store.markers(info.id)] == ["before", "begin"]


async def test_the_feed_tells_it_all(desk: Callable[..., Desk]) -> None:
    held = desk()
    info = await held.start()
    told: list[tuple[str, str]] = []

    async def follow() -> None:
        with held.feed.subscribe(info.id, 0) as events:
            async for event in events:
                told.append((event.event, str(event.data.get("state", ""))))

    following = asyncio.create_task(follow())
    await held.state(info.id, ClassState.LIVE)
    await asyncio.sleep(1.4)
    await held.sessions.end(info.id)
    await asyncio.wait_for(following, 5)
    assert told[0] == ("state", "live")
    assert ("summary", "") in told
    assert told[-1] == ("state", "ended")


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (RoomDenied("wrong PIN: ask for it"), ClassState.DENIED),
        (RoomUnavailable("no server there"), ClassState.FAILED),
        (RoomRemoved("put out"), ClassState.REMOVED),
    ],
)
async def test_a_room_that_lets_nobody_in(
    desk: Callable[..., Desk], error: RoomError, state: ClassState
) -> None:
    held = desk(FakeRoom(refuse=error))
    info = await held.start()
    ended = await held.state(info.id, state)
    assert ended.reason == str(error)
    assert ended.ended_at is not None


async def test_being_removed_in_the_middle(desk: Callable[..., Desk]) -> None:
    held = desk()
    info = await held.start()
    await held.state(info.id, ClassState.LIVE)
    held.room.tell(RoomRemoved("the host removed the bot"))
    assert (await held.state(info.id, ClassState.REMOVED)).reason == "the host removed the bot"


async def test_the_rooms_own_end(desk: Callable[..., Desk]) -> None:
    held = desk()
    info = await held.start()
    held.room.tell(None)
    assert (await held.state(info.id, ClassState.ENDED)).reason == "The room's class came to its end."


async def test_a_broken_connection_is_said_and_taken_back(desk: Callable[..., Desk]) -> None:
    held = desk()
    info = await held.start()
    await held.state(info.id, ClassState.LIVE)
    held.room.tell(Disconnected("the server is gone, trying again"))
    assert (await held.state(info.id, ClassState.RECONNECTING)).reason == "the server is gone, trying again"
    held.room.tell(Reconnected())
    await held.state(info.id, ClassState.LIVE)
    await held.sessions.close()


async def test_a_wrong_room_is_refused_and_nothing_kept(desk: Callable[..., Desk]) -> None:
    held = desk()
    for url in ("fake:wrong", "nothing:room", "room", ""):
        with pytest.raises(RoomRefused) as caught:
            await held.sessions.start(url, "")
        assert "\n" not in str(caught.value)
    assert await held.store.classes() == []


async def test_where_announcing_is_required_a_silent_room_is_not_looked_at(
    desk: Callable[..., Desk],
) -> None:
    held = desk(FakeRoom(announces=False), require_announcement=True)
    info = await held.start()
    held.room.tell(Joined("a"), TrackAdded(FakeTrack("a", 100)))
    assert "require_announcement" in (await held.state(info.id, ClassState.DENIED)).reason
    assert held.reader.pictures == 0


async def test_where_faces_are_not_read_the_notice_says_so(store: Store) -> None:
    held = Desk(store, FakeRoom(), Settings())
    held.sessions = Sessions(
        store=store,
        feed=held.feed,
        adapters={"fake": FakeAdapter(held.room)},
        reader=None,
        settings=Settings(),
        metrics=held.metrics,
        public_url=lambda: "http://here",
    )
    info = await held.start()
    await held.state(info.id, ClassState.LIVE)
    await held.sessions.end(info.id)
    assert held.room.told == [NOTICE_WITHOUT_FACES]


async def test_a_title_is_made_where_there_is_none(desk: Callable[..., Desk]) -> None:
    held = desk()
    info = await held.sessions.start("fake:room", "  ")
    assert info.title.startswith("Class of 20")
    await held.sessions.close()
    assert (await held.state(info.id, ClassState.ENDED)).reason == "The server was stopped."


async def test_the_metrics_count_and_name_nobody(desk: Callable[..., Desk]) -> None:
    held = desk()
    info = await held.start()
    await held.state(info.id, ClassState.LIVE)
    held.room.tell(Joined("ada"), TrackAdded(FakeTrack("ada", 100)), Pulse("ada", PulseKind.LOST))
    await asyncio.sleep(1.5)

    def value(name: str, **labels: str) -> float | None:
        return held.metrics.registry.get_sample_value(name, labels)

    assert value("classmood_classes_running") == 1
    assert value("classmood_cameras") == 1
    assert value("classmood_pulses_total", kind="lost") == 1
    samples = value("classmood_reading_seconds_count")
    assert samples is not None
    assert samples >= 5
    await held.sessions.end(info.id)
    assert value("classmood_cameras") == 0
    assert value("classmood_classes_running") == 0
    windows = value("classmood_window_behind_seconds_count")
    assert windows == len(await held.store.windows(info.id))
    served = generate_latest(held.metrics.registry).decode()
    assert info.id not in served
    assert "ada" not in served


async def test_a_stopping_server_starts_no_class_and_leaves_none_running(desk: Callable[..., Desk]) -> None:
    held = desk()
    assert held.sessions.unready() is None
    info = await held.start()
    await held.sessions.close()
    assert (await held.state(info.id, ClassState.ENDED)).reason == "The server was stopped."
    assert held.sessions.unready() == "the server is being stopped"
    with pytest.raises(RoomRefused, match="being stopped"):
        await held.start()
    assert [one.id for one in await held.store.classes()] == [info.id]


class StickyRoom(FakeRoom):
    """A room that is not left of itself."""

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.sleep(60)


async def test_a_class_that_does_not_end_in_time_is_cut_off_and_kept_as_interrupted(
    desk: Callable[..., Desk],
) -> None:
    before = asyncio.all_tasks()
    held = desk(StickyRoom())
    info = await held.start()
    await held.state(info.id, ClassState.LIVE)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await held.sessions.close()
    await held.sessions.abandon(10)
    kept = await held.store.get_class(info.id)
    assert kept is not None
    assert (kept.state, kept.reason) == (ClassState.INTERRUPTED, "The program was stopped during the class.")
    await asyncio.sleep(0)
    assert asyncio.all_tasks() - before == set()


async def test_no_task_is_left(desk: Callable[..., Desk]) -> None:
    before = asyncio.all_tasks()
    held = desk()
    info = await held.start()
    held.room.tell(Joined("a"), TrackAdded(FakeTrack("a", 100)))
    await asyncio.sleep(0.3)
    await held.sessions.end(info.id)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() - before == set()
