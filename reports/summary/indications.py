"""The indicator of a class (one word and its sureness) and its alerts."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reports.summary.json_object import json_object


class Level(StrEnum):
    """What a word asks of the host, from least to most; ``NONE`` when there is nothing to say yet."""

    NONE = "none"
    CALM = "calm"
    CAUTION = "caution"
    ACT = "act"


class Word(StrEnum):
    """The word of an indicator."""

    SETTLING = "settling"
    UNSEEN = "unseen"
    STEADY = "steady"
    LIVELIER = "livelier"
    QUIETER = "quieter"
    TENSER = "tenser"
    CALMER = "calmer"
    LOST = "lost"
    TOO_FAST = "too_fast"
    TOO_SLOW = "too_slow"
    OK = "ok"


class Sureness(StrEnum):
    """How well the figures support a word, from least to most."""

    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class AlertKind(StrEnum):
    """The change that an alert announces."""

    LOST = "lost"
    TOO_FAST = "too_fast"
    TOO_SLOW = "too_slow"
    TENSION = "tension"
    QUIET = "quiet"


@dataclass(frozen=True, slots=True)
class Indicator:
    """One word for the class at the end of a window.

    Attributes:
        class_id: The class.
        at_s: End of the window, seconds since the class began.
        word: The word.
        level: What it asks of the host.
        since_s: Since when word and level are the same, seconds since the class began.
        arrow: ``up``, ``down`` or ``level``, compared with the class's own baseline.
        sure: How well the figures support the word.
        from_pulses: Whether the word comes from the students' votes instead of their faces.
        detail: The figures behind the word, in one line.
        disagreement: What the faces show instead, in one line; empty when they agree with the votes.
        analysed: Participants analysed in the window.
        participants: Everyone counted in the window.
    """

    class_id: str
    at_s: float
    word: Word
    level: Level
    since_s: float
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
    """A change that is announced to the host without being asked for.

    Attributes:
        class_id: The class.
        at_s: When it was raised, seconds since the class began.
        kind: The change.
        evidence: The figures behind it, in one line.
        ended_s: When its cause ended, seconds since the class began; None while it lasts.
    """

    class_id: str
    at_s: float
    kind: AlertKind
    evidence: str
    ended_s: float | None = None

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the API."""
        return json_object(self)


@dataclass(frozen=True, slots=True)
class Indications:
    """What the windows of a class indicate.

    Attributes:
        now: The indicator after the newest window; None without windows.
        alerts: All alerts, oldest first.
    """

    now: Indicator | None
    alerts: tuple[Alert, ...]

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the API."""
        return {
            "now": None if self.now is None else self.now.to_json(),
            "alerts": [alert.to_json() for alert in self.alerts],
        }
