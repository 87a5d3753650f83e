"""A real server in a process of its own, as attackers see it, and what an attack brings back."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from aiohttp import ClientSession

ROOT: Final = Path(__file__).parents[2]
_START_S: Final = 30.0
_LINK: Final = re.compile(r"Host link:\s+(http://\S+)/\?token=(\S+)")


@dataclass(frozen=True, slots=True)
class Result:
    """What an attack brought.

    Attributes:
        figure: What was measured, in a few words.
        held: Whether the defence held.
    """

    figure: str
    held: bool


@dataclass(slots=True, eq=False)
class Target:
    """A running server.

    Attributes:
        url: Where it listens.
        token: The host token.
        folder: Its working folder, with the database.
        process: The server.
        log: Its standard error so far.
        session: An HTTP client.
    """

    url: str
    token: str
    folder: Path
    process: asyncio.subprocess.Process
    log: Path
    session: ClientSession

    @property
    def bearer(self) -> dict[str, str]:
        """Headers of the host."""
        return {"Authorization": f"Bearer {self.token}"}

    def has_traceback(self) -> bool:
        """Whether the server has logged an error with its traceback."""
        return "Traceback" in self.log.read_text(encoding="utf-8", errors="replace")

    async def start_class(self, room: str = "companion:", title: str = "") -> dict[str, Any]:
        """Start a class as the host; the class as JSON once it is live."""
        async with self.session.post(
            f"{self.url}/api/classes", json={"room": room, "title": title}, headers=self.bearer
        ) as response:
            assert response.status == 201, await response.text()
            made: dict[str, Any] = await response.json()
        for _ in range(100):
            if (await self.class_of(made["id"]))["state"] == "live":
                break
            await asyncio.sleep(0.05)
        return made

    async def class_of(self, class_id: str) -> dict[str, Any]:
        """A class as JSON."""
        async with self.session.get(f"{self.url}/api/classes/{class_id}", headers=self.bearer) as response:
            found: dict[str, Any] = await response.json()
            return found

    async def join(self, code: str, name: str | None = None) -> dict[str, Any]:
        """Join as a student without a camera; with a name, agree to check-ins."""
        return await self._admitted(code, {"individual": name is not None, "name": name})

    async def offer(self, code: str, sdp: str) -> str:
        """Join as a student with a camera; the SDP answer."""
        answer = (await self._admitted(code, {"sdp": sdp, "type": "offer"}))["sdp"]
        assert isinstance(answer, str)
        return answer

    async def windows_of(self, class_id: str) -> list[dict[str, Any]]:
        """The windows of a class so far, as JSON."""
        url = f"{self.url}/api/classes/{class_id}/windows"
        async with self.session.get(url, headers=self.bearer) as response:
            found: list[dict[str, Any]] = await response.json()
            return found

    async def _admitted(self, code: str, fields: dict[str, Any]) -> dict[str, Any]:
        body = {"consent": True, **fields}
        async with self.session.post(f"{self.url}/api/companion/{code}/offer", json=body) as response:
            assert response.status == 200, await response.text()
            found: dict[str, Any] = await response.json()
            return found

    async def stop(self) -> None:
        """Stop the server as Ctrl-C does."""
        if self.process.returncode is None:
            self.process.send_signal(signal.SIGINT)
            try:
                async with asyncio.timeout(15):
                    await self.process.wait()
            except TimeoutError:
                self.process.kill()
                await self.process.wait()

    async def response_time_s(self) -> float:
        """How long ``/healthz`` takes to answer."""
        began_s = time.monotonic()
        async with self.session.get(f"{self.url}/healthz") as response:
            await response.read()
        return time.monotonic() - began_s


Attack = Callable[[Target], Awaitable[Result]]


def cpu_s(process_id: int) -> float:
    """CPU seconds of a process so far."""
    fields = Path(f"/proc/{process_id}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@asynccontextmanager
async def running(folder: Path, **settings: object) -> AsyncIterator[Target]:
    """A server with these settings (``section__key=value``); it is stopped at the end.

    Raises:
        RuntimeError: it did not start.
    """
    environment = {f"CLASSMOOD_{key.upper()}": json.dumps(value) for key, value in settings.items()}
    log = folder / "server.log"
    with log.open("wb") as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable, "-m", "bot", "serve", "--port", "0",
            cwd=folder,
            env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1", **environment},
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
        )  # fmt: skip
    async with ClientSession() as session:
        target = Target("", "", folder, process, log, session)
        try:
            target.url, target.token = await _link(process)
            yield target
        finally:
            await target.stop()


async def _link(process: asyncio.subprocess.Process) -> tuple[str, str]:
    assert process.stdout is not None
    async with asyncio.timeout(_START_S):
        while line := (await process.stdout.readline()).decode():
            if found := _LINK.search(line):
                return found[1], found[2]
    raise RuntimeError("the server did not start: see server.log in its folder")
