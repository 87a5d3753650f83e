"""What the votes of the students say together, if enough of them say the same.

* *Lost*, *too fast* or *too slow*: at least ``needed_votes`` students vote so, the weighted votes are at
  least half as many, and OK has at most twice their weight. The trouble with the most weight is the verdict.
  It holds until its weight is less than half the needed votes, however many votes are left.
* *OK*: half the class votes so, with at least half of the weight of the needed votes, and no trouble has more
  than half the weight of OK.

Weights make newer votes count more than older ones: a class that has stopped saying *lost* is no longer lost.
"""

from __future__ import annotations

import math
from typing import Final

from reports.summary.windows import PulseKind, WindowSummary

_MIN_SHARE, _MIN_VOTES = 0.15, 3
"""Votes that a verdict needs: as a share of the students, and as a number."""

TROUBLES: Final = (PulseKind.LOST, PulseKind.TOO_FAST, PulseKind.TOO_SLOW)
"""What students say when something is wrong, the most important first."""

_OK_SHARE: Final = 0.5


def needed_votes(students: int) -> int:
    """How many of ``students`` must say the same before it is a verdict: three, or 15 %; all of fewer."""
    return max(min(_MIN_VOTES, students), math.ceil(_MIN_SHARE * students), 1)


def verdict(window: WindowSummary, peak_attendance: int, previous: PulseKind | None) -> PulseKind | None:
    """The verdict of the votes of a window; None when there are too few votes or they disagree.

    Args:
        window: The window.
        peak_attendance: The most students who were present while these votes were given.
        previous: The verdict before this window.
    """
    needed = needed_votes(peak_attendance)
    ok = window.weight(PulseKind.OK)
    supported = []
    for kind in TROUBLES:
        weight = window.weight(kind)
        enough = kind is previous or window.votes.get(kind, 0) >= needed
        if enough and weight >= needed / 2 and 2 * weight >= ok:
            supported.append((weight, -TROUBLES.index(kind), kind))
    if supported:
        return max(supported)[2]
    trouble = sum(window.weight(kind) for kind in TROUBLES)
    half = window.votes.get(PulseKind.OK, 0) >= max(_OK_SHARE * peak_attendance, 1)
    return PulseKind.OK if half and ok >= needed / 2 and ok > 2 * trouble else None


def is_clear(share: float) -> bool:
    """Whether a share of the students is twice what a verdict needs."""
    return share >= 2 * _MIN_SHARE
