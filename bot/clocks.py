"""A clock for durations: it ignores changes of the wall clock and includes time in suspend."""

from __future__ import annotations

import time
from typing import Final

_STEADY: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""On Linux CLOCK_MONOTONIC stops while the machine is suspended; elsewhere it continues."""


def steady_s() -> float:
    """Seconds since an arbitrary start, including time in suspend."""
    return time.clock_gettime(_STEADY)
