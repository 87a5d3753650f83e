"""Fuzzing of the HTTP interface by schemathesis, with valid and invalid requests, on loopback.

The number of requests is limited, and every run sends the same ones. No answer may have a status of 500 or
above, differ from the description, or take longer than ten seconds.
"""

from __future__ import annotations

import asyncio
import json
import socket
import threading
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.request import Request, urlopen

import pytest
import schemathesis
from aiohttp import web
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_schema_conformance,
    status_code_conformance,
)

from bot.config import Settings
from bot.metrics import Metrics
from bot.openapi import description_route, read_description
from bot.rooms.companion import bulletin, room, student_routes
from bot.rooms.companion.adapter import Adapter
from bot.rooms.registry import RoomContext
from bot.sessions.lifecycle import Sessions
from bot.sessions.recorder import Recorder
from reports.store import Store
from reports.web.application import build_app
from reports.web.feed import LiveFeed
from tests.reports.web.app_client import memory_keys

pytestmark = pytest.mark.slow

TOKEN = "a-token-for-fuzzing"
BEARER = {"Authorization": f"Bearer {TOKEN}"}
TIMEOUT_S = 10
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_schema_conformance,
]
DESCRIPTION = read_description()
OPERATIONS = {
    f"{operation.method.upper()} {operation.path}": operation
    for operation in (
        result.ok() for result in schemathesis.openapi.from_dict(DESCRIPTION).get_all_operations()
    )
}


@dataclass
class FuzzedServer:
    """A server in its own thread, with real sessions. It has the embedded room only, so that no request makes
    it connect to another machine."""

    folder: Path
    url: str = ""
    ready: threading.Event = field(default_factory=threading.Event)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    loop: asyncio.AbstractEventLoop | None = None

    def run(self) -> None:
        asyncio.run(self._serve())

    async def _serve(self) -> None:
        self.loop = asyncio.get_running_loop()
        async with AsyncExitStack() as stack:
            store = await asyncio.to_thread(Store.open, f"sqlite:///{self.folder / 'classes.db'}")
            stack.push_async_callback(asyncio.to_thread, store.close)
            listening = socket.create_server(("127.0.0.1", 0))
            self.url = f"http://127.0.0.1:{listening.getsockname()[1]}"
            adapter, feed, metrics = Adapter(RoomContext(Settings())), LiveFeed(), Metrics()
            sessions = Sessions(
                store=store, recorder=Recorder(store, metrics), feed=feed, adapters={"companion": adapter},
                reader=None, settings=Settings(), metrics=metrics, public_url=self.url,
            )  # fmt: skip
            app = await asyncio.to_thread(
                build_app, store=store, controller=sessions, feed=feed, keys=memory_keys(TOKEN),
                extra_routes=[description_route(), *adapter.routes()],
                registry=metrics.registry,
            )  # fmt: skip
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.SockSite(runner, listening).start()
            stack.push_async_callback(sessions.close)
            self.ready.set()
            await self.stop.wait()

    def post(self, path: str, fields: object) -> dict[str, Any]:
        headers = {**BEARER, "Content-Type": "application/json"}
        request = Request(self.url + path, json.dumps(fields).encode(), headers)
        with urlopen(request, timeout=TIMEOUT_S) as response:
            answer: dict[str, Any] = json.load(response)
            return answer


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[FuzzedServer]:
    with pytest.MonkeyPatch.context() as patched:
        # Without this the rate limiters would soon answer every request with 429. They have their own tests.
        for module, limit in (
            (student_routes, "_JOINS"), (student_routes, "_REQUESTS"), (student_routes, "_UNKNOWN_CODES"),
            (room, "_REJOINS"), (room, "_REPORTS"),
        ):  # fmt: skip
            patched.setattr(module, limit, (1_000_000, 1_000_000.0))
        patched.setattr(bulletin, "WAIT_S", 0.05)  # how long a request for the next question is kept waiting
        running = FuzzedServer(tmp_path_factory.mktemp("fuzzed"))
        thread = threading.Thread(target=running.run)
        thread.start()
        try:
            assert running.ready.wait(30)
            yield running
        finally:
            if running.loop is not None:
                running.loop.call_soon_threadsafe(running.stop.set)
            thread.join(30)


@pytest.mark.parametrize("name", OPERATIONS)
def test_no_request_breaks_the_server_or_its_description(server: FuzzedServer, name: str) -> None:
    operation = OPERATIONS[name]
    started = server.post("/api/classes", {"title": f"Fuzzing {name}"})
    student = server.post(f"/api/companion/{started['code']}/offer", {"consent": True})
    if operation.path.endswith("/live"):
        server.post(f"/api/classes/{started['id']}/end", {})  # otherwise the stream would not end
    values = {"class_id": started["id"], "code": started["code"], "version": "0", "name": "base.css"}
    parameters = {key: value for key, value in values.items() if f"{{{key}}}" in operation.path}
    strategies = [operation.as_strategy(mode, path_parameters=parameters or None) for mode in GenerationMode]
    if parameters:
        strategies.append(operation.as_strategy())
    statuses: list[int] = []

    @settings(
        max_examples=40, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=st.one_of(strategies), as_student=st.booleans())
    def send(case: Case, as_student: bool) -> None:
        if as_student and isinstance(case.body, dict) and "token" in case.body:
            case.body["token"] = student["token"]
        response = case.call(base_url=server.url, headers=BEARER, timeout=TIMEOUT_S)
        statuses.append(response.status_code)
        case.validate_response(response, checks=CHECKS)

    send()
    print(f"{name}: {len(statuses)} requests, statuses {sorted(set(statuses))}")
    health = urlopen(f"{server.url}/healthz", timeout=TIMEOUT_S)
    assert health.status == 200
