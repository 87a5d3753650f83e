"""Classes from join to end: states, reasons, what is kept and what is shown.

Comes in: a room URL and a title. Goes out: a class in the store and on the live feed. A class runs as one
task; ending it, by the host, by the room or by a fault, always passes the same way: close the windows,
leave the room, keep the state.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

import structlog

from bot.class_stats import ClassStats
from bot.config import Settings
from bot.metrics import Metrics
from bot.pipeline.indicators import Indicators
from bot.pipeline.observation import ReadingLimits
from bot.pipeline.supervisor import PipelineOptions, Supervisor
from bot.pipeline.track_worker import PictureReader
from bot.room import Room, RoomDenied, RoomError, RoomRemoved, RoomUrlError
from bot.rooms import RoomAdapter, open_room
from reports.controller import RoomRefused
from reports.feed import LiveFeed
from reports.store import Store, StoreError
from reports.summary import CheckIn, ClassInfo, ClassState, Consent, Marker, PulseRecord, WindowSummary

_log = structlog.get_logger()

NOTICE: Final = (
    "ClassMood has joined this class. It looks at camera pictures to count visible expressions of the whole "
    "class and how many faces are turned to the screen; pictures stay in memory and are never kept. Switch "
    "your camera off if you do not want that."
)
"""What is announced where a room has chat."""

NOTICE_WITHOUT_FACES: Final = (
    "ClassMood has joined this class. It counts who takes part and what you tap; it looks at no picture."
)
"""The same where faces must not be looked at."""

_REASONS: Final = {
    ClassState.JOINING: "The bot is joining the room.",
    ClassState.LIVE: "The class is running.",
}
_MOST_UNSAVED: Final = 10_000


@dataclass(slots=True, eq=False)
class RunningClass:
    """A class that has not come to its end.

    Attributes:
        info: As the API shows it now.
        began_s: When second 0 was, monotonic seconds.
        stop: Set when the class is to end.
        stop_reason: Why it is to end.
        ended: Set when all is kept.
        stats: Timings.
    """

    info: ClassInfo
    room: Room
    began_s: float
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    stats: ClassStats = field(default_factory=ClassStats)
    stop_reason: str = ""
    task: asyncio.Task[None] | None = None


class Sessions:
    """Starts, follows and ends classes; the ``ClassController`` of the pages."""

    def __init__(
        self,
        *,
        store: Store,
        feed: LiveFeed,
        adapters: Mapping[str, RoomAdapter],
        reader: PictureReader | None,
        settings: Settings,
        metrics: Metrics,
        public_url: Callable[[], str],
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Wire up.

        Args:
            store: Where classes are kept.
            feed: Where pages listen.
            adapters: Room adapters by scheme.
            reader: Finds and reads faces; None where faces must not be looked at.
            settings: All settings.
            metrics: What the server counts.
            public_url: Address of the server as students see it, known once it listens.
            now: The wall clock, UTC.
        """
        self._store, self._feed, self._adapters = store, feed, adapters
        self._reader, self._settings = reader, settings
        self._metrics, self._public_url, self._now = metrics, public_url, now
        self._running: dict[str, RunningClass] = {}

    async def start(self, room: str, title: str) -> ClassInfo:
        """Begin a class; see ``ClassController``."""
        try:
            opened = await asyncio.to_thread(open_room, room, self._adapters)
        except RoomUrlError as exc:
            raise RoomRefused(str(exc)) from exc
        started_at = self._now()
        info = ClassInfo(
            id=secrets.token_hex(6),
            title=title.strip() or f"Class of {started_at:%Y-%m-%d %H:%M} UTC",
            room=opened.public_url,
            state=ClassState.JOINING,
            reason=_REASONS[ClassState.JOINING],
            code=opened.code,
            student_url=None if opened.code is None else f"{self._public_url()}/c/{opened.code}",
            started_at=started_at,
            ended_at=None,
            min_group=self._settings.privacy.min_group,
            synthetic=opened.synthetic,
        )
        running = RunningClass(info, opened, asyncio.get_running_loop().time())
        await self._store.put_class(info)
        self._running[info.id] = running
        self._metrics.classes.set(len(self._running))
        running.task = asyncio.create_task(self._run(running), name=f"class-{info.id}")
        return info

    async def end(self, class_id: str, reason: str = "The host ended the class.") -> ClassInfo | None:
        """End a class; see ``ClassController``."""
        running = self._running.get(class_id)
        if running is not None:
            running.stop_reason = reason
            running.stop.set()
            await running.ended.wait()
        return await self._store.get_class(class_id)

    async def mark(self, class_id: str, label: str) -> Marker | None:
        """Set a marker; see ``ClassController``."""
        running = self._running.get(class_id)
        if running is None:
            return None
        marker = Marker(class_id, asyncio.get_running_loop().time() - running.began_s, label)
        await self._store.add_marker(marker)
        self._feed.publish(class_id, "marker", marker.to_json())
        return marker

    def running(self, class_id: str) -> RunningClass | None:
        """A class that has not ended."""
        return self._running.get(class_id)

    async def close(self) -> None:
        """End every class and wait until all is kept."""
        for running in list(self._running.values()):
            await self.end(running.info.id, "The server was stopped.")

    async def _run(self, running: RunningClass) -> None:
        state, reason = ClassState.FAILED, "An error of the program ended the class: see its log."
        try:
            state, reason = await self._attend(running)
        except StoreError as exc:
            reason = str(exc)
        except asyncio.CancelledError:
            state, reason = ClassState.INTERRUPTED, "The program was stopped during the class."
            raise
        except Exception:  # noqa: BLE001  # a fault of ours ends this class only, and is told
            _log.exception("class ended by an error", class_id=running.info.id)
        finally:
            await self._finish(running, state, reason)

    async def _attend(self, running: RunningClass) -> tuple[ClassState, str]:
        """Join, follow, leave; the state the class ends in and why."""
        stop = asyncio.create_task(running.stop.wait())
        follow = asyncio.create_task(self._follow(running))
        try:
            await asyncio.wait((stop, follow), return_when=asyncio.FIRST_COMPLETED)
            if not follow.done():
                follow.cancel()
                await asyncio.wait((follow,))
                if follow.cancelled():
                    return ClassState.ENDED, running.stop_reason
            follow.result()
            return ClassState.ENDED, "The room's class came to its end."
        except RoomDenied as exc:
            return ClassState.DENIED, str(exc)
        except RoomRemoved as exc:
            return ClassState.REMOVED, str(exc)
        except RoomError as exc:
            return ClassState.FAILED, str(exc)
        finally:
            stop.cancel()
            follow.cancel()
            await asyncio.wait((stop, follow))

    async def _follow(self, running: RunningClass) -> None:
        settings = self._settings
        async with running.room as room:
            announced = await room.announce(NOTICE if self._reader is not None else NOTICE_WITHOUT_FACES)
            if settings.privacy.require_announcement and not announced:
                raise RoomDenied(
                    "the class could not be told that the bot is here, as privacy.require_announcement asks: "
                    "use a room with chat, or tell the class yourself and set it to false"
                )
            running.began_s = asyncio.get_running_loop().time()
            await self._change(running, ClassState.LIVE, _REASONS[ClassState.LIVE])
            options = PipelineOptions(
                class_id=running.info.id,
                samples_per_s=settings.analysis.samples_per_s,
                window_s=settings.analysis.window_s,
                min_group=settings.privacy.min_group,
                limits=ReadingLimits(settings.analysis.min_face_px, settings.analysis.min_confidence),
                began_s=running.began_s,
            )
            sink = _ClassSink(self, running, self._store, self._feed, self._metrics)
            try:
                await Supervisor(room, self._reader, options, sink).run()
            finally:
                await sink.flush()

    async def change_connection(self, running: RunningClass, up: bool, reason: str) -> None:
        """The room's connection broke or came back."""
        state = ClassState.LIVE if up else ClassState.RECONNECTING
        await self._change(running, state, reason or _REASONS[ClassState.LIVE])

    async def _change(self, running: RunningClass, state: ClassState, reason: str) -> None:
        running.info = replace(running.info, state=state, reason=reason)
        await self._store.put_class(running.info)
        self._feed.publish(running.info.id, "state", running.info.to_json())

    async def _finish(self, running: RunningClass, state: ClassState, reason: str) -> None:
        running.info = replace(running.info, ended_at=self._now())
        try:
            await self._change(running, state, reason)
        except StoreError:
            _log.exception("end of class could not be kept", class_id=running.info.id)
        self._feed.close(running.info.id)
        self._running.pop(running.info.id, None)
        self._metrics.classes.set(len(self._running))
        running.ended.set()


class _ClassSink:
    """Keeps and shows what one class's pipeline gives out."""

    def __init__(
        self, sessions: Sessions, running: RunningClass, store: Store, feed: LiveFeed, metrics: Metrics
    ) -> None:
        self._sessions, self._running = sessions, running
        self._store, self._feed, self._metrics = store, feed, metrics
        # A store that is busy or full for a while loses no window: it is tried again with the next one.
        self._unsaved: deque[WindowSummary] = deque(maxlen=_MOST_UNSAVED)
        self._indicators = Indicators()

    async def on_window(self, window: WindowSummary, behind_s: float) -> None:
        self._unsaved.append(window)
        await self.flush()
        self._feed.publish(window.class_id, "summary", window.to_json())
        indicator, alert = self._indicators.add(window)
        self._feed.publish(window.class_id, "indicator", indicator.to_json())
        if alert is not None:
            self._feed.publish(window.class_id, "alert", alert.to_json())
        self._running.stats.window(behind_s, window.analysed)
        self._metrics.behind.observe(behind_s)

    async def flush(self) -> None:
        """Keep the windows that are not kept yet."""
        try:
            while self._unsaved:
                await self._store.add_window(self._unsaved[0])
                self._unsaved.popleft()
        except StoreError:
            _log.exception("window could not be kept yet", class_id=self._running.info.id)
        self._metrics.unsaved.set(len(self._unsaved))

    async def on_pulse(self, pulse: PulseRecord) -> None:
        self._metrics.pulses.labels(pulse.kind.value).inc()
        await self._keep(self._store.add_pulse(pulse))
        self._feed.publish(pulse.class_id, "pulse", pulse.to_json())

    async def on_consent(self, consent: Consent) -> None:
        await self._keep(self._store.add_consent(consent))

    async def on_check_in(self, check_in: CheckIn) -> None:
        await self._keep(self._store.add_check_in(check_in))
        # Without the name: what is on the feed may be kept for pages that come back.
        self._feed.publish(check_in.class_id, "check_in", {})

    async def on_erase(self, participant_id: str) -> None:
        await self._keep(self._store.erase_participant(self._running.info.id, participant_id))

    async def _keep(self, write: Awaitable[object]) -> None:
        """Write; a store that fails is logged and the class goes on."""
        try:
            await write
        except StoreError:
            _log.exception("record could not be kept", class_id=self._running.info.id)

    async def on_connection(self, up: bool, reason: str) -> None:
        await self._sessions.change_connection(self._running, up, reason)

    def on_observation(self, took_s: float) -> None:
        self._running.stats.sample(took_s)
        self._metrics.reading.observe(took_s)

    def on_cameras(self, change: int) -> None:
        self._metrics.cameras.inc(change)
