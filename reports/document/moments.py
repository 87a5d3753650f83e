"""Finds the moments that stand out from the rest of a class, at most three.

The class is cut into blocks of a minute; a short class into half minutes. A block stands out for one of two
reasons:

* Its tension is above, or its liveliness above or below, the mean of all blocks, by at least
  ``MIN_DIFFERENCE`` and at least ``MIN_SCORE`` standard deviations over the blocks. The score is the number
  of standard deviations.
* Students vote *lost*, *too fast* or *too slow*, and at least one of them tapped within the block. The score
  is 3 when the votes reach ``max(3, 15 %)`` of those present, and grows with the votes.

The best three blocks are chosen that are at least ``MIN_APART_S`` apart (in a short class, two blocks).
Blocks of which less than half was observed are left out. With fewer than ``MIN_BLOCKS`` blocks none can stand
out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Final

from reports.summary.records import Marker
from reports.summary.shares import Coverage, coverage, liveliness, mean_shares, tension
from reports.summary.verdict import TROUBLES
from reports.summary.windows import WindowSummary
from reports.summary.words import N_, PULSE_WORDS

BLOCK_S: Final = 60.0
"""Length of a block, seconds."""

SHORT_CLASS_S: Final = 480.0
"""Observed time below which blocks are half as long, seconds."""

MIN_APART_S: Final = 180.0
"""Least time between two moments, seconds."""

MIN_DIFFERENCE: Final = 0.05
"""Least difference from the class's mean, as a share."""

MIN_SCORE: Final = 1.5
"""Least score of a block that stands out by its expressions, standard deviations."""

MIN_BLOCKS: Final = 4
"""Fewest blocks among which one can stand out."""

MIN_SHARED: Final = 5
"""Counts of students below this are not given in a copy to share."""

_MAX_MOMENTS: Final = 3

_BY_EXPRESSIONS: Final = {
    ("tension", 1): N_("Tension %(share)s, %(points)s points above the class's mean"),
    ("liveliness", 1): N_("Liveliness %(share)s, %(points)s points above the class's mean"),
    ("liveliness", -1): N_("Liveliness %(share)s, %(points)s points below the class's mean"),
}

_Blocks = dict[int, list[WindowSummary]]
"""Windows by the number of their block, counted from the beginning of the class."""


@dataclass(frozen=True, slots=True)
class Moment:
    """One block that stands out.

    Attributes:
        start_s: Start, seconds since the class began.
        end_s: End.
        reason: Why it stands out, in one line.
        rounded: The same for a copy to share, without a count below ``MIN_SHARED``.
        during: Label of the marker before it; empty without one.
        coverage: How many of those present its figures rest on.
    """

    start_s: float
    end_s: float
    reason: str
    rounded: str
    during: str
    coverage: Coverage | None


@dataclass(frozen=True, slots=True)
class _Candidate:
    score: float
    block: int
    reason: str
    rounded: str


def moments(
    windows: Sequence[WindowSummary], markers: Sequence[Marker], say: Callable[[str], str] = str
) -> tuple[Moment, ...]:
    """The moments that stand out, oldest first; windows and markers are in time order.

    ``say`` translates their reasons.
    """
    block_s, blocks = _cut(windows)
    if len(blocks) < MIN_BLOCKS:
        return ()
    apart_s = min(MIN_APART_S, max(2 * block_s, len(blocks) * block_s / 8))
    candidates = [*_by_expressions(blocks, say), *_by_votes(blocks, say)]
    chosen: list[_Candidate] = []
    for candidate in sorted(candidates, key=lambda one: (-one.score, one.block)):
        if all(abs(candidate.block - other.block) * block_s >= apart_s for other in chosen):
            chosen.append(candidate)
        if len(chosen) == _MAX_MOMENTS:
            break
    return tuple(
        _moment(candidate, block_s, blocks[candidate.block], markers)
        for candidate in sorted(chosen, key=lambda one: one.block)
    )


def too_short(windows: Sequence[WindowSummary]) -> bool:
    """Whether there are too few blocks for one to stand out."""
    return len(_cut(windows)[1]) < MIN_BLOCKS


def _cut(windows: Sequence[WindowSummary]) -> tuple[float, _Blocks]:
    """The length of a block in seconds, and the blocks that were observed for at least half of it."""
    is_short = sum(window.length_s for window in windows) < SHORT_CLASS_S
    block_s = BLOCK_S / 2 if is_short else BLOCK_S
    blocks: _Blocks = {}
    for window in windows:
        blocks.setdefault(math.floor(window.start_s / block_s), []).append(window)
    return block_s, {
        block: inside
        for block, inside in blocks.items()
        if sum(window.length_s for window in inside) >= block_s / 2
    }


def _by_expressions(blocks: _Blocks, say: Callable[[str], str]) -> list[_Candidate]:
    """Blocks whose tension or liveliness is far from the class's mean."""
    shares = {block: mean for block, inside in blocks.items() if (mean := mean_shares(inside)) is not None}
    if len(shares) < MIN_BLOCKS:
        return []
    candidates = []
    for name, measure, signs in (("tension", tension, (1,)), ("liveliness", liveliness, (1, -1))):
        values = {block: measure(mean) for block, mean in shares.items()}
        class_mean, deviation = fmean(values.values()), pstdev(values.values())
        for block, value in values.items():
            difference = abs(value - class_mean)
            sign = 1 if value > class_mean else -1
            if difference < MIN_DIFFERENCE or sign not in signs or difference < MIN_SCORE * deviation:
                continue
            reason = say(_BY_EXPRESSIONS[name, sign]) % {
                "share": f"{100 * value:.0f}\u00a0%",
                "points": f"{100 * difference:.0f}",
            }
            candidates.append(_Candidate(difference / deviation, block, reason, reason))
    return candidates


def _by_votes(blocks: _Blocks, say: Callable[[str], str]) -> list[_Candidate]:
    """Blocks in which many students name a trouble."""
    candidates = []
    for block, inside in blocks.items():
        present = max(window.participants for window in inside)
        needed = max(min(3, present), 0.15 * present, 1)
        for kind in TROUBLES:
            # A vote outlasts its tap: without a new tap it is no new moment.
            votes = max(
                (window.votes.get(kind, 0) for window in inside if window.pulses.get(kind)), default=0
            )
            if votes >= needed:
                word = say(PULSE_WORDS[kind.value])
                one = votes == 1
                reason = say(N_("1 student says %(word)s") if one else N_("%(count)s students say %(word)s"))
                exact = reason % {"count": votes, "word": word}
                few = say(N_("Fewer than %(count)s students say %(word)s"))
                rounded = exact if votes >= MIN_SHARED else few % {"count": MIN_SHARED, "word": word}
                candidates.append(_Candidate(3 * votes / needed, block, exact, rounded))
    return candidates


def _moment(
    candidate: _Candidate, block_s: float, inside: Sequence[WindowSummary], markers: Sequence[Marker]
) -> Moment:
    start_s = candidate.block * block_s
    before = [marker.label for marker in markers if marker.at_s < start_s + block_s / 2]
    end_s = min(start_s + block_s, max(window.end_s for window in inside))
    return Moment(
        start_s, end_s, candidate.reason, candidate.rounded, before[-1] if before else "", coverage(inside)
    )
