"""What else is stored of a class: markers, pulses, consents and individual check-ins."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reports.summary.windows import PulseKind


@dataclass(frozen=True, slots=True)
class Marker:
    """A moment the host marked. ``at_s``: seconds since the class began."""

    class_id: str
    at_s: float
    label: str

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"class_id": self.class_id, "at_s": round(self.at_s, 3), "label": self.label}


@dataclass(frozen=True, slots=True)
class PulseRecord:
    """One tap of one student, without the student. ``at_s``: seconds since the class began."""

    class_id: str
    at_s: float
    kind: PulseKind

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {"class_id": self.class_id, "at_s": round(self.at_s, 3), "kind": self.kind.value}


@dataclass(frozen=True, slots=True)
class Consent:
    """That a participant agreed, and to what.

    Attributes:
        class_id: The class.
        participant_id: Random, for this class only.
        at_s: When, seconds since the class began.
        individual: Whether individual check-ins were agreed to as well.
        name: The participant's name; kept only with ``individual``, else None.
    """

    class_id: str
    participant_id: str
    at_s: float
    individual: bool
    name: str | None


class CheckInKind(StrEnum):
    """Why a student may need a word."""

    TENSION = "tension"
    LOST = "lost"


@dataclass(frozen=True, slots=True)
class CheckIn:
    """That a student who opted in to individual check-ins may need a word; never in CSV or report.

    Attributes:
        class_id: The class.
        participant_id: Random, for this class only.
        at_s: When, seconds since the class began.
        kind: Why.
        reason: Why, in numbers against the student's own baseline, in one line.
        name: From the consent; None when none was given. Not kept with the check-in.
    """

    class_id: str
    participant_id: str
    at_s: float
    kind: CheckInKind
    reason: str
    name: str | None = None
