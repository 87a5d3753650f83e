"""Builds the LiveKit server for benchmarks and tests, once for each version, outside the source tree.

Needs only the standard library, so that ``make test`` can start it before anything is installed. Several
processes may call it at the same time: one builds, the others wait.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path

VERSION = "v1.13.5"
"""A version that ``go install`` builds as it is; some later ones need a fork that it refuses."""

_MODULE = f"github.com/livekit/livekit-server/cmd/server@{VERSION}"
_FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "classmood"
_BUILT_WITHIN_S = 1200.0


class NoLiveKit(Exception):
    """The server cannot be built or run; the text is one line that says what to do."""


def is_possible() -> bool:
    """Whether the server is built already, or can be."""
    return _program().exists() or _go() is not None


def livekit_server() -> Path:
    """The program of the server; builds it first if necessary, which takes two to three minutes.

    Raises:
        NoLiveKit: there is no Go on this machine, or the build fails.
    """
    program = _program()
    if program.exists():
        return program
    go = _go()
    if go is None:
        raise NoLiveKit("install Go to build the LiveKit server: there is none on this machine")
    program.parent.mkdir(parents=True, exist_ok=True)
    with (program.parent / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not program.exists():  # another process may have built it meanwhile
            _build(go, program)
    return program


def _program() -> Path:
    return _FOLDER / f"livekit-server-{VERSION}" / "server"


def _go() -> str | None:
    usual = Path("/usr/local/go/bin/go")
    return shutil.which("go") or (str(usual) if usual.exists() else None)


def _build(go: str, program: Path) -> None:
    unfinished = program.parent / "unfinished"
    environment = {**os.environ, "GOBIN": str(unfinished)}
    command = ["nice", go, "install", "-trimpath", "-ldflags=-s -w", _MODULE]
    try:
        done = subprocess.run(
            command, env=environment, capture_output=True, text=True, timeout=_BUILT_WITHIN_S, check=False
        )
    except subprocess.TimeoutExpired as exc:
        raise NoLiveKit("building the LiveKit server takes too long: try again") from exc
    if done.returncode:
        reason = done.stderr.strip().splitlines()[-1:] or ["no reason given"]
        raise NoLiveKit(f"check the network: the LiveKit server cannot be built: {reason[0]}")
    (unfinished / "server").rename(program)
    unfinished.rmdir()


if __name__ == "__main__":
    try:
        livekit_server()
    except NoLiveKit as exc:
        print(f"tests with LiveKit are skipped: {exc}", file=sys.stderr)
