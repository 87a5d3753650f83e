"""What the windows of a class say: one word, its sureness, and alerts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reports.summary.json_object import json_object


class Word(StrEnum):
    """The one word for the class now."""

    SETTLING = "settling"
    UNSEEN = "unseen"
    STEADY = "steady"
    LIVELIER = "livelier"
    QUIETER = "quieter"
    TENSER = "tenser"
    CALMER = "calmer"
    LOST = "lost"
    TOO_SLOW = "too_slow"
    OK = "ok"


class Sureness(StrEnum):
    """How sure a word is, from least to most."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class AlertKind(StrEnum):
    """What an alert is about."""

    LOST = "lost"
    TOO_SLOW = "too_slow"
    TENSION = "tension"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Indicator:
    """The class at the end of one window, in a word.

    Attributes:
        class_id: The class.
        at_s: End of the window, seconds since the class began.
        word: The word.
        arrow: ``up``, ``down`` or ``level``, against the class's own baseline.
        sure: How sure the word is.
        from_pulses: Whether the word is the students' own, from their buttons.
        detail: What it rests on, in one line.
        disagreement: What the faces say instead, in one line; empty when they agree with the pulses.
        analysed: Faces read in the window.
        participants: Everyone in the window.
    """

    class_id: str
    at_s: float
    word: Word
    arrow: str
    sure: Sureness
    from_pulses: bool
    detail: str
    disagreement: str
    analysed: int
    participants: int

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the API."""
        return json_object(self)


@dataclass(frozen=True, slots=True)
class Alert:
    """Something the host is told of unasked. ``at_s``: seconds since the class began."""

    class_id: str
    at_s: float
    kind: AlertKind
    evidence: str

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the API."""
        return json_object(self)


@dataclass(frozen=True, slots=True)
class Indications:
    """What the windows of a class say: the word after the newest one, None without, and all alerts."""

    now: Indicator | None
    alerts: tuple[Alert, ...]

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the API."""
        return {
            "now": None if self.now is None else self.now.to_json(),
            "alerts": [alert.to_json() for alert in self.alerts],
        }
