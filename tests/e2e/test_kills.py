"""kill -9 at random moments: see ``tests.crash_runner``, which does it a hundred times by itself."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

KILLS = os.environ.get("CLASSMOOD_TEST_KILLS", "12")


def test_killed_at_random_moments_nothing_that_was_acknowledged_is_lost() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash_runner", "--times", KILLS],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
        timeout=60 + 10 * int(KILLS),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(rf"killed {KILLS} times, nothing acknowledged was lost", done.stdout)
    for what in ("window", "pulse", "marker", "consent", "interrupted"):
        assert re.search(rf"[1-9]\d* {what}\b", done.stdout), f"the kills met no {what}"
