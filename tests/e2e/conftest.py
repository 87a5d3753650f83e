"""Fixtures: the host's pages on a store in a temporary folder; an embedded room and its student page."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.host_server import HostDesk, host_desk
from tests.e2e.student_page import page, served_room

__all__ = ["desk", "page", "served_room"]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[HostDesk]:
    async with host_desk(tmp_path) as running:
        yield running
