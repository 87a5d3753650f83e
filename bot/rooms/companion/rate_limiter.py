"""A rate limiter: each client may send a burst of requests, then a steady rate (a token bucket)."""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

_MAX_CLIENTS: Final = 10_000
"""Clients remembered at a time; the least recently active one is forgotten first."""


class RateLimiter:
    """Counts the requests of each client.

    Args:
        burst: Number of requests that a client may send at once.
        per_s: Number of requests that a client regains each second, up to the burst.
        clock: Returns monotonic seconds.
    """

    def __init__(self, burst: int, per_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._burst, self._per_s, self._clock = burst, per_s, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # (requests left, time in s)

    def remaining(self, client: str) -> float:
        """How many requests a client may send now."""
        left, at_s = self._buckets.get(client, (float(self._burst), 0.0))
        return min(float(self._burst), left + (self._clock() - at_s) * self._per_s)

    def allow(self, client: str) -> bool:
        """Count a request; False if the client is over its rate, and then it is not counted."""
        left = self.remaining(client)
        if left < 1:
            return False
        self._buckets[client] = (left - 1, self._clock())
        self._buckets.move_to_end(client)
        if len(self._buckets) > _MAX_CLIENTS:
            self._buckets.popitem(last=False)
        return True
