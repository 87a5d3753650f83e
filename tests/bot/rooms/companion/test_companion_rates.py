"""How often strangers and students may ask: by address, by student, for classes that are not there."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator
from ipaddress import ip_network

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.config import Settings
from bot.rooms.companion import rate_limiter, room, student_routes
from bot.rooms.companion.adapter import Adapter
from bot.rooms.companion.client_address import client_address
from bot.rooms.companion.rate_limiter import RateLimiter
from bot.rooms.registry import RoomContext
from reports.web import requests
from tests.bot.rooms.companion.school_network import CODE, QUICK, Class, held

PROXIED = QUICK.model_copy(
    update={"web": QUICK.web.model_copy(update={"trusted_proxies": (ip_network("127.0.0.0/8"),)})}
)


class Clock:
    """Monotonic seconds, moved by hand."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_an_allowance_is_spent_and_comes_back() -> None:
    clock = Clock()
    allowance = RateLimiter(3, 0.5, clock)
    assert [allowance.allow("a") for _ in range(4)] == [True, True, True, False]
    assert allowance.allow("b"), "each has their own"
    clock.now_s += 1.9
    assert not allowance.allow("a")
    clock.now_s += 0.2
    assert [allowance.allow("a") for _ in range(2)] == [True, False]
    clock.now_s += 1e6
    assert allowance.remaining("a") == 3, "never more than at first"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 5)), max_size=80))
def test_nobody_gets_more_than_burst_and_rate_allow(asked: list[tuple[str, float]]) -> None:
    clock = Clock()
    allowance = RateLimiter(5, 2.0, clock)
    got: dict[str, int] = {}
    for who, later_s in asked:
        clock.now_s += later_s
        got[who] = got.get(who, 0) + allowance.allow(who)
    for count in got.values():
        assert count <= 5 + 2.0 * (clock.now_s - 100.0) + 1e-6


def test_only_so_many_visitors_are_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limiter, "_MAX_CLIENTS", 10)
    allowance = RateLimiter(1, 0.001, Clock())
    for number in range(100):
        assert allowance.allow(str(number))
    assert len(allowance._buckets) == 10
    assert not allowance.allow("99")


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "client"),
    [
        ("203.0.113.5", [], [], "203.0.113.5"),
        ("203.0.113.5", ["198.51.100.1"], [], "203.0.113.5"),  # nobody is believed unless named
        ("203.0.113.5", ["198.51.100.1"], ["127.0.0.1"], "203.0.113.5"),
        ("127.0.0.1", ["198.51.100.1"], ["127.0.0.1"], "198.51.100.1"),
        ("127.0.0.1", ["1.2.3.4, 198.51.100.1"], ["127.0.0.1"], "198.51.100.1"),  # the first was made up
        ("127.0.0.1", ["198.51.100.1", "10.0.0.7"], ["127.0.0.1", "10.0.0.0/8"], "198.51.100.1"),
        ("127.0.0.1", ["rubbish"], ["127.0.0.1"], "127.0.0.1"),
        ("127.0.0.1", [""], ["127.0.0.1"], "127.0.0.1"),
        ("", ["198.51.100.1"], ["127.0.0.1"], ""),
        ("2001:db8:1:2:3:4:5:6", [], [], "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.5", [], [], "203.0.113.5"),
    ],
)
def test_who_asks(peer: str, forwarded: list[str], trusted: list[str], client: str) -> None:
    assert client_address(peer, forwarded, [ip_network(one) for one in trusted]) == client


def test_class_codes_cannot_be_guessed() -> None:
    adapter = Adapter(RoomContext(Settings()))
    codes = {getattr(adapter.open("companion:"), "code") for _ in range(2000)}  # noqa: B009
    assert len(codes) == 2000
    assert all(re.fullmatch(r"[a-hj-km-np-z2-9]{5}-[a-hj-km-np-z2-9]{5}", code) for code in codes)
    letters = {letter for code in codes for letter in code.replace("-", "")}
    assert len(letters) == 31  # 31 to the power of 10 is 2 to the power of 49.5
    for place in (*range(5), *range(6, 11)):
        assert len({code[place] for code in codes}) == 31, "every place is drawn from all of them"


@pytest.fixture
async def few(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Class]:
    """A class behind a trusted proxy, with small allowances that do not come back."""
    monkeypatch.setattr(student_routes, "_JOINS", (3, 0.0001))
    monkeypatch.setattr(student_routes, "_REQUESTS", (5, 0.0001))
    monkeypatch.setattr(student_routes, "_UNKNOWN_CODES", (4, 0.0001))
    monkeypatch.setattr(room, "_REJOINS", (2, 0.0001))
    monkeypatch.setattr(room, "_REPORTS", (4, 0.0001))
    async with held(PROXIED) as holding:
        yield holding


async def ask(school: Class, path: str, address: str, code: str = CODE, **fields: object) -> int:
    response = await school.client.post(
        f"/api/companion/{code}/{path}", json=fields, headers={"X-Forwarded-For": address}
    )
    if response.status == 429:
        assert response.headers["Retry-After"]
        assert "wait" in (await response.json())["error"]
    return response.status


JOIN = {"sdp": None, "type": None, "consent": True}


async def test_joins_of_one_address_are_limited(few: Class) -> None:
    assert [await ask(few, "offer", "198.51.100.1", **JOIN) for _ in range(4)] == [200, 200, 200, 429]
    assert await ask(few, "offer", "198.51.100.2", **JOIN) == 200, "other addresses go on"
    await few.until(lambda told: sum(type(event).__name__ == "Joined" for event in told) == 4)
    await asyncio.sleep(0)
    assert sum(type(event).__name__ == "Joined" for event in few.told) == 4


async def test_other_requests_of_one_address_are_limited(few: Class) -> None:
    token = (await few.join_without_camera())["token"]
    statuses = [await ask(few, "pulse", "198.51.100.1", token="wrong", kind="ok") for _ in range(6)]
    assert statuses == [403] * 5 + [429]
    assert await ask(few, "pulse", "198.51.100.2", token=token, kind="ok") == 200


async def test_guessing_codes_ends_soon(few: Class) -> None:
    token = (await few.join_without_camera())["token"]
    statuses = [await ask(few, "offer", "198.51.100.1", f"guess-{number}", **JOIN) for number in range(6)]
    assert statuses == [404] * 4 + [429] * 2
    page = await few.client.get("/c/another-guess", headers={"X-Forwarded-For": "198.51.100.1"})
    assert page.status == 429
    assert await ask(few, "offer", "198.51.100.1", **JOIN) == 429, "a right guess after it is not told"
    assert await ask(few, "pulse", "198.51.100.2", token=token, kind="ok") == 200


async def test_who_is_in_a_class_bears_no_neighbours_guesses(few: Class) -> None:
    token = (await few.join_without_camera())["token"]
    for number in range(6):
        await ask(few, "offer", "198.51.100.1", f"guess-{number}", **JOIN)
    assert await ask(few, "pulse", "198.51.100.1", token="wrong", kind="ok") == 429, "also a guess"
    assert await ask(few, "pulse", "198.51.100.1", token=token, kind="ok") == 200
    assert await ask(few, "offer", "198.51.100.1", token=token, **JOIN) == 200
    gone = await few.client.delete(
        f"/api/companion/{CODE}/me", json={"token": token}, headers={"X-Forwarded-For": "198.51.100.1"}
    )
    assert gone.status == 200


async def test_pages_of_a_class_that_ended_are_no_guesses(few: Class) -> None:
    await few.room.__aexit__(None, None, None)
    assert [await ask(few, "camera", "198.51.100.1", token="t", on=True) for _ in range(6)] == [404] * 6
    assert [await ask(few, "camera", "198.51.100.1", "guess", token="t", on=True) for _ in range(5)] == [
        404, 404, 404, 404, 429,
    ]  # fmt: skip


async def test_one_student_does_not_join_without_end(few: Class) -> None:
    token = (await few.join_without_camera())["token"]
    addresses = iter(f"198.51.100.{number}" for number in range(1, 50))
    statuses = [await ask(few, "offer", next(addresses), token=token, **JOIN) for _ in range(3)]
    assert statuses == [200, 200, 429]
    reports = [await ask(few, "camera", next(addresses), token=token, on=False) for _ in range(5)]
    assert reports == [200] * 4 + [429]
    assert await ask(few, "leave", next(addresses), token=token) == 200, "leaving is always possible"


async def test_erasing_is_never_refused_a_student(few: Class) -> None:
    token = (await few.join_without_camera())["token"]
    for _ in range(6):
        await ask(few, "camera", "198.51.100.1", token=token, on=False)
    response = await few.client.delete(
        f"/api/companion/{CODE}/me", json={"token": token}, headers={"X-Forwarded-For": "198.51.100.1"}
    )
    assert response.status == 200


async def test_a_body_that_does_not_come_is_given_up(few: Class, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "BODY_TIMEOUT_S", 0.05)

    async def slowly() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(1)

    response = await few.client.post(f"/api/companion/{CODE}/pulse", data=slowly())
    assert response.status == 408
    assert "too long to arrive" in (await response.json())["error"]
