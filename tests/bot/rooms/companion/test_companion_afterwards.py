"""Erasing after the class, when the room no longer exists and only the token identifies the student."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.rooms.companion.adapter import Adapter
from bot.rooms.companion.rate_limiter import RateLimiter
from bot.rooms.companion.room import CompanionRoom
from bot.rooms.contract import Erasure
from bot.rooms.registry import RoomContext
from tests.bot.rooms.companion.room_client import CODE, QUICK, RoomClient

ME = f"/api/companion/{CODE}/me"


class ClassSeries:
    """Opens rooms with the same code one after the other."""

    def __init__(self, http: TestClient[web.Request, web.Application], adapter: Adapter) -> None:
        self.http, self.adapter = http, adapter

    async def erase(self, token: str) -> int:
        return (await self.http.delete(ME, json={"token": token})).status

    async def hold_class(self) -> dict[str, str]:
        """Open a room, let a student join, close the room; return the answer to the student."""
        room = self.adapter.open(f"companion:{CODE}")
        assert isinstance(room, CompanionRoom)
        async with room:
            return await RoomClient(self.http, room).join_without_camera()


@pytest.fixture
def stored() -> set[str]:
    return set()


@pytest.fixture
async def series(stored: set[str]) -> AsyncIterator[ClassSeries]:
    async def erase_stored(participant_id: str) -> Erasure:
        known = participant_id in stored
        stored.discard(participant_id)
        return Erasure.DONE if known else Erasure.NOTHING

    adapter = Adapter(RoomContext(QUICK, erase_stored=erase_stored))
    app = web.Application()
    app.add_routes(adapter.routes())
    async with TestClient(TestServer(app)) as http:
        yield ClassSeries(http, adapter)


async def test_the_token_erases_a_student_after_the_class(series: ClassSeries, stored: set[str]) -> None:
    ada, bea = await series.hold_class(), await series.hold_class()
    stored |= {ada["participant_id"], bea["participant_id"]}
    assert await series.erase(ada["token"]) == 200
    assert stored == {bea["participant_id"]}
    assert await series.erase(ada["token"]) == 404, "nothing is stored any more"
    assert await series.erase(ada["participant_id"]) == 404, "the participant identifier is not a token"
    assert stored == {bea["participant_id"]}


async def test_the_token_erases_a_student_while_the_next_class_uses_the_same_code(
    series: ClassSeries, stored: set[str]
) -> None:
    ada = await series.hold_class()
    stored.add(ada["participant_id"])
    room = series.adapter.open(f"companion:{CODE}")
    assert isinstance(room, CompanionRoom)
    async with room:
        assert await series.erase("stranger") == 403
        assert await series.erase(ada["token"]) == 200
    assert stored == set()


async def test_guesses_from_the_same_network_reveal_nothing_and_do_not_prevent_erasing(
    series: ClassSeries, stored: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series.adapter.student_routes, "_unknown_codes", RateLimiter(2, 0.001))
    ada = await series.hold_class()
    stored.add(ada["participant_id"])
    assert [(await series.http.get(f"/c/guess-{number}")).status for number in range(3)] == [404, 404, 429]
    assert (await series.http.get(f"/c/{CODE}")).status == 429, "the code of an ended class may be used again"
    assert await series.erase("guess") == 429
    assert await series.erase(ada["token"]) == 200
    assert stored == set()


async def test_a_client_that_tries_many_tokens_is_rate_limited(
    series: ClassSeries, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(series.adapter.student_routes, "_requests", RateLimiter(2, 0.001))
    async with series.adapter.open(f"companion:{CODE}"):
        assert [await series.erase(f"guess {number}") for number in range(4)] == [403, 403, 429, 429]
