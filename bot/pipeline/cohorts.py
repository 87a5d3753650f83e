"""Protection against differencing: who may be in a window's published expressions.

The mean over {a, b, c, d, e} and the mean over {a, b, c, d, e, f}, five seconds apart, give away f's share
as far as the others' did not change; three or more windows together can do the same less plainly. Comes in:
who was analysed in a window. Goes out: the part of them that may be published, or nothing.

The rule: everyone who is to be shown gets, once and for the whole class, a weight of +1 or -1 (in a class
that begins with an odd number one gets +2 or -2), and a window is published only over people whose weights
add up to 0. Add to everyone's share any amount times their weight: not one published mean changes. So
whatever is published, in however many windows, and whatever is worked out from it, it fits a class in which
any one person's share is another: nobody's can be computed, even by someone who knows who was in each
window, and even if no expression ever changed. In particular no two published windows rest on people who
differ by one.

What it costs: who comes alone waits for a second one, and while someone's face is lost another is left out.
Near the minimum group that withholds windows; in a larger class it is hardly seen. What it does not hide:
what every share must be because the mean leaves no choice (a mean of 100 % happy), and what someone can
subtract who knows the others' shares from elsewhere (docs/privacy.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from types import MappingProxyType
from typing import Final

SMALLEST_PROTECTED: Final = 3
"""Below this minimum group single persons are shown anyway: there is nothing left to protect."""


class Cohorts:
    """The sets of participants a class's published windows rest on."""

    def __init__(self, min_group: int) -> None:
        """Begin with nothing published.

        Args:
            min_group: Fewest participants a published window may rest on.
        """
        self._min_group = max(1, min_group)
        self._weights: dict[str, int] = {}
        self._times: Counter[str] = Counter()

    @property
    def weights(self) -> Mapping[str, int]:
        """The weight of everyone who was ever shown; over each published set they add up to 0."""
        return MappingProxyType(self._weights)

    def publish(self, analysed: Set[str]) -> frozenset[str] | None:
        """Choose whom a window may rest on, and remember it as published.

        Args:
            analysed: Who was analysed in the window.

        Returns:
            A largest part of them that is balanced; None if it is smaller than the minimum group.
        """
        if self._min_group < SMALLEST_PROTECTED:
            return frozenset(analysed) if len(analysed) >= self._min_group else None
        weights = {who: self._weights[who] for who in analysed if who in self._weights}
        # By name, which is random, and never by what was seen of them.
        fresh = sorted(who for who in analysed if who not in self._weights)
        given = _balancing(sum(weights.values()), len(fresh), begins=not self._weights)
        weights.update(zip(fresh, given, strict=False))
        for who in self._left_out(weights):
            del weights[who]
        if len(weights) < self._min_group:
            return None
        self._weights.update(weights)
        self._times.update(weights)
        return frozenset(weights)

    def _left_out(self, weights: Mapping[str, int]) -> list[str]:
        """As few as bring the sum to 0; of those who would do, whom the pages showed least."""
        excess, left_out = sum(weights.values()), []
        waiting = sorted(weights, key=lambda who: (self._times[who], who))
        while excess:
            heavy = [who for who in waiting if weights[who] * excess > 0]
            fitting = [who for who in heavy if abs(weights[who]) <= abs(excess)]
            chosen = max(fitting or heavy, key=lambda who: abs(weights[who]))  # the first of equals
            waiting.remove(chosen)
            left_out.append(chosen)
            excess -= weights[chosen]
        return left_out


def _balancing(excess: int, count: int, *, begins: bool) -> list[int]:
    """Weights for ``count`` newcomers, or one fewer, that bring a sum of ``excess`` to 0 or nearest to it.

    A single one over is left without and waits, but for the ``begins`` of a class: there one gets twice the
    weight, so that nobody has to.
    """
    step = -1 if excess > 0 else 1
    found = [step] * min(count, abs(excess))
    left = count - len(found)
    if begins and left % 2 and left > 1:
        found += [2, -1, -1]
        left -= 3
    return found + [1, -1] * (left // 2)
