"""Prevents core dumps of this process: they would write frames from memory to disk."""

from __future__ import annotations

import ctypes
import resource
import sys
from typing import Final

_PR_SET_DUMPABLE: Final = 4


def forbid_core_dumps() -> None:
    """Prevent core dumps of this process; child processes inherit the resource limit."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if sys.platform == "linux":
        # The limit does not apply where the kernel pipes core dumps to a program (kernel.core_pattern).
        # PR_SET_DUMPABLE does. It also keeps other programs of the same user from reading this memory.
        ctypes.CDLL(None, use_errno=True).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0)
