"""``benchmarks requests``: how many requests a second a server answers while its live page is open.

The server runs in a separate process, with a class in the embedded room whose live feed is read. Several
clients request what the live page requests, each as fast as the server answers. Time and number of requests
are limited, and all requests stay on this machine.
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

_MAX_REQUESTS: Final = 50_000
_START_TIMEOUT_S: Final = 60.0
_WINDOW_S: Final = 1.0
_KEPT_LINES: Final = 5
_READ_BYTES: Final = 64 * 1024


async def measure_requests(clients: int, seconds: float) -> dict[str, Any]:
    """Start a server, measure it, and stop it.

    Args:
        clients: Number of concurrent clients.
        seconds: How long to measure.
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
            async with server_url(server) as url, aiohttp.ClientSession(url, headers=headers) as http:
                return await _measure(http, clients, seconds)
        finally:
            with suppress(ProcessLookupError):  # it ended by itself, which has already raised an error
                server.terminate()
            await server.wait()


@asynccontextmanager
async def server_url(server: asyncio.subprocess.Process) -> AsyncIterator[str]:
    """Provide the URL from the host link that a server prints, and read all its further output.

    If nobody read the output, the server would block as soon as the pipe is full.

    Raises:
        RuntimeError: the server ended or printed no host link within a minute; the text has its last lines.
    """
    stream = server.stdout
    if stream is None:
        raise RuntimeError("start the server with stdout=PIPE: its output cannot be read")
    lines = deque[str](maxlen=_KEPT_LINES)
    try:
        async with asyncio.timeout(_START_TIMEOUT_S):
            while not (lines and lines[-1].startswith("Host link:")):
                if not (line := await stream.readline()):
                    raise RuntimeError(f"the server did not start: {' | '.join(lines)}")
                lines.append(line.decode().strip())
    except TimeoutError as exc:
        raise RuntimeError(
            f"the server did not start in {_START_TIMEOUT_S:.0f} s: {' | '.join(lines)}"
        ) from exc

    async def drain() -> None:
        while await stream.read(_READ_BYTES):
            pass

    draining = asyncio.create_task(drain())
    try:
        yield lines[-1].split()[-1].partition("/?")[0]
    finally:
        draining.cancel()
        await asyncio.wait([draining])


async def _measure(http: aiohttp.ClientSession, clients: int, seconds: float) -> dict[str, Any]:
    async with http.post("/api/classes", json={"room": "companion:", "title": "Benchmark"}) as response:
        created = await response.json()
    path = f"/api/classes/{created['id']}"
    paths = [path, f"{path}/windows", f"{path}/indicators", f"/classes/{created['id']}", "/api/classes"]
    took_ms: list[float] = []
    failed = 0
    windows = 0
    until_s = time.monotonic() + seconds

    async def follow() -> None:
        nonlocal windows
        async with http.get(f"{path}/live", timeout=aiohttp.ClientTimeout(total=None)) as stream:
            async for line in stream.content:
                windows += line == b"event: summary\n"

    async def client(number: int) -> None:
        nonlocal failed
        index = number
        while time.monotonic() < until_s and len(took_ms) < _MAX_REQUESTS:
            began_s = time.perf_counter()
            async with http.get(paths[index % len(paths)]) as response:
                await response.read()
                failed += response.status != 200
            took_ms.append((time.perf_counter() - began_s) * 1000)
            index += 1

    following = asyncio.create_task(follow())
    began_s = time.monotonic()
    await asyncio.gather(*(client(number) for number in range(clients)))
    duration_s = time.monotonic() - began_s
    await asyncio.sleep(2 * _WINDOW_S)
    following.cancel()
    await asyncio.wait([following])
    return {
        "clients": clients,
        "seconds": round(duration_s, 1),
        "requests": len(took_ms),
        "requests_per_s": round(len(took_ms) / duration_s, 1),
        "failed": failed,
        "latency_ms": percentiles(took_ms),
        "windows_on_the_page": windows,
        "windows_due": int(duration_s / _WINDOW_S),
        "machine_cores": os.cpu_count(),
    }
