"""The data that leaves the pipeline: windows, markers, pulses, consents and the class itself.

Comes from: the aggregator and the sessions of ``bot``. Goes to: the store, the live feed, the pages
and the report. Pure data: no clock, no I/O. Nothing here holds a picture or, but for a consent to
individual check-ins, a person.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final


class NotAnalysed(StrEnum):
    """Why a participant's expression is not in a window's figures."""

    CAMERA_OFF = "camera_off"
    NO_FACE = "no_face"
    TOO_SMALL = "too_small"
    LOW_CONFIDENCE = "low_confidence"
    UNSUPPORTED_CODEC = "unsupported_codec"
    NO_FRAMES = "no_frames"
    OPTED_OUT = "opted_out"


class PulseKind(StrEnum):
    """What a student can say with one tap."""

    LOST = "lost"
    OK = "ok"
    TOO_SLOW = "too_slow"


VOICE_S: Final = 120.0
"""How long a tap speaks for its student, seconds."""


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
class WindowSummary:
    """One window of a class, the only thing that is kept of what the cameras showed.

    Attributes:
        class_id: The class.
        start_s: Start, seconds since the class began.
        length_s: Length, seconds.
        participants: Everyone counted in the window: ``analysed`` plus the sum of ``not_analysed``.
        cameras_on: Participants whose camera was on.
        analysed: Participants whose expression was read at least once.
        not_analysed: How many were not, by reason; every reason of ``NotAnalysed`` is a key.
        expressions: Mean share of each expression over the analysed, each participant weighing the
            same; sums to 1. None when fewer than the minimum group were analysed.
        suppressed: Whether ``expressions`` is withheld.
        pulses: Taps in the window, by kind; every ``PulseKind`` is a key.
        voices: Participants by what they said last, of those who tapped within ``VOICE_S`` seconds before
            its end; every ``PulseKind`` is a key. Those who have gone since are among them.
        facing: Share of the analysed turned to the screen, 0..1, over those whose face is large enough to
            tell. None when suppressed, or when they are too few or one could be told apart.
    """

    class_id: str
    start_s: float
    length_s: float
    participants: int
    cameras_on: int
    analysed: int
    not_analysed: Mapping[str, int]
    expressions: Mapping[str, float] | None
    suppressed: bool
    pulses: Mapping[str, int]
    voices: Mapping[str, int]
    facing: float | None = None

    @property
    def end_s(self) -> float:
        """End, seconds since the class began."""
        return self.start_s + self.length_s

    @property
    def withheld(self) -> bool:
        """Whether there were people whose shares are not shown."""
        return self.suppressed and self.participants > 0

    def to_json(self) -> dict[str, Any]:
        """The window as the contract's JSON object; shares rounded to four places."""
        return {
            "class_id": self.class_id,
            "start_s": round(self.start_s, 3),
            "length_s": round(self.length_s, 3),
            "participants": self.participants,
            "cameras_on": self.cameras_on,
            "analysed": self.analysed,
            "not_analysed": dict(self.not_analysed),
            "expressions": None
            if self.expressions is None
            else {label: round(share, 4) for label, share in self.expressions.items()},
            "facing": None if self.facing is None else round(self.facing, 4),
            "suppressed": self.suppressed,
            "pulses": dict(self.pulses),
            "voices": dict(self.voices),
        }


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
        """As a JSON object."""
        return {
            "class_id": self.class_id,
            "at_s": round(self.at_s, 3),
            "word": self.word.value,
            "arrow": self.arrow,
            "sure": self.sure.value,
            "from_pulses": self.from_pulses,
            "detail": self.detail,
            "disagreement": self.disagreement,
            "analysed": self.analysed,
            "participants": self.participants,
        }


@dataclass(frozen=True, slots=True)
class Alert:
    """Something the host is told of unasked. ``at_s``: seconds since the class began."""

    class_id: str
    at_s: float
    kind: AlertKind
    evidence: str

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "class_id": self.class_id,
            "at_s": round(self.at_s, 3),
            "kind": self.kind.value,
            "evidence": self.evidence,
        }


@dataclass(frozen=True, slots=True)
class Indications:
    """What the windows of a class say: the word after the newest one, None without, and all alerts."""

    now: Indicator | None
    alerts: tuple[Alert, ...]

    def to_json(self) -> dict[str, Any]:
        """As a JSON object."""
        return {
            "now": None if self.now is None else self.now.to_json(),
            "alerts": [alert.to_json() for alert in self.alerts],
        }


Indicate = Callable[[Sequence[WindowSummary]], Indications]
"""Works the indications out of a class's windows; ``bot.pipeline.indicators`` has it."""


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
    def faces_looked_at(self) -> bool:
        """Whether its privacy profile lets faces be looked at."""
        return self.jurisdiction == "none"

    def to_json(self) -> dict[str, Any]:
        """As the contract's JSON object."""
        return {
            "id": self.id,
            "title": self.title,
            "room": self.room,
            "state": self.state.value,
            "reason": self.reason,
            "code": self.code,
            "student_url": self.student_url,
            "started_at": self.started_at.isoformat(),
            "ended_at": None if self.ended_at is None else self.ended_at.isoformat(),
            "min_group": self.min_group,
            "synthetic": self.synthetic,
            "jurisdiction": self.jurisdiction,
        }
