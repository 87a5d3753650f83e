"""Runs a real LiveKit server in tests; where it cannot be built, the tests are skipped."""

from pathlib import Path
from typing import Any

import pytest

from benchmarks.simulation.livekit_build import is_possible
from benchmarks.simulation.livekit_server import API_KEY, API_SECRET, NoLiveKit, make_token
from benchmarks.simulation.livekit_server import LiveKitServer as _LiveKitServer

__all__ = ["API_KEY", "API_SECRET", "LiveKitServer", "make_token", "needs_livekit"]

needs_livekit = pytest.mark.skipif(not is_possible(), reason="no LiveKit server, and no Go to build it with")


class LiveKitServer(_LiveKitServer):
    """A LiveKit server; starting one skips the test if it cannot be built."""

    def __init__(self, folder: Path, **options: Any) -> None:
        if not is_possible():
            pytest.skip("no LiveKit server, and no Go to build it with")
        super().__init__(folder, **options)

    async def start(self) -> None:
        try:
            await super().start()
        except NoLiveKit as exc:
            pytest.skip(str(exc))
