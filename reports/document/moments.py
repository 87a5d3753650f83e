"""The moments of a class worth a look: at most three that stand out from the rest.

Comes in: windows and markers, each in time order. Goes out: moments in time order. Pure.

The class is cut into blocks of a minute, a short class into half minutes. A block stands out by

* tension above, or liveliness above or below, the mean of all blocks, by at least ``EFFECT``, scored in
  standard deviations over the blocks and at least ``LEAST_SCORE`` of them;
* students who say *lost* or *too slow*, one of them anew, scored 3 for ``max(3, 15 %)`` of those present.

The best three at least ``APART_S`` apart (in a short class, two blocks) are taken. Blocks of which less than
half was observed are left out; with fewer than ``FEWEST`` blocks nothing can stand out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean, pstdev
from typing import Final

from reports.summary.records import Marker
from reports.summary.shares import Coverage, coverage, liveliness, mean_shares, tension
from reports.summary.windows import PulseKind, WindowSummary
from reports.summary.words import PULSE_WORDS

BLOCK_S: Final = 60.0
"""Length of a block, seconds."""

SHORT_S: Final = 480.0
"""Observed time below which blocks are half as long, seconds."""

APART_S: Final = 180.0
"""Least time between two moments, seconds."""

EFFECT: Final = 0.05
"""Least difference from the class's mean, as a share."""

LEAST_SCORE: Final = 1.5
"""Least score."""

FEWEST: Final = 4
"""Blocks below which nothing stands out."""

_MOST: Final = 3


@dataclass(frozen=True, slots=True)
class Moment:
    """One block worth a look.

    Attributes:
        start_s: Start, seconds since the class began.
        end_s: End.
        what: Why it stands out, in one line.
        during: Label of the marker before it; empty without one.
        coverage: How many faces it rests on.
    """

    start_s: float
    end_s: float
    what: str
    during: str
    coverage: Coverage | None


@dataclass(frozen=True, slots=True)
class _Candidate:
    score: float
    block: int
    what: str


def moments(windows: Sequence[WindowSummary], markers: Sequence[Marker]) -> tuple[Moment, ...]:
    """The moments worth a look, oldest first; none when nothing stands out."""
    block_s, blocks = _cut(windows)
    if len(blocks) < FEWEST:
        return ()
    apart_s = min(APART_S, max(2 * block_s, len(blocks) * block_s / 8))
    found = [*_by_faces(blocks), *_by_votes(blocks)]
    chosen: list[_Candidate] = []
    for one in sorted(found, key=lambda one: (-one.score, one.block)):
        if all(abs(one.block - other.block) * block_s >= apart_s for other in chosen):
            chosen.append(one)
        if len(chosen) == _MOST:
            break
    return tuple(
        _moment(one, block_s, blocks[one.block], markers) for one in sorted(chosen, key=lambda one: one.block)
    )


def too_short(windows: Sequence[WindowSummary]) -> bool:
    """Whether there are too few blocks for one to stand out."""
    return len(_cut(windows)[1]) < FEWEST


def _cut(windows: Sequence[WindowSummary]) -> tuple[float, dict[int, list[WindowSummary]]]:
    """Length of a block in seconds, and the windows of each that was observed for half of it or more."""
    short = sum(window.length_s for window in windows) < SHORT_S
    block_s = BLOCK_S / 2 if short else BLOCK_S
    blocks: dict[int, list[WindowSummary]] = {}
    for window in windows:
        blocks.setdefault(math.floor(window.start_s / block_s), []).append(window)
    return block_s, {
        block: inside
        for block, inside in blocks.items()
        if sum(window.length_s for window in inside) >= block_s / 2
    }


def _by_faces(blocks: dict[int, list[WindowSummary]]) -> list[_Candidate]:
    shares = {block: mean for block, inside in blocks.items() if (mean := mean_shares(inside)) is not None}
    if len(shares) < FEWEST:
        return []
    found = []
    for name, measure, signs in (("tension", tension, (1,)), ("liveliness", liveliness, (1, -1))):
        values = {block: measure(mean) for block, mean in shares.items()}
        usual, spread = fmean(values.values()), pstdev(values.values())
        for block, value in values.items():
            off = value - usual
            sign = 1 if off > 0 else -1
            if abs(off) < EFFECT or sign not in signs or abs(off) < LEAST_SCORE * spread:
                continue
            side = "above" if sign > 0 else "below"
            what = (
                f"{name.capitalize()} {100 * value:.0f}\u00a0%, {100 * abs(off):.0f} points {side} "
                f"the class's mean"
            )
            found.append(_Candidate(abs(off) / spread, block, what))
    return found


def _by_votes(blocks: dict[int, list[WindowSummary]]) -> list[_Candidate]:
    """Blocks in which many said so, and somebody anew: a vote outlasts its tap."""
    found = []
    for block, inside in blocks.items():
        present = max(window.participants for window in inside)
        needed = max(min(3, present), 0.15 * present, 1)
        for kind in (PulseKind.LOST, PulseKind.TOO_SLOW):
            most = max((one.votes.get(kind, 0) for one in inside if one.pulses.get(kind)), default=0)
            if most >= needed:
                said = "student says" if most == 1 else "students say"
                found.append(_Candidate(3 * most / needed, block, f"{most} {said} {PULSE_WORDS[kind.value]}"))
    return found


def _moment(
    found: _Candidate, block_s: float, inside: Sequence[WindowSummary], markers: Sequence[Marker]
) -> Moment:
    start_s = found.block * block_s
    before = [marker.label for marker in markers if marker.at_s < start_s + block_s / 2]
    end_s = min(start_s + block_s, max(window.end_s for window in inside))
    return Moment(start_s, end_s, found.what, before[-1] if before else "", coverage(inside))
