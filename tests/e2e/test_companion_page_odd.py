"""The student's page in browsers that lack something, in walled networks, and where no face is looked at."""

import pytest
from playwright.async_api import Page, expect

from bot.config import PrivacySettings, Settings, WebrtcSettings
from bot.rooms.contract import Joined, Left, Pulse, TrackAdded
from tests.cameras import needs_network
from tests.e2e.chromium import needs_chromium
from tests.e2e.student_page import Served, is_accessible

pytestmark = [pytest.mark.browser, needs_network, needs_chromium]


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


BUSY_WHEN_CHOSEN = """
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  const busy = () => Promise.reject(new DOMException("", "NotReadableError"));
  navigator.mediaDevices.getUserMedia = (wanted) => (wanted.video.deviceId ? busy() : open(wanted));
"""


async def test_a_chosen_camera_that_fails_is_not_insisted_on(served: Served, page: Page) -> None:
    """The list of cameras goes with the preview: there would be no way to choose another."""
    await page.add_init_script(BUSY_WHEN_CHOSEN)
    await page.goto(served.url)
    await page.check("#consent")
    await expect(page.locator("#status")).to_contain_text("Your camera is ready")
    await page.locator("#camera-select").dispatch_event("change")
    await expect(page.locator("#status")).to_contain_text("another program is using it")
    await page.click("#join")
    await expect(page.locator("#status")).to_contain_text("camera is on")


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


NOBODY_THERE = """
  const lost = (sdp) => sdp.replace(/(a=candidate:\\S+ \\d \\S+ \\d+) \\S+ \\d+/g, "$1 192.0.2.1 9");
  const made = RTCPeerConnection.prototype, set = made.setRemoteDescription;
  const local = Object.getOwnPropertyDescriptor(made, "localDescription").get;
  made.setRemoteDescription = function ({ type, sdp }) { return set.call(this, { type, sdp: lost(sdp) }); };
  Object.defineProperty(made, "localDescription", {
    get() {
      const { type, sdp } = local.call(this);
      return { type, sdp: lost(sdp) };
    },
  });
"""


@pytest.mark.slow
@pytest.mark.parametrize("served", [Settings(webrtc=WebrtcSettings(connect_timeout_s=1))], indirect=True)
async def test_a_network_that_lets_no_picture_through_is_said_and_the_camera_goes_off(
    served: Served, page: Page
) -> None:
    """As behind a wall against UDP: both sides look for each other where nobody is."""
    await page.add_init_script(NOBODY_THERE)
    await page.goto(served.url)
    await page.check("#consent")
    await page.click("#join")
    await expect(page.locator("#status")).to_contain_text("no picture gets through", timeout=60_000)
    await expect(page.locator("#camera")).to_be_hidden()
    await page.click("#pulse-lost")
    await served.next(Pulse)
    assert [type(event) for event in served.told].count(Joined) == 1
    await page.click("#camera-toggle")  # another try
    await expect(page.locator("#status")).to_contain_text("Connecting your camera")
