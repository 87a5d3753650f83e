"""Batch ticks: 20 times a second the waiting packets of all cameras of a room are processed together.

Fifty cameras send more than one packet every millisecond. Processing each packet on arrival takes several
times the CPU time of processing them in batches, because the processor's caches are cold.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Final

INTERVAL_S: Final = 0.05
"""The longest time that a packet waits: short compared with the interval between analysed frames."""

_TIMER_EARLY_S: Final = 0.01
"""How early a timer may fire, at most."""


class BatchTicks:
    """The batch ticks of one room: the multiples of ``interval_s`` on the event loop's clock."""

    def __init__(self, interval_s: float = INTERVAL_S) -> None:
        """No timer runs until the first ``call``."""
        self._interval_s = interval_s
        self._callbacks: list[Callable[[], None]] = []

    def call(self, callback: Callable[[], None]) -> None:
        """Call ``callback`` at the next tick, once for each time it was passed."""
        if not self._callbacks:
            loop = asyncio.get_running_loop()
            # A timer that fires early must not lead to the same tick again.
            next_s = ((loop.time() + _TIMER_EARLY_S) // self._interval_s + 1) * self._interval_s
            loop.call_at(next_s, self._on_tick, loop)
        self._callbacks.append(callback)

    def _on_tick(self, loop: asyncio.AbstractEventLoop) -> None:
        callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            loop.call_soon(callback)  # separately: an exception in one does not affect the others
