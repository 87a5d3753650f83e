"""An entered embedded room, a real Janus."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.bot.rooms.companion.school_network import QUICK, Class, held
from tests.janus_server import JanusServer


@pytest.fixture
async def school() -> AsyncIterator[Class]:
    async with held(QUICK) as holding:
        yield holding


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[JanusServer]:
    async with JanusServer(tmp_path) as server:
        yield server
