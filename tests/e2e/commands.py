"""Runs ``classmood`` as a process, for the tests of its commands."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path


def start(folder: Path, *arguments: str, **environment: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-m", "bot", *arguments],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    process = start(folder, *arguments, **environment)
    out, err = process.communicate(timeout=90)
    return subprocess.CompletedProcess(arguments, process.returncode, out, err)


def host_link_line(server: subprocess.Popen[str]) -> str:
    """Read the output of ``serve`` up to the line with the host link."""
    assert server.stdout is not None
    for line in server.stdout:
        if "Host link" in line:
            return line
    raise AssertionError("the server did not start")


def error_line(done: subprocess.CompletedProcess[str]) -> str:
    """The error message, which must be the only one."""
    lines = [line for line in done.stderr.splitlines() if line.startswith(("classmood: ", "Error: "))]
    assert len(lines) == 1, done.stderr
    assert "Traceback" not in done.stderr
    return lines[0]
