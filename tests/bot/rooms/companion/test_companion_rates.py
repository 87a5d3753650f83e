"""The rate limits of the embedded room: by client address, by student, and for unknown class codes."""

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
from tests.bot.rooms.companion.room_client import CODE, QUICK, RoomClient, serve_room

PROXIED = QUICK.model_copy(
    update={"web": QUICK.web.model_copy(update={"trusted_proxies": (ip_network("127.0.0.0/8"),)})}
)


class Clock:
    """A monotonic clock that the test sets, seconds."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_burst_is_allowed_and_refills_at_the_rate() -> None:
    clock = Clock()
    limiter = RateLimiter(3, 0.5, clock)
    assert [limiter.allow("a") for _ in range(4)] == [True, True, True, False]
    assert limiter.allow("b"), "each client is counted separately"
    clock.now_s += 1.9
    assert not limiter.allow("a")
    clock.now_s += 0.2
    assert [limiter.allow("a") for _ in range(2)] == [True, False]
    clock.now_s += 1e6
    assert limiter.remaining("a") == 3, "never more than the burst"


@given(st.lists(st.tuples(st.sampled_from("abc"), st.floats(0, 5)), max_size=80))
def test_no_client_exceeds_the_burst_and_the_rate(requests_sent: list[tuple[str, float]]) -> None:
    clock = Clock()
    limiter = RateLimiter(5, 2.0, clock)
    allowed: dict[str, int] = {}
    for client, pause_s in requests_sent:
        clock.now_s += pause_s
        allowed[client] = allowed.get(client, 0) + limiter.allow(client)
    for count in allowed.values():
        assert count <= 5 + 2.0 * (clock.now_s - 100.0) + 1e-6


def test_a_limited_number_of_clients_is_remembered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(rate_limiter, "_MAX_CLIENTS", 10)
    limiter = RateLimiter(1, 0.001, Clock())
    for number in range(100):
        assert limiter.allow(str(number))
    assert len(limiter._buckets) == 10
    assert not limiter.allow("99")


@pytest.mark.parametrize(
    ("peer", "forwarded", "trusted", "client"),
    [
        ("203.0.113.5", [], [], "203.0.113.5"),
        ("203.0.113.5", ["198.51.100.1"], [], "203.0.113.5"),  # the header counts only from trusted proxies
        ("203.0.113.5", ["198.51.100.1"], ["127.0.0.1"], "203.0.113.5"),
        ("127.0.0.1", ["198.51.100.1"], ["127.0.0.1"], "198.51.100.1"),
        ("127.0.0.1", ["1.2.3.4, 198.51.100.1"], ["127.0.0.1"], "198.51.100.1"),  # the first is forged
        ("127.0.0.1", ["198.51.100.1", "10.0.0.7"], ["127.0.0.1", "10.0.0.0/8"], "198.51.100.1"),
        ("127.0.0.1", ["rubbish"], ["127.0.0.1"], "127.0.0.1"),
        ("127.0.0.1", [""], ["127.0.0.1"], "127.0.0.1"),
        ("", ["198.51.100.1"], ["127.0.0.1"], ""),
        ("2001:db8:1:2:3:4:5:6", [], [], "2001:db8:1:2::/64"),
        ("::ffff:203.0.113.5", [], [], "203.0.113.5"),
    ],
)
def test_the_client_address_is_the_nearest_that_is_not_a_trusted_proxy(
    peer: str, forwarded: list[str], trusted: list[str], client: str
) -> None:
    assert client_address(peer, forwarded, [ip_network(one) for one in trusted]) == client


def test_class_codes_cannot_be_guessed() -> None:
    adapter = Adapter(RoomContext(Settings()))
    codes = {getattr(adapter.open("companion:"), "code") for _ in range(2000)}  # noqa: B009
    assert len(codes) == 2000
    assert all(re.fullmatch(r"[a-hj-km-np-z2-9]{5}-[a-hj-km-np-z2-9]{5}", code) for code in codes)
    letters = {letter for code in codes for letter in code.replace("-", "")}
    assert len(letters) == 31  # 31 to the power of 10 is 2 to the power of 49.5
    for place in (*range(5), *range(6, 11)):
        assert len({code[place] for code in codes}) == 31, "every letter occurs in every place"


@pytest.fixture
async def limited(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[RoomClient]:
    """A class behind a trusted proxy, with low rate limits that hardly refill."""
    monkeypatch.setattr(student_routes, "_JOINS", (3, 0.0001))
    monkeypatch.setattr(student_routes, "_REQUESTS", (5, 0.0001))
    monkeypatch.setattr(student_routes, "_UNKNOWN_CODES", (4, 0.0001))
    monkeypatch.setattr(room, "_REJOINS", (2, 0.0001))
    monkeypatch.setattr(room, "_REPORTS", (4, 0.0001))
    async with serve_room(PROXIED) as client:
        yield client


async def send(client: RoomClient, path: str, address: str, code: str = CODE, **fields: object) -> int:
    """Post a request as if from ``address``; a 429 must say when to try again. Returns the status."""
    response = await client.http.post(
        f"/api/companion/{code}/{path}", json=fields, headers={"X-Forwarded-For": address}
    )
    if response.status == 429:
        assert response.headers["Retry-After"]
        assert "wait" in (await response.json())["error"]
    return response.status


JOIN = {"sdp": None, "type": None, "consent": True}


async def test_joins_of_one_address_are_limited(limited: RoomClient) -> None:
    assert [await send(limited, "offer", "198.51.100.1", **JOIN) for _ in range(4)] == [200, 200, 200, 429]
    assert await send(limited, "offer", "198.51.100.2", **JOIN) == 200, "other addresses are not affected"
    await limited.wait_until(lambda events: sum(type(event).__name__ == "Joined" for event in events) == 4)
    await asyncio.sleep(0)
    assert sum(type(event).__name__ == "Joined" for event in limited.events) == 4


async def test_other_requests_of_one_address_are_limited(limited: RoomClient) -> None:
    token = (await limited.join_without_camera())["token"]
    statuses = [await send(limited, "pulse", "198.51.100.1", token="wrong", kind="ok") for _ in range(6)]
    assert statuses == [403] * 5 + [429]
    assert await send(limited, "pulse", "198.51.100.2", token=token, kind="ok") == 200


async def test_guessing_codes_is_rate_limited(limited: RoomClient) -> None:
    token = (await limited.join_without_camera())["token"]
    statuses = [
        await send(limited, "offer", "198.51.100.1", f"guess-{number}", **JOIN) for number in range(6)
    ]
    assert statuses == [404] * 4 + [429] * 2
    page = await limited.http.get("/c/another-guess", headers={"X-Forwarded-For": "198.51.100.1"})
    assert page.status == 429
    assert await send(limited, "offer", "198.51.100.1", **JOIN) == 429, "a correct guess is not revealed"
    assert await send(limited, "pulse", "198.51.100.2", token=token, kind="ok") == 200


async def test_students_are_not_affected_by_guesses_from_their_network(limited: RoomClient) -> None:
    token = (await limited.join_without_camera())["token"]
    for number in range(6):
        await send(limited, "offer", "198.51.100.1", f"guess-{number}", **JOIN)
    assert await send(limited, "pulse", "198.51.100.1", token="wrong", kind="ok") == 429, (
        "only students are exempt"
    )
    assert await send(limited, "pulse", "198.51.100.1", token=token, kind="ok") == 200
    assert await send(limited, "offer", "198.51.100.1", token=token, **JOIN) == 200
    response = await limited.http.delete(
        f"/api/companion/{CODE}/me", json={"token": token}, headers={"X-Forwarded-For": "198.51.100.1"}
    )
    assert response.status == 200


async def test_codes_of_ended_classes_do_not_count_as_guesses(limited: RoomClient) -> None:
    await limited.room.__aexit__(None, None, None)
    assert [await send(limited, "camera", "198.51.100.1", token="t", on=True) for _ in range(6)] == [404] * 6
    assert [await send(limited, "camera", "198.51.100.1", "guess", token="t", on=True) for _ in range(5)] == [
        404, 404, 404, 404, 429,
    ]  # fmt: skip


async def test_repeated_joins_and_reports_of_one_student_are_limited(limited: RoomClient) -> None:
    token = (await limited.join_without_camera())["token"]
    addresses = iter(f"198.51.100.{number}" for number in range(1, 50))
    statuses = [await send(limited, "offer", next(addresses), token=token, **JOIN) for _ in range(3)]
    assert statuses == [200, 200, 429]
    reports = [await send(limited, "camera", next(addresses), token=token, on=False) for _ in range(5)]
    assert reports == [200] * 4 + [429]
    assert await send(limited, "leave", next(addresses), token=token) == 200, "leaving is always possible"


async def test_erasing_is_not_rate_limited_for_students(limited: RoomClient) -> None:
    token = (await limited.join_without_camera())["token"]
    for _ in range(6):
        await send(limited, "camera", "198.51.100.1", token=token, on=False)
    response = await limited.http.delete(
        f"/api/companion/{CODE}/me", json={"token": token}, headers={"X-Forwarded-For": "198.51.100.1"}
    )
    assert response.status == 200


async def test_a_body_that_arrives_too_slowly_is_refused(
    limited: RoomClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(requests, "BODY_TIMEOUT_S", 0.05)

    async def slow_body() -> AsyncIterator[bytes]:
        yield b"{"
        await asyncio.sleep(1)

    response = await limited.http.post(f"/api/companion/{CODE}/pulse", data=slow_body())
    assert response.status == 408
    assert "too long to arrive" in (await response.json())["error"]
