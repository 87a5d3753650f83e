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
from typing import Any, Final

import aiohttp

from benchmarks.figures import percentiles

_MOST_REQUESTS: Final = 50_000
_START_S: Final = 60.0
_WINDOW_S: Final = 1.0


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
            stderr=asyncio.subprocess.PIPE,
        )  # fmt: skip
        try:
            url = await _address(server)
            headers = {"Authorization": f"Bearer {token}"}
            async with aiohttp.ClientSession(url, headers=headers) as http:
                return await _measure(http, clients, seconds)
        finally:
            server.terminate()
            await server.wait()


async def _address(server: asyncio.subprocess.Process) -> str:
    if server.stderr is None:
        raise RuntimeError("the server's words cannot be read")
    async with asyncio.timeout(_START_S):
        while line := (await server.stderr.readline()).decode():
            if line.startswith("Host link:"):
                return line.split()[-1].partition("/?")[0]
    raise RuntimeError("the server did not start")


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
