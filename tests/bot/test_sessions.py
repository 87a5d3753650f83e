"""Classes from join to end: every state has its reason, everything is kept, nothing is left behind."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Callable, Iterable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from prometheus_client import generate_latest

from bot.config import AnalysisSettings, PrivacySettings, Settings
from bot.metrics import Metrics
from bot.pipeline.indicators import indicate
from bot.room import (
    Disconnected,
    Joined,
    OptedOut,
    Pulse,
    Reconnected,
    Room,
    RoomDenied,
    RoomError,
    RoomRemoved,
    RoomUnavailable,
    RoomUrlError,
    TrackAdded,
)
from bot.sessions import NOTICE, NOTICE_WITHOUT_FACES, Sessions
from reports.controller import RoomRefused
from reports.feed import LiveFeed
from reports.store import Store
from reports.summary import ClassInfo, ClassState, PulseKind
from tests.fakes import FakeRoom, FakeTrack, ScriptedReader, one_face


class FakeAdapter:
    """Gives out one room."""

    scheme = "fake"
    example = "fake:room"

    def __init__(self, room: FakeRoom) -> None:
        self.room = room

    def open(self, url: str) -> Room:
        if url == "fake:wrong":
            raise RoomUrlError("'fake:wrong': give fake:room")
        return self.room

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return ()


class Desk:
    """Sessions with one fake room."""

    def __init__(self, store: Store, room: FakeRoom, settings: Settings) -> None:
        self.store, self.room, self.feed = store, room, LiveFeed()
        self.jump = timedelta()
        self.metrics = Metrics()
        self.reader = ScriptedReader({100: one_face("happy")})
        self.sessions = Sessions(
            store=store,
            feed=self.feed,
            adapters={"fake": FakeAdapter(room)},
            reader=self.reader,
            settings=settings,
            metrics=self.metrics,
            public_url=lambda: "http://here",
            now=lambda: datetime.now(UTC) + self.jump,
        )

    async def start(self) -> ClassInfo:
        return await self.sessions.start("fake:room", "Biology")

    async def state(self, class_id: str, wanted: ClassState) -> ClassInfo:
        async with asyncio.timeout(10):
            while True:
                info = await self.store.get_class(class_id)
                assert info is not None
                if info.state is wanted:
                    return info
                await asyncio.sleep(0.02)


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await asyncio.to_thread(Store.open, f"sqlite:///{tmp_path}/class.db")
    yield opened
    await asyncio.to_thread(opened.close)


@pytest.fixture
def desk(store: Store) -> Callable[..., Desk]:
    def make(room: FakeRoom | None = None, **privacy: object) -> Desk:
        settings = Settings(
            analysis=AnalysisSettings(window_s=1.0, samples_per_s=10),
            privacy=PrivacySettings.model_validate({"min_group": 1, **privacy}),
        )
        return Desk(store, room or FakeRoom(), settings)

    return make


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


async def test_erasing_deletes_the_consent(desk: Callable[..., Desk]) -> None:
    held = desk()
    info = await held.start()
    held.room.tell(Joined("a", name="Ada", individual=True, consented=True), OptedOut("a"))
    await asyncio.sleep(1.4)
    await held.sessions.end(info.id)
    assert await held.store.consents(info.id) == []
    # On a busy machine a window may have closed before the two were heard.
    assert (await held.store.windows(info.id))[-1].not_analysed["opted_out"] == 1


async def test_the_host_can_have_somebody_left_out_and_the_class_goes_on(desk: Callable[..., Desk]) -> None:
    held = desk()
    info = await held.start()
    for who in ("a", "b"):
        held.room.tell(Joined(who, name=who, individual=True, consented=True))
        held.room.tell(TrackAdded(FakeTrack(who, 100)))
    await held.state(info.id, ClassState.LIVE)
    await asyncio.sleep(0.5)
    assert await held.sessions.leave_out(info.id, "a") == 1
    await asyncio.sleep(1.8)
    assert (await held.sessions.end(info.id) or info).state is ClassState.ENDED
    windows = await held.store.windows(info.id)
    assert [(one.analysed, one.not_analysed["opted_out"]) for one in windows] == [(1, 1)] * len(windows)
    assert len(windows) >= 2
    assert [consent.participant_id for consent in await held.store.consents(info.id)] == ["b"]
    assert await held.sessions.leave_out(info.id, "b") is None, "the class is over"


@pytest.mark.parametrize("jump", [timedelta(hours=-2), timedelta(days=400)])
async def test_a_wall_clock_that_jumps_changes_neither_windows_nor_the_length(
    desk: Callable[..., Desk], jump: timedelta
) -> None:
    held = desk()
    info = await held.start()
    await held.state(info.id, ClassState.LIVE)
    held.room.tell(Joined("a"), TrackAdded(FakeTrack("a", 100)))
    await asyncio.sleep(1.4)
    held.jump = jump
    await held.sessions.mark(info.id, "after the jump")
    await asyncio.sleep(1.2)
    ended = await held.sessions.end(info.id)
    assert ended is not None
    assert ended.ended_at is not None
    lasted_s = (ended.ended_at - ended.started_at).total_seconds()
    assert 2.5 < lasted_s < 60
    windows = await held.store.windows(info.id)
    assert [window.start_s for window in windows] == [float(number) for number in range(len(windows))]
    (marker,) = await held.store.markers(info.id)
    assert 1 < marker.at_s < lasted_s


class Trouble:
    """Makes the store's database unwritable from outside, as another program's lock or a full disk does."""

    def __init__(self, path: Path) -> None:
        self._other = sqlite3.connect(path, isolation_level=None, check_same_thread=False)

    def begin(self) -> None:
        self._other.execute("BEGIN IMMEDIATE")

    def end(self) -> None:
        self._other.execute("ROLLBACK")
        self._other.close()


async def test_what_the_store_cannot_take_for_a_while_is_told_waits_and_is_kept(
    tmp_path: Path,
) -> None:
    store = await asyncio.to_thread(Store.open, f"sqlite:///{tmp_path}/class.db?timeout=0.1")
    held = Desk(
        store,
        FakeRoom(),
        Settings(
            analysis=AnalysisSettings(window_s=1.0, samples_per_s=10),
            privacy=PrivacySettings(min_group=1),
        ),
    )
    info = await held.start()
    held.room.tell(Joined("a", name="Ada", individual=True, consented=True), TrackAdded(FakeTrack("a", 100)))
    await held.state(info.id, ClassState.LIVE)
    await asyncio.sleep(0.3)
    trouble = await asyncio.to_thread(Trouble, tmp_path / "class.db")
    with held.feed.subscribe(info.id) as following:
        await asyncio.to_thread(trouble.begin)
        held.room.tell(Pulse("a", PulseKind.LOST), OptedOut("a"))
        reasons: list[str] = []
        shown = 0
        async with asyncio.timeout(20):
            async for event in following:
                shown += event.event == "summary"
                if event.event == "state":
                    reasons.append(str(event.data["reason"]))
                if event.event == "summary" and shown == 2:
                    await asyncio.to_thread(trouble.end)
                if len(reasons) == 2:
                    break
    assert "cannot be kept for now" in reasons[0]
    assert "another program keeps it locked" in reasons[0]
    assert reasons[1] == "The class is running."
    await held.sessions.end(info.id)
    windows = await store.windows(info.id)
    assert [window.start_s for window in windows] == [float(number) for number in range(len(windows))]
    assert len(windows) >= 2
    assert len(await store.pulses(info.id)) == 1
    assert await store.consents(info.id) == [], "an erasure is not lost either"
    await held.sessions.close()
    await asyncio.to_thread(store.close)


async def test_a_class_that_ends_while_the_store_is_in_trouble_says_so_and_is_kept_later(
    tmp_path: Path,
) -> None:
    store = await asyncio.to_thread(Store.open, f"sqlite:///{tmp_path}/class.db?timeout=0.1")
    held = Desk(store, FakeRoom(), Settings(analysis=AnalysisSettings(window_s=1.0)))
    info = await held.start()
    await held.state(info.id, ClassState.LIVE)
    trouble = await asyncio.to_thread(Trouble, tmp_path / "class.db")
    await asyncio.to_thread(trouble.begin)
    ended = await held.sessions.end(info.id)
    assert ended is not None
    assert ended.state is ClassState.ENDED
    await asyncio.to_thread(trouble.end)
    assert (await held.state(info.id, ClassState.ENDED)).ended_at == ended.ended_at
    await held.sessions.close()
    await asyncio.to_thread(store.close)


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


async def test_no_task_is_left(desk: Callable[..., Desk]) -> None:
    before = asyncio.all_tasks()
    held = desk()
    info = await held.start()
    held.room.tell(Joined("a"), TrackAdded(FakeTrack("a", 100)))
    await asyncio.sleep(0.3)
    await held.sessions.end(info.id)
    await asyncio.sleep(0)
    assert asyncio.all_tasks() - before == set()


async def test_word_and_alert_go_out_live_and_come_back_the_same_from_the_store(
    desk: Callable[..., Desk],
) -> None:
    held = desk()
    info = await held.start()
    await held.state(info.id, ClassState.LIVE)
    with held.feed.subscribe(info.id) as following:
        held.room.tell(Joined("a", consented=True), Pulse("a", PulseKind.LOST))
        seen: dict[str, dict[str, Any]] = {}
        async with asyncio.timeout(10):
            async for event in following:
                seen[event.event] = event.data
                if event.event == "alert":
                    break
    await held.sessions.end(info.id)
    assert seen["indicator"]["word"] == "lost"
    assert seen["alert"]["kind"] == "lost"
    assert seen["alert"]["evidence"] == "1 of 1 taps in the last 2 min say lost"
    stored = indicate(await held.store.windows(info.id))
    assert [alert.to_json() for alert in stored.alerts] == [seen["alert"]]
