"""Classes from join to end: each state has its reason, and no task is left running."""

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
from bot.sessions.running_class import NOTICE, NOTICE_WITHOUT_FACES
from reports.store import Store
from reports.summary.classes import ClassState
from reports.summary.windows import PulseKind
from reports.web.controller import RoomRefused
from tests.bot.sessions.session_setup import SessionSetup
from tests.fakes import FakeRoom, FakeTrack


async def test_a_class_stores_its_records_and_leaves_the_room_at_its_end(
    set_up: Callable[..., SessionSetup],
) -> None:
    setup = set_up()
    info = await setup.start()
    assert (info.state, info.code, info.student_url) == (ClassState.JOINING, "ABCD", "http://here/c/ABCD")
    await setup.stored_state(info.id, ClassState.LIVE)
    assert setup.room.announcements == [NOTICE]
    setup.room.emit(Joined("a", consented=True), TrackAdded(FakeTrack("a", 100)), Pulse("a", PulseKind.OK))
    await asyncio.sleep(1.5)
    marker = await setup.sessions.mark(info.id, "cells")
    ended = await setup.sessions.end(info.id)
    assert ended is not None
    assert (ended.state, ended.reason) == (ClassState.ENDED, "The host ended the class.")
    assert ended.ended_at is not None
    windows = await setup.store.windows(info.id)
    assert windows[0].analysed == 1
    assert await setup.store.markers(info.id) == [marker]
    assert [pulse.kind for pulse in await setup.store.pulses(info.id)] == [PulseKind.OK]
    assert len(await setup.store.consents(info.id)) == 1
    assert not setup.room.inside
    assert setup.sessions.running(info.id) is None
    assert await setup.sessions.mark(info.id, "too late") is None
    assert await setup.sessions.end(info.id) == ended
    assert await setup.sessions.end("nobody") is None


async def test_a_marker_set_while_joining_is_at_second_0(
    set_up: Callable[..., SessionSetup], monkeypatch: pytest.MonkeyPatch
) -> None:
    admitted = asyncio.Event()

    async def enter_when_admitted(room: FakeRoom) -> FakeRoom:
        await admitted.wait()
        return room

    monkeypatch.setattr(FakeRoom, "__aenter__", enter_when_admitted)
    setup = set_up()
    info = await setup.start()
    await asyncio.sleep(1.0)
    await setup.sessions.mark(info.id, "before")
    admitted.set()
    await setup.stored_state(info.id, ClassState.LIVE)
    await setup.sessions.mark(info.id, "live")
    await setup.sessions.end(info.id)
    assert [marker.label for marker in await setup.store.markers(info.id)] == ["before", "live"]


async def test_the_feed_publishes_the_class_from_live_to_ended(set_up: Callable[..., SessionSetup]) -> None:
    setup = set_up()
    info = await setup.start()
    published: list[tuple[str, str]] = []

    async def follow() -> None:
        with setup.feed.subscribe(info.id, 0) as events:
            async for event in events:
                published.append((event.event, str(event.data.get("state", ""))))

    following = asyncio.create_task(follow())
    await setup.stored_state(info.id, ClassState.LIVE)
    await asyncio.sleep(1.4)
    await setup.sessions.end(info.id)
    await asyncio.wait_for(following, 5)
    assert published[0] == ("state", "live")
    assert ("summary", "") in published
    assert published[-1] == ("state", "ended")


@pytest.mark.parametrize(
    ("error", "state"),
    [
        (RoomDenied("wrong PIN: ask for it"), ClassState.DENIED),
        (RoomUnavailable("no server there"), ClassState.FAILED),
        (RoomRemoved("the host removed the bot"), ClassState.REMOVED),
    ],
)
async def test_a_class_whose_room_cannot_be_joined_ends_with_the_reason_of_the_room(
    set_up: Callable[..., SessionSetup], error: RoomError, state: ClassState
) -> None:
    setup = set_up(FakeRoom(refuse=error))
    info = await setup.start()
    ended = await setup.stored_state(info.id, state)
    assert ended.reason == str(error)
    assert ended.ended_at is not None


async def test_a_bot_removed_from_the_room_ends_the_class(set_up: Callable[..., SessionSetup]) -> None:
    setup = set_up()
    info = await setup.start()
    await setup.stored_state(info.id, ClassState.LIVE)
    setup.room.emit(RoomRemoved("the host removed the bot"))
    assert (await setup.stored_state(info.id, ClassState.REMOVED)).reason == "the host removed the bot"


async def test_a_class_ends_when_the_room_ends_it(set_up: Callable[..., SessionSetup]) -> None:
    setup = set_up()
    info = await setup.start()
    setup.room.emit(None)
    assert (await setup.stored_state(info.id, ClassState.ENDED)).reason == "The room ended the class."


async def test_a_broken_connection_changes_the_state_until_it_is_back(
    set_up: Callable[..., SessionSetup],
) -> None:
    setup = set_up()
    info = await setup.start()
    await setup.stored_state(info.id, ClassState.LIVE)
    setup.room.emit(Disconnected("the server is gone, trying again"))
    assert (
        await setup.stored_state(info.id, ClassState.RECONNECTING)
    ).reason == "the server is gone, trying again"
    setup.room.emit(Reconnected())
    await setup.stored_state(info.id, ClassState.LIVE)
    await setup.sessions.close()


async def test_a_wrong_room_url_is_refused_and_no_class_is_stored(
    set_up: Callable[..., SessionSetup],
) -> None:
    setup = set_up()
    for url in ("fake:wrong", "nothing:room", "room", ""):
        with pytest.raises(RoomRefused) as caught:
            await setup.sessions.start(url, "")
        assert "\n" not in str(caught.value)
    assert await setup.store.classes() == []


async def test_a_room_without_announcement_is_not_analysed_if_the_settings_require_one(
    set_up: Callable[..., SessionSetup],
) -> None:
    setup = set_up(FakeRoom(announces=False), require_announcement=True)
    info = await setup.start()
    setup.room.emit(Joined("a"), TrackAdded(FakeTrack("a", 100)))
    assert "announce itself" in (await setup.stored_state(info.id, ClassState.DENIED)).reason
    assert setup.reader.images == 0


async def test_the_notice_says_that_faces_are_not_analysed(store: Store) -> None:
    setup = SessionSetup(store, FakeRoom(), Settings(), analyses_faces=False)
    info = await setup.start()
    await setup.stored_state(info.id, ClassState.LIVE)
    await setup.sessions.end(info.id)
    assert setup.room.announcements == [NOTICE_WITHOUT_FACES]


async def test_a_class_without_a_title_is_named_after_its_date(set_up: Callable[..., SessionSetup]) -> None:
    setup = set_up()
    info = await setup.sessions.start("fake:room", "  ")
    assert info.title.startswith("Class of 20")
    await setup.sessions.close()
    assert (await setup.stored_state(info.id, ClassState.ENDED)).reason == "The server was stopped."


async def test_the_metrics_count_the_class_and_contain_no_names(set_up: Callable[..., SessionSetup]) -> None:
    setup = set_up()
    info = await setup.start()
    await setup.stored_state(info.id, ClassState.LIVE)
    setup.room.emit(Joined("ada"), TrackAdded(FakeTrack("ada", 100)), Pulse("ada", PulseKind.LOST))
    await asyncio.sleep(1.5)

    def value(name: str, **labels: str) -> float | None:
        return setup.metrics.registry.get_sample_value(name, labels)

    assert value("classmood_classes_running") == 1
    assert value("classmood_cameras") == 1
    assert value("classmood_pulses_total", kind="lost") == 1
    samples = value("classmood_reading_seconds_count")
    assert samples is not None
    assert samples >= 5
    await setup.sessions.end(info.id)
    assert value("classmood_cameras") == 0
    assert value("classmood_classes_running") == 0
    windows = value("classmood_window_behind_seconds_count")
    assert windows == len(await setup.store.windows(info.id))
    served = generate_latest(setup.metrics.registry).decode()
    assert info.id not in served
    assert "ada" not in served


async def test_a_stopping_server_refuses_classes_and_ends_the_running_ones(
    set_up: Callable[..., SessionSetup],
) -> None:
    setup = set_up()
    assert setup.sessions.unready() is None
    info = await setup.start()
    await setup.sessions.close()
    assert (await setup.stored_state(info.id, ClassState.ENDED)).reason == "The server was stopped."
    assert setup.sessions.unready() == "the server is being stopped"
    with pytest.raises(RoomRefused, match="being stopped"):
        await setup.start()
    assert [one.id for one in await setup.store.classes()] == [info.id]


class HangingRoom(FakeRoom):
    """A room that cannot be left within a minute."""

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        await asyncio.sleep(60)


async def test_a_class_that_does_not_end_in_time_is_cancelled_and_stored_as_interrupted(
    set_up: Callable[..., SessionSetup],
) -> None:
    before = asyncio.all_tasks()
    setup = set_up(HangingRoom())
    info = await setup.start()
    await setup.stored_state(info.id, ClassState.LIVE)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.3):
            await setup.sessions.close()
    await setup.sessions.abandon(10)
    stored = await setup.store.get_class(info.id)
    assert stored is not None
    assert (stored.state, stored.reason) == (
        ClassState.INTERRUPTED,
        "The program was stopped during the class.",
    )
    await asyncio.sleep(0)
    assert asyncio.all_tasks() - before == set()


async def test_no_task_is_left_after_a_class(set_up: Callable[..., SessionSetup]) -> None:
    before = asyncio.all_tasks()
    setup = set_up()
    info = await setup.start()
    setup.room.emit(Joined("a"), TrackAdded(FakeTrack("a", 100)))
    await asyncio.sleep(0.3)
    await setup.sessions.end(info.id)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() - before == set()
