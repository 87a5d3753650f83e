"""What is kept of a class and what is not: erasures, jumping clocks, a store that is in trouble."""

import asyncio
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.config import AnalysisSettings, PrivacySettings, Settings
from bot.rooms.contract import Joined, Left, OptedOut, Pulse, RoomEvent, TrackAdded
from reports.store import Store, StoreError
from reports.summary.classes import ClassInfo, ClassState
from reports.summary.indicators import indicate
from reports.summary.windows import PulseKind
from tests.bot.sessions.session_setup import Desk, Trouble
from tests.fakes import FakeRoom, FakeTrack


async def test_erasing_deletes_the_consent(desk: Callable[..., Desk]) -> None:
    held = desk()
    info = await held.start()
    held.room.tell(Joined("a", name="Ada", individual=True, consented=True), OptedOut("a"))
    await asyncio.sleep(1.4)
    await held.sessions.end(info.id)
    assert await held.store.consents(info.id) == []
    # On a busy machine a window may have closed before the two were heard.
    assert (await held.store.windows(info.id))[-1].not_analysed["opted_out"] == 1


async def test_whoever_is_erased_as_the_class_ends_is_while_the_store_takes_nothing(
    tmp_path: Path, hurried_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.pipeline.check_ins._SPREAD_S", 0.0)
    held = Desk(hurried_store, FakeRoom(), Settings(analysis=AnalysisSettings(window_s=1.0)))
    info = await held.start()
    for who in ("a", "b"):
        held.room.tell(Joined(who, name=who, individual=True, consented=True))
        held.room.tell(*[Pulse(who, PulseKind.LOST)] * 3)
    async with asyncio.timeout(10):
        while len(await held.store.check_ins(info.id)) < 2:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    trouble = await asyncio.to_thread(Trouble, tmp_path / "class.db")
    await asyncio.to_thread(trouble.begin)
    held.room.tell(OptedOut("a"), Left("a"), OptedOut("b"), Left("b"))
    await asyncio.sleep(0.1)
    ending = asyncio.create_task(held.sessions.end(info.id))
    await asyncio.sleep(0.3)
    await asyncio.to_thread(trouble.end)
    await ending
    await held.state(info.id, ClassState.ENDED)
    assert await held.store.consents(info.id) == []


async def test_whoever_is_erased_after_the_class_is_kept_no_later_either(
    tmp_path: Path, hurried_store: Store
) -> None:
    """The consent still waits for a store in trouble when its deletion is asked for."""
    held = Desk(hurried_store, FakeRoom(), Settings(analysis=AnalysisSettings(window_s=1.0)))
    info = await held.start()
    await held.state(info.id, ClassState.LIVE)
    trouble = await asyncio.to_thread(Trouble, tmp_path / "class.db")
    await asyncio.to_thread(trouble.begin)
    held.room.tell(*[Joined(who, name=who, individual=True, consented=True) for who in "ab"])
    await asyncio.sleep(0.2)
    await held.sessions.end(info.id)
    assert await held.sessions.erase_kept("a")
    await asyncio.to_thread(trouble.end)
    await held.state(info.id, ClassState.ENDED)
    async with asyncio.timeout(10):
        while [consent.participant_id for consent in await held.store.consents(info.id)] != ["b"]:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert await held.sessions.erase_kept("b")
    assert not await held.sessions.erase_kept("b"), "nothing is left"
    assert await held.store.consents(info.id) == []


async def test_an_erasure_needs_nothing_to_wait_for_the_store_already(
    tmp_path: Path, hurried_store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.sessions.lifecycle.MOST_ERASING", 3)
    held = Desk(hurried_store, FakeRoom(), Settings(analysis=AnalysisSettings(window_s=1.0)))
    info = await held.start()
    held.room.tell(Joined("a", name="Ada", individual=True, consented=True))
    await held.state(info.id, ClassState.LIVE)
    await held.sessions.end(info.id)
    trouble = await asyncio.to_thread(Trouble, tmp_path / "class.db")
    await asyncio.to_thread(trouble.begin)
    assert await held.sessions.erase_kept("a")
    assert await held.sessions.erase_kept("a"), "asked again, it waits once"
    for stranger in "xy":
        assert await held.sessions.erase_kept(stranger), "nobody can tell now"
    with pytest.raises(StoreError, match="try again in some minutes"):
        await held.sessions.erase_kept("z")
    await asyncio.to_thread(trouble.end)
    async with asyncio.timeout(10):
        while await held.store.consents(info.id):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert not await held.sessions.erase_kept("z"), "there is room again"


@pytest.mark.parametrize("word", [OptedOut("a"), Joined("a", consented=True)], ids=["erased", "taken back"])
async def test_what_was_answered_while_the_room_is_left_is_done(
    desk: Callable[..., Desk], word: RoomEvent
) -> None:
    class LateRoom(FakeRoom):
        async def __aexit__(self, *error: Any) -> None:
            self.tell(word)
            await super().__aexit__(*error)

    held = desk(LateRoom())
    info = await held.start()
    held.room.tell(Joined("a", name="Ada", individual=True, consented=True))
    await held.state(info.id, ClassState.LIVE)
    await asyncio.sleep(0.2)
    await held.sessions.end(info.id)
    kept = [consent.individual for consent in await held.store.consents(info.id)]
    assert kept == ([] if isinstance(word, OptedOut) else [False])


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


@pytest.mark.parametrize("gone", [Joined("a", consented=True), OptedOut("a")], ids=["taken back", "erased"])
async def test_check_ins_go_off_the_pages_when_their_consent_does(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch, gone: Joined | OptedOut
) -> None:
    monkeypatch.setattr("bot.pipeline.check_ins._SPREAD_S", 0.0)
    held = desk()
    info = await held.start()

    async def told_of_check_ins() -> int:
        await anext(event async for event in follower if event.event == "check_in")
        return len(await held.store.check_ins(info.id))

    with held.feed.subscribe(info.id) as follower:
        held.room.tell(Joined("a", name="Ada", individual=True, consented=True))
        held.room.tell(*[Pulse("a", PulseKind.LOST)] * 3)
        assert await asyncio.wait_for(told_of_check_ins(), 10) == 1
        held.room.tell(gone)
        assert await asyncio.wait_for(told_of_check_ins(), 10) == 0
    await held.sessions.end(info.id)


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


async def test_a_class_ended_after_the_machine_was_suspended_ended_then(
    desk: Callable[..., Desk], monkeypatch: pytest.MonkeyPatch
) -> None:
    held = desk()
    info = await held.start()
    await held.state(info.id, ClassState.LIVE)
    real = time.clock_gettime

    def clock_gettime(clock: int) -> float:
        return real(clock) + (1200.0 if clock == time.CLOCK_BOOTTIME else 0.0)

    monkeypatch.setattr("bot.clocks.time.clock_gettime", clock_gettime)
    ended = await held.sessions.end(info.id)
    assert ended is not None
    assert ended.ended_at is not None
    assert 1200 <= (ended.ended_at - ended.started_at).total_seconds() < 1260


async def test_what_the_store_cannot_take_for_a_while_is_told_waits_and_is_kept(
    tmp_path: Path, hurried_store: Store
) -> None:
    held = Desk(
        hurried_store,
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
                    running = held.sessions.running(info.id)
                    assert running is not None
                    waited_s = running.stats.event_p95_s()
                    assert waited_s is not None
                    assert waited_s >= 0.5, "the time a window waits for the store before it is shown counts"
                    assert "takes nothing" in (held.sessions.unready() or "")
                    assert (held.metrics.registry.get_sample_value("classmood_records_unsaved") or 0) >= 2
                    await asyncio.to_thread(trouble.end)
                if len(reasons) == 2:
                    break
    assert "cannot be kept for now" in reasons[0]
    assert "another program keeps it locked" in reasons[0]
    assert reasons[1] == "The class is running."
    assert held.sessions.unready() is None
    await held.sessions.end(info.id)
    windows = await hurried_store.windows(info.id)
    assert [window.start_s for window in windows] == [float(number) for number in range(len(windows))]
    assert len(windows) >= 2
    assert len(await hurried_store.pulses(info.id)) == 1
    assert await hurried_store.consents(info.id) == [], "an erasure is not lost either"
    await held.sessions.close()
    assert held.metrics.registry.get_sample_value("classmood_records_unsaved") == 0


async def _in_trouble(store: Store, folder: Path) -> tuple[Desk, ClassInfo, Trouble]:
    """A live class whose store has just stopped taking anything."""
    held = Desk(store, FakeRoom(), Settings(analysis=AnalysisSettings(window_s=1.0)))
    info = await held.start()
    await held.state(info.id, ClassState.LIVE)
    trouble = await asyncio.to_thread(Trouble, folder / "class.db")
    await asyncio.to_thread(trouble.begin)
    return held, info, trouble


async def test_a_class_that_ends_while_the_store_is_in_trouble_says_so_and_is_kept_later(
    tmp_path: Path, hurried_store: Store
) -> None:
    held, info, trouble = await _in_trouble(hurried_store, tmp_path)
    ended = await held.sessions.end(info.id)
    assert ended is not None
    assert ended.state is ClassState.ENDED
    await asyncio.to_thread(trouble.end)
    assert (await held.state(info.id, ClassState.ENDED)).ended_at == ended.ended_at
    await held.sessions.close()


async def test_a_class_deleted_while_its_records_wait_does_not_come_back(
    tmp_path: Path, hurried_store: Store
) -> None:
    held, info, trouble = await _in_trouble(hurried_store, tmp_path)
    await asyncio.sleep(1.4)
    await held.sessions.end(info.id)  # a window and the end wait for the store
    await asyncio.to_thread(trouble.end)
    assert await hurried_store.delete_class(info.id)
    await asyncio.sleep(1.4)  # they are tried again
    await held.sessions.close()
    assert await hurried_store.get_class(info.id) is None
    assert await hurried_store.windows(info.id) == []


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
    assert seen["alert"]["evidence"] == "1 of 1 student says lost, last 2 min"
    stored = indicate(await held.store.windows(info.id))
    assert [alert.to_json() for alert in stored.alerts] == [seen["alert"]]


async def test_a_page_opened_before_the_end_of_a_class_could_be_kept_is_told_then(
    tmp_path: Path, hurried_store: Store
) -> None:
    held = Desk(hurried_store, FakeRoom(), Settings())
    info = await held.start()
    await held.state(info.id, ClassState.LIVE)
    trouble = await asyncio.to_thread(Trouble, tmp_path / "class.db")
    await asyncio.to_thread(trouble.begin)
    ended = await held.sessions.end(info.id)
    assert ended is not None
    assert ended.state is ClassState.ENDED
    kept = await held.store.get_class(info.id)
    assert kept is not None
    assert kept.running, "what a page opened now begins with"
    with held.feed.subscribe(info.id) as following:
        await asyncio.to_thread(trouble.end)
        async with asyncio.timeout(10):
            told = [(event.event, event.data) async for event in following]
    assert told == [("state", ended.to_json())]
    assert await held.store.get_class(info.id) == ended
