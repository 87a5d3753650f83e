"""An embedded room on a test server, and its student page in a real Chromium with a fake camera."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from aiohttp import web
from axe_core_python.async_playwright import Axe
from playwright.async_api import Page, async_playwright

from bot.config import Settings
from bot.rooms.companion.adapter import Adapter
from bot.rooms.companion.room import CompanionRoom
from bot.rooms.contract import OptedOut, RoomEvent
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


async def add_security_headers(request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(SECURITY_HEADERS)


async def is_accessible(page: Page) -> None:
    """Assert that axe-core reports no violation at a width of 320 px, in light and dark."""
    viewport = page.viewport_size
    await page.set_viewport_size({"width": 320, "height": 700})
    for scheme in ("dark", "light"):
        await page.emulate_media(color_scheme=scheme)
        result = await Axe().run(page)
        violations = [(rule["id"], [node["html"] for node in rule["nodes"]]) for rule in result["violations"]]
        assert violations == [], violations
    assert await page.evaluate("document.documentElement.scrollWidth") == 320
    assert viewport is not None
    await page.set_viewport_size(viewport)


async def until(page: Page, condition: str) -> None:
    """Wait until a JavaScript expression is true.

    Playwright's ``wait_for_function`` evaluates strings, which the page's security policy forbids.
    """
    async with asyncio.timeout(15):
        while True:
            if await page.evaluate(condition):
                return
            await asyncio.sleep(0.05)


async def is_above(page: Page, first: str, second: str) -> bool:
    """Whether the first element ends above the start of the second one."""
    upper, lower = await page.locator(first).bounding_box(), await page.locator(second).bounding_box()
    assert upper is not None
    assert lower is not None
    return upper["y"] + upper["height"] <= lower["y"]


class ServedRoom:
    """An open embedded room, the address of its student page, and the events the room has published."""

    def __init__(self, room: CompanionRoom, server_url: str) -> None:
        self.room = room
        self.events: list[RoomEvent] = []
        self.url = f"{server_url}/c/{room.code}"

    async def listen(self) -> None:
        async for event in self.room.events():
            if isinstance(event, OptedOut):
                event.on_erased()
            self.events.append(event)

    async def next(self, kind: type[RoomEvent], after: int = 0, within_s: float = 15.0) -> RoomEvent:
        """Wait for the first event of a kind, skipping the first ``after`` events."""
        async with asyncio.timeout(within_s):
            while True:
                matching = [event for event in self.events[after:] if isinstance(event, kind)]
                if matching:
                    return matching[0]
                await asyncio.sleep(0.05)


@pytest.fixture
async def served_room(request: pytest.FixtureRequest) -> AsyncIterator[ServedRoom]:
    """An open room with the settings that a test gives as the fixture's parameter, or the defaults."""
    settings = getattr(request, "param", Settings())
    webrtc = settings.webrtc.model_copy(update={"rejoin_s": 20.0})
    adapter = Adapter(RoomContext(settings.model_copy(update={"webrtc": webrtc})))
    app = web.Application()
    app.add_routes(adapter.routes())
    app.on_response_prepare.append(add_security_headers)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    port = runner.addresses[0][1]
    room = adapter.open("companion:")
    assert isinstance(room, CompanionRoom)
    async with room:
        opened = ServedRoom(room, f"http://127.0.0.1:{port}")
        listener = asyncio.create_task(opened.listen())
        yield opened
    await listener
    await runner.cleanup()


@pytest.fixture
async def page(request: pytest.FixtureRequest) -> AsyncIterator[Page]:
    """A page in Chromium that may use the camera, unless the fixture's parameter is False.

    Fails the test if a script of the page raised or logged an unexpected error.
    """
    allowed = getattr(request, "param", True)
    extra = ["--use-fake-ui-for-media-stream"] if allowed else ["--deny-permission-prompts"]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=[*ARGUMENTS, *extra])
        page = await browser.new_page(viewport={"width": 1280, "height": 900})
        errors: list[str] = []
        page.on("pageerror", lambda error: errors.append(str(error)))
        page.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)
        yield page
        await browser.close()
    # The tests provoke refusals and a lost network.
    expected = ("status of 4", "status of 5", "INTERNET_DISCONNECTED")
    assert [text for text in errors if not any(part in text for part in expected)] == []
