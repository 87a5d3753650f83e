"""Builds classes and windows for tests, and a controller without rooms."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from inference.emotions import EMOTIONS
from reports.store import Store
from reports.summary.asks import USUAL_ANSWERS, Ask
from reports.summary.classes import ClassInfo, ClassState
from reports.summary.records import Marker, MarkerKind
from reports.summary.windows import NotAnalysed, PulseKind, WindowSummary
from reports.web.controller import RoomRefused
from reports.web.feed import LiveFeed

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
SHARES = {
    "angry": 0.03,
    "disgust": 0.01,
    "fear": 0.04,
    "happy": 0.31,
    "sad": 0.08,
    "surprise": 0.05,
    "neutral": 0.48,
}


def a_class(class_id: str = "c1", **changes: object) -> ClassInfo:
    info = ClassInfo(
        id=class_id,
        title="Algebra",
        room="companion:ABCD",
        state=ClassState.LIVE,
        reason="students are in",
        code="ABCD",
        student_url="http://localhost/c/ABCD",
        started_at=START,
        ended_at=None,
        min_group=5,
    )
    return replace(info, **changes)  # type: ignore[arg-type]


def a_window(
    start_s: float = 0.0,
    class_id: str = "c1",
    *,
    analysed: int = 6,
    camera_off: int = 2,
    happy: float | None = 0.4,
    **changes: object,
) -> WindowSummary:
    """A window with this share of happy and the rest neutral; suppressed when ``happy`` is None."""
    shares = None
    if happy is not None:
        shares = dict.fromkeys(EMOTIONS, 0.0) | {"happy": happy, "neutral": 1 - happy}
    window = WindowSummary(
        class_id=class_id,
        start_s=start_s,
        length_s=5.0,
        participants=analysed + camera_off,
        cameras_on=analysed,
        analysed=analysed,
        not_analysed=dict.fromkeys((reason.value for reason in NotAnalysed), 0) | {"camera_off": camera_off},
        expressions=shares,
        shown=0 if shares is None else analysed,
        pulses=dict.fromkeys((kind.value for kind in PulseKind), 0),
        votes=dict.fromkeys((kind.value for kind in PulseKind), 0),
        weights=dict.fromkeys((kind.value for kind in PulseKind), 0.0),
    )
    return replace(window, **changes)  # type: ignore[arg-type]


def bytes_on_disk(path: Path) -> bytes:
    """Everything that SQLite has written for a database, its write-ahead log included."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))


class FakeController:
    """A controller without rooms: starting and ending a class only changes the store and the feed."""

    def __init__(self, store: Store, feed: LiveFeed) -> None:
        self.store, self.feed = store, feed
        self.started = 0
        self.open: Ask | None = None

    async def start(self, room: str, title: str) -> ClassInfo:
        if not room.startswith("companion:"):
            raise RoomRefused(f"{room!r} is not a room URL: give one like companion:")
        self.started += 1
        info = a_class(f"new{self.started}", title=title or "Class of the day", room=room)
        await self.store.put_class(info)
        return info

    async def end(self, class_id: str) -> ClassInfo | None:
        info = await self.store.get_class(class_id)
        if info is None or not info.running:
            return info
        ended = replace(info, state=ClassState.ENDED, reason="ended", ended_at=START + timedelta(minutes=5))
        await self.store.put_class(ended)
        self.feed.publish(class_id, "state", ended.to_json())
        self.feed.close(class_id)
        return ended

    async def leave_out(self, class_id: str, who: str) -> int | None:
        info = await self.store.get_class(class_id)
        return None if info is None or not info.running else int(who == "Ada")

    async def ask(
        self, class_id: str, question: str, answers: Sequence[str], alert_at_s: float | None
    ) -> Ask | None:
        info = await self.store.get_class(class_id)
        if info is None or not info.running:
            return None
        given = tuple(answers) or tuple(USUAL_ANSWERS)
        counts = dict.fromkeys(given, 0)
        self.open = Ask("a1", class_id, 20.0, 50.0, question, given, counts, 8, 0, alert_at_s, open=True)
        self.feed.publish(class_id, "ask", self.open.to_json())
        return self.open

    def open_question(self, class_id: str) -> Ask | None:
        return self.open

    async def calm(self, class_id: str) -> Marker | None:
        marker = await self.mark(class_id, "Dealt with it")
        return None if marker is None else replace(marker, kind=MarkerKind.CALM)

    async def mark(self, class_id: str, label: str) -> Marker | None:
        info = await self.store.get_class(class_id)
        if info is None or not info.running:
            return None
        marker = Marker(class_id, 12.5, label)
        await self.store.add_marker(marker)
        self.feed.publish(class_id, "marker", marker.to_json())
        return marker
