"""A store in a temporary folder, and sessions that use it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.config import AnalysisSettings, PrivacySettings, Settings
from reports.store import Store
from tests.bot.sessions.session_setup import SessionSetup
from tests.fakes import FakeRoom


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await asyncio.to_thread(Store.open, f"sqlite:///{tmp_path}/class.db")
    yield opened
    await asyncio.to_thread(opened.close)


@pytest.fixture
def set_up(store: Store) -> Callable[..., SessionSetup]:
    """Makes sessions with windows of one second and a minimum group of one."""

    def make(room: FakeRoom | None = None, **privacy: object) -> SessionSetup:
        settings = Settings(
            analysis=AnalysisSettings(window_s=1.0, samples_per_s=10),
            privacy=PrivacySettings.model_validate({"min_group": 1, **privacy}),
        )
        return SessionSetup(store, room or FakeRoom(), settings)

    return make


@pytest.fixture
async def short_timeout_store(tmp_path: Path) -> AsyncIterator[Store]:
    """A store that waits at most 0.1 s for another program's lock before a write fails."""
    opened = await asyncio.to_thread(Store.open, f"sqlite:///{tmp_path}/class.db?timeout=0.1")
    yield opened
    await asyncio.to_thread(opened.close)
