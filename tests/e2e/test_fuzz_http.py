"""The HTTP interface sent what its description allows and what it does not, by schemathesis, on loopback.

Bounded in count, the same requests in every run. No answer of 500 and above, none that the description
does not know, none that takes longer than ten seconds.
"""

from __future__ import annotations

import asyncio
import json
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
from bot.rooms.companion import room, student_routes
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
LONGEST_S = 10
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
class Fuzzed:
    """A server in a thread of its own, with real sessions and the embedded room only: no request leads
    to another machine."""

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
            adapter, feed, metrics = Adapter(RoomContext(Settings())), LiveFeed(), Metrics()
            sessions = Sessions(
                store=store, recorder=Recorder(store, metrics), feed=feed, adapters={"companion": adapter},
                reader=None, settings=Settings(), metrics=metrics, public_url=lambda: self.url,
            )  # fmt: skip
            app = await asyncio.to_thread(
                build_app, store=store, controller=sessions, feed=feed, keys=memory_keys(TOKEN),
                extra_routes=[description_route(), *adapter.routes()],
                registry=metrics.registry,
            )  # fmt: skip
            runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
            await runner.setup()
            stack.push_async_callback(runner.cleanup)
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            stack.push_async_callback(sessions.close)
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            self.ready.set()
            await self.stop.wait()

    def ask(self, path: str, fields: object) -> dict[str, Any]:
        headers = {**BEARER, "Content-Type": "application/json"}
        request = Request(self.url + path, json.dumps(fields).encode(), headers)
        with urlopen(request, timeout=LONGEST_S) as response:
            found: dict[str, Any] = json.load(response)
            return found


@pytest.fixture(scope="module")
def fuzzed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fuzzed]:
    with pytest.MonkeyPatch.context() as patched:
        # The limits would answer everything with 429 after a while; they have tests of their own.
        for module, limit in (
            (student_routes, "_JOINS"), (student_routes, "_REQUESTS"), (student_routes, "_UNKNOWN_CODES"),
            (room, "_REJOINS"), (room, "_REPORTS"),
        ):  # fmt: skip
            patched.setattr(module, limit, (1_000_000, 1_000_000.0))
        server = Fuzzed(tmp_path_factory.mktemp("fuzzed"))
        thread = threading.Thread(target=server.run)
        thread.start()
        try:
            assert server.ready.wait(30)
            yield server
        finally:
            if server.loop is not None:
                server.loop.call_soon_threadsafe(server.stop.set)
            thread.join(30)


@pytest.mark.parametrize("name", OPERATIONS)
def test_nothing_sent_breaks_the_server_or_its_description(fuzzed: Fuzzed, name: str) -> None:
    operation = OPERATIONS[name]
    made = fuzzed.ask("/api/classes", {"title": f"Fuzzing {name}"})
    student = fuzzed.ask(f"/api/companion/{made['code']}/offer", {"consent": True})
    if operation.path.endswith("/live"):
        fuzzed.ask(f"/api/classes/{made['id']}/end", {})  # else the stream goes on, as it should
    known = {"class_id": made["id"], "code": made["code"], "version": "0", "name": "base.css"}
    parameters = {key: value for key, value in known.items() if f"{{{key}}}" in operation.path}
    strategies = [operation.as_strategy(mode, path_parameters=parameters or None) for mode in GenerationMode]
    if parameters:
        strategies.append(operation.as_strategy())
    sent: list[int] = []

    @settings(
        max_examples=40, deadline=None, derandomize=True, database=None,
        suppress_health_check=list(HealthCheck),
    )  # fmt: skip
    @given(case=st.one_of(strategies), as_student=st.booleans())
    def send(case: Case, as_student: bool) -> None:
        if as_student and isinstance(case.body, dict) and "token" in case.body:
            case.body["token"] = student["token"]
        response = case.call(base_url=fuzzed.url, headers=BEARER, timeout=LONGEST_S)
        sent.append(response.status_code)
        case.validate_response(response, checks=CHECKS)

    send()
    print(f"{name}: {len(sent)} requests, answers {sorted(set(sent))}")
    alive = urlopen(f"{fuzzed.url}/healthz", timeout=LONGEST_S)
    assert alive.status == 200
