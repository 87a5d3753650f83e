"""One window of a class. Of everything the cameras show, only windows are stored."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
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
    UNDECODABLE = "undecodable"


class PulseKind(StrEnum):
    """The buttons that a student can tap."""

    LOST = "lost"
    OK = "ok"
    TOO_FAST = "too_fast"
    TOO_SLOW = "too_slow"


VOTE_S: Final = 60.0
"""How long a tap counts as its student's vote, seconds."""

FRESH_S: Final = 20.0
"""How long a vote has its full weight, seconds; after that it fades until ``VOTE_S``."""

_TIME_PLACES: Final = 3
_TOLERANCE: Final = 1e-6
"""Hundredths by which a floating-point share may be too small and still count as whole: 0.29 * 100 < 29."""


@dataclass(frozen=True, slots=True, kw_only=True)
class WindowSummary:
    """One window of a class.

    Shares are rounded to whole hundredths and times to three decimal places when a window is created. The
    live page, the store, the report and the indicators therefore all work with the same numbers, and the
    digits of a share reveal no single participant.

    Attributes:
        class_id: The class.
        start_s: Start, seconds since the class began.
        length_s: Length, seconds.
        participants: Everyone counted in the window: ``analysed`` plus the sum of ``not_analysed``.
        cameras_on: Participants whose camera was on.
        analysed: Participants whose expression was classified at least once.
        not_analysed: Participants who were not analysed, by reason; every reason of ``NotAnalysed`` is a key.
        expressions: Mean share of each expression over the ``shown`` participants, each with the same weight;
            sums to 1. None when the window is suppressed: no whole privacy group can be shown.
        shown: On how many participants ``expressions`` rests: the members of whole privacy groups. Some may
            not have been analysed in this window but shortly before; others were analysed and are in no
            group.
        facing: Share of the ``shown`` participants who were turned to the screen, 0..1, over the privacy
            groups in which it is known of every member. None when there is no such group.
        pulses: Taps in the window, by kind; every ``PulseKind`` is a key.
        votes: Participants by what they said last, counting taps and answers within ``VOTE_S`` seconds
            before the end of the window; every ``PulseKind`` is a key. Participants who have left since are
            included.
        weights: The votes weighted by their age (``vote_weight``), in tenths; empty in windows stored by
            versions without weights, whose votes then have their full weight.
    """

    class_id: str
    start_s: float
    length_s: float
    participants: int
    cameras_on: int
    analysed: int
    not_analysed: Mapping[str, int]
    expressions: Mapping[str, float] | None
    shown: int = 0
    facing: float | None = None
    pulses: Mapping[str, int]
    votes: Mapping[str, int]
    weights: Mapping[str, float] = field(default_factory=dict)

    def __post_init__(self) -> None:
        """Round times and shares; drop ``facing`` from a suppressed window."""
        shares, facing = self.expressions, self.facing
        if shares is not None:
            shares = whole_hundredths(shares)
        facing = None if shares is None or facing is None else round(facing, 2)
        # A frozen dataclass can only set its fields this way.
        object.__setattr__(self, "expressions", shares)
        object.__setattr__(self, "facing", facing)
        object.__setattr__(self, "shown", self.shown if shares is not None else 0)
        object.__setattr__(self, "start_s", round(self.start_s, _TIME_PLACES))
        object.__setattr__(self, "length_s", round(self.length_s, _TIME_PLACES))
        weights = {kind: round(weight, 1) for kind, weight in self.weights.items()}
        object.__setattr__(self, "weights", weights)

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

    def weight(self, kind: PulseKind) -> float:
        """The weighted votes for ``kind``."""
        return float(self.weights.get(kind, 0.0) if self.weights else self.votes.get(kind, 0))

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the API."""
        return json_object(self) | {"suppressed": self.suppressed}


def vote_weight(age_s: float) -> float:
    """Weight of a vote of this age: 1 for ``FRESH_S`` seconds, then falling evenly to 0 at ``VOTE_S``."""
    return min(1.0, max(0.0, (VOTE_S - age_s) / (VOTE_S - FRESH_S)))


def whole_hundredths(shares: Mapping[str, float]) -> dict[str, float]:
    """Round shares to hundredths without changing the hundredths of their sum (largest remainder method)."""
    hundredths = {label: 100 * share for label, share in shares.items()}
    rounded = {label: math.floor(value + _TOLERANCE) for label, value in hundredths.items()}
    missing = round(sum(hundredths.values())) - sum(rounded.values())
    by_remainder = sorted(shares, key=lambda label: rounded[label] - hundredths[label])
    for label in by_remainder[: max(0, missing)]:
        rounded[label] += 1
    return {label: value / 100 for label, value in rounded.items()}
