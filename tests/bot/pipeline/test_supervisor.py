"""A class's pipeline against a scripted room, real time in small."""

import asyncio
from collections.abc import Callable
from itertools import pairwise

import pytest

from bot.pipeline.observation import ReadingLimits
from bot.pipeline.supervisor import PipelineOptions, Supervisor
from bot.rooms.contract import (
    Disconnected,
    Joined,
    Left,
    Muted,
    OptedOut,
    Pulse,
    Reconnected,
    RoomRemoved,
    TrackAdded,
    TrackRemoved,
    UnsupportedCodec,
)
from reports.summary.records import CheckIn, Consent, PulseRecord
from reports.summary.windows import PulseKind, WindowSummary
from tests.fakes import FakeRoom, FakeTrack, ScriptedReader, no_face, one_face

HAPPY, SAD, EMPTY, BROKEN, BLACK = 100, 110, 120, 130, 16


class Kept:
    """A sink that remembers."""

    def __init__(self) -> None:
        self.windows: list[WindowSummary] = []
        self.behind_s: list[float] = []
        self.pulses: list[PulseRecord] = []
        self.consents: list[Consent] = []
        self.erased: list[str] = []
        self.check_ins: list[CheckIn] = []
        self.connection: list[tuple[bool, str]] = []
        self.samples = 0
        self.cameras = 0

    async def on_window(self, window: WindowSummary, behind_s: float) -> None:
        self.windows.append(window)
        self.behind_s.append(behind_s)

    async def on_pulse(self, pulse: PulseRecord) -> None:
        self.pulses.append(pulse)

    async def on_consent(self, consent: Consent) -> None:
        self.consents.append(consent)

    async def on_check_in(self, check_in: CheckIn) -> None:
        self.check_ins.append(check_in)

    async def on_erase(self, participant_id: str) -> None:
        self.erased.append(participant_id)

    async def on_connection(self, up: bool, reason: str) -> None:
        self.connection.append((up, reason))

    def on_observation(self, took_s: float) -> None:
        self.samples += 1

    def on_cameras(self, change: int) -> None:
        self.cameras += change


class Class:
    """A running pipeline."""

    def __init__(self, window_s: float = 1.0) -> None:
        script = {
            HAPPY: one_face("happy"),
            SAD: one_face("sad"),
            EMPTY: no_face(),
            BROKEN: ValueError("bad picture"),
        }
        self.room, self.kept = FakeRoom(), Kept()
        options = PipelineOptions(
            "c", 50.0, window_s, 1, ReadingLimits(24, 0.3), asyncio.get_running_loop().time()
        )
        self.task = asyncio.create_task(
            Supervisor(self.room, ScriptedReader(script), options, self.kept).run()
        )

    async def windows(self, count: int = 1) -> list[WindowSummary]:
        await until(lambda: len(self.kept.windows) >= count)
        return self.kept.windows

    async def end(self) -> None:
        self.room.emit(None)
        await self.task


async def until(true: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not true():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def adds_up(window: WindowSummary) -> bool:
    return window.participants == window.analysed + sum(window.not_analysed.values())


async def test_a_class_with_no_face() -> None:
    held = Class()
    (window, *_) = await held.windows()
    await held.end()
    assert window.participants == 0
    assert held.kept.samples == 0


async def test_cameras_of_every_kind() -> None:
    held = Class()
    for who, level in (("h", HAPPY), ("s", SAD), ("e", EMPTY), ("b", BLACK), ("x", BROKEN)):
        held.room.emit(Joined(who), TrackAdded(FakeTrack(who, level)))
    held.room.emit(Joined("muted"), Muted("muted", True), Joined("codec"), UnsupportedCodec("codec", "VP9"))
    window = (await held.windows(2))[1]
    await held.end()
    assert (window.participants, window.analysed) == (7, 2)
    assert window.not_analysed["no_face"] == 1
    assert window.not_analysed["camera_off"] == 2
    assert window.not_analysed["unsupported_codec"] == 1
    assert window.not_analysed["no_frames"] == 1
    assert window.expressions is not None
    assert window.expressions["happy"] == pytest.approx(0.5)
    assert all(adds_up(one) for one in held.kept.windows)
    assert max(held.kept.behind_s) < 1.0


async def test_leaving_stops_the_camera() -> None:
    held = Class()
    track = FakeTrack("h", HAPPY)
    held.room.emit(Joined("h"), TrackAdded(track))
    await until(lambda: track.received > 3)
    held.room.emit(TrackRemoved(track.track_id, "h"), Left("h"))
    await asyncio.sleep(0.1)
    received = track.received
    await asyncio.sleep(0.2)
    assert track.received == received
    assert held.kept.cameras == 0
    await held.end()


async def test_opting_out_stops_looking_and_erases() -> None:
    held = Class()
    track = FakeTrack("h", HAPPY)
    held.room.emit(Joined("h", name="Ada", individual=True, consented=True), TrackAdded(track))
    await until(lambda: track.received > 3)
    held.room.emit(OptedOut("h"))
    await until(lambda: held.kept.erased == ["h"])
    received = track.received
    held.room.emit(TrackAdded(FakeTrack("h", HAPPY)))
    (window, *_) = await held.windows()
    await held.end()
    assert track.received <= received + 1
    assert (window.analysed, window.not_analysed["opted_out"]) == (0, 1)
    assert held.kept.consents[0].name == "Ada"


async def test_a_name_is_kept_only_with_the_individual_opt_in() -> None:
    held = Class()
    held.room.emit(Joined("h", name="Ada", consented=True))
    await until(lambda: bool(held.kept.consents))
    await held.end()
    assert held.kept.consents[0].name is None


async def test_pulses_reach_the_window_and_the_feed() -> None:
    held = Class()
    held.room.emit(Joined("h"), Pulse("h", PulseKind.LOST))
    (window, *_) = await held.windows()
    await held.end()
    assert window.pulses["lost"] == 1
    assert [pulse.kind for pulse in held.kept.pulses] == [PulseKind.LOST]


async def test_a_broken_connection_is_a_gap() -> None:
    held = Class()
    await held.windows(1)
    held.room.emit(Disconnected("the server is gone"))
    await until(lambda: held.kept.connection == [(False, "the server is gone")])
    await asyncio.sleep(1.5)
    before = len(held.kept.windows)
    held.room.emit(Reconnected())
    await held.windows(before + 1)
    await held.end()
    starts = [window.start_s for window in held.kept.windows]
    assert held.kept.connection[-1][0] is True
    assert any(later - earlier > 1.5 for earlier, later in pairwise(starts))


async def test_being_removed_keeps_what_was_seen_and_raises() -> None:
    held = Class()
    held.room.emit(Joined("h"), TrackAdded(FakeTrack("h", HAPPY)))
    await asyncio.sleep(1.1)
    held.room.emit(RoomRemoved("the host removed the bot"))
    with pytest.raises(RoomRemoved):
        await held.task
    assert held.kept.windows[0].analysed == 1
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("track-")]


async def test_cancelling_closes_the_last_window_and_leaves_no_task() -> None:
    held = Class(window_s=2.0)
    held.room.emit(Joined("h"), TrackAdded(FakeTrack("h", HAPPY)))
    await asyncio.sleep(1.5)
    held.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await held.task
    assert sum(window.length_s for window in held.kept.windows) == pytest.approx(1.5, abs=0.3)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("track-")]


async def test_a_class_that_ends_while_a_window_is_kept_loses_and_doubles_none() -> None:
    held = Class(window_s=1.0)
    keeping = asyncio.Event()
    kept = held.kept.on_window

    async def slowly(window: WindowSummary, behind_s: float) -> None:
        keeping.set()
        await asyncio.sleep(0.3)
        await kept(window, behind_s)

    held.kept.on_window = slowly  # type: ignore[method-assign]
    held.room.emit(Joined("h"), TrackAdded(FakeTrack("h", HAPPY)))
    async with asyncio.timeout(10):
        await keeping.wait()
    await asyncio.sleep(0.9)
    held.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await held.task
    starts = [window.start_s for window in held.kept.windows]
    assert starts[:2] == [0.0, 1.0]
    assert starts == sorted(set(starts))


async def test_without_a_reader_no_camera_is_looked_at() -> None:
    room, kept = FakeRoom(), Kept()
    options = PipelineOptions("c", 50.0, 1.0, 1, ReadingLimits(24, 0.3), asyncio.get_running_loop().time())
    task = asyncio.create_task(Supervisor(room, None, options, kept).run())
    track = FakeTrack("h", HAPPY)
    room.emit(Joined("h"), TrackAdded(track))
    await until(lambda: bool(kept.windows))
    room.emit(None)
    await task
    assert track.received == 0
    assert kept.windows[0].analysed == 0


@pytest.mark.slow
async def test_taps_of_a_student_who_opted_in_become_a_check_in_and_of_others_not() -> None:
    held = Class()
    held.room.emit(Joined("agreed", "Anna", individual=True, consented=True), Joined("other", consented=True))
    for _ in range(3):
        held.room.emit(Pulse("agreed", PulseKind.LOST), Pulse("other", PulseKind.LOST))
        await asyncio.sleep(31)
    await held.end()
    assert [one.participant_id for one in held.kept.check_ins] == ["agreed"]
    assert held.kept.check_ins[0].name is None


async def test_what_waits_to_be_read_when_the_class_ends_is_done_still() -> None:
    held = Class(window_s=60.0)
    busy = asyncio.Event()

    async def on_connection(up: bool, reason: str) -> None:
        busy.set()
        await asyncio.sleep(30)

    held.kept.on_connection = on_connection  # type: ignore[method-assign]
    for who in ("a", "b", "c"):
        held.room.emit(Joined(who, name=who, individual=True, consented=True))
    held.room.emit(TrackAdded(FakeTrack("a", HAPPY)))
    await until(lambda: held.kept.samples > 0)
    held.room.emit(Disconnected("a store that takes nothing holds this up"))
    await busy.wait()
    await asyncio.sleep(1.0)
    held.room.emit(OptedOut("a"), Left("a"), Joined("b", consented=True), Pulse("c", PulseKind.OK))
    held.task.cancel()
    await asyncio.wait([held.task])
    assert held.kept.erased == ["a"]
    assert [(one.participant_id, one.individual) for one in held.kept.consents][3:] == [("b", False)]
    (window,) = held.kept.windows
    assert (window.analysed, window.not_analysed["opted_out"], window.pulses["ok"]) == (0, 1, 1)
    assert held.task.cancelled()
