"""Classes killed with SIGKILL at random moments; ``python -m tests.crash_runner`` does it more often."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

KILLS = os.environ.get("CLASSMOOD_TEST_KILLS", "12")


def test_no_acknowledged_record_is_lost_when_a_class_is_killed() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tests.crash_runner", "--times", KILLS],
        cwd=Path(__file__).parents[2], capture_output=True, text=True, check=False,
        timeout=60 + 10 * int(KILLS),
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert re.search(rf"killed {KILLS} times, nothing acknowledged was lost", done.stdout)
    for kind in ("window", "pulse", "marker", "consent", "interrupted"):
        assert re.search(rf"[1-9]\d* {kind}\b", done.stdout), f"no {kind} was stored before a kill"
