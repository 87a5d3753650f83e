"""A store in a temporary folder, and the desk that holds classes in it."""

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.config import AnalysisSettings, PrivacySettings, Settings
from reports.store import Store
from tests.bot.sessions.session_setup import Desk
from tests.fakes import FakeRoom


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    opened = await asyncio.to_thread(Store.open, f"sqlite:///{tmp_path}/class.db")
    yield opened
    await asyncio.to_thread(opened.close)


@pytest.fixture
def desk(store: Store) -> Callable[..., Desk]:
    def make(room: FakeRoom | None = None, **privacy: object) -> Desk:
        settings = Settings(
            analysis=AnalysisSettings(window_s=1.0, samples_per_s=10),
            privacy=PrivacySettings.model_validate({"min_group": 1, **privacy}),
        )
        return Desk(store, room or FakeRoom(), settings)

    return make


@pytest.fixture
async def hurried_store(tmp_path: Path) -> AsyncIterator[Store]:
    """One that waits for a lock no longer than 0.1 s."""
    opened = await asyncio.to_thread(Store.open, f"sqlite:///{tmp_path}/class.db?timeout=0.1")
    yield opened
    await asyncio.to_thread(opened.close)
