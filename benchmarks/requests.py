"""``benchmarks requests``: how many requests a second a server answers while its live page is open.

The server runs in a process of its own, as it always does, with a class in the embedded room that a page
follows; a few clients here ask for what the live page asks for, as fast as they are answered. Bounded in
time and count, and on loopback only.
"""

from __future__ import annotations

import asyncio
import os
import secrets
import sys
import tempfile
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from typing import Any, Final

import aiohttp

from benchmarks.figures import percentiles

_MOST_REQUESTS: Final = 50_000
_START_S: Final = 60.0
_WINDOW_S: Final = 1.0
_LINES: Final = 5
_READ_BYTES: Final = 64 * 1024


async def ask(clients: int, seconds: float) -> dict[str, Any]:
    """Start a server, ask, stop it.

    Args:
        clients: How many ask at a time.
        seconds: For how long.
    """
    token = secrets.token_hex(16)
    with tempfile.TemporaryDirectory() as folder:
        server = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "serve", "--port", "0",
            cwd=folder,
            env={
                **os.environ,
                "PYTHONPATH": os.pathsep.join(filter(None, sys.path)),
                "CLASSMOOD_WEB__TOKEN": token,
                "CLASSMOOD_ANALYSIS__WINDOW_S": str(_WINDOW_S),
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )  # fmt: skip
        try:
            headers = {"Authorization": f"Bearer {token}"}
            async with heard(server) as url, aiohttp.ClientSession(url, headers=headers) as http:
                return await _measure(http, clients, seconds)
        finally:
            with suppress(ProcessLookupError):  # it ended by itself: what it said goes up
                server.terminate()
            await server.wait()


@asynccontextmanager
async def heard(server: asyncio.subprocess.Process) -> AsyncIterator[str]:
    """The address in the host link a server prints, and all it says read to the end.

    A server nobody listens to would stand still as soon as the pipe is full.

    Raises:
        RuntimeError: it ended, or said nothing for a minute; with the last it said.
    """
    said_by_it = server.stdout
    if said_by_it is None:
        raise RuntimeError("the server's words cannot be read")
    said = deque[str](maxlen=_LINES)
    try:
        async with asyncio.timeout(_START_S):
            while not (said and said[-1].startswith("Host link:")):
                if not (line := await said_by_it.readline()):
                    raise RuntimeError(f"the server did not start: {' | '.join(said)}")
                said.append(line.decode().strip())
    except TimeoutError as exc:
        raise RuntimeError(f"the server did not start in {_START_S:.0f} s: {' | '.join(said)}") from exc

    async def listen() -> None:
        while await said_by_it.read(_READ_BYTES):
            pass

    listening = asyncio.create_task(listen())
    try:
        yield said[-1].split()[-1].partition("/?")[0]
    finally:
        listening.cancel()
        await asyncio.wait([listening])


async def _measure(http: aiohttp.ClientSession, clients: int, seconds: float) -> dict[str, Any]:
    async with http.post("/api/classes", json={"room": "companion:", "title": "Benchmark"}) as response:
        made = await response.json()
    path = f"/api/classes/{made['id']}"
    asked = [path, f"{path}/windows", f"{path}/indicators", f"/classes/{made['id']}", "/api/classes"]
    took_ms: list[float] = []
    failed = 0
    windows = 0
    ends_s = time.monotonic() + seconds

    async def follow() -> None:
        nonlocal windows
        async with http.get(f"{path}/live", timeout=aiohttp.ClientTimeout(total=None)) as stream:
            async for line in stream.content:
                windows += line == b"event: summary\n"

    async def client(number: int) -> None:
        nonlocal failed
        turn = number
        while time.monotonic() < ends_s and len(took_ms) < _MOST_REQUESTS:
            began_s = time.perf_counter()
            async with http.get(asked[turn % len(asked)]) as response:
                await response.read()
                failed += response.status != 200
            took_ms.append((time.perf_counter() - began_s) * 1000)
            turn += 1

    following = asyncio.create_task(follow())
    began_s = time.monotonic()
    await asyncio.gather(*(client(number) for number in range(clients)))
    lasted_s = time.monotonic() - began_s
    await asyncio.sleep(2 * _WINDOW_S)
    following.cancel()
    await asyncio.wait([following])
    return {
        "clients": clients,
        "seconds": round(lasted_s, 1),
        "requests": len(took_ms),
        "requests_per_s": round(len(took_ms) / lasted_s, 1),
        "failed": failed,
        "latency_ms": percentiles(took_ms),
        "windows_on_the_page": windows,
        "windows_due": int(lasted_s / _WINDOW_S),
        "machine_cores": os.cpu_count(),
    }
