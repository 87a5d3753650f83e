"""Attacks by HTTP requests of strangers."""

from __future__ import annotations

import asyncio
import gzip
import resource
from typing import Final
from urllib.parse import quote

from tests.attack.target import Result, Target, cpu_s

_UNPACKED_BYTES: Final = 60_000_000


async def compressed_bodies(target: Target) -> Result:
    """Small gzip bodies that unpack to 60 MB, to routes that answer with errors."""
    body = gzip.compress(bytes(_UNPACKED_BYTES))
    headers = {"Content-Encoding": "gzip", "Content-Type": "application/json"}
    before_s, statuses = cpu_s(target.process.pid), set[int]()
    paths = ("/api/classes", "/api/companion/none-00000/offer", "/nothing")
    for number in range(12):
        url = target.url + paths[number % len(paths)]
        async with target.session.post(url, data=body, headers=headers) as response:
            statuses.add(response.status)
    each_ms = (cpu_s(target.process.pid) - before_s) / 12 * 1000
    return Result(
        f"{each_ms:.0f} ms of CPU each, answers {sorted(statuses)}", each_ms < 10 and statuses == {415}
    )


async def foreign_host_name(target: Target) -> Result:
    """DNS rebinding: a page of a stranger's host name that leads to loopback reads /metrics."""
    statuses = set[int]()
    for name in (
        "evil.example",
        "localhost.evil.example",
        "127.0.0.1.evil.example",
        "evil.example@127.0.0.1",
    ):
        statuses.add(await _status(target, "/metrics", name))
    own = await _status(target, "/metrics", "localhost")
    return Result(f"answers {sorted(statuses)}, to localhost {own}", statuses == {401} and own == 200)


async def malformed_host_names(target: Target) -> Result:
    """Host headers from which no URL can be made, to pages that build one."""
    code = (await target.start_class())["code"]
    statuses = set[int]()
    for path in ("/metrics", f"/c/{code}/qr.svg", f"/c/{code}", "/"):
        for name in ("[", "[::1", "localhost:x", "localhost:99999999"):
            statuses.add(await _status(target, path, name))
    traceback = target.has_traceback()
    held = 400 in statuses and max(statuses) < 500 and not traceback
    return Result(f"answers {sorted(statuses)}, traceback {traceback}", held)


async def _status(target: Target, path: str, host: str) -> int:
    """The status of a page for a request that names this host."""
    async with target.session.get(target.url + path, headers={"Host": host}) as response:
        await response.read()
        return response.status


async def room_urls(target: Target) -> Result:
    """Room URLs that make the file system raise."""
    statuses = []
    for room in ("replay:" + "x" * 300, "replay:/root/" + "y/" * 200, "replay:\x01"):
        async with target.session.post(
            f"{target.url}/api/classes", json={"room": room}, headers=target.bearer
        ) as response:
            statuses.append(response.status)
    traceback = target.has_traceback()
    return Result(f"answers {statuses}, traceback {traceback}", set(statuses) == {400} and not traceback)


async def parser_names_the_library(target: Target) -> Result:
    """A malformed request: the answer names no library and no version."""
    host, _, port = target.url.removeprefix("http://").rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nBad Header\x00: 1\r\n\r\n")
    await writer.drain()
    async with asyncio.timeout(5):
        answer = (await reader.read(4096)).decode(errors="replace")
    writer.close()
    return Result(answer.splitlines()[0][:60] if answer else "no answer", "aiohttp" not in answer.lower())


async def slow_bodies(target: Target) -> Result:
    """A hundred bodies that never arrive; others are answered meanwhile."""
    host, _, port = target.url.removeprefix("http://").rpartition(":")
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    writers = []
    for _ in range(min(100, soft // 4)):
        _, writer = await asyncio.open_connection(host, int(port))
        path = quote("/api/companion/none-00000/offer")
        writer.write(f"POST {path} HTTP/1.1\r\nHost: {host}\r\nContent-Length: 1000\r\n\r\n{{".encode())
        writers.append(writer)
    took_s = max([await target.response_time_s() for _ in range(5)])
    for writer in writers:
        writer.close()
    return Result(f"/healthz within {took_s * 1000:.0f} ms", took_s < 0.5)
