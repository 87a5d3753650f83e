"""One window of a class. Of everything the cameras show, only windows are stored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from reports.summary.json_object import json_object


class NotAnalysed(StrEnum):
    """Why a participant's expression is not part of a window's shares."""

    CAMERA_OFF = "camera_off"
    NO_FACE = "no_face"
    TOO_SMALL = "too_small"
    LOW_CONFIDENCE = "low_confidence"
    UNSUPPORTED_CODEC = "unsupported_codec"
    NO_FRAMES = "no_frames"
    OPTED_OUT = "opted_out"


class PulseKind(StrEnum):
    """The buttons that a student can tap."""

    LOST = "lost"
    OK = "ok"
    TOO_SLOW = "too_slow"


VOTE_S: Final = 120.0
"""How long a tap counts as its student's vote, seconds."""

_SHARE_PLACES: Final = 4
_TIME_PLACES: Final = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSummary:
    """One window of a class.

    Shares are rounded to four decimal places and times to three when a window is created. The live page, the
    store, the report and the indicators therefore all work with the same numbers.

    Attributes:
        class_id: The class.
        start_s: Start, seconds since the class began.
        length_s: Length, seconds.
        participants: Everyone counted in the window: ``analysed`` plus the sum of ``not_analysed``.
        cameras_on: Participants whose camera was on.
        analysed: Participants whose expression was classified at least once.
        not_analysed: Participants who were not analysed, by reason; every reason of ``NotAnalysed`` is a key.
        expressions: Mean share of each expression over the analysed participants, each with the same weight;
            sums to 1. None when the window is suppressed: fewer than the minimum group were analysed.
        facing: Share of the analysed participants who were turned to the screen, 0..1, over those whose face
            was large enough to determine it. None when the window is suppressed, when these participants are
            too few, or when the share could reveal a single participant.
        pulses: Taps in the window, by kind; every ``PulseKind`` is a key.
        votes: Participants by what they tapped last, counting taps within ``VOTE_S`` seconds before the end
            of the window; every ``PulseKind`` is a key. Participants who have left since are included.
    """

    class_id: str
    start_s: float
    length_s: float
    participants: int
    cameras_on: int
    analysed: int
    not_analysed: Mapping[str, int]
    expressions: Mapping[str, float] | None
    facing: float | None = None
    pulses: Mapping[str, int]
    votes: Mapping[str, int]

    def __post_init__(self) -> None:
        """Round times and shares; drop ``facing`` from a suppressed window."""
        shares, facing = self.expressions, self.facing
        if shares is not None:
            shares = {label: round(share, _SHARE_PLACES) for label, share in shares.items()}
        facing = None if shares is None or facing is None else round(facing, _SHARE_PLACES)
        # A frozen dataclass can only set its fields this way.
        object.__setattr__(self, "expressions", shares)
        object.__setattr__(self, "facing", facing)
        object.__setattr__(self, "start_s", round(self.start_s, _TIME_PLACES))
        object.__setattr__(self, "length_s", round(self.length_s, _TIME_PLACES))

    @property
    def end_s(self) -> float:
        """End, seconds since the class began."""
        return self.start_s + self.length_s

    @property
    def suppressed(self) -> bool:
        """Whether the shares are not published."""
        return self.expressions is None

    @property
    def withheld(self) -> bool:
        """Whether there were participants whose shares are not published."""
        return self.suppressed and self.participants > 0

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the API."""
        return json_object(self) | {"suppressed": self.suppressed}
