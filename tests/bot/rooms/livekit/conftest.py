"""Fixture: a real LiveKit server."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.livekit_server import LiveKitServer


@pytest.fixture
async def livekit(tmp_path: Path) -> AsyncIterator[LiveKitServer]:
    async with LiveKitServer(tmp_path) as server:
        yield server
