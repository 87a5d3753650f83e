"""A student who joins a LiveKit room in a real browser, with LiveKit's own library for browsers.

The library comes from npm when the test runs, into a folder outside the source tree.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web
from playwright.async_api import Page

from tests.e2e.chromium import chromium

VERSION = "2.23.0"
_FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "classmood"
_FOLDER /= f"livekit-client-{VERSION}"
_LIBRARY = _FOLDER / "node_modules" / "livekit-client" / "dist" / "livekit-client.umd.js"

_PAGE = (
    "<!doctype html><meta charset=utf-8><title>student</title><script src=livekit.js></script>"
    "<script src=student.js></script>"
)

_SCRIPT = """
"use strict";
let room;
const heard = [];

async function join({url, token, codec}) {
  room = new LivekitClient.Room({dynacast: true, adaptiveStream: true});
  room.registerTextStreamHandler("lk.chat", async (reader) => heard.push(["stream", await reader.readAll()]));
  room.on("chatMessage", (message) => heard.push(["message", message.message]));
  await room.connect(url, token);
  const resolution = {width: 1280, height: 720};
  await room.localParticipant.setCameraEnabled(true, {resolution}, {videoCodec: codec, simulcast: true});
}

const participants = () => [...room.remoteParticipants.values()].map((one) => one.name);
const say = (text) => room.localParticipant.sendText(text, {topic: "lk.chat"});
const enable = (on) => room.localParticipant.setCameraEnabled(on);
"""


def needs_livekit_client() -> None:
    """Install the library if necessary; skip the test if that is not possible."""
    if _LIBRARY.exists():
        return
    npm = shutil.which("npm")
    if npm is None:
        pytest.skip("no npm to install livekit-client with: apt-get install npm")
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        command = [npm, "install", "--silent", "--no-audit", "--no-fund", "--ignore-scripts"]
        package = f"livekit-client@{VERSION}"
        done = subprocess.run([*command, "--prefix", str(_FOLDER), package], timeout=120, check=False)
    if done.returncode or not _LIBRARY.exists():
        pytest.skip("npm could not install livekit-client: check the network")


class BrowserStudent:
    """A student in a browser."""

    def __init__(self, page: Page) -> None:
        self.page = page

    async def join(self, url: str, token: str, codec: str = "vp8") -> None:
        await self.page.evaluate("join", {"url": url, "token": token, "codec": codec})

    async def participants(self) -> list[str]:
        """Names of the others, as the browser shows them."""
        names: list[str] = await self.page.evaluate("participants()")
        return names

    async def heard(self) -> list[list[str]]:
        """The messages of the chat so far, each with the form in which it came."""
        messages: list[list[str]] = await self.page.evaluate("heard")
        return messages

    async def say(self, text: str) -> None:
        await self.page.evaluate("say", text)

    async def enable(self, on: bool) -> None:
        """Switch the camera off or on."""
        await self.page.evaluate("async on => { await enable(on); }", on)


@asynccontextmanager
async def browser_student(camera: Path) -> AsyncIterator[BrowserStudent]:
    """Open the page in a browser whose camera plays a file."""

    async def page(_: web.Request) -> web.Response:
        return web.Response(text=_PAGE, content_type="text/html")

    async def script(_: web.Request) -> web.Response:
        return web.Response(text=_SCRIPT, content_type="text/javascript")

    async def library(_: web.Request) -> web.FileResponse:
        return web.FileResponse(_LIBRARY)

    app = web.Application()
    app.add_routes([web.get("/", page), web.get("/student.js", script), web.get("/livekit.js", library)])
    runner = web.AppRunner(app)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with chromium(camera) as browser:
            tab = await browser.new_page()
            await tab.goto(f"http://127.0.0.1:{runner.addresses[0][1]}/")
            yield BrowserStudent(tab)
    finally:
        await runner.cleanup()
