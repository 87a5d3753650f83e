"""Protection against differencing: chooses the participants over whom a window's mean may be published.

The attack: the mean over {a, b, c, d, e} and the mean over {a, b, c, d, e, f}, five seconds later, reveal f's
share as far as the others' did not change. Three or more windows together can reveal the same less obviously.

The rule: each participant who is published gets a weight of +1 or -1, once and for the whole class. (If a
class begins with an odd number, one participant gets +2 or -2.) A window is published only over participants
whose weights add up to 0.

Why it works: add any amount times their weight to everyone's share, and no published mean changes. Whatever
is published, in however many windows, and whatever is computed from it, also fits a class in which a given
person's share is different. So nobody's share can be computed, even by someone who knows who was in each
window, and even if no expression ever changed. In particular, no two published windows are over groups that
differ by one person.

What it costs: a participant who joins alone waits for a second one, and while one face is not detected
another participant is left out. Near the minimum group that withholds windows; in a larger class it is hardly
seen.

What it does not hide: shares that follow from the mean itself (a mean of 100 % happy), and what someone can
subtract who knows the others' shares from elsewhere (docs/privacy.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Set
from types import MappingProxyType
from typing import Final

SMALLEST_PROTECTED: Final = 3
"""Below this minimum group means over one or two people are published anyway: there is nothing to protect."""


class Cohorts:
    """The groups of participants over which a class's windows are published."""

    def __init__(self, min_group: int) -> None:
        """Start with nothing published.

        Args:
            min_group: Fewest participants over whom a window may be published.
        """
        self._min_group = max(1, min_group)
        self._weights: dict[str, int] = {}
        self._times_published: Counter[str] = Counter()

    @property
    def weights(self) -> Mapping[str, int]:
        """The weight of everyone ever published; over each published group they add up to 0."""
        return MappingProxyType(self._weights)

    def publish(self, analysed: Set[str]) -> frozenset[str] | None:
        """Choose the group over which a window is published, and record it as published.

        Args:
            analysed: The participants who were analysed in the window.

        Returns:
            A largest part of them whose weights add up to 0; None if it is smaller than the minimum group.
        """
        if self._min_group < SMALLEST_PROTECTED:
            return frozenset(analysed) if len(analysed) >= self._min_group else None
        weights = {who: self._weights[who] for who in analysed if who in self._weights}
        # Ordered by identifier, which is random, and never by what was observed.
        fresh = sorted(who for who in analysed if who not in self._weights)
        new_weights = _balancing(sum(weights.values()), len(fresh), begins=not self._weights)
        weights.update(zip(fresh, new_weights, strict=False))
        for who in self._left_out(weights):
            del weights[who]
        if len(weights) < self._min_group:
            return None
        self._weights.update(weights)
        self._times_published.update(weights)
        return frozenset(weights)

    def _left_out(self, weights: Mapping[str, int]) -> list[str]:
        """The fewest participants without whom the weights add up to 0; of equals, those published least."""
        excess, left_out = sum(weights.values()), []
        candidates = sorted(weights, key=lambda who: (self._times_published[who], who))
        while excess:
            heavy = [who for who in candidates if weights[who] * excess > 0]
            fitting = [who for who in heavy if abs(weights[who]) <= abs(excess)]
            chosen = max(fitting or heavy, key=lambda who: abs(weights[who]))  # max takes the first of equals
            candidates.remove(chosen)
            left_out.append(chosen)
            excess -= weights[chosen]
        return left_out


def _balancing(excess: int, count: int, *, begins: bool) -> list[int]:
    """Weights for ``count`` new participants that bring a sum of ``excess`` to 0, or as near as possible.

    If one new participant is left over, there is no weight for them and they wait. Only when the class
    ``begins`` one participant gets twice the weight instead, so that nobody waits.
    """
    step = -1 if excess > 0 else 1
    weights = [step] * min(count, abs(excess))
    remaining = count - len(weights)
    if begins and remaining % 2 and remaining > 1:
        weights += [2, -1, -1]
        remaining -= 3
    return weights + [1, -1] * (remaining // 2)
