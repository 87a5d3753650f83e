"""``classmood`` as a process, for the tests of its commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def start(folder: Path, *words: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bot", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    process = start(folder, *words, **environment)
    out, err = process.communicate(timeout=90)
    return subprocess.CompletedProcess(words, process.returncode, out, err)


def said(done: subprocess.CompletedProcess[str]) -> str:
    """The one line of error."""
    lines = [line for line in done.stderr.splitlines() if line.startswith(("classmood: ", "Error: "))]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]
