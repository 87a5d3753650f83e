"""Protection against differencing: who may be in a window's published expressions.

The mean over {a, b, c, d, e} and the mean over {a, b, c, d, e, f}, five seconds apart, give away f's share
as far as the others' did not change. So no two published windows of a class, however far apart, may rest
on sets that differ by exactly one person. Comes in: who was analysed in a window. Goes out: the largest
part of them that may be published, or nothing.

Someone who comes alone waits until a second one comes; while someone's face is lost for a moment, one more
is left out. In a class near the minimum group that withholds windows; in a larger one it is hardly seen.

What it does not do: it looks at pairs of windows. Whoever could solve three or more of them together,
knew who was in each, and found everyone's expression unchanged in between, could still learn more than
one person would like (docs/privacy.md).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Set
from itertools import combinations
from typing import Final

SMALLEST_PROTECTED: Final = 3
"""Below this minimum group single persons are shown anyway: there is nothing left to protect."""

_MOST_LEFT_OUT: Final = 2


class Cohorts:
    """The sets of participants a class's published windows rest on."""

    def __init__(self, min_group: int) -> None:
        """Begin with nothing published.

        Args:
            min_group: Fewest participants a published window may rest on.
        """
        self._min_group = max(1, min_group)
        self._bits: dict[str, int] = {}
        self._published: set[int] = set()
        self._latest: frozenset[str] = frozenset()
        self._times: Counter[str] = Counter()

    def publish(self, analysed: Set[str]) -> frozenset[str] | None:
        """Choose whom a window may rest on, and remember it as published.

        Args:
            analysed: Who was analysed in the window.

        Returns:
            The largest part of them that differs from every earlier published set by none or by two and
            more; None if none of at least the minimum group does.
        """
        if self._min_group < SMALLEST_PROTECTED:
            return frozenset(analysed) if len(analysed) >= self._min_group else None
        for chosen in self._candidates(frozenset(analysed)):
            if len(chosen) >= self._min_group and self._may_follow(mask := self._mask(chosen)):
                self._published.add(mask)
                self._latest = chosen
                self._times.update(chosen)
                return chosen
        return None

    def _candidates(self, analysed: frozenset[str]) -> Iterator[frozenset[str]]:
        """From all of them downwards; whom the pages showed least is left out first."""
        yield analysed
        if self._latest < analysed:
            yield self._latest
        by_weight = sorted(analysed, key=lambda participant: (self._times[participant], participant))
        for count in range(1, _MOST_LEFT_OUT + 1):
            for left_out in combinations(by_weight, count):
                yield analysed.difference(left_out)

    def _may_follow(self, mask: int) -> bool:
        return all((mask ^ earlier).bit_count() != 1 for earlier in self._published)

    def _mask(self, participants: Iterable[str]) -> int:
        mask = 0
        for participant in participants:
            mask |= 1 << self._bits.setdefault(participant, len(self._bits))
        return mask
