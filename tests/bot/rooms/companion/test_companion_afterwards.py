"""Being erased when the class is over: by the token alone, for the room holds nothing any more."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.rooms.companion.adapter import Adapter
from bot.rooms.companion.rate_limiter import RateLimiter
from bot.rooms.companion.room import CompanionRoom
from bot.rooms.registry import RoomContext
from tests.bot.rooms.companion.school_network import CODE, QUICK, Class

ME = f"/api/companion/{CODE}/me"


class School:
    """Classes of one code, one after the other, and whom the store knows."""

    def __init__(self, client: TestClient[web.Request, web.Application], adapter: Adapter) -> None:
        self.client, self.adapter = client, adapter

    async def erase(self, token: str) -> int:
        return (await self.client.delete(ME, json={"token": token})).status

    async def hold_class(self) -> dict[str, str]:
        """A class that somebody joins, and its end; what the joining was answered."""
        room = self.adapter.open(f"companion:{CODE}")
        assert isinstance(room, CompanionRoom)
        async with room:
            return await Class(self.client, room).join_without_camera()


@pytest.fixture
def kept() -> set[str]:
    return set()


@pytest.fixture
async def school(kept: set[str]) -> AsyncIterator[School]:
    async def erase_kept(participant_id: str) -> bool:
        known = participant_id in kept
        kept.discard(participant_id)
        return known

    adapter = Adapter(RoomContext(QUICK, erase_kept=erase_kept))
    app = web.Application()
    app.add_routes(adapter.routes())
    async with TestClient(TestServer(app)) as client:
        yield School(client, adapter)


async def test_the_token_is_good_for_being_erased_after_the_class(school: School, kept: set[str]) -> None:
    ada, bea = await school.hold_class(), await school.hold_class()
    kept |= {ada["participant_id"], bea["participant_id"]}
    assert await school.erase(ada["token"]) == 200
    assert kept == {bea["participant_id"]}
    assert await school.erase(ada["token"]) == 404, "nothing is left"
    assert await school.erase(ada["participant_id"]) == 404, "the number is no token"
    assert kept == {bea["participant_id"]}


async def test_it_is_while_the_next_class_has_the_same_code(school: School, kept: set[str]) -> None:
    ada = await school.hold_class()
    kept.add(ada["participant_id"])
    room = school.adapter.open(f"companion:{CODE}")
    assert isinstance(room, CompanionRoom)
    async with room:
        assert await school.erase("stranger") == 403
        assert await school.erase(ada["token"]) == 200
    assert kept == set()


async def test_guesses_of_a_neighbour_stand_in_nobodys_way_and_are_told_nothing(
    school: School, kept: set[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(school.adapter.student_routes, "_unknown_codes", RateLimiter(2, 0.001))
    ada = await school.hold_class()
    kept.add(ada["participant_id"])
    assert [(await school.client.get(f"/c/guess-{number}")).status for number in range(3)] == [404, 404, 429]
    assert (await school.client.get(f"/c/{CODE}")).status == 429, (
        "a code that a class had, and may have again"
    )
    assert await school.erase("guess") == 429
    assert await school.erase(ada["token"]) == 200
    assert kept == set()


async def test_whoever_tries_many_tokens_has_to_wait(school: School, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(school.adapter.student_routes, "_requests", RateLimiter(2, 0.001))
    async with school.adapter.open(f"companion:{CODE}"):
        assert [await school.erase(f"guess {number}") for number in range(4)] == [403, 403, 429, 429]
