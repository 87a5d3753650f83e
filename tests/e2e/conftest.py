"""A host's desk, the pages served over a store in a temporary folder; a class and a student's page of it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.e2e.host_server import HostDesk, host_desk
from tests.e2e.student_page import page, served

__all__ = ["desk", "page", "served"]


@pytest.fixture
async def desk(tmp_path: Path) -> AsyncIterator[HostDesk]:
    async with host_desk(tmp_path) as running:
        yield running
