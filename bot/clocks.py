"""The steady clock: for how long something lasted, whatever becomes of the wall clock."""

from __future__ import annotations

import time
from typing import Final

_STEADY: Final[int] = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
"""Linux' monotonic clock stands still while the machine is suspended; elsewhere it goes on."""


def steady_s() -> float:
    """Seconds since a moment of its own; they pass while the machine is suspended as well."""
    return time.clock_gettime(_STEADY)
