"""BatchTicks at which the packets of all cameras of a room are taken, some twenty a second.

Comes in: who has packets waiting. Goes out: a call to each of them, in one turn of the event loop.

Fifty cameras send more than a packet every millisecond. Each one taken as it comes finds the processor's
caches cold, and costs several times what the same work costs in a row.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

EVERY_S: Final = 0.05
"""How long a packet waits at most: short beside the interval between the pictures that are looked at."""

_TIMER_EARLY_S: Final = 0.01
"""By how much a timer may fire before its time, generously."""


class BatchTicks:
    """Of one room and its event loop: the multiples of ``every_s`` on the loop's clock."""

    def __init__(self, every_s: float = EVERY_S) -> None:
        """Nobody waits yet."""
        self._every_s = every_s
        self._waiting: list[Callable[[], None]] = []

    def call(self, take: Callable[[], None]) -> None:
        """Call ``take`` at the next moment, once for each time it is given."""
        if not self._waiting:
            loop = asyncio.get_running_loop()
            next_s = ((loop.time() + _TIMER_EARLY_S) // self._every_s + 1) * self._every_s
            loop.call_at(next_s, self._come, loop)
        self._waiting.append(take)

    def _come(self, loop: asyncio.AbstractEventLoop) -> None:
        waiting, self._waiting = self._waiting, []
        for take in waiting:
            loop.call_soon(take)  # each by itself: an error in one keeps nothing from the others
