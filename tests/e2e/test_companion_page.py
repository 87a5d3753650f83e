"""The student's page in a real Chromium with a fake camera, served with the host's security headers."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from axe_core_python.async_playwright import Axe
from playwright.async_api import Page, async_playwright, expect

from bot.companion.room import CompanionRoom
from bot.config import PrivacySettings, Settings, WebrtcSettings
from bot.room import Joined, Left, Muted, OptedOut, Pulse, RoomEvent, TrackAdded, TrackRemoved
from bot.rooms import RoomContext
from bot.rooms.companion import Adapter
from tests.cameras import needs_network

CHROMIUM = Path("/usr/bin/chromium")
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
pytestmark = [
    pytest.mark.browser,
    needs_network,
    pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium at /usr/bin/chromium"),
]


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


async def test_a_student_takes_part_leaves_comes_back_and_is_erased(served: Served, page: Page) -> None:
    await page.goto(served.url)
    await expect(page.locator("#join")).to_be_disabled()
    await page.fill("#name", "Ada")
    await page.check("#consent")
    await expect(page.locator("#preview")).to_be_visible()
    assert await before(page, "#preview", "#join")
    await is_accessible(page)
    assert served.told == []  # nothing before Join
    await page.click("#join")

    joined = await served.next(Joined)
    assert isinstance(joined, Joined)
    assert (joined.name, joined.consented) == ("Ada", True)
    added = await served.next(TrackAdded)
    assert isinstance(added, TrackAdded)
    async with asyncio.timeout(10):
        frames = [await added.track.recv() for _ in range(10)]
    assert {frame.luma().shape for frame in frames} == {(180, 320)}
    rate = 9 / (frames[-1].at_s - frames[0].at_s)
    assert 2 < rate < 6  # twice what is looked at
    await expect(page.locator("#status")).to_contain_text("camera is on")
    assert await before(page, "#pulse-lost", "#preview")
    await expect(page.locator("#preview-note")).to_contain_text("Nobody sees this but you")
    assert not await page.locator("#preview").evaluate("video => video.paused")
    await expect(page.locator("#in-class-title")).to_be_focused()
    await is_accessible(page)

    await page.click("#pulse-too_slow")
    pulse = await served.next(Pulse)
    assert isinstance(pulse, Pulse)
    assert (pulse.participant_id, pulse.kind) == (joined.participant_id, "too_slow")
    await expect(page.locator("#pulse-note")).to_contain_text("Sent: Too slow")

    await page.click("#camera-toggle")
    muted = await served.next(Muted)
    assert muted == Muted(joined.participant_id, True)
    await expect(page.locator("#status")).to_contain_text("camera is off")
    mark = len(served.told)
    await page.click("#camera-toggle")
    assert await served.next(Muted, after=mark) == Muted(joined.participant_id, False)

    await page.click("#leave")
    assert await served.next(Left) == Left(joined.participant_id)
    await expect(page.locator("#status")).to_contain_text("You left")
    await expect(page.locator("#status")).to_be_focused()  # at the top, where the page begins anew
    assert await before(page, "#status", "#notice")
    assert await page.evaluate("document.querySelector('#preview').srcObject") is None
    mark = len(served.told)

    await page.check("#consent")
    await page.click("#join")
    again = await served.next(Joined, after=mark)
    assert isinstance(again, Joined)
    assert again.participant_id == joined.participant_id
    await page.click("#erase")
    await page.click("#erase-confirm")
    assert await served.next(OptedOut) == OptedOut(joined.participant_id)
    await expect(page.locator("#status")).to_contain_text("erased")
    await expect(page.locator("#in-class")).to_be_hidden()


async def test_a_broken_connection_mends_itself_and_the_end_is_told(served: Served, page: Page) -> None:
    await page.goto(served.url)
    await page.check("#consent")
    await page.click("#join")
    await served.next(TrackAdded)
    mark = len(served.told)
    student = served.room._students[0]
    assert student.peer is not None
    await student.peer.close()  # as when the network goes
    assert isinstance(await served.next(TrackRemoved, after=mark), TrackRemoved)
    assert isinstance(await served.next(TrackAdded, after=mark), TrackAdded)
    assert [type(event) for event in served.told].count(Joined) == 1
    await expect(page.locator("#status")).to_contain_text("camera is on")

    await served.room.__aexit__(None, None, None)
    await expect(page.locator("#status")).to_contain_text("has ended", timeout=15000)
    assert await page.evaluate("document.querySelector('#preview').srcObject") is None


async def test_a_server_that_is_gone_is_said_and_how_the_camera_goes_off(served: Served, page: Page) -> None:
    await page.goto(served.url)
    await page.check("#consent")
    await page.click("#join")
    await served.next(TrackAdded)
    await page.context.set_offline(True)
    await expect(page.locator("#status")).to_contain_text("Trying again", timeout=20_000)
    await expect(page.locator("#status")).to_contain_text("close this page", timeout=40_000)
    await page.context.set_offline(False)
    await expect(page.locator("#status")).to_contain_text("camera is on", timeout=40_000)


@pytest.mark.parametrize("page", [False], indirect=True)
async def test_a_refused_camera_still_lets_a_student_take_part(served: Served, page: Page) -> None:
    await page.goto(served.url)
    await page.check("#consent")
    await expect(page.locator("#status")).to_contain_text("no camera")
    await page.click("#join")
    joined = await served.next(Joined)
    assert isinstance(joined, Joined)
    assert await served.next(Muted) == Muted(joined.participant_id, True)
    await expect(page.locator("#status")).to_contain_text("without a camera")
    await page.click("#pulse-lost")
    await served.next(Pulse)
    mark = len(served.told)
    await page.goto("about:blank")  # closing the page
    assert await served.next(Left, after=mark) == Left(joined.participant_id)


async def test_a_camera_that_opens_when_the_consent_is_gone_is_stopped_at_once(
    served: Served, page: Page
) -> None:
    await page.add_init_script(
        """
        const devices = navigator.mediaDevices, open = devices.getUserMedia.bind(devices);
        devices.getUserMedia = async (wanted) => {
          window.opened = await open(wanted);
          await new Promise((resolve) => { window.answer = resolve; });
          return window.opened;
        };
        """
    )
    await page.goto(served.url)
    await page.check("#consent")
    await until(page, "window.answer !== undefined")
    await page.uncheck("#consent")
    await page.evaluate("window.answer()")
    await until(page, "window.opened.getTracks().every((track) => track.readyState === 'ended')")
    await expect(page.locator("#camera")).to_be_hidden()
    await expect(page.locator("#status")).to_have_text("You are not in the class. Your camera is off.")


async def test_who_is_left_out_by_the_host_is_told_so(served: Served, page: Page) -> None:
    await page.goto(served.url)
    await page.check("#consent")
    await page.click("#join")
    await served.next(TrackAdded)
    await served.room.leave_out(await page.locator("#number").inner_text())
    await expect(page.locator("#status")).to_contain_text("You are left out of this class", timeout=20_000)
    assert await page.evaluate("document.querySelector('#preview').srcObject") is None


async def test_check_ins_are_a_consent_of_their_own_and_can_be_taken_back(page: Page, served: Served) -> None:
    await page.goto(served.url)
    await expect(page.locator("#individual")).not_to_be_checked()
    await page.check("#consent")
    await page.check("#individual")
    await is_accessible(page)
    await page.click("#join")
    await expect(page.locator("#in-class")).to_be_hidden()
    assert await page.locator("#name").evaluate("field => field.validity.valueMissing")
    await page.fill("#name", "Zoë")
    await page.click("#join")
    joined = await served.next(Joined)
    assert isinstance(joined, Joined)
    assert (joined.name, joined.individual) == ("Zoë", True)
    await expect(page.locator("#withdraw")).to_be_visible()
    await is_accessible(page)
    after = len(served.told)
    await page.click("#withdraw")
    taken_back = await served.next(Joined, after)
    assert isinstance(taken_back, Joined)
    assert (taken_back.participant_id, taken_back.individual) == (joined.participant_id, False)
    await expect(page.locator("#withdraw")).to_be_hidden()
    await expect(page.locator("#pulse-note")).to_contain_text("Check-ins are off")


async def test_without_ticking_it_nothing_individual_is_asked_for(page: Page, served: Served) -> None:
    await page.goto(served.url)
    await page.check("#consent")
    await page.click("#join")
    joined = await served.next(Joined)
    assert isinstance(joined, Joined)
    assert joined.individual is False
    await expect(page.locator("#withdraw")).to_be_hidden()


WITHOUT_WEBRTC = "window.RTCPeerConnection = undefined;"
WITHOUT_CAMERAS = 'Object.defineProperty(navigator, "mediaDevices", {value: undefined});'
NO_CONNECTION = "window.RTCPeerConnection = class { constructor() { throw new DOMException(); } };"
NO_ANSWER = "RTCPeerConnection.prototype.setRemoteDescription = async () => { throw new DOMException(); };"
KEEPS_NOTHING = """
  Object.defineProperty(window, "sessionStorage", {get() { throw new DOMException("", "SecurityError"); }});
"""
OPENED = """
  window.opened = 0;
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = (wanted) => { window.opened += 1; return open(wanted); };
"""


@pytest.mark.parametrize(
    ("browser", "trouble", "todo"),
    [
        (WITHOUT_WEBRTC, "WebRTC, which it needs, is switched off", "open the link in another browser"),
        (WITHOUT_CAMERAS, "this browser gives pages none", "Open the link in another browser"),
        (NO_CONNECTION, "could make no connection", "Turn it on to try again"),
        (NO_ANSWER, "could make no connection", "Turn it on to try again"),
    ],
    ids=["no WebRTC", "no cameras", "no connection", "no answer"],
)
async def test_a_browser_that_can_send_no_camera_says_so_and_its_buttons_work(
    served: Served, page: Page, browser: str, trouble: str, todo: str
) -> None:
    await page.add_init_script(browser)
    await page.goto(served.url)
    await page.check("#consent")
    await page.click("#join")
    joined = await served.next(Joined)
    assert isinstance(joined, Joined)
    await expect(page.locator("#status")).to_contain_text("You are in the class, without a camera: ")
    await expect(page.locator("#status")).to_contain_text(trouble)
    await expect(page.locator("#status")).to_contain_text(todo)
    await expect(page.locator("#camera")).to_be_hidden()
    await page.click("#pulse-lost")
    pulse = await served.next(Pulse)
    assert isinstance(pulse, Pulse)
    assert pulse.participant_id == joined.participant_id
    await page.click("#leave")
    await served.next(Left)
    mark = len(served.told)
    await page.check("#consent")
    await page.click("#join")
    await served.next(Joined, after=mark)
    await expect(page.locator("#status")).to_contain_text(trouble)
    await is_accessible(page)


async def test_without_webrtc_no_camera_is_opened_and_that_is_said_before_joining(
    served: Served, page: Page
) -> None:
    await page.add_init_script(WITHOUT_WEBRTC + OPENED)
    await page.goto(served.url)
    await page.check("#consent")
    await expect(page.locator("#status")).to_contain_text("There is no camera: WebRTC, which it needs")
    await expect(page.locator("#status")).to_contain_text("You can join without one and use the buttons")
    await page.click("#join")
    await expect(page.locator("#camera-toggle")).to_be_hidden()
    assert await page.evaluate("window.opened") == 0


async def test_a_browser_that_keeps_nothing_takes_part_until_its_page_is_closed(
    served: Served, page: Page
) -> None:
    await page.add_init_script(KEEPS_NOTHING)
    await page.goto(served.url)
    await page.check("#consent")
    await page.click("#join")
    await served.next(TrackAdded)
    await expect(page.locator("#status")).to_contain_text("camera is on")
    await page.click("#pulse-ok")
    await served.next(Pulse)
    await page.click("#leave")
    await served.next(Left)


@pytest.mark.parametrize(
    "served", [Settings(privacy=PrivacySettings(jurisdiction="eu-education"))], indirect=True
)
async def test_a_class_that_asks_for_no_camera_says_so_after_coming_back_too(
    served: Served, page: Page
) -> None:
    await page.add_init_script(OPENED)
    await page.goto(served.url)
    for _ in range(2):
        mark = len(served.told)
        await page.check("#consent")
        await page.click("#join")
        await served.next(Joined, after=mark)
        await expect(page.locator("#status")).to_contain_text("without a camera: this class asks for none")
        await page.click("#leave")
        await served.next(Left, after=mark)
    assert await page.evaluate("window.opened") == 0


TURN = Settings(webrtc=WebrtcSettings(ice_servers=("stun:127.0.0.1:9", "turn:user:word@127.0.0.1:9")))


@pytest.mark.parametrize("served", [TURN], indirect=True)
async def test_a_browser_takes_the_servers_of_the_settings(served: Served, page: Page) -> None:
    """Nothing answers there: the camera comes by the direct way, once the browser is done with asking."""
    await page.goto(served.url)
    await page.check("#consent")
    await page.click("#join")
    await served.next(TrackAdded, within_s=40)
    await expect(page.locator("#status")).to_contain_text("camera is on", timeout=20_000)
