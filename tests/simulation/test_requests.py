"""The benchmark of requests reads all output of its server, and reports a server that does not start."""

from __future__ import annotations

import asyncio
import sys

import pytest

from benchmarks.requests import server_url

VERBOSE_SERVER = """
import sys
print("Starting.", flush=True)
print("Host link:     http://127.0.0.1:1234/?token=abc", flush=True)
sys.stdout.write(("x" * 999 + "\\n") * 1000)
"""


async def start(program: str) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable, "-c", program, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )


async def test_a_server_that_prints_more_than_a_pipe_holds_does_not_block() -> None:
    server = await start(VERBOSE_SERVER)
    async with server_url(server) as url:
        assert url == "http://127.0.0.1:1234"
        async with asyncio.timeout(30):
            assert await server.wait() == 0


async def test_the_error_of_a_server_that_does_not_start_has_its_output() -> None:
    server = await start("import sys; sys.exit('port 1 is taken')")
    with pytest.raises(RuntimeError, match="did not start: port 1 is taken"):
        async with server_url(server):
            pass
    await server.wait()
