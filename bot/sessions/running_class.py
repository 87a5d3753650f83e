"""One class from join to end, run as one task.

However a class ends (by the host, by the room or by an error), the steps are the same: close the windows,
leave the room, store the final state.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Final

import structlog

from bot.clocks import steady_s
from bot.config import Settings
from bot.metrics import Metrics
from bot.pipeline.observation import ReadingLimits
from bot.pipeline.supervisor import PipelineOptions, Supervisor
from bot.pipeline.track_worker import ImageReader
from bot.rooms.contract import Room, RoomDenied, RoomEnded, RoomError, RoomRemoved
from bot.sessions.class_sink import ClassSink
from bot.sessions.class_timings import ClassTimings
from bot.sessions.recorder import Recorder
from bot.sessions.room_groups import RoomGroups
from reports.summary.asks import Ask
from reports.summary.classes import ClassInfo, ClassState
from reports.summary.records import Marker, MarkerKind
from reports.summary.words import DEALT_WITH, N_
from reports.web.feed import LiveFeed

_log = structlog.get_logger()

NOTICE: Final = N_(
    "ClassMood has joined this class. It analyses camera images to count visible expressions of the whole "
    "class and how many faces are turned to the screen. Images stay in memory and are never stored. Switch "
    "your camera off if you do not want that."
)
"""Announced in rooms that have chat."""

NOTICE_WITHOUT_FACES: Final = N_(
    "ClassMood has joined this class. It counts who takes part and which buttons are tapped. It does not "
    "analyse camera images."
)
"""Announced instead where faces must not be analysed."""

JOINING: Final = "The bot is joining the room."
_LIVE: Final = "The class is running."
_NOT_STORED: Final = "The class is running, but nothing can be stored at present. Records wait in memory:"

_STATE_SETTLE_S: Final = 1.2
"""Longest wait for the store before a new state is published, seconds."""


@dataclass(frozen=True, slots=True, eq=False)
class ClassServices:
    """What all classes of a server share.

    Attributes:
        recorder: Writes records.
        feed: Publishes events.
        metrics: The server's metrics.
        reader: Detects and classifies faces; None where faces must not be analysed.
        settings: All settings.
        groups: The privacy groups of recent rooms.
        say: Translates texts for the host and for everybody in a room's chat.
    """

    recorder: Recorder
    feed: LiveFeed
    metrics: Metrics
    reader: ImageReader | None
    settings: Settings
    groups: RoomGroups
    say: Callable[[str], str] = str


class RunningClass:
    """A class that has not ended.

    Attributes:
        info: The class as the API shows it now.
        timings: How quickly it is processed.
        room_key: Identifies the room, see ``Room.key``.
        ended: Set when the class has ended and its final state is stored or, while the store is in trouble,
            queued.
    """

    def __init__(self, info: ClassInfo, room: Room, services: ClassServices) -> None:
        """Set up a class in the state ``joining``; ``run`` joins the room."""
        self.info, self._room, self._services = info, room, services
        self.timings = ClassTimings(services.metrics)
        self.ended = asyncio.Event()
        self.room_key = room.key
        self._end_requested = asyncio.Event()
        self._end_reason = ""
        self._pipeline: Supervisor | None = None  # while the class is live
        self._sink: ClassSink | None = None
        self._began_s = asyncio.get_running_loop().time()  # loop time of second 0; set again when live
        self._started_s = steady_s()

    def request_end(self, reason: str) -> None:
        """Make ``run`` end the class; ``ended`` is set when it has."""
        self._end_reason = reason
        self._end_requested.set()

    async def mark(self, label: str, kind: MarkerKind = MarkerKind.HOST) -> Marker:
        """Store and publish a marker at this moment; it is at second 0 while the bot is joining.

        Raises:
            StoreError: it cannot be stored.
        """
        joining = self.info.state is ClassState.JOINING
        at_s = 0.0 if joining else asyncio.get_running_loop().time() - self._began_s
        marker = Marker(self.info.id, at_s, label, kind)
        await self._services.recorder.marker(marker)
        if not self.ended.is_set():  # otherwise the feed is closed
            self._services.feed.publish(self.info.id, "marker", marker.to_json())
        return marker

    async def ask(self, question: str, answers: Sequence[str], alert_at_s: float | None) -> Ask | None:
        """Ask the class, see ``Questions.ask``; None if the class is not live."""
        if self._pipeline is None or self.info.state is not ClassState.LIVE:
            return None
        return await self._pipeline.questions.ask(question, answers, alert_at_s)

    def open_question(self) -> Ask | None:
        """The open question with its answers so far; None without one."""
        return None if self._pipeline is None else self._pipeline.questions.open_question()

    async def calm(self) -> Marker | None:
        """The host dealt with what the word says; returns the marker, None if the class is not live.

        Raises:
            StoreError: the marker cannot be stored; nothing has changed.
        """
        if self._pipeline is None or self._sink is None:
            return None
        marker = await self.mark(self._services.say(DEALT_WITH), MarkerKind.CALM)
        self._pipeline.clear_votes()
        self._sink.calm(marker.at_s)
        return marker

    async def leave_out(self, who: str) -> int:
        """Opt out whoever the host names; see ``Room.leave_out``."""
        return await self._room.leave_out(who)

    def show_trouble(self, trouble: str | None) -> None:
        """Publish that the store is in trouble, or (None) that it is no longer."""
        shown = self.info.reason.startswith(_NOT_STORED)
        if self.info.state is ClassState.LIVE and shown is not (trouble is not None):
            reason = _LIVE if trouble is None else f"{_NOT_STORED} {trouble}"
            self.info = replace(self.info, reason=reason)
            self._services.feed.publish(self.info.id, "state", self.info.to_json())

    def store_state(self) -> None:
        """Store the present state again; see ``Sessions.store_states``."""
        self._services.recorder.class_state(self.info, lambda: None)

    async def run(self) -> None:
        """Run the class to its end."""
        structlog.contextvars.bind_contextvars(class_id=self.info.id)  # in every log line of this class
        state, reason = ClassState.FAILED, "An internal error ended the class: see the server log."
        try:
            state, reason = await self._attend()
        except asyncio.CancelledError:
            state, reason = ClassState.INTERRUPTED, "The program was stopped during the class."
            raise
        except Exception:  # noqa: BLE001  # a bug ends only this class, and is logged
            _log.exception("class ended by an internal error", class_id=self.info.id)
        finally:
            await self._finish(state, reason)

    async def _attend(self) -> tuple[ClassState, str]:
        """Join the room, follow it and leave it; return the final state and its reason."""
        stop = asyncio.create_task(self._end_requested.wait())
        follow = asyncio.create_task(self._follow())
        try:
            await asyncio.wait((stop, follow), return_when=asyncio.FIRST_COMPLETED)
            if not follow.done():
                follow.cancel()
                await asyncio.wait((follow,))
                if follow.cancelled():
                    return ClassState.ENDED, self._end_reason
            follow.result()
            return ClassState.ENDED, "The room ended the class."
        except RoomDenied as exc:
            return ClassState.DENIED, str(exc)
        except RoomRemoved as exc:
            return ClassState.REMOVED, str(exc)
        except RoomEnded as exc:
            return ClassState.ENDED, str(exc)
        except RoomError as exc:
            return ClassState.FAILED, str(exc)
        finally:
            stop.cancel()
            follow.cancel()
            await asyncio.wait((stop, follow))

    async def _follow(self) -> None:
        services, settings = self._services, self._services.settings
        async with AsyncExitStack() as after_leaving, self._room as room:
            notice = NOTICE if services.reader is not None else NOTICE_WITHOUT_FACES
            announced = await room.announce(services.say(notice))
            if settings.privacy.require_announcement and not announced:
                raise RoomDenied(
                    "use a room with chat, or ask whoever runs ClassMood: on this server it may join only "
                    "where it can announce itself, and it could not do so in this room"
                )
            self._began_s = asyncio.get_running_loop().time()
            await self._change(ClassState.LIVE, _LIVE)
            options = PipelineOptions(
                class_id=self.info.id,
                samples_per_s=settings.analysis.samples_per_s,
                window_s=settings.analysis.window_s,
                groups=services.groups.begin(self._room.key, self._began_s),
                hold_s=settings.privacy.hold_s,
                limits=ReadingLimits(settings.analysis.min_face_px, settings.analysis.min_confidence),
                began_s=self._began_s,
            )
            sink = ClassSink(
                self.info.id,
                recorder=services.recorder,
                feed=services.feed,
                metrics=services.metrics,
                timings=self.timings,
                on_connection=self._change_connection,
                say=services.say,
            )
            pipeline = Supervisor(room, services.reader, options, sink)
            after_leaving.push_async_callback(pipeline.drain_after_leaving)
            self._pipeline, self._sink = pipeline, sink
            try:
                await pipeline.run()
            finally:
                self._pipeline, self._sink = None, None

    async def _change_connection(self, up: bool, reason: str) -> None:
        """The room's connection broke or is back."""
        await self._change(ClassState.LIVE if up else ClassState.RECONNECTING, reason or _LIVE)

    async def _change(self, state: ClassState, reason: str) -> None:
        self.info = info = replace(self.info, state=state, reason=reason)
        recorder, feed = self._services.recorder, self._services.feed

        def on_written() -> None:
            if self.ended.is_set() and not info.running:
                # The end is stored late: pages opened since then still show the class as running.
                feed.publish(info.id, "state", info.to_json())
                feed.close(info.id)

        recorder.class_state(info, on_written)
        await recorder.settle(_STATE_SETTLE_S)
        feed.publish(info.id, "state", info.to_json())

    async def _finish(self, state: ClassState, reason: str) -> None:
        # By the steady clock: the wall clock may have been changed during the class.
        lasted_s = steady_s() - self._started_s
        self.info = replace(self.info, ended_at=self.info.started_at + timedelta(seconds=lasted_s))
        await self._change(state, reason)
        trouble = self._services.recorder.trouble
        if trouble is not None:
            _log.error("the end of the class is not stored yet", class_id=self.info.id, reason=trouble)
        self._services.feed.close(self.info.id)
        self.ended.set()
