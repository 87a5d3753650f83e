"""An entered embedded room."""

from collections.abc import AsyncIterator

import pytest

from tests.bot.rooms.schools import QUICK, Class, held


@pytest.fixture
async def school() -> AsyncIterator[Class]:
    async with held(QUICK) as holding:
        yield holding
