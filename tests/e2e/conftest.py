"""Fixtures: the host's pages on a store in a temporary folder; an embedded room and its student page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.host_server import HostServer, serve_host
from tests.e2e.student_page import page, served_room

__all__ = ["host_server", "page", "served_room"]


@pytest.fixture
async def host_server(tmp_path: Path) -> AsyncIterator[HostServer]:
    async with serve_host(tmp_path) as running:
        yield running
