"""A class and a window as the tests of the store keep them."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from reports.summary.classes import ClassInfo, ClassState
from reports.summary.windows import NotAnalysed, WindowSummary

START = datetime(2026, 3, 2, 9, 0, 0, 250, tzinfo=UTC)
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
        title="Physics 8b",
        room="companion:ABC",
        state=ClassState.LIVE,
        reason="the class is on",
        code="ABC",
        student_url="http://127.0.0.1:8765/c/ABC",
        started_at=START,
        ended_at=None,
        min_group=5,
    )
    return replace(info, **changes)  # type: ignore[arg-type]


def a_window(start_s: float = 0.0, class_id: str = "c1", **changes: object) -> WindowSummary:
    window = WindowSummary(
        class_id=class_id,
        start_s=start_s,
        length_s=5.0,
        participants=8,
        cameras_on=7,
        analysed=6,
        not_analysed=dict.fromkeys(NotAnalysed, 0) | {"camera_off": 1, "no_face": 1},
        expressions=SHARES,
        suppressed=False,
        pulses={"lost": 2, "ok": 7, "too_slow": 1},
        votes={"lost": 1, "ok": 6, "too_slow": 1},
    )
    return replace(window, **changes)  # type: ignore[arg-type]


def on_disk(path: Path) -> bytes:
    """Everything SQLite has on the disk, its log included."""
    return b"".join(file.read_bytes() for file in sorted(path.parent.glob(f"{path.name}*")))
