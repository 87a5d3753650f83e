"""No core dump of this process: it would put pictures from memory on a disk."""

from __future__ import annotations

import ctypes
import resource
import sys
from typing import Final

_PR_SET_DUMPABLE: Final = 4


def forbid_core_dumps() -> None:
    """Forbid them for this process and, by the limit, for those it starts."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # The limit does not bind a program that the kernel pipes cores to (kernel.core_pattern); this does.
        # It also keeps other programs of the same user from reading this one's memory.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
