"""Runs a real Janus in tests; without one the tests are skipped."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.simulation.janus_server import (
    JANUS,
    OPEN_ROOM,
    PIN,
    PIN_ROOM,
    SECRET,
    SILENT_ROOM,
    NoJanus,
)
from benchmarks.simulation.janus_server import JanusServer as _JanusServer

__all__ = ["OPEN_ROOM", "PIN", "PIN_ROOM", "SECRET", "SILENT_ROOM", "JanusServer", "needs_janus"]

needs_janus = pytest.mark.skipif(not Path(JANUS).exists(), reason="no Janus: apt-get install janus")


class JanusServer(_JanusServer):
    """Skips the test if Janus is not installed."""

    def __init__(self, folder: Path, *args: Any, **more: Any) -> None:
        try:
            super().__init__(folder, *args, **more)
        except NoJanus as exc:
            pytest.skip(str(exc))
