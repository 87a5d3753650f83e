"""The student page in browsers that lack a feature, in networks that block UDP, and without face analysis."""

import pytest
from playwright.async_api import Page, expect

from bot.config import PrivacySettings, Settings, WebrtcSettings
from bot.rooms.contract import Joined, Left, Pulse, TrackAdded
from tests.cameras import needs_network
from tests.e2e.chromium import needs_chromium
from tests.e2e.student_page import ServedRoom, is_accessible

pytestmark = [pytest.mark.browser, needs_network, needs_chromium]


WITHOUT_WEBRTC = "window.RTCPeerConnection = undefined;"
WITHOUT_CAMERAS = 'Object.defineProperty(navigator, "mediaDevices", {value: undefined});'
NO_CONNECTION = "window.RTCPeerConnection = class { constructor() { throw new DOMException(); } };"
NO_ANSWER = "RTCPeerConnection.prototype.setRemoteDescription = async () => { throw new DOMException(); };"
NO_STORAGE = """
  Object.defineProperty(window, "sessionStorage", {get() { throw new DOMException("", "SecurityError"); }});
"""
COUNT_OPENED_CAMERAS = """
  window.opened = 0;
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  navigator.mediaDevices.getUserMedia = (wanted) => { window.opened += 1; return open(wanted); };
"""


@pytest.mark.parametrize(
    ("script", "trouble", "advice"),
    [
        (WITHOUT_WEBRTC, "WebRTC is switched off", "open the link in another browser"),
        (WITHOUT_CAMERAS, "this browser does not let web pages use a camera", "Open the link in another one"),
        (NO_CONNECTION, "could not connect it", "Turn it on to try again"),
        (NO_ANSWER, "could not connect it", "Turn it on to try again"),
    ],
    ids=["no WebRTC", "no cameras", "no connection", "no answer"],
)
async def test_a_browser_that_cannot_send_video_shows_why_and_its_buttons_work(
    served_room: ServedRoom, page: Page, script: str, trouble: str, advice: str
) -> None:
    await page.add_init_script(script)
    await page.goto(served_room.url)
    await page.check("#consent")
    await page.click("#join")
    joined = await served_room.next(Joined)
    assert isinstance(joined, Joined)
    await expect(page.locator("#status")).to_contain_text("You are in the class, without a camera: ")
    await expect(page.locator("#status")).to_contain_text(trouble)
    await expect(page.locator("#status")).to_contain_text(advice)
    await expect(page.locator("#camera")).to_be_hidden()
    await page.click("#pulse-lost")
    pulse = await served_room.next(Pulse)
    assert isinstance(pulse, Pulse)
    assert pulse.participant_id == joined.participant_id
    await page.click("#leave")
    await served_room.next(Left)
    before = len(served_room.events)
    await page.check("#consent")
    await page.click("#join")
    await served_room.next(Joined, after=before)
    await expect(page.locator("#status")).to_contain_text(trouble)
    await is_accessible(page)


async def test_without_webrtc_no_camera_is_opened_and_the_page_says_so_before_joining(
    served_room: ServedRoom, page: Page
) -> None:
    await page.add_init_script(WITHOUT_WEBRTC + COUNT_OPENED_CAMERAS)
    await page.goto(served_room.url)
    await page.check("#consent")
    await expect(page.locator("#status")).to_contain_text(
        "There is no camera: this browser cannot send video"
    )
    await expect(page.locator("#status")).to_contain_text("You can join without one and use the buttons")
    await page.click("#join")
    await expect(page.locator("#camera-toggle")).to_be_hidden()
    assert await page.evaluate("window.opened") == 0


async def test_a_browser_without_storage_takes_part_until_its_page_is_closed(
    served_room: ServedRoom, page: Page
) -> None:
    await page.add_init_script(NO_STORAGE)
    await page.goto(served_room.url)
    await page.check("#consent")
    await page.click("#join")
    await served_room.next(TrackAdded)
    await expect(page.locator("#status")).to_contain_text("camera is on")
    await page.click("#pulse-ok")
    await served_room.next(Pulse)
    await page.click("#leave")
    await served_room.next(Left)


CHOSEN_CAMERA_BUSY = """
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  const busy = () => Promise.reject(new DOMException("", "NotReadableError"));
  navigator.mediaDevices.getUserMedia = (wanted) => (wanted.video.deviceId ? busy() : open(wanted));
"""


async def test_after_a_chosen_camera_fails_any_camera_is_tried(served_room: ServedRoom, page: Page) -> None:
    """The list of cameras is hidden with the preview, so the student could not choose another one."""
    await page.add_init_script(CHOSEN_CAMERA_BUSY)
    await page.goto(served_room.url)
    await page.check("#consent")
    await expect(page.locator("#status")).to_contain_text("Your camera is ready")
    await page.locator("#camera-select").dispatch_event("change")
    await expect(page.locator("#status")).to_contain_text("another program is using it")
    await page.click("#join")
    await expect(page.locator("#status")).to_contain_text("camera is on")


@pytest.mark.parametrize(
    "served_room", [Settings(privacy=PrivacySettings(jurisdiction="eu-education"))], indirect=True
)
async def test_a_class_without_cameras_says_so_after_joining_again_too(
    served_room: ServedRoom, page: Page
) -> None:
    await page.add_init_script(COUNT_OPENED_CAMERAS)
    await page.goto(served_room.url)
    for _ in range(2):
        before = len(served_room.events)
        await page.check("#consent")
        await page.click("#join")
        await served_room.next(Joined, after=before)
        await expect(page.locator("#status")).to_contain_text("without a camera: this class asks for none")
        await page.click("#leave")
        await served_room.next(Left, after=before)
    assert await page.evaluate("window.opened") == 0


UNREACHABLE_ICE_SERVERS = Settings(
    webrtc=WebrtcSettings(ice_servers=("stun:127.0.0.1:9", "turn:user:word@127.0.0.1:9"))
)


@pytest.mark.parametrize("served_room", [UNREACHABLE_ICE_SERVERS], indirect=True)
async def test_a_browser_uses_the_ice_servers_of_the_settings(served_room: ServedRoom, page: Page) -> None:
    """The servers do not answer: the camera connects directly once the browser has given up on them."""
    await page.goto(served_room.url)
    await page.check("#consent")
    await page.click("#join")
    await served_room.next(TrackAdded, within_s=40)
    await expect(page.locator("#status")).to_contain_text("camera is on", timeout=20_000)


UNREACHABLE_CANDIDATES = """
  const unreachable = (sdp) => sdp.replace(/(a=candidate:\\S+ \\d \\S+ \\d+) \\S+ \\d+/g, "$1 192.0.2.1 9");
  const connection = RTCPeerConnection.prototype, set = connection.setRemoteDescription;
  const local = Object.getOwnPropertyDescriptor(connection, "localDescription").get;
  connection.setRemoteDescription = function ({ type, sdp }) {
    return set.call(this, { type, sdp: unreachable(sdp) });
  };
  Object.defineProperty(connection, "localDescription", {
    get() {
      const { type, sdp } = local.call(this);
      return { type, sdp: unreachable(sdp) };
    },
  });
"""


@pytest.mark.slow
@pytest.mark.parametrize("served_room", [Settings(webrtc=WebrtcSettings(connect_timeout_s=1))], indirect=True)
async def test_a_network_that_blocks_video_is_reported_and_the_camera_turned_off(
    served_room: ServedRoom, page: Page
) -> None:
    """As behind a firewall against UDP: both sides try addresses where nobody answers."""
    await page.add_init_script(UNREACHABLE_CANDIDATES)
    await page.goto(served_room.url)
    await page.check("#consent")
    await page.click("#join")
    await expect(page.locator("#status")).to_contain_text("this network blocks video", timeout=60_000)
    await expect(page.locator("#camera")).to_be_hidden()
    await page.click("#pulse-lost")
    await served_room.next(Pulse)
    assert [type(event) for event in served_room.events].count(Joined) == 1
    await page.click("#camera-toggle")  # try again
    await expect(page.locator("#status")).to_contain_text("Connecting your camera")
