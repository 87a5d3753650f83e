"""Fixtures: a store in a real SQLite file, and the host's application that serves it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import web

from reports.store import Store
from reports.web.application import build_app
from reports.web.feed import LiveFeed
from tests.reports.builders import FakeController
from tests.reports.web.app_client import Client, Host, memory_keys


async def _raise_error(_request: web.Request) -> web.Response:
    raise ArithmeticError("secret detail")


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "classes.db"


@pytest.fixture
def store(path: Path) -> Iterator[Store]:
    with closing(Store.open(f"sqlite:///{path}")) as opened:
        yield opened


@pytest.fixture
async def host(store: Store, aiohttp_client: Callable[..., Awaitable[Client]]) -> Host:
    feed = LiveFeed()
    hosts: list[Host] = []  # filled below: the application needs a callback to its host
    app = build_app(
        store=store,
        controller=FakeController(store, feed),
        feed=feed,
        keys=memory_keys("token"),
        ready=lambda: hosts[0].unready,
        heartbeat_s=0.05,
        extra_routes=[web.get("/fails", _raise_error)],
    )
    hosts.append(Host(await aiohttp_client(app), store, feed))
    return hosts[0]
