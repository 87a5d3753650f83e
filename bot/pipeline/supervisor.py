"""One class's pipeline: the room's events in, windows out.

Comes in: a joined ``Room``. Goes out: windows, pulses and consents, to a ``Sink``. Every task belongs to
one TaskGroup; when the room's events end, or it raises, all of them are cancelled and awaited.
"""

from __future__ import annotations

import asyncio
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Protocol

import structlog

from bot.pipeline.aggregator import WindowAggregator
from bot.pipeline.check_ins import CheckIns
from bot.pipeline.observation import Observation, ReadingLimits
from bot.pipeline.track_worker import ImageReader, observe_track
from bot.rooms import contract
from bot.tracks import VideoTrack
from reports.summary.records import CheckIn, Consent, PulseRecord
from reports.summary.windows import NotAnalysed, WindowSummary

_log = structlog.get_logger()

_LAST_WORDS_S: Final = 0.2
"""Longest for them: they are there already."""

GRACE_S: Final = 0.25
"""How long after its end a window waits for samples still being read, seconds."""


class Sink(Protocol):
    """Where a class's data goes."""

    async def on_window(self, window: WindowSummary, behind_s: float) -> None:
        """A window closed, ``behind_s`` seconds after its end."""
        ...

    async def on_pulse(self, pulse: PulseRecord) -> None: ...
    async def on_consent(self, consent: Consent) -> None: ...
    async def on_check_in(self, check_in: CheckIn) -> None:
        """A participant who opted in to it may need a word."""
        ...

    async def on_erase(self, participant_id: str) -> None: ...
    async def on_connection(self, up: bool, reason: str) -> None: ...
    def on_observation(self, took_s: float) -> None:
        """A sample was read, ``took_s`` seconds after its frame arrived."""
        ...

    def on_cameras(self, change: int) -> None:
        """So many cameras more, or fewer, are being looked at."""
        ...


@dataclass(frozen=True, slots=True)
class PipelineOptions:
    """How a class is looked at.

    Attributes:
        class_id: The class.
        samples_per_s: Pictures looked at a second and camera.
        window_s: Length of a window, seconds.
        min_group: Fewest analysed participants whose expressions are given out.
        limits: What a face must have to count.
        began_s: When the class began, monotonic seconds.
    """

    class_id: str
    samples_per_s: float
    window_s: float
    min_group: int
    limits: ReadingLimits
    began_s: float


@dataclass(frozen=True, slots=True, eq=False)
class _Worker:
    """The task that observes a track, and whose track it is."""

    participant_id: str
    task: asyncio.Task[None]


class Supervisor:
    """Runs the pipeline of one class."""

    def __init__(
        self, room: contract.Room, reader: ImageReader | None, options: PipelineOptions, sink: Sink
    ) -> None:
        """Set up; ``reader`` is None where faces must not be looked at."""
        self._room, self._reader, self._options, self._sink = room, reader, options, sink
        self._aggregator = WindowAggregator(options.class_id, options.window_s, options.min_group)
        self._check_ins = CheckIns(options.class_id)
        self._workers: dict[str, _Worker] = {}
        self._opted_out: set[str] = set()
        self._publishing = asyncio.Lock()

    async def run(self) -> None:
        """Follow the room until its events end.

        Raises:
            RoomError: as the room's events raise it; what was seen until then is kept.
        """
        failure: contract.RoomError | None = None
        try:
            async with asyncio.TaskGroup() as group:
                ticker = group.create_task(self._close_windows())
                try:
                    async for event in self._room.events():
                        await self._handle(event, group)
                except contract.RoomError as exc:
                    failure = exc
                finally:
                    for task in (ticker, *(worker.task for worker in self._workers.values())):
                        task.cancel()
                    await self._hear_out(group)
        finally:
            await self._publish(self._aggregator.close_last(self._now_s()))
        if failure is not None:
            raise failure

    async def _hear_out(self, group: asyncio.TaskGroup) -> None:
        """Do what waits to be read when the class ends: who asked to be erased was told that it is done."""
        unread: list[contract.RoomEvent] = []
        with suppress(TimeoutError, contract.RoomError):
            async with asyncio.timeout(0):  # what is there already comes without waiting
                async for event in self._room.events():
                    unread.append(event)
        for event in unread:
            if isinstance(event, contract.Joined | contract.Left | contract.OptedOut | contract.Pulse):
                await self._handle(event, group)

    async def hear_last_words(self) -> None:
        """After the room is left: consents and erasures told while the last windows were being kept."""
        with suppress(TimeoutError, contract.RoomError):
            async with asyncio.timeout(_LAST_WORDS_S):
                async for event in self._room.events():
                    if isinstance(event, contract.OptedOut):
                        await self._sink.on_erase(event.participant_id)
                    elif isinstance(event, contract.Joined) and event.consented:
                        await self._sink.on_consent(self._consent(event, self._now_s()))

    def _now_s(self) -> float:
        return asyncio.get_running_loop().time() - self._options.began_s

    async def _close_windows(self) -> None:
        while True:
            await asyncio.sleep(max(0.01, self._aggregator.next_end_s + GRACE_S - self._now_s()))
            windows = self._aggregator.close_until(self._now_s() - GRACE_S)
            # Shielded: a class that ends in this very moment loses no window on its way to the store.
            await asyncio.shield(asyncio.create_task(self._publish(windows)))

    async def _publish(self, windows: list[WindowSummary]) -> None:
        async with self._publishing:  # one after the other: the last windows wait for those before them
            for window in windows:
                await self._sink.on_window(window, self._now_s() - window.end_s)
                for check_in in self._check_ins.close(window.start_s, window.length_s):
                    await self._sink.on_check_in(check_in)

    async def _handle(self, event: contract.RoomEvent, group: asyncio.TaskGroup) -> None:
        at_s = self._now_s()
        match event:
            case contract.Joined():
                self._aggregator.arrive(event.participant_id, at_s)
                opted_out = event.participant_id in self._opted_out
                self._check_ins.agree(event.participant_id, event.individual and not opted_out)
                if event.consented:
                    await self._sink.on_consent(self._consent(event, at_s))
            case contract.Left():
                self._aggregator.depart(event.participant_id, at_s)
            case contract.TrackAdded():
                self._observe(event.track, group)
            case contract.TrackRemoved():
                self._drop(event.track_id)
            case contract.Muted():
                self._aggregator.stand(event.participant_id, NotAnalysed.CAMERA_OFF if event.muted else None)
            case contract.UnsupportedCodec():
                _log.info("camera in an unsupported codec", codec=event.codec)
                self._aggregator.stand(event.participant_id, NotAnalysed.UNSUPPORTED_CODEC)
            case contract.Pulse():
                self._aggregator.pulse(event.participant_id, event.kind, at_s)
                self._check_ins.pulse(event.participant_id, event.kind, at_s)
                await self._sink.on_pulse(PulseRecord(self._options.class_id, at_s, event.kind))
            case contract.OptedOut():
                self._opt_out(event.participant_id)
                await self._sink.on_erase(event.participant_id)
            case contract.Disconnected():
                self._aggregator.pause(at_s)
                await self._sink.on_connection(False, event.reason)
            case contract.Reconnected():
                self._aggregator.resume(at_s)
                await self._sink.on_connection(True, "")

    def _observe(self, track: VideoTrack, group: asyncio.TaskGroup) -> None:
        if self._reader is None or track.participant_id in self._opted_out:
            return
        self._drop(track.track_id)
        options = self._options
        task = group.create_task(
            observe_track(
                track,
                self._reader,
                samples_per_s=options.samples_per_s,
                limits=options.limits,
                began_s=options.began_s,
                sink=self._take,
            ),
            name=f"track-{track.track_id}",
        )
        self._workers[track.track_id] = _Worker(track.participant_id, task)
        self._sink.on_cameras(1)
        task.add_done_callback(lambda done: self._forget(track.track_id, done))

    def _take(self, observation: Observation, took_s: float) -> None:
        self._aggregator.add(observation)
        self._check_ins.add(observation)
        self._sink.on_observation(took_s)

    def _drop(self, track_id: str) -> None:
        worker = self._workers.pop(track_id, None)
        if worker is not None:
            worker.task.cancel()

    def _forget(self, track_id: str, done: asyncio.Task[None]) -> None:
        self._sink.on_cameras(-1)
        worker = self._workers.get(track_id)
        if worker is not None and worker.task is done:
            del self._workers[track_id]

    def _opt_out(self, participant_id: str) -> None:
        self._opted_out.add(participant_id)
        self._aggregator.erase(participant_id)
        self._check_ins.agree(participant_id, False)
        for track_id, worker in list(self._workers.items()):
            if worker.participant_id == participant_id:
                self._drop(track_id)

    def _consent(self, event: contract.Joined, at_s: float) -> Consent:
        return Consent(
            class_id=self._options.class_id,
            participant_id=event.participant_id,
            at_s=at_s,
            individual=event.individual,
            name=event.name if event.individual else None,
        )
