"""Starts, finds and ends the classes of a server."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Final

from bot.config import Settings
from bot.metrics import Metrics
from bot.pipeline.track_worker import ImageReader
from bot.rooms.contract import Room, RoomUrlError
from bot.rooms.registry import RoomAdapter, open_room
from bot.sessions.recorder import Recorder
from bot.sessions.room_groups import RoomGroups
from bot.sessions.running_class import JOINING, ClassServices, RunningClass
from bot.sessions.with_entrance import WithEntrance
from reports.languages import language
from reports.store import Store
from reports.summary.asks import Ask
from reports.summary.classes import ClassInfo, ClassState
from reports.summary.records import Marker
from reports.web.controller import RoomRefused
from reports.web.feed import LiveFeed

_ENTRANCE_SCHEME: Final = "companion"
_ENTRANCE: Final = f"{_ENTRANCE_SCHEME}:?entrance=1"
"""Room URL of the page with the buttons, for a class in another room."""

_STOPPING: Final = "the server is being stopped"
_STORE_IN_TROUBLE: Final = "the store accepts no writes at present: the log and the host's pages say why"

_CLOSE_SETTLE_S: Final = 1.2
"""How long ``close`` waits for queued records after the last class has ended, seconds."""


class Sessions:
    """The classes of a server; the ``ClassController`` of the pages."""

    def __init__(
        self,
        *,
        store: Store,
        recorder: Recorder,
        feed: LiveFeed,
        adapters: Mapping[str, RoomAdapter],
        reader: ImageReader | None,
        settings: Settings,
        metrics: Metrics,
        public_url: str,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        """Set up without classes.

        Args:
            store: Where classes that have ended are read.
            recorder: Writes records, to the same store.
            feed: Publishes events.
            adapters: Room adapters by URL scheme.
            reader: Detects and classifies faces; None where faces must not be analysed.
            settings: All settings.
            metrics: The server's metrics.
            public_url: The address at which students reach the server, without a slash at the end.
            now: The wall clock, UTC.
        """
        self._store, self._recorder, self._adapters = store, recorder, adapters
        self._settings, self._metrics = settings, metrics
        self._public_url, self._now = public_url, now
        groups = RoomGroups(settings.privacy.min_group)
        self._services = ClassServices(
            recorder, feed, metrics, reader, settings, groups, language(settings.web.language).gettext
        )
        self._running: dict[str, RunningClass] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._stopping = False
        recorder.listen(self._on_store)

    async def start(self, room: str, title: str) -> ClassInfo:
        """Start a class; see ``ClassController``."""
        try:
            opened = await asyncio.to_thread(self._open, room)
        except RoomUrlError as exc:
            raise RoomRefused(str(exc)) from exc
        if self._stopping:
            raise RoomRefused(f"start the class when the server runs again: {_STOPPING}")
        started_at = self._now()
        info = ClassInfo(
            id=secrets.token_hex(6),
            title=title.strip() or f"Class of {started_at:%Y-%m-%d %H:%M} UTC",
            room=opened.public_url,
            state=ClassState.JOINING,
            reason=JOINING,
            code=opened.code,
            student_url=None if opened.code is None else f"{self._public_url}/c/{opened.code}",
            started_at=started_at,
            ended_at=None,
            min_group=self._settings.privacy.min_group,
            synthetic=opened.synthetic,
            jurisdiction=self._settings.privacy.jurisdiction,
        )
        running = RunningClass(info, opened, self._services)
        if any(opened.key == other.room_key for other in self._running.values()):
            # Two classes would publish shares of the same students over different privacy groups.
            raise RoomRefused("end the class that is running in this room first, or use another room")
        self._running[info.id] = running  # before the first await, so that ``close`` misses no class
        try:
            await self._recorder.add_class(info)
        except BaseException:
            self._running.pop(info.id)
            running.ended.set()
            raise
        self._metrics.classes.set(len(self._running))
        self._tasks[info.id] = asyncio.create_task(self._run(running), name=f"class-{info.id}")
        return info

    async def end(self, class_id: str, reason: str = "The host ended the class.") -> ClassInfo | None:
        """End a class; see ``ClassController``."""
        running = self._running.get(class_id)
        if running is not None:
            running.request_end(reason)
            await running.ended.wait()
            return running.info  # not from the store, which may be in trouble
        return await self._store.get_class(class_id)

    async def mark(self, class_id: str, label: str) -> Marker | None:
        """Set a marker; see ``ClassController``."""
        running = self._running.get(class_id)
        return None if running is None else await running.mark(label)

    async def ask(
        self, class_id: str, question: str, answers: Sequence[str], alert_at_s: float | None
    ) -> Ask | None:
        """Ask a class; see ``ClassController``."""
        running = self._running.get(class_id)
        return None if running is None else await running.ask(question, answers, alert_at_s)

    def open_question(self, class_id: str) -> Ask | None:
        """The open question; see ``ClassController``."""
        running = self._running.get(class_id)
        return None if running is None else running.open_question()

    async def calm(self, class_id: str) -> Marker | None:
        """The host dealt with what the word says; see ``ClassController``."""
        running = self._running.get(class_id)
        return None if running is None else await running.calm()

    async def leave_out(self, class_id: str, who: str) -> int | None:
        """Opt a student out for the host; see ``ClassController``."""
        running = self._running.get(class_id)
        return None if running is None else await running.leave_out(who)

    def running(self, class_id: str) -> RunningClass | None:
        """A class that has not ended; None if it has or does not exist."""
        return self._running.get(class_id)

    def unready(self) -> str | None:
        """Why no class can be started at present, in one line that names no file; None if one can."""
        if self._stopping:
            return _STOPPING
        return None if self._recorder.trouble is None else _STORE_IN_TROUBLE

    def store_states(self) -> None:
        """Store the state of every running class again, after another server marked it as interrupted."""
        for running in self._running.values():
            running.store_state()

    async def close(self) -> None:
        """Refuse new classes, end the running ones, and wait until all records are stored."""
        self._stopping = True
        ends = (self.end(class_id, "The server was stopped.") for class_id in list(self._running))
        await asyncio.gather(*ends)
        await self._recorder.close(_CLOSE_SETTLE_S)

    async def abandon(self, within_s: float) -> None:
        """Cancel the classes that did not end during ``close``; wait at most ``within_s`` seconds for them.

        They are stored as interrupted, now or at the next start.
        """
        tasks = list(self._tasks.values())
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks, timeout=within_s)
        await self._recorder.close(0.0)

    def _open(self, url: str) -> Room:
        """Open a room; one without a page for its students gets an entrance. Reads files.

        Raises:
            RoomUrlError: the room URL is wrong.
        """
        room = open_room(url, self._adapters)
        if room.code is not None or _ENTRANCE_SCHEME not in self._adapters:
            return room
        return WithEntrance(room, open_room(_ENTRANCE, self._adapters))

    async def _run(self, running: RunningClass) -> None:
        try:
            await running.run()
        finally:
            class_id = running.info.id
            self._running.pop(class_id, None)
            self._tasks.pop(class_id, None)
            self._metrics.classes.set(len(self._running))

    def _on_store(self, trouble: str | None) -> None:
        for running in self._running.values():
            running.show_trouble(trouble)
