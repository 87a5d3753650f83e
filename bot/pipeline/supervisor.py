"""The pipeline of one class: from the events of a joined room to windows and records for a ``Sink``.

All tasks belong to one TaskGroup. When the room's events end or raise, all of them are cancelled and awaited.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from bot.pipeline.aggregator import WindowAggregator
from bot.pipeline.check_ins import CheckIns
from bot.pipeline.observation import Observation, ReadingLimits
from bot.pipeline.privacy_groups import PrivacyGroups
from bot.pipeline.questions import Questions
from bot.pipeline.track_worker import ImageReader, observe_track
from bot.rooms import contract
from bot.tracks import VideoTrack
from reports.summary.asks import Ask
from reports.summary.records import CheckIn, Consent, PulseRecord
from reports.summary.windows import NotAnalysed, WindowSummary

_log = structlog.get_logger()

_DRAIN_S: Final = 0.2
"""Longest wait for the events that are still queued after the bot has left the room, seconds."""

GRACE_S: Final = 0.25
"""How long after its end a window waits for samples that are still being analysed, seconds."""


_DRAINED: Final = contract.Joined | contract.Left | contract.OptedOut | contract.Pulse | contract.Answered
"""Events that still count when they are queued as the class ends."""


class Sink(Protocol):
    """Receives what the pipeline of a class produces."""

    async def on_window(self, window: WindowSummary, behind_s: float) -> None:
        """A window was closed, ``behind_s`` seconds after its end."""
        ...

    async def on_pulse(self, pulse: PulseRecord) -> None: ...
    async def on_ask(self, ask: Ask) -> None:
        """A question was opened, got another answer, or was closed."""
        ...

    async def on_consent(self, consent: Consent) -> None: ...
    async def on_check_in(self, check_in: CheckIn) -> None:
        """A participant who opted in to it may need a word."""
        ...

    async def on_erase(self, participant_id: str, on_erased: Callable[[], None]) -> None:
        """A participant opted out; what is stored about them is to be deleted, then ``on_erased`` called."""
        ...

    async def on_connection(self, up: bool, reason: str) -> None:
        """The connection to the room broke (with the reason) or is back."""
        ...

    def on_observation(self, delay_s: float) -> None:
        """A sample was analysed, ``delay_s`` seconds after its frame arrived."""
        ...

    def on_cameras(self, change: int) -> None:
        """The number of analysed cameras changed by ``change``."""
        ...


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """How a class is analysed.

    Attributes:
        class_id: The class.
        samples_per_s: Frames analysed per second and camera.
        window_s: Length of a window, seconds.
        groups: The privacy groups of the room, on the event loop's clock.
        hold_s: How long a participant who is not analysed keeps the last value, seconds.
        limits: What a face needs to be analysed.
        began_s: When the class began, seconds of the event loop's clock.
    """

    class_id: str
    samples_per_s: float
    window_s: float
    groups: PrivacyGroups
    hold_s: float
    limits: ReadingLimits
    began_s: float


@dataclass(frozen=True, slots=True, eq=False)
class _Worker:
    """The task that observes a track, and the participant whose track it is."""

    participant_id: str
    task: asyncio.Task[None]


class Supervisor:
    """Runs the pipeline of one class.

    Attributes:
        questions: The questions to the class.
    """

    def __init__(
        self, room: contract.Room, reader: ImageReader | None, options: PipelineOptions, sink: Sink
    ) -> None:
        """Set up; ``reader`` is None where faces must not be analysed."""
        self._room, self._reader, self._options, self._sink = room, reader, options, sink
        self._aggregator = WindowAggregator(
            options.class_id,
            options.window_s,
            options.groups,
            hold_s=options.hold_s,
            began_s=options.began_s,
        )
        self._check_ins = CheckIns(options.class_id)
        self._workers: dict[str, _Worker] = {}
        self._opted_out: set[str] = set()
        self.questions = Questions(
            options.class_id, room, self._aggregator, self._check_ins, sink.on_ask, self._now_s
        )
        self._publishing = asyncio.Lock()

    async def run(self) -> None:
        """Follow the room until its events end.

        Raises:
            RoomError: the room's events raised it; the sink has received everything up to then.
        """
        failure: contract.RoomError | None = None
        try:
            async with asyncio.TaskGroup() as group:
                tickers = [
                    group.create_task(self._close_windows()),
                    group.create_task(self.questions.follow()),
                ]
                try:
                    async for event in self._room.events():
                        await self._handle(event, group)
                except contract.RoomError as exc:
                    failure = exc
                finally:
                    for task in (*tickers, *(worker.task for worker in self._workers.values())):
                        task.cancel()
                    await self._drain_events(group)
        finally:
            await self.questions.close()
            await self._publish(self._aggregator.close_last(self._now_s()))
        if failure is not None:
            raise failure

    async def _drain_events(self, group: asyncio.TaskGroup) -> None:
        """Handle the events that are queued when the class ends: erasures were already acknowledged."""
        queued: list[contract.RoomEvent] = []
        with suppress(TimeoutError, contract.RoomError):
            async with asyncio.timeout(0):  # queued events are read without waiting
                async for event in self._room.events():
                    queued.append(event)
        for event in queued:
            if isinstance(event, _DRAINED):
                await self._handle(event, group)

    async def drain_after_leaving(self) -> None:
        """Handle consents and erasures that arrived while the last windows were stored."""
        with suppress(TimeoutError, contract.RoomError):
            async with asyncio.timeout(_DRAIN_S):
                async for event in self._room.events():
                    if isinstance(event, contract.OptedOut):
                        await self._sink.on_erase(event.participant_id, event.on_erased)
                    elif isinstance(event, contract.Joined) and event.consented:
                        await self._sink.on_consent(self._consent(event, self._now_s()))

    def clear_votes(self) -> None:
        """Discard all votes so far, because the host dealt with them."""
        self._aggregator.clear_votes()

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time() - self._options.began_s

    async def _close_windows(self) -> None:
        while True:
            await asyncio.sleep(max(0.01, self._aggregator.next_end_s + GRACE_S - self._now_s()))
            windows = self._aggregator.close_until(self._now_s() - GRACE_S)
            # Shielded, so that a class that ends now does not lose a window that is being stored.
            await asyncio.shield(asyncio.create_task(self._publish(windows)))

    async def _publish(self, windows: list[WindowSummary]) -> None:
        async with self._publishing:  # keeps the order when the last windows follow at once
            for window in windows:
                await self._sink.on_window(window, self._now_s() - window.end_s)
                for check_in in self._check_ins.close(window.start_s, window.length_s):
                    await self._sink.on_check_in(check_in)

    async def _handle(self, event: contract.RoomEvent, group: asyncio.TaskGroup) -> None:
        at_s = self._now_s()
        match event:
            case contract.Joined():
                if event.attends:
                    self._aggregator.join(event.participant_id, at_s, event.person)
                opted_out = event.participant_id in self._opted_out
                self._check_ins.set_consent(event.participant_id, event.individual and not opted_out)
                if event.consented:
                    await self._sink.on_consent(self._consent(event, at_s))
            case contract.Left():
                self._aggregator.leave(event.participant_id, at_s)
            case contract.TrackAdded():
                self._observe(event.track, group)
            case contract.TrackRemoved():
                self._stop_worker(event.track_id)
            case contract.Muted():
                reason = NotAnalysed.CAMERA_OFF if event.muted else None
                self._aggregator.block(event.participant_id, reason)
            case contract.UnsupportedCodec():
                _log.info("camera in an unsupported codec", codec=event.codec)
                self._aggregator.block(event.participant_id, NotAnalysed.UNSUPPORTED_CODEC)
            case contract.EncryptedCamera():
                self._aggregator.block(event.participant_id, NotAnalysed.UNDECODABLE)
            case contract.Notice():
                await self._sink.on_connection(True, event.text)
            case contract.Pulse():
                self._aggregator.pulse(event.participant_id, event.kind, at_s)
                self._check_ins.pulse(event.participant_id, event.kind, at_s)
                await self._sink.on_pulse(PulseRecord(self._options.class_id, at_s, event.kind))
            case contract.Answered():
                if event.participant_id not in self._opted_out:
                    self.questions.answer(event, at_s)
            case contract.OptedOut():
                self._opt_out(event.participant_id)
                await self._sink.on_erase(event.participant_id, event.on_erased)
            case contract.Disconnected():
                self._aggregator.pause(at_s)
                await self._sink.on_connection(False, event.reason)
            case contract.Reconnected():
                self._aggregator.resume(at_s)
                await self._sink.on_connection(True, "")

    def _observe(self, track: VideoTrack, group: asyncio.TaskGroup) -> None:
        if self._reader is None or track.participant_id in self._opted_out:
            return
        self._stop_worker(track.track_id)
        options = self._options
        task = group.create_task(
            observe_track(
                track,
                self._reader,
                samples_per_s=options.samples_per_s,
                limits=options.limits,
                began_s=options.began_s,
                sink=self._on_observation,
            ),
            name=f"track-{track.track_id}",
        )
        self._workers[track.track_id] = _Worker(track.participant_id, task)
        self._sink.on_cameras(1)
        task.add_done_callback(lambda done: self._on_worker_done(track.track_id, done))

    def _on_observation(self, observation: Observation, delay_s: float) -> None:
        self._aggregator.add(observation)
        self._check_ins.add(observation)
        self._sink.on_observation(delay_s)

    def _stop_worker(self, track_id: str) -> None:
        worker = self._workers.pop(track_id, None)
        if worker is not None:
            worker.task.cancel()

    def _on_worker_done(self, track_id: str, done: asyncio.Task[None]) -> None:
        self._sink.on_cameras(-1)
        worker = self._workers.get(track_id)
        if worker is not None and worker.task is done:  # not if the track has got a new worker
            del self._workers[track_id]

    def _opt_out(self, participant_id: str) -> None:
        self._opted_out.add(participant_id)
        self._aggregator.opt_out(participant_id)
        self.questions.erase(participant_id)
        self._check_ins.set_consent(participant_id, False)
        for track_id, worker in list(self._workers.items()):
            if worker.participant_id == participant_id:
                self._stop_worker(track_id)

    def _consent(self, event: contract.Joined, at_s: float) -> Consent:
        return Consent(
            class_id=self._options.class_id,
            participant_id=event.participant_id,
            at_s=at_s,
            individual=event.individual,
            name=event.name if event.individual else None,
        )
