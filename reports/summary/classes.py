"""A class: its room, its state and its times."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from reports.summary.json_object import json_object


class ClassState(StrEnum):
    """The states of a class; it never leaves those in ``FINAL_STATES``."""

    JOINING = "joining"
    LOBBY = "lobby"
    LIVE = "live"
    RECONNECTING = "reconnecting"
    ENDED = "ended"
    DENIED = "denied"
    REMOVED = "removed"
    FAILED = "failed"
    INTERRUPTED = "interrupted"


def analyses_faces(jurisdiction: str) -> bool:
    """Whether a privacy profile allows face analysis; the only place where the program decides this."""
    return jurisdiction == "none"


FINAL_STATES: Final = frozenset(
    {
        ClassState.ENDED,
        ClassState.DENIED,
        ClassState.REMOVED,
        ClassState.FAILED,
        ClassState.INTERRUPTED,
    }
)
"""The states of a class that is over."""


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """A class as the API shows it.

    Attributes:
        id: Random identifier, safe in a URL.
        title: Title that the host gave.
        room: Room URL without secrets.
        state: State of the class.
        reason: The state in plain words; for a final state, why the class ended.
        code: Code in the student link; None without one.
        student_url: Link for students: to the embedded room, or to the page with the buttons of a class that
            takes place elsewhere. None where the server has no such page.
        started_at: When it was started, UTC.
        ended_at: When it ended, UTC; None while it runs.
        min_group: Fewest analysed participants for whom the shares of a window are published.
        synthetic: Whether its students are drawn by the demo.
        jurisdiction: Its privacy profile: ``none`` or ``eu-education``.
    """

    id: str
    title: str
    room: str
    state: ClassState
    reason: str
    code: str | None
    student_url: str | None
    started_at: datetime
    ended_at: datetime | None
    min_group: int
    synthetic: bool = False
    jurisdiction: str = "none"

    @property
    def running(self) -> bool:
        """Whether the class has not ended yet."""
        return self.state not in FINAL_STATES

    @property
    def analyses_faces(self) -> bool:
        """Whether its privacy profile allows face analysis."""
        return analyses_faces(self.jurisdiction)

    def without_code(self) -> ClassInfo:
        """The class without what leads to its room: a report is shared, and the code may be used again."""
        room = self.room.replace(self.code, "") if self.code else self.room
        return replace(self, room=room, code=None, student_url=None)

    @property
    def asks_for_cameras(self) -> bool:
        """Whether the page behind the student link asks for cameras."""
        return self.analyses_faces and self.room.startswith("companion:")

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the API."""
        return json_object(self)
