"""A class: where it is held, its state and its times."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

from reports.summary.json_object import json_object


class ClassState(StrEnum):
    """Where a class stands; see ``FINAL_STATES`` for the ends."""

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
    """Whether a privacy profile allows face analysis at all; every part of the program asks here."""
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
"""States a class never leaves."""


@dataclass(frozen=True, slots=True)
class ClassInfo:
    """A class as the API shows it.

    Attributes:
        id: Random identifier, safe in a URL.
        title: As the host named it.
        room: Room URL without secrets.
        state: Where it stands.
        reason: The state in plain words; for the ends, why.
        code: Code of a companion room, else None.
        student_url: Address for students of a companion room, else None.
        started_at: When it was started, UTC.
        ended_at: When it ended, UTC; None while it runs.
        min_group: Fewest analysed participants a window is shown for.
        synthetic: Whether its students are drawn by the demo.
        jurisdiction: The privacy profile it is held under: ``none`` or ``eu-education``.
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
        """Whether the class has not come to an end."""
        return self.state not in FINAL_STATES

    @property
    def analyses_faces(self) -> bool:
        """Whether its privacy profile allows face analysis."""
        return analyses_faces(self.jurisdiction)

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the API."""
        return json_object(self)
