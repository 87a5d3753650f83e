"""Fixture: a client of an open embedded room."""

from collections.abc import AsyncIterator

import pytest

from tests.bot.rooms.companion.room_client import QUICK, RoomClient, serve_room


@pytest.fixture
async def client() -> AsyncIterator[RoomClient]:
    async with serve_room(QUICK) as client:
        yield client
