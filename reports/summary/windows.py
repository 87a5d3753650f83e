"""One window of a class: the only thing that is stored of what the cameras showed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
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


VOTE_S: Final = 120.0
"""How long a tap speaks for its student, seconds."""


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
        votes: Participants by what they said last, of those who tapped within ``VOTE_S`` seconds before
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
    votes: Mapping[str, int]
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
            "voices": dict(self.votes),
        }
