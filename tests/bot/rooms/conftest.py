"""Fixture: a real Janus."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.janus_server import JanusServer


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[JanusServer]:
    async with JanusServer(tmp_path) as server:
        yield server
