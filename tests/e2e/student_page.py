"""A class in the embedded room and a student's page of it, in a real Chromium with a fake camera."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from axe_core_python.async_playwright import Axe
from playwright.async_api import Page, async_playwright

from bot.config import Settings
from bot.rooms.companion.adapter import Adapter
from bot.rooms.companion.room import CompanionRoom
from bot.rooms.contract import RoomEvent
from bot.rooms.registry import RoomContext
from tests.e2e.chromium import CHROMIUM

ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--use-fake-device-for-media-stream",
]
SECURITY_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "media-src 'self' blob:; connect-src 'self'; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=()",
}


async def headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY_HEADERS)


async def is_accessible(page: Page) -> None:
    """Axe-core finds nothing, at 320 px, in light and dark."""
    wide = page.viewport_size
    await page.set_viewport_size({"width": 320, "height": 700})
    for scheme in ("dark", "light"):
        await page.emulate_media(color_scheme=scheme)
        found = await Axe().run(page)
        assert [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in found["violations"]] == []
    assert await page.evaluate("document.documentElement.scrollWidth") == 320
    assert wide is not None
    await page.set_viewport_size(wide)


async def until(page: Page, true: str) -> None:
    """Wait until an expression is true; Playwright's own way is one the page's security policy forbids."""
    async with asyncio.timeout(15):
        while True:
            if await page.evaluate(true):
                return
            await asyncio.sleep(0.05)


async def before(page: Page, first: str, second: str) -> bool:
    """Whether one element stands above another."""
    one, other = await page.locator(first).bounding_box(), await page.locator(second).bounding_box()
    assert one is not None
    assert other is not None
    return one["y"] + one["height"] <= other["y"]


class Served:
    """A class, its address, and what the room told."""

    def __init__(self, adapter: Adapter, room: CompanionRoom, address: str) -> None:
        self.adapter, self.room, self.address = adapter, room, address
        self.told: list[RoomEvent] = []
        self.url = f"{address}/c/{room.code}"

    async def listen(self) -> None:
        async for event in self.room.events():
            self.told.append(event)

    async def next(self, kind: type[RoomEvent], after: int = 0, within_s: float = 15.0) -> RoomEvent:
        async with asyncio.timeout(within_s):
            while True:
                found = [event for event in self.told[after:] if isinstance(event, kind)]
                if found:
                    return found[0]
                await asyncio.sleep(0.05)


@pytest.fixture
async def served(request: pytest.FixtureRequest) -> AsyncIterator[Served]:
    chosen = getattr(request, "param", Settings())
    webrtc = chosen.webrtc.model_copy(update={"rejoin_s": 20.0})
    adapter = Adapter(RoomContext(chosen.model_copy(update={"webrtc": webrtc})))
    app = web.Application()
    app.add_routes(adapter.routes())
    app.on_response_prepare.append(headers)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    room = adapter.open("companion:")
    assert isinstance(room, CompanionRoom)
    async with room:
        held = Served(adapter, room, f"http://127.0.0.1:{port}")
        listener = asyncio.create_task(held.listen())
        yield held
    await listener
    await runner.cleanup()


@pytest.fixture
async def page(request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    allowed = getattr(request, "param", True)
    extra = ["--use-fake-ui-for-media-stream"] if allowed else ["--deny-permission-prompts"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=[*ARGUMENTS, *extra])
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        complaints: list[str] = []
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("console", lambda line: complaints.append(line.text) if line.type == "error" else None)
        yield page
        await browser.close()
    # Refusals and a network that is gone are part of the tests.
    expected = ("status of 4", "status of 5", "INTERNET_DISCONNECTED")
    assert [text for text in complaints if not any(part in text for part in expected)] == []
