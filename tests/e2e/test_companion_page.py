"""The student page in a real Chromium with a fake camera, served with the host's security headers."""

import asyncio

import pytest
from playwright.async_api import Page, expect

from bot.rooms.contract import Joined, Left, Muted, OptedOut, Pulse, TrackAdded, TrackRemoved
from tests.cameras import needs_network
from tests.e2e.chromium import needs_chromium
from tests.e2e.student_page import ServedRoom, is_above, is_accessible, until

pytestmark = [pytest.mark.browser, needs_network, needs_chromium]


async def test_a_student_joins_leaves_joins_again_and_is_erased(served_room: ServedRoom, page: Page) -> None:
    await page.goto(served_room.url)
    await expect(page.locator("#join")).to_be_disabled()
    await page.fill("#name", "Ada")
    await page.check("#consent")
    await expect(page.locator("#preview")).to_be_visible()
    assert await is_above(page, "#join", "#preview")
    await is_accessible(page)
    assert served_room.events == [], "nothing is sent before the student joins"
    await page.click("#join")

    joined = await served_room.next(Joined)
    assert isinstance(joined, Joined)
    assert (joined.name, joined.consented) == ("Ada", True)
    added = await served_room.next(TrackAdded)
    assert isinstance(added, TrackAdded)
    async with asyncio.timeout(10):
        frames = [await added.track.recv() for _ in range(10)]
    assert {frame.luma().shape for frame in frames} == {(180, 320)}
    rate = 9 / (frames[-1].at_s - frames[0].at_s)
    assert 2 < rate < 6, "about twice the sampling rate"
    await expect(page.locator("#status")).to_contain_text("camera is on")
    assert await is_above(page, "#pulse-lost", "#preview")
    await expect(page.locator("#preview-note")).to_contain_text("analyses the images and stores none")
    assert not await page.locator("#preview").evaluate("video => video.paused")
    await expect(page.locator("#in-class-title")).to_be_focused()
    await is_accessible(page)

    await page.click("#pulse-too_slow")
    pulse = await served_room.next(Pulse)
    assert isinstance(pulse, Pulse)
    assert (pulse.participant_id, pulse.kind) == (joined.participant_id, "too_slow")
    await expect(page.locator("#pulse-note")).to_contain_text("Sent: Too slow")

    await page.click("#camera-toggle")
    muted = await served_room.next(Muted)
    assert muted == Muted(joined.participant_id, True)
    await expect(page.locator("#status")).to_contain_text("camera is off")
    before = len(served_room.events)
    await page.click("#camera-toggle")
    assert await served_room.next(Muted, after=before) == Muted(joined.participant_id, False)

    await page.click("#leave")
    assert await served_room.next(Left) == Left(joined.participant_id)
    await expect(page.locator("#status")).to_contain_text("You left")
    await expect(page.locator("#status")).to_be_focused()  # at the top, where the student starts again
    assert await is_above(page, "#status", "#notice")
    assert await page.evaluate("document.querySelector('#preview').srcObject") is None
    before = len(served_room.events)

    await page.check("#consent")
    await page.click("#join")
    rejoined = await served_room.next(Joined, after=before)
    assert isinstance(rejoined, Joined)
    assert rejoined.participant_id == joined.participant_id
    await page.click("#erase")
    await page.click("#erase-confirm")
    assert await served_room.next(OptedOut) == OptedOut(joined.participant_id)
    await expect(page.locator("#status")).to_contain_text("erased")
    await expect(page.locator("#status")).to_be_focused()
    await expect(page.locator("#in-class")).to_be_hidden()


async def test_a_lost_connection_is_replaced_and_the_end_of_the_class_is_shown(
    served_room: ServedRoom, page: Page
) -> None:
    await page.goto(served_room.url)
    await page.check("#consent")
    await page.click("#join")
    await served_room.next(TrackAdded)
    before = len(served_room.events)
    student = served_room.room._presence.students[0]
    assert student.peer is not None
    await student.peer.close()  # as if the network had failed
    assert isinstance(await served_room.next(TrackRemoved, after=before), TrackRemoved)
    assert isinstance(await served_room.next(TrackAdded, after=before), TrackAdded)
    assert [type(event) for event in served_room.events].count(Joined) == 1
    await expect(page.locator("#status")).to_contain_text("camera is on")

    await served_room.room.__aexit__(None, None, None)
    await expect(page.locator("#status")).to_contain_text("has ended", timeout=15000)
    assert await page.evaluate("document.querySelector('#preview').srcObject") is None


async def test_a_lost_server_is_shown_with_advice_how_to_turn_the_camera_off(
    served_room: ServedRoom, page: Page
) -> None:
    await page.goto(served_room.url)
    await page.check("#consent")
    await page.click("#join")
    await served_room.next(TrackAdded)
    await page.context.set_offline(True)
    await expect(page.locator("#status")).to_contain_text("Trying again", timeout=20_000)
    await expect(page.locator("#status")).to_contain_text("close this page", timeout=40_000)
    await page.context.set_offline(False)
    await expect(page.locator("#status")).to_contain_text("camera is on", timeout=40_000)


@pytest.mark.parametrize("page", [False], indirect=True)
async def test_a_student_who_denies_the_camera_can_still_take_part(
    served_room: ServedRoom, page: Page
) -> None:
    await page.goto(served_room.url)
    await page.check("#consent")
    await expect(page.locator("#status")).to_contain_text("no camera")
    await page.click("#join")
    joined = await served_room.next(Joined)
    assert isinstance(joined, Joined)
    assert await served_room.next(Muted) == Muted(joined.participant_id, True)
    await expect(page.locator("#status")).to_contain_text("without a camera")
    await page.click("#pulse-lost")
    await served_room.next(Pulse)
    before = len(served_room.events)
    await page.goto("about:blank")  # closing the page
    assert await served_room.next(Left, after=before) == Left(joined.participant_id)


async def test_a_camera_that_opens_after_the_consent_was_withdrawn_is_stopped(
    served_room: ServedRoom, page: Page
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
    await page.goto(served_room.url)
    await page.check("#consent")
    await until(page, "window.answer !== undefined")
    await page.uncheck("#consent")
    await page.evaluate("window.answer()")
    await until(page, "window.opened.getTracks().every((track) => track.readyState === 'ended')")
    await expect(page.locator("#camera")).to_be_hidden()
    await expect(page.locator("#status")).to_have_text("You are not in the class. Your camera is off.")


async def test_the_page_shows_that_the_host_left_the_student_out(served_room: ServedRoom, page: Page) -> None:
    await page.goto(served_room.url)
    await page.check("#consent")
    await page.click("#join")
    await served_room.next(TrackAdded)
    await served_room.room.leave_out(await page.locator("#number").inner_text())
    await expect(page.locator("#status")).to_contain_text("You are left out of this class", timeout=20_000)
    assert await page.evaluate("document.querySelector('#preview').srcObject") is None


async def test_a_duplicated_tab_replaces_the_first_one(served_room: ServedRoom, page: Page) -> None:
    await page.goto(served_room.url)
    await page.check("#consent")
    await page.click("#join")
    await served_room.next(Joined)
    await served_room.next(TrackAdded)
    before = len(served_room.events)
    async with page.expect_popup() as opening:  # with an opener: it gets a copy of the session storage
        await page.evaluate("void open(location.href, '_blank')")
    other = await opening.value
    await other.check("#consent")
    await other.click("#join")
    await expect(other.locator("#status")).to_contain_text("camera is on")
    await expect(page.locator("#status")).to_contain_text("another tab")
    assert await page.evaluate("document.querySelector('#preview').srcObject") is None
    await expect(page.locator("#consent")).not_to_be_checked()
    await page.check("#consent")
    await page.click("#join")
    await expect(page.locator("#status")).to_contain_text("camera is on")
    await expect(other.locator("#status")).to_contain_text("another tab")
    assert not [event for event in served_room.events[before:] if isinstance(event, Joined | Left)]


async def test_a_tab_opened_without_the_first_one_is_another_student(
    served_room: ServedRoom, page: Page
) -> None:
    await page.goto(served_room.url)
    async with page.expect_popup() as opening:
        await page.evaluate("void open(location.href, '_blank', 'noopener')")
    joins = []
    for tab in (page, await opening.value):
        await tab.check("#consent")
        before = len(served_room.events)
        await tab.click("#join")
        joins.append(await served_room.next(Joined, after=before))
    assert len({joined.participant_id for joined in joins if isinstance(joined, Joined)}) == 2


async def test_check_ins_need_a_separate_consent_that_can_be_withdrawn(
    page: Page, served_room: ServedRoom
) -> None:
    await page.goto(served_room.url)
    await expect(page.locator("#individual")).not_to_be_checked()
    await page.check("#consent")
    await page.click("#join-more summary")
    await page.check("#individual")
    await expect(page.locator("#name-hint")).to_have_text("(needed for check-ins, stored for 48 hours)")
    await is_accessible(page)
    await page.click("#join")
    await expect(page.locator("#in-class")).to_be_hidden()
    assert await page.locator("#name").evaluate("field => field.validity.valueMissing")
    await page.fill("#name", "Zoë")
    await page.click("#join")
    joined = await served_room.next(Joined)
    assert isinstance(joined, Joined)
    assert (joined.name, joined.individual) == ("Zoë", True)
    await expect(page.locator("#withdraw")).to_be_visible()
    await is_accessible(page)
    before = len(served_room.events)
    await page.click("#withdraw")
    withdrawn = await served_room.next(Joined, after=before)
    assert isinstance(withdrawn, Joined)
    assert (withdrawn.participant_id, withdrawn.individual) == (joined.participant_id, False)
    await expect(page.locator("#withdraw")).to_be_hidden()
    await expect(page.locator("#pulse-note")).to_contain_text("Check-ins are off")
    await expect(page.locator("#in-class-title")).to_be_focused()


async def test_a_student_who_does_not_tick_check_ins_has_not_agreed_to_them(
    page: Page, served_room: ServedRoom
) -> None:
    await page.goto(served_room.url)
    await page.check("#consent")
    await page.click("#join")
    joined = await served_room.next(Joined)
    assert isinstance(joined, Joined)
    assert joined.individual is False
    await expect(page.locator("#withdraw")).to_be_hidden()
