"""bot/openapi.yaml describes exactly the existing routes, and its schemas match the program's JSON."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import jsonschema_rs
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.config import Settings
from bot.openapi import description_route, read_description
from bot.rooms.registry import RoomContext, adapters
from reports.store import Store
from reports.summary.asks import Ask
from reports.summary.indications import Alert, AlertKind, Indicator, Level, Sureness, Word
from reports.summary.records import Marker
from reports.web import application as host_web
from reports.web.feed import LiveFeed
from tests.reports.builders import FakeController, a_class, a_window
from tests.reports.web.app_client import memory_keys

DESCRIPTION = read_description()


def existing_routes(store: Store) -> set[tuple[str, str]]:
    """Method and path of every route of the whole application."""
    feed = LiveFeed()
    app = host_web.build_app(
        store=store,
        controller=FakeController(store, feed),
        feed=feed,
        keys=memory_keys("token"),
        extra_routes=[
            description_route(),
            *(route for adapter in adapters(RoomContext(Settings())).values() for route in adapter.routes()),
        ],
    )
    return {
        (route.method, re.sub(r"\{(\w+):[^{}]*(?:\{[^{}]*\})?[^{}]*\}", r"{\1}", route.resource.canonical))
        for route in app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }


def test_description_lists_exactly_the_existing_routes(tmp_path: Path) -> None:
    described = {
        (method.upper(), path)
        for path, operations in DESCRIPTION["paths"].items()
        for method in operations
        if method != "parameters"
    }
    store = Store.open(f"sqlite:///{tmp_path / 'classes.db'}")
    try:
        assert existing_routes(store) == described
    finally:
        store.close()


def test_routes_without_a_token_are_described_as_such() -> None:
    for path, operations in DESCRIPTION["paths"].items():
        for method, operation in operations.items():
            if method == "parameters":
                continue
            open_to_all = re.match(
                r"/(healthz|readyz|static|c/|companion-static|api/companion|api/openapi)", path
            )
            assert (operation.get("security") == []) is bool(open_to_all), path
            assert ("401" in operation["responses"]) is not bool(open_to_all), path


def test_json_objects_match_their_schemas() -> None:
    indicator = Indicator(
        class_id="c1", at_s=1.0, word=Word.STEADY, level=Level.CALM, since_s=1.0, arrow="level",
        sure=Sureness.LOW, from_pulses=False, detail="", disagreement="", analysed=6, participants=8,
    )  # fmt: skip
    for name, json_object in (
        ("Class", a_class().to_json()),
        ("Window", a_window().to_json()),
        ("Window", a_window(happy=None).to_json()),
        ("Indicator", indicator.to_json()),
        ("Ask", Ask("a", "c1", 1.0, 31.0, "", ("with_me", "lost"), {"lost": 1}, 2).to_json()),
        ("Marker", Marker("c1", 1.0, "Quiz").to_json()),
        ("Alert", Alert("c1", 1.0, AlertKind.LOST, "3 of 9").to_json()),
    ):
        schema = DESCRIPTION["components"]["schemas"][name]
        jsonschema_rs.validator_for(schema).validate(json_object)
        assert set(schema["required"]) == set(schema["properties"]) == set(json_object), name


async def test_description_is_served_without_a_token() -> None:
    app = web.Application()
    app.add_routes([await asyncio.to_thread(description_route)])
    async with TestClient(TestServer(app)) as client:
        response = await client.get("/api/openapi.json")
        assert await response.json() == DESCRIPTION
