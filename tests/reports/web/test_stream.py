"""The live stream: its first event, resuming, heartbeats, limits and its end."""

from __future__ import annotations

import asyncio
import json
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, web

from reports.store import Store
from reports.web import stream
from reports.web.application import build_app
from reports.web.feed import LiveFeed
from tests.reports.builders import FakeController, a_class, a_window
from tests.reports.web.app_client import BEARER, Host, memory_keys


async def events(response: ClientResponse, count: int) -> list[tuple[str, str, Any]]:
    """The next events of a stream except heartbeats, as (id, name, data)."""
    received: list[tuple[str, str, Any]] = []
    fields: dict[str, str] = {}
    async with asyncio.timeout(2):
        while len(received) < count:
            line = (await response.content.readline()).decode().rstrip("\n")
            if line and not line.startswith(":"):
                name, _, value = line.partition(": ")
                fields[name] = value
            elif "data" in fields:
                if fields["event"] != "heartbeat":
                    received.append((fields["id"], fields["event"], json.loads(fields["data"])))
                fields = {}
    return received


async def test_new_stream_sends_the_state_and_then_events(host: Host) -> None:
    await host.store.put_class(a_class())
    host.feed.publish("c1", "summary", {"n": 0})
    async with host.client.get("/api/classes/c1/live", headers=BEARER) as response:
        assert response.content_type == "text/event-stream"
        assert await events(response, 1) == [("1", "state", a_class().to_json())]
        host.feed.publish("c1", "summary", a_window().to_json())
        host.feed.publish("c1", "pulse", {"kind": "lost", "text": "a\nb"})
        assert await events(response, 2) == [
            ("2", "summary", a_window().to_json()),
            ("3", "pulse", {"kind": "lost", "text": "a\nb"}),
        ]


async def test_stream_resumes_after_the_last_event_id(host: Host) -> None:
    await host.store.put_class(a_class())
    for number in range(4):
        host.feed.publish("c1", "summary", {"n": number})
    headers = BEARER | {"Last-Event-ID": "2"}
    async with host.client.get("/api/classes/c1/live", headers=headers) as response:
        assert await events(response, 2) == [("3", "summary", {"n": 2}), ("4", "summary", {"n": 3})]


@pytest.mark.parametrize("last_id", ["9", "x", "-1", "9" * 30, "²"])
async def test_unknown_last_event_id_gets_a_resync(host: Host, last_id: str) -> None:
    await host.store.put_class(a_class())
    host.feed.publish("c1", "summary", {"n": 0})
    headers = BEARER | {"Last-Event-ID": last_id}
    async with host.client.get("/api/classes/c1/live", headers=headers) as response:
        assert await events(response, 1) == [("1", "resync", {})]


async def test_stream_ends_with_the_class(host: Host) -> None:
    await host.store.put_class(a_class())
    async with host.client.get("/api/classes/c1/live", headers=BEARER) as response:
        await events(response, 1)
        await host.json("POST", "/api/classes/c1/end", 200)
        ((_, name, data),) = await events(response, 1)
        assert (name, data["state"]) == ("state", "ended")
        async with asyncio.timeout(2):
            assert (await response.content.read()).strip() == b""
    async with host.client.get("/api/classes/c1/live", headers=BEARER | {"Last-Event-ID": "1"}) as reopened:
        assert [(name, data["state"]) for _, name, data in await events(reopened, 1)] == [("state", "ended")]
        async with asyncio.timeout(2):
            await reopened.content.read()


async def test_stream_without_events_sends_heartbeats(host: Host) -> None:
    """Events, because a page cannot see comments; without an id, because they are not resumed."""
    await host.store.put_class(a_class())
    async with host.client.get("/api/classes/c1/live", headers=BEARER) as response:
        await events(response, 1)
        async with asyncio.timeout(2):
            assert await response.content.readuntil(b"\n\n") == b"event: heartbeat\ndata: {}\n\n"


async def test_client_that_is_gone_is_unsubscribed(store: Store) -> None:
    """On a real server: the test client's server would cancel the handler by itself."""
    feed = LiveFeed()
    controller = FakeController(store, feed)
    app = build_app(
        store=store,
        controller=controller,
        feed=feed,
        keys=memory_keys("token"),
        heartbeat_s=0.05,
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        await store.put_class(a_class())
        url = f"http://127.0.0.1:{runner.addresses[0][1]}/api/classes/c1/live"
        async with ClientSession(headers=BEARER) as session, session.get(url) as response:
            await events(response, 1)
            assert feed.followers("c1") == 1
            response.close()
            async with asyncio.timeout(2):
                while feed.followers("c1"):  # noqa: ASYNC110
                    await asyncio.sleep(0.01)
    finally:
        await runner.cleanup()


async def test_shutdown_does_not_wait_for_followers(host: Host) -> None:
    await host.store.put_class(a_class())
    async with host.client.get("/api/classes/c1/live", headers=BEARER) as response:
        await events(response, 1)
        async with asyncio.timeout(2):
            await host.client.server.close()


async def test_followers_beyond_the_limit_get_503(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "MAX_FOLLOWERS", 2)
    await host.store.put_class(a_class())
    path = "/api/classes/c1/live"
    first = await host.client.get(path, headers=BEARER)
    async with host.client.get(path, headers=BEARER) as second:
        assert (first.status, second.status) == (200, 200)
        async with host.client.get(path, headers=BEARER) as third:
            assert (third.status, third.headers["Retry-After"]) == (503, "10")
            assert "2 are open" in (await third.json())["error"]
    first.close()
    async with asyncio.timeout(5):
        while host.feed.followers("c1"):  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    async with host.client.get(path, headers=BEARER) as reopened:
        assert reopened.status == 200
