"""The pipeline of a class with a fake room and fake cameras, in real time with short windows."""

import asyncio
import random
from collections.abc import Callable
from itertools import pairwise

import pytest

from bot.pipeline.observation import ReadingLimits
from bot.pipeline.privacy_groups import PrivacyGroups
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
from reports.summary.asks import Ask
from reports.summary.records import CheckIn, Consent, PulseRecord
from reports.summary.windows import PulseKind, WindowSummary
from tests.fakes import FakeRoom, FakeTrack, ScriptedReader, no_face, one_face

HAPPY, SAD, EMPTY, BROKEN, BLACK = 100, 110, 120, 130, 16


def pipeline_options(window_s: float) -> PipelineOptions:
    """Options for a class that begins now; everyone analysed is shown, without privacy groups."""
    groups, now_s = PrivacyGroups(1, random.Random(1)), asyncio.get_running_loop().time()
    return PipelineOptions("c", 50.0, window_s, groups, 0.0, ReadingLimits(24, 0.3), now_s)


class RecordingSink:
    """A sink that stores everything it receives."""

    def __init__(self) -> None:
        self.windows: list[WindowSummary] = []
        self.behind_s: list[float] = []
        self.pulses: list[PulseRecord] = []
        self.asks: list[Ask] = []
        self.consents: list[Consent] = []
        self.erased: list[str] = []
        self.check_ins: list[CheckIn] = []
        self.connection: list[tuple[bool, str]] = []
        self.samples = 0
        self.cameras = 0

    async def on_window(self, window: WindowSummary, behind_s: float) -> None:
        self.windows.append(window)
        self.behind_s.append(behind_s)

    async def on_ask(self, ask: Ask) -> None:
        self.asks.append(ask)

    async def on_pulse(self, pulse: PulseRecord) -> None:
        self.pulses.append(pulse)

    async def on_consent(self, consent: Consent) -> None:
        self.consents.append(consent)

    async def on_check_in(self, check_in: CheckIn) -> None:
        self.check_ins.append(check_in)

    async def on_erase(self, participant_id: str, on_erased: Callable[[], None]) -> None:
        self.erased.append(participant_id)

    async def on_connection(self, up: bool, reason: str) -> None:
        self.connection.append((up, reason))

    def on_observation(self, delay_s: float) -> None:
        self.samples += 1

    def on_cameras(self, change: int) -> None:
        self.cameras += change


class RunningPipeline:
    """A pipeline with its room and sink."""

    def __init__(self, window_s: float = 1.0) -> None:
        script = {
            HAPPY: one_face("happy"),
            SAD: one_face("sad"),
            EMPTY: no_face(),
            BROKEN: ValueError("damaged image"),
        }
        self.room, self.sink = FakeRoom(), RecordingSink()
        options = pipeline_options(window_s)
        supervisor = Supervisor(self.room, ScriptedReader(script), options, self.sink)
        self.questions = supervisor.questions
        self.task = asyncio.create_task(supervisor.run())

    async def windows(self, count: int = 1) -> list[WindowSummary]:
        await wait_until(lambda: len(self.sink.windows) >= count)
        return self.sink.windows

    async def end(self) -> None:
        self.room.emit(None)
        await self.task


async def wait_until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(10):
        while not condition():  # noqa: ASYNC110
            await asyncio.sleep(0.01)


def counts_add_up(window: WindowSummary) -> bool:
    return window.participants == window.analysed + sum(window.not_analysed.values())


async def test_a_class_without_participants_has_empty_windows() -> None:
    pipeline = RunningPipeline()
    (window, *_) = await pipeline.windows()
    await pipeline.end()
    assert window.participants == 0
    assert pipeline.sink.samples == 0


async def test_every_participant_is_analysed_or_has_one_reason_why_not() -> None:
    pipeline = RunningPipeline()
    for who, level in (("h", HAPPY), ("s", SAD), ("e", EMPTY), ("b", BLACK), ("x", BROKEN)):
        pipeline.room.emit(Joined(who), TrackAdded(FakeTrack(who, level)))
    pipeline.room.emit(
        Joined("muted"), Muted("muted", True), Joined("codec"), UnsupportedCodec("codec", "VP9")
    )
    window = (await pipeline.windows(2))[1]
    await pipeline.end()
    assert (window.participants, window.analysed) == (7, 2)
    assert window.not_analysed["no_face"] == 1
    assert window.not_analysed["camera_off"] == 2
    assert window.not_analysed["unsupported_codec"] == 1
    assert window.not_analysed["no_frames"] == 1
    assert window.expressions is not None
    assert window.expressions["happy"] == pytest.approx(0.5)
    assert all(counts_add_up(one) for one in pipeline.sink.windows)
    assert max(pipeline.sink.behind_s) < 1.0


async def test_a_removed_track_is_no_longer_sampled() -> None:
    pipeline = RunningPipeline()
    track = FakeTrack("h", HAPPY)
    pipeline.room.emit(Joined("h"), TrackAdded(track))
    await wait_until(lambda: track.received > 3)
    pipeline.room.emit(TrackRemoved(track.track_id, "h"), Left("h"))
    await asyncio.sleep(0.1)
    received = track.received
    await asyncio.sleep(0.2)
    assert track.received == received
    assert pipeline.sink.cameras == 0
    await pipeline.end()


async def test_opting_out_stops_the_analysis_and_requests_the_erasure() -> None:
    pipeline = RunningPipeline()
    track = FakeTrack("h", HAPPY)
    pipeline.room.emit(Joined("h", name="Ada", individual=True, consented=True), TrackAdded(track))
    await wait_until(lambda: track.received > 3)
    pipeline.room.emit(OptedOut("h"))
    await wait_until(lambda: pipeline.sink.erased == ["h"])
    received = track.received
    pipeline.room.emit(TrackAdded(FakeTrack("h", HAPPY)))
    (window, *_) = await pipeline.windows()
    await pipeline.end()
    assert track.received <= received + 1
    assert (window.analysed, window.not_analysed["opted_out"]) == (0, 1)
    assert pipeline.sink.consents[0].name == "Ada"


async def test_a_name_is_recorded_only_with_the_consent_to_check_ins() -> None:
    pipeline = RunningPipeline()
    pipeline.room.emit(Joined("h", name="Ada", consented=True))
    await wait_until(lambda: bool(pipeline.sink.consents))
    await pipeline.end()
    assert pipeline.sink.consents[0].name is None


async def test_a_pulse_reaches_the_window_and_the_sink() -> None:
    pipeline = RunningPipeline()
    pipeline.room.emit(Joined("h"), Pulse("h", PulseKind.LOST))
    (window, *_) = await pipeline.windows()
    await pipeline.end()
    assert window.pulses["lost"] == 1
    assert [pulse.kind for pulse in pipeline.sink.pulses] == [PulseKind.LOST]


async def test_a_broken_connection_leaves_a_gap_in_the_windows() -> None:
    pipeline = RunningPipeline()
    await pipeline.windows(1)
    pipeline.room.emit(Disconnected("the server is gone"))
    await wait_until(lambda: pipeline.sink.connection == [(False, "the server is gone")])
    await asyncio.sleep(1.5)
    before = len(pipeline.sink.windows)
    pipeline.room.emit(Reconnected())
    await pipeline.windows(before + 1)
    await pipeline.end()
    starts = [window.start_s for window in pipeline.sink.windows]
    assert pipeline.sink.connection[-1][0] is True
    assert any(later - earlier > 1.5 for earlier, later in pairwise(starts))


async def test_a_removed_bot_publishes_the_windows_so_far_and_raises() -> None:
    pipeline = RunningPipeline()
    pipeline.room.emit(Joined("h"), TrackAdded(FakeTrack("h", HAPPY)))
    await asyncio.sleep(1.1)
    pipeline.room.emit(RoomRemoved("the host removed the bot"))
    with pytest.raises(RoomRemoved):
        await pipeline.task
    assert pipeline.sink.windows[0].analysed == 1
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("track-")]


async def test_cancelling_closes_the_last_window_and_leaves_no_task() -> None:
    pipeline = RunningPipeline(window_s=2.0)
    pipeline.room.emit(Joined("h"), TrackAdded(FakeTrack("h", HAPPY)))
    await asyncio.sleep(1.5)
    pipeline.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pipeline.task
    assert sum(window.length_s for window in pipeline.sink.windows) == pytest.approx(1.5, abs=0.3)
    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("track-")]


async def test_a_class_that_ends_while_a_window_is_stored_publishes_each_window_once() -> None:
    pipeline = RunningPipeline(window_s=1.0)
    storing = asyncio.Event()
    on_window = pipeline.sink.on_window

    async def on_window_slowly(window: WindowSummary, behind_s: float) -> None:
        storing.set()
        await asyncio.sleep(0.3)
        await on_window(window, behind_s)

    pipeline.sink.on_window = on_window_slowly  # type: ignore[method-assign]
    pipeline.room.emit(Joined("h"), TrackAdded(FakeTrack("h", HAPPY)))
    async with asyncio.timeout(10):
        await storing.wait()
    await asyncio.sleep(0.9)
    pipeline.task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await pipeline.task
    starts = [window.start_s for window in pipeline.sink.windows]
    assert starts[:2] == [0.0, 1.0]
    assert starts == sorted(set(starts))


async def test_without_a_reader_no_camera_is_sampled() -> None:
    room, sink = FakeRoom(), RecordingSink()
    options = pipeline_options(window_s=1.0)
    task = asyncio.create_task(Supervisor(room, None, options, sink).run())
    track = FakeTrack("h", HAPPY)
    room.emit(Joined("h"), TrackAdded(track))
    await wait_until(lambda: bool(sink.windows))
    room.emit(None)
    await task
    assert track.received == 0
    assert sink.windows[0].analysed == 0


@pytest.mark.slow
async def test_taps_lead_to_a_check_in_only_for_a_student_who_agreed() -> None:
    pipeline = RunningPipeline()
    pipeline.room.emit(
        Joined("agreed", "Anna", individual=True, consented=True), Joined("other", consented=True)
    )
    for _ in range(3):
        pipeline.room.emit(Pulse("agreed", PulseKind.LOST), Pulse("other", PulseKind.LOST))
        await asyncio.sleep(31)
    await pipeline.end()
    assert [one.participant_id for one in pipeline.sink.check_ins] == ["agreed"]
    assert pipeline.sink.check_ins[0].name is None


async def test_events_queued_when_the_class_ends_are_still_handled() -> None:
    pipeline = RunningPipeline(window_s=60.0)
    blocked = asyncio.Event()

    async def on_connection(up: bool, reason: str) -> None:
        blocked.set()
        await asyncio.sleep(30)

    pipeline.sink.on_connection = on_connection  # type: ignore[method-assign]
    for who in ("a", "b", "c"):
        pipeline.room.emit(Joined(who, name=who, individual=True, consented=True))
    pipeline.room.emit(TrackAdded(FakeTrack("a", HAPPY)))
    await wait_until(lambda: pipeline.sink.samples > 0)
    pipeline.room.emit(Disconnected("handled while the store accepts no writes"))
    await blocked.wait()
    await asyncio.sleep(1.0)
    pipeline.room.emit(OptedOut("a"), Left("a"), Joined("b", consented=True), Pulse("c", PulseKind.OK))
    pipeline.task.cancel()
    await asyncio.wait([pipeline.task])
    assert pipeline.sink.erased == ["a"]
    assert [(one.participant_id, one.individual) for one in pipeline.sink.consents][3:] == [("b", False)]
    (window,) = pipeline.sink.windows
    assert (window.analysed, window.not_analysed["opted_out"], window.pulses["ok"]) == (0, 1, 1)
    assert pipeline.task.cancelled()
