"""Classes from join to end: states, reasons, what is kept and what is shown.

Comes in: a room URL and a title. Goes out: a class in the store and on the live feed. A class runs as one
task; ending it, by the host, by the room or by a fault, always passes the same way: close the windows,
leave the room, keep the state.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Final

import structlog

from bot.clocks import steady_s
from bot.config import Settings
from bot.metrics import Metrics
from bot.pipeline.observation import ReadingLimits
from bot.pipeline.supervisor import PipelineOptions, Supervisor
from bot.pipeline.track_worker import ImageReader
from bot.rooms.contract import Room, RoomDenied, RoomError, RoomRemoved, RoomUrlError
from bot.rooms.registry import RoomAdapter, open_room
from bot.sessions.backlog import Backlog
from bot.sessions.class_sink import ClassSink
from bot.sessions.class_stats import ClassStats
from reports.store import Store, StoreError
from reports.summary.classes import ClassInfo, ClassState
from reports.summary.records import Marker
from reports.web.controller import RoomRefused
from reports.web.feed import LiveFeed

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
_UNSAVED: Final = "The class is running, but cannot be kept for now and waits in memory:"
_STOPPING: Final = "the server is being stopped"
_NOTHING_KEPT: Final = "the store takes nothing at present: the log and the host's pages say why"

MOST_ERASING: Final = 500
"""Erasures after a class that may wait: whoever asks need not have been in one, and windows wait too."""

_LAST_CHANCE_S: Final = 1.2
"""How long the end of a class waits for what is not kept yet."""


@dataclass(slots=True, eq=False)
class RunningClass:
    """A class that has not come to its end.

    Attributes:
        info: As the API shows it now.
        began_s: When second 0 was, monotonic seconds.
        started_s: When the class was started, seconds of the steady clock.
        stop: Set when the class is to end.
        stop_reason: Why it is to end.
        ended: Set when all is kept.
        stats: Timings.
    """

    info: ClassInfo
    room: Room
    began_s: float
    started_s: float
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
        reader: ImageReader | None,
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
        self._stopping = False
        self._backlog = Backlog(self._on_backlog)
        self._erasing: set[str] = set()  # participants to be erased as soon as the store takes it

    async def start(self, room: str, title: str) -> ClassInfo:
        """Begin a class; see ``ClassController``."""
        try:
            opened = await asyncio.to_thread(open_room, room, self._adapters)
        except RoomUrlError as exc:
            raise RoomRefused(str(exc)) from exc
        if self._stopping:
            raise RoomRefused(f"{_STOPPING}: start the class when it runs again")
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
            jurisdiction=self._settings.privacy.jurisdiction,
        )
        running = RunningClass(info, opened, asyncio.get_running_loop().time(), steady_s())
        self._running[info.id] = running  # before anything waits, so that ``close`` misses no class
        try:
            await self._store.put_class(info)
        except BaseException:
            self._running.pop(info.id)
            running.ended.set()
            raise
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
            return running.info  # the store may not have taken it yet
        return await self._store.get_class(class_id)

    async def mark(self, class_id: str, label: str) -> Marker | None:
        """Set a marker; see ``ClassController``."""
        running = self._running.get(class_id)
        if running is None:
            return None
        joining = running.info.state is ClassState.JOINING  # second 0 is still to come
        at_s = 0.0 if joining else asyncio.get_running_loop().time() - running.began_s
        marker = Marker(class_id, at_s, label)
        await self._store.add_marker(marker)
        if class_id in self._running:  # else its feed is closed
            self._feed.publish(class_id, "marker", marker.to_json())
        return marker

    def unready(self) -> str | None:
        """Why no class can be started at present, in one line that names no file; None if one can."""
        if self._stopping:
            return _STOPPING
        return None if self._backlog.trouble is None else _NOTHING_KEPT

    def running(self, class_id: str) -> RunningClass | None:
        """A class that has not ended."""
        return self._running.get(class_id)

    async def leave_out(self, class_id: str, who: str) -> int | None:
        """Leave somebody out at the host's word; see ``ClassController``."""
        running = self._running.get(class_id)
        return None if running is None else await running.room.leave_out(who)

    async def erase_kept(self, participant_id: str) -> bool:
        """Delete what is kept of somebody after their class, also what still waits to be kept.

        Returns:
            Whether anything was; while the store takes nothing, True: it is deleted as soon as it does.

        Raises:
            StoreError: the store takes nothing, and too many wait already.
        """
        if not await self._backlog.settle(_LAST_CHANCE_S):
            with suppress(StoreError):
                return await self._store.erase_everywhere(participant_id)
        if participant_id not in self._erasing:
            if len(self._erasing) >= MOST_ERASING:
                raise StoreError("nothing can be deleted at present: try again in some minutes")
            self._erasing.add(participant_id)
            self._backlog.put(lambda: self._erase(participant_id), must=True)
        return True

    async def _erase(self, participant_id: str) -> None:
        await self._store.erase_everywhere(participant_id)
        self._erasing.discard(participant_id)

    async def close(self) -> None:
        """End every class, start no other, and wait until all is kept."""
        self._stopping = True
        ends = (self.end(class_id, "The server was stopped.") for class_id in list(self._running))
        await asyncio.gather(*ends)
        await self._close_backlog(_LAST_CHANCE_S)

    async def abandon(self, within_s: float) -> None:
        """Cancel the classes that ``close`` did not see the end of, and wait a little for them.

        They are kept as interrupted, now or at the next start.
        """
        tasks = [running.task for running in self._running.values() if running.task is not None]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)
        await self._close_backlog(0.0)

    async def _close_backlog(self, within_s: float) -> None:
        lost = await self._backlog.close(within_s)
        if lost:
            _log.error("records were not kept", records=lost, reason=self._backlog.trouble)

    async def _run(self, running: RunningClass) -> None:
        structlog.contextvars.bind_contextvars(class_id=running.info.id)  # for every line of this class
        state, reason = ClassState.FAILED, "An error of the program ended the class: see its log."
        try:
            state, reason = await self._attend(running)
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
        async with AsyncExitStack() as last_words, running.room as room:
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
            sink = ClassSink(
                running.info.id,
                store=self._store,
                backlog=self._backlog,
                feed=self._feed,
                metrics=self._metrics,
                stats=lambda: running.stats,
                on_connection=lambda up, why: self._change_connection(running, up, why),
            )
            pipeline = Supervisor(room, self._reader, options, sink)
            last_words.push_async_callback(pipeline.hear_last_words)
            await pipeline.run()

    async def _change_connection(self, running: RunningClass, up: bool, reason: str) -> None:
        """The room's connection broke or came back."""
        state = ClassState.LIVE if up else ClassState.RECONNECTING
        await self._change(running, state, reason or _REASONS[ClassState.LIVE])

    async def _change(self, running: RunningClass, state: ClassState, reason: str) -> None:
        running.info = info = replace(running.info, state=state, reason=reason)
        self._backlog.put(lambda: self._keep(info), must=True)
        await self._backlog.settle(_LAST_CHANCE_S)
        self._feed.publish(info.id, "state", info.to_json())

    async def _keep(self, info: ClassInfo) -> None:
        await self._store.update_class(info)
        if not info.running and info.id not in self._running:
            # Kept late: pages opened since the end have read that the class is running.
            self._feed.publish(info.id, "state", info.to_json())
            self._feed.close(info.id)

    def _on_backlog(self, waiting: int, trouble: str | None) -> None:
        """The store takes nothing for the time being, or takes it again: whoever follows a class is told."""
        self._metrics.unsaved.set(waiting)
        reason = _REASONS[ClassState.LIVE] if trouble is None else f"{_UNSAVED} {trouble}"
        for running in self._running.values():
            info = running.info
            told = info.reason.startswith(_UNSAVED)
            if info.state is ClassState.LIVE and told is not (trouble is not None):
                running.info = replace(info, reason=reason)
                self._feed.publish(info.id, "state", running.info.to_json())

    async def _finish(self, running: RunningClass, state: ClassState, reason: str) -> None:
        # By the steady clock: the wall clock may have been changed during the class.
        lasted_s = steady_s() - running.started_s
        ended_at = running.info.started_at + timedelta(seconds=lasted_s)
        running.info = replace(running.info, ended_at=ended_at)
        await self._change(running, state, reason)
        if self._backlog.trouble is not None:
            _log.error("end of class not kept yet", class_id=running.info.id, reason=self._backlog.trouble)
        self._feed.close(running.info.id)
        self._running.pop(running.info.id, None)
        self._metrics.classes.set(len(self._running))
        running.ended.set()
