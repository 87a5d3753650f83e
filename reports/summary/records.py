"""Records of a class other than windows: markers, pulses, consents and individual check-ins."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

from reports.summary.json_object import json_object
from reports.summary.windows import PulseKind


class MarkerKind(StrEnum):
    """Why there is a marker."""

    HOST = "host"
    ASK = "ask"
    CALM = "calm"


@dataclass(frozen=True, slots=True)
class Marker:
    """A moment of the class that has a label.

    Attributes:
        class_id: The class.
        at_s: When, seconds since the class began.
        label: Its text.
        kind: ``host``: the host set it. ``ask``: the host asked the class; the label has the answers.
            ``calm``: the host dealt with what the word said.
    """

    class_id: str
    at_s: float
    label: str
    kind: MarkerKind = MarkerKind.HOST

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the API."""
        return json_object(self)


def calms_s(markers: Iterable[Marker]) -> list[float]:
    """When the host dealt with what the word said, seconds since the class began."""
    return [marker.at_s for marker in markers if marker.kind is MarkerKind.CALM]


@dataclass(frozen=True, slots=True)
class PulseRecord:
    """One tap of a student, stored without the student. ``at_s``: seconds since the class began."""

    class_id: str
    at_s: float
    kind: PulseKind

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the API."""
        return json_object(self)


@dataclass(frozen=True, slots=True)
class Consent:
    """A participant's consent.

    Attributes:
        class_id: The class.
        participant_id: Random, for this class only.
        at_s: Time of the consent, seconds since the class began.
        individual: Whether the participant also agreed to individual check-ins.
        name: The participant's name; stored only with ``individual``, else None.
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
    """A note that a student who agreed to check-ins may need a word; never part of CSV or report.

    Attributes:
        class_id: The class.
        participant_id: Random, for this class only.
        at_s: Time of the check-in, seconds since the class began.
        kind: The reason as a kind.
        reason: The reason in one line, with figures relative to the student's own baseline.
        name: From the consent, or None. It is not stored with the check-in.
    """

    class_id: str
    participant_id: str
    at_s: float
    kind: CheckInKind
    reason: str
    name: str | None = None
