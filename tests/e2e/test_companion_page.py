"""The student's page in a real Chromium with a fake camera, served with the host's security headers."""

import asyncio

import pytest
from playwright.async_api import Page, expect

from bot.rooms.contract import Joined, Left, Muted, OptedOut, Pulse, TrackAdded, TrackRemoved
from tests.cameras import needs_network
from tests.e2e.chromium import needs_chromium
from tests.e2e.student_page import Served, before, is_accessible, until

pytestmark = [pytest.mark.browser, needs_network, needs_chromium]


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
    await expect(page.locator("#status")).to_be_focused()
    await expect(page.locator("#in-class")).to_be_hidden()


async def test_a_broken_connection_mends_itself_and_the_end_is_told(served: Served, page: Page) -> None:
    await page.goto(served.url)
    await page.check("#consent")
    await page.click("#join")
    await served.next(TrackAdded)
    mark = len(served.told)
    student = served.room._presence.students[0]
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


async def test_a_duplicated_tab_takes_over(served: Served, page: Page) -> None:
    await page.goto(served.url)
    await page.check("#consent")
    await page.click("#join")
    await served.next(Joined)
    await served.next(TrackAdded)
    mark = len(served.told)
    async with page.expect_popup() as opening:  # with an opener, it gets a copy of what the page keeps
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
    assert not [one for one in served.told[mark:] if isinstance(one, Joined | Left)]


async def test_a_tab_opened_anew_is_another_student(served: Served, page: Page) -> None:
    await page.goto(served.url)
    async with page.expect_popup() as opening:
        await page.evaluate("void open(location.href, '_blank', 'noopener')")
    found = []
    for one in (page, await opening.value):
        await one.check("#consent")
        mark = len(served.told)
        await one.click("#join")
        found.append(await served.next(Joined, after=mark))
    assert len({joined.participant_id for joined in found if isinstance(joined, Joined)}) == 2


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
    await expect(page.locator("#in-class-title")).to_be_focused()


async def test_without_ticking_it_nothing_individual_is_asked_for(page: Page, served: Served) -> None:
    await page.goto(served.url)
    await page.check("#consent")
    await page.click("#join")
    joined = await served.next(Joined)
    assert isinstance(joined, Joined)
    assert joined.individual is False
    await expect(page.locator("#withdraw")).to_be_hidden()
