"""What a class stores: erasures, clocks that jump, and a store that accepts no writes for a while."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.config import AnalysisSettings, PrivacySettings, Settings
from bot.rooms.contract import Erasure, Joined, Left, OptedOut, Pulse, RoomEvent, TrackAdded
from reports.store import Store, StoreError
from reports.summary.classes import ClassInfo, ClassState
from reports.summary.indicators import indicate
from reports.summary.windows import PulseKind
from tests.bot.sessions.session_setup import DatabaseLock, SessionSetup, lock_database
from tests.fakes import FakeRoom, FakeTrack


async def test_erasing_deletes_the_consent(set_up: Callable[..., SessionSetup]) -> None:
    setup = set_up()
    info = await setup.start()
    setup.room.emit(Joined("a", name="Ada", individual=True, consented=True), OptedOut("a"))
    await asyncio.sleep(1.4)
    await setup.sessions.end(info.id)
    assert await setup.store.consents(info.id) == []
    # On a busy machine a window may have closed before the two events were handled.
    assert (await setup.store.windows(info.id))[-1].not_analysed["opted_out"] == 1


async def test_an_erasure_as_the_class_ends_is_not_lost_while_the_store_accepts_no_writes(
    tmp_path: Path, short_timeout_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.pipeline.check_ins._SPREAD_S", 0.0)
    setup = SessionSetup(short_timeout_store, FakeRoom(), Settings(analysis=AnalysisSettings(window_s=1.0)))
    info = await setup.start()
    for who in ("a", "b"):
        setup.room.emit(Joined(who, name=who, individual=True, consented=True))
        setup.room.emit(*[Pulse(who, PulseKind.LOST)] * 3)
    async with asyncio.timeout(10):
        while len(await setup.store.check_ins(info.id)) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    lock = await lock_database(tmp_path)
    setup.room.emit(OptedOut("a"), Left("a"), OptedOut("b"), Left("b"))
    await asyncio.sleep(0.1)
    ending = asyncio.create_task(setup.sessions.end(info.id))
    await asyncio.sleep(0.3)
    await asyncio.to_thread(lock.release)
    await ending
    await setup.stored_state(info.id, ClassState.ENDED)
    assert await setup.store.consents(info.id) == []


async def test_an_erasure_after_the_class_also_deletes_records_that_are_still_queued(
    tmp_path: Path, short_timeout_store: Store
) -> None:
    """The consent is still queued when its deletion is requested."""
    setup = SessionSetup(short_timeout_store, FakeRoom(), Settings(analysis=AnalysisSettings(window_s=1.0)))
    info = await setup.start()
    await setup.stored_state(info.id, ClassState.LIVE)
    lock = await lock_database(tmp_path)
    setup.room.emit(*[Joined(who, name=who, individual=True, consented=True) for who in "ab"])
    await asyncio.sleep(0.2)
    await setup.sessions.end(info.id)
    assert await setup.recorder.erase_after_class("a") is Erasure.PENDING
    await asyncio.to_thread(lock.release)
    await setup.stored_state(info.id, ClassState.ENDED)
    async with asyncio.timeout(10):
        while [consent.participant_id for consent in await setup.store.consents(info.id)] != ["b"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert await setup.recorder.erase_after_class("b") is Erasure.DONE
    assert await setup.recorder.erase_after_class("b") is Erasure.NOTHING
    assert await setup.store.consents(info.id) == []


async def test_erasures_after_a_class_are_queued_up_to_a_limit(
    tmp_path: Path, short_timeout_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.sessions.recorder.MAX_ERASURES", 3)
    setup = SessionSetup(short_timeout_store, FakeRoom(), Settings(analysis=AnalysisSettings(window_s=1.0)))
    info = await setup.start()
    setup.room.emit(Joined("a", name="Ada", individual=True, consented=True))
    await setup.stored_state(info.id, ClassState.LIVE)
    await setup.sessions.end(info.id)
    lock = await lock_database(tmp_path)
    assert await setup.recorder.erase_after_class("a") is Erasure.PENDING
    assert await setup.recorder.erase_after_class("a") is Erasure.PENDING, "it is queued once"
    for stranger in "xy":
        assert await setup.recorder.erase_after_class(stranger) is Erasure.PENDING, (
            "nothing is known about them while the store is locked"
        )
    with pytest.raises(StoreError, match="try again in some minutes"):
        await setup.recorder.erase_after_class("z")
    await asyncio.to_thread(lock.release)
    async with asyncio.timeout(10):
        while await setup.store.consents(info.id):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert await setup.recorder.erase_after_class("z") is Erasure.NOTHING, "the queue has space again"


@pytest.mark.parametrize("late", [OptedOut("a"), Joined("a", consented=True)], ids=["erased", "withdrawn"])
async def test_events_that_arrive_while_the_room_is_left_are_handled(
    set_up: Callable[..., SessionSetup], late: RoomEvent
) -> None:
    class LateRoom(FakeRoom):
        async def __aexit__(self, *error: Any) -> None:
            self.emit(late)
            await super().__aexit__(*error)

    setup = set_up(LateRoom())
    info = await setup.start()
    setup.room.emit(Joined("a", name="Ada", individual=True, consented=True))
    await setup.stored_state(info.id, ClassState.LIVE)
    await asyncio.sleep(0.2)
    await setup.sessions.end(info.id)
    individual = [consent.individual for consent in await setup.store.consents(info.id)]
    assert individual == ([] if isinstance(late, OptedOut) else [False])


async def test_the_host_can_opt_a_student_out_and_the_class_goes_on(
    set_up: Callable[..., SessionSetup],
) -> None:
    setup = set_up()
    info = await setup.start()
    for who in ("a", "b"):
        setup.room.emit(Joined(who, name=who, individual=True, consented=True))
        setup.room.emit(TrackAdded(FakeTrack(who, 100)))
    await setup.stored_state(info.id, ClassState.LIVE)
    await asyncio.sleep(0.5)
    assert await setup.sessions.leave_out(info.id, "a") == 1
    await asyncio.sleep(1.8)
    assert (await setup.sessions.end(info.id) or info).state is ClassState.ENDED
    windows = await setup.store.windows(info.id)
    assert [(one.analysed, one.not_analysed["opted_out"]) for one in windows] == [(1, 1)] * len(windows)
    assert len(windows) >= 2
    assert [consent.participant_id for consent in await setup.store.consents(info.id)] == ["b"]
    assert await setup.sessions.leave_out(info.id, "b") is None, "the class is over"


@pytest.mark.parametrize("end", [Joined("a", consented=True), OptedOut("a")], ids=["withdrawn", "erased"])
async def test_pages_are_notified_when_check_ins_are_deleted_with_their_consent(
    set_up: Callable[..., SessionSetup], monkeypatch: pytest.MonkeyPatch, end: Joined | OptedOut
) -> None:
    monkeypatch.setattr("bot.pipeline.check_ins._SPREAD_S", 0.0)
    setup = set_up()
    info = await setup.start()

    async def check_ins_at_next_event() -> int:
        await anext(event async for event in follower if event.event == "check_in")
        return len(await setup.store.check_ins(info.id))

    with setup.feed.subscribe(info.id) as follower:
        setup.room.emit(Joined("a", name="Ada", individual=True, consented=True))
        setup.room.emit(*[Pulse("a", PulseKind.LOST)] * 3)
        assert await asyncio.wait_for(check_ins_at_next_event(), 10) == 1
        setup.room.emit(end)
        assert await asyncio.wait_for(check_ins_at_next_event(), 10) == 0
    await setup.sessions.end(info.id)


@pytest.mark.parametrize("jump", [timedelta(hours=-2), timedelta(days=400)])
async def test_a_wall_clock_that_jumps_changes_neither_the_windows_nor_the_length_of_a_class(
    set_up: Callable[..., SessionSetup], jump: timedelta
) -> None:
    setup = set_up()
    info = await setup.start()
    await setup.stored_state(info.id, ClassState.LIVE)
    setup.room.emit(Joined("a"), TrackAdded(FakeTrack("a", 100)))
    await asyncio.sleep(1.4)
    setup.clock_offset = jump
    await setup.sessions.mark(info.id, "after the jump")
    await asyncio.sleep(1.2)
    ended = await setup.sessions.end(info.id)
    assert ended is not None
    assert ended.ended_at is not None
    lasted_s = (ended.ended_at - ended.started_at).total_seconds()
    assert 2.5 < lasted_s < 60
    windows = await setup.store.windows(info.id)
    assert [window.start_s for window in windows] == [float(number) for number in range(len(windows))]
    (marker,) = await setup.store.markers(info.id)
    assert 1 < marker.at_s < lasted_s


async def test_the_length_of_a_class_includes_the_time_the_machine_was_suspended(
    set_up: Callable[..., SessionSetup], monkeypatch: pytest.MonkeyPatch
) -> None:
    setup = set_up()
    info = await setup.start()
    await setup.stored_state(info.id, ClassState.LIVE)
    real = time.clock_gettime

    def clock_gettime(clock: int) -> float:
        return real(clock) + (1200.0 if clock == time.CLOCK_BOOTTIME else 0.0)

    monkeypatch.setattr("bot.clocks.time.clock_gettime", clock_gettime)
    ended = await setup.sessions.end(info.id)
    assert ended is not None
    assert ended.ended_at is not None
    assert 1200 <= (ended.ended_at - ended.started_at).total_seconds() < 1260


async def test_records_wait_while_the_database_is_locked_and_pages_are_notified(
    tmp_path: Path, short_timeout_store: Store
) -> None:
    setup = SessionSetup(
        short_timeout_store,
        FakeRoom(),
        Settings(
            analysis=AnalysisSettings(window_s=1.0, samples_per_s=10),
            privacy=PrivacySettings(min_group=1),
        ),
    )
    info = await setup.start()
    setup.room.emit(Joined("a", name="Ada", individual=True, consented=True), TrackAdded(FakeTrack("a", 100)))
    await setup.stored_state(info.id, ClassState.LIVE)
    await asyncio.sleep(0.3)
    with setup.feed.subscribe(info.id) as events:
        lock = await lock_database(tmp_path)
        setup.room.emit(Pulse("a", PulseKind.LOST), OptedOut("a"))
        reasons: list[str] = []
        summaries = 0
        async with asyncio.timeout(20):
            async for event in events:
                summaries += event.event == "summary"
                if event.event == "state":
                    reasons.append(str(event.data["reason"]))
                if event.event == "summary" and summaries == 2:
                    running = setup.sessions.running(info.id)
                    assert running is not None
                    delay_s = running.timings.window_p95_s()
                    assert delay_s is not None
                    assert delay_s >= 0.5, "includes the wait for the store before a window is published"
                    assert "accepts no writes" in (setup.sessions.unready() or "")
                    assert (setup.metrics.registry.get_sample_value("classmood_records_unsaved") or 0) >= 2
                    await asyncio.to_thread(lock.release)
                if len(reasons) == 2:
                    break
    assert "nothing can be stored at present" in reasons[0]
    assert "another program has locked it" in reasons[0]
    assert reasons[1] == "The class is running."
    assert setup.sessions.unready() is None
    await setup.sessions.end(info.id)
    windows = await short_timeout_store.windows(info.id)
    assert [window.start_s for window in windows] == [float(number) for number in range(len(windows))]
    assert len(windows) >= 2
    assert len(await short_timeout_store.pulses(info.id)) == 1
    assert await short_timeout_store.consents(info.id) == [], "an erasure is not lost"
    await setup.sessions.close()
    assert setup.metrics.registry.get_sample_value("classmood_records_unsaved") == 0


async def _live_class_with_locked_database(
    store: Store, folder: Path
) -> tuple[SessionSetup, ClassInfo, DatabaseLock]:
    """A live class whose database has just been locked by another program."""
    setup = SessionSetup(store, FakeRoom(), Settings(analysis=AnalysisSettings(window_s=1.0)))
    info = await setup.start()
    await setup.stored_state(info.id, ClassState.LIVE)
    return setup, info, await lock_database(folder)


async def test_the_end_of_a_class_is_stored_once_the_database_is_unlocked(
    tmp_path: Path, short_timeout_store: Store
) -> None:
    setup, info, lock = await _live_class_with_locked_database(short_timeout_store, tmp_path)
    ended = await setup.sessions.end(info.id)
    assert ended is not None
    assert ended.state is ClassState.ENDED
    await asyncio.to_thread(lock.release)
    assert (await setup.stored_state(info.id, ClassState.ENDED)).ended_at == ended.ended_at
    await setup.sessions.close()


async def test_queued_records_do_not_bring_a_deleted_class_back(
    tmp_path: Path, short_timeout_store: Store
) -> None:
    setup, info, lock = await _live_class_with_locked_database(short_timeout_store, tmp_path)
    await asyncio.sleep(1.4)
    await setup.sessions.end(info.id)  # a window and the final state are queued
    await asyncio.to_thread(lock.release)
    assert await short_timeout_store.delete_class(info.id)
    await asyncio.sleep(1.4)  # they are retried
    await setup.sessions.close()
    assert await short_timeout_store.get_class(info.id) is None
    assert await short_timeout_store.windows(info.id) == []


async def test_indicator_and_alert_of_the_feed_equal_those_computed_from_the_store(
    set_up: Callable[..., SessionSetup],
) -> None:
    setup = set_up()
    info = await setup.start()
    await setup.stored_state(info.id, ClassState.LIVE)
    with setup.feed.subscribe(info.id) as events:
        setup.room.emit(Joined("a", consented=True), Pulse("a", PulseKind.LOST))
        latest: dict[str, dict[str, Any]] = {}
        async with asyncio.timeout(10):
            async for event in events:
                latest[event.event] = event.data
                if event.event == "alert":
                    break
    await setup.sessions.end(info.id)
    assert latest["indicator"]["word"] == "lost"
    assert latest["alert"]["kind"] == "lost"
    assert latest["alert"]["evidence"] == "1 of 1 student says lost, last 1 min"
    stored = indicate(await setup.store.windows(info.id))
    assert [alert.to_json() for alert in stored.alerts] == [latest["alert"]]


async def test_a_page_opened_before_the_end_is_stored_receives_the_end_later(
    tmp_path: Path, short_timeout_store: Store
) -> None:
    setup = SessionSetup(short_timeout_store, FakeRoom(), Settings())
    info = await setup.start()
    await setup.stored_state(info.id, ClassState.LIVE)
    lock = await lock_database(tmp_path)
    ended = await setup.sessions.end(info.id)
    assert ended is not None
    assert ended.state is ClassState.ENDED
    stored = await setup.store.get_class(info.id)
    assert stored is not None
    assert stored.running, "a page opened now shows a running class"
    with setup.feed.subscribe(info.id) as events:
        await asyncio.to_thread(lock.release)
        async with asyncio.timeout(10):
            published = [(event.event, event.data) async for event in events]
    assert published == [("state", ended.to_json())]
    assert await setup.store.get_class(info.id) == ended
