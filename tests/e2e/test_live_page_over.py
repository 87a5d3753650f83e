"""The live page of an ended class in a real browser: past tense, the report, and deleting the class."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from playwright.async_api import Page, expect

from reports.summary.classes import ClassState
from tests.e2e.chromium import needs_chromium
from tests.e2e.host_server import HostServer
from tests.e2e.live_page_classes import LIVE, add_running_class, steady
from tests.reports.builders import START, a_class
from tests.reports.summary.simulated_classes import a_window

pytestmark = [pytest.mark.browser, needs_chromium]

OVER = {
    "state": ClassState.ENDED,
    "reason": "The host ended it.",
    "ended_at": START + timedelta(minutes=17),
}
PRESENT_TENSE = re.compile(r"\b(now|so far|is|are|look|say|go on|slow down)\b", re.IGNORECASE)


async def assert_past_tense(page: Page) -> None:
    """No visible text is in the present tense; the explanations of the words are hidden."""
    await expect(page.locator("#connection")).to_have_text("class over")
    await expect(page.locator("#pop-out")).to_be_hidden()
    for hidden in ("#word-meaning", "#word-detail", "#disagreement", "#earlier-alerts"):
        await expect(page.locator(hidden)).to_be_hidden()
    text = await page.locator("main").inner_text()
    assert PRESENT_TENSE.findall(text) == [], text


@pytest.mark.parametrize(
    ("last", "source", "word"),
    [
        (steady(30, 900), "At the end, faces looked", "Steady"),
        (steady(30, 900, tense=0.45, ok=9), "At the end, students said", "OK"),
        (steady(30, 900, analysed=0, camera_off=0, shown=False), "In the room:", "Nobody"),
    ],
)
@pytest.mark.parametrize("width", [1280, 390])
async def test_the_page_of_an_ended_class_is_in_the_past_tense(
    host_server: HostServer, width: int, last: list[object], source: str, word: str
) -> None:
    await host_server.add_class([*steady(900), *last], info=a_class(**OVER))
    page = await host_server.page(LIVE, width=width)
    await expect(page.locator("#word-source")).to_have_text(source)
    await expect(page.locator("#word")).to_have_text(word)
    await assert_past_tense(page)
    notes = await page.locator(".word-notes").bounding_box()
    assert notes is not None
    assert notes["height"] == 0, "no blank lines below the word"


async def test_an_open_page_switches_to_the_past_tense_when_the_class_ends(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(900))
    page = await host_server.page(LIVE)
    await expect(page.locator("#word-source")).to_have_text("Faces look")
    await host_server.publish_window(a_window(900, lost=3))
    await expect(page.locator("#word-source")).to_have_text("Students say")
    await page.click("#end-class")
    await page.click("#end-confirm")
    await expect(page.locator("#word-source")).to_have_text("At the end, students said")
    await expect(page.locator("#now-title")).to_have_text("Faces at the end")
    await expect(page.locator("#report-link")).to_be_visible()
    await page.reload()
    await expect(page.locator("#word-source")).to_have_text("At the end, students said")


async def test_a_short_class_has_no_word(host_server: HostServer) -> None:
    await host_server.add_class(steady(60), info=a_class(**OVER))
    page = await host_server.page(LIVE)
    await expect(page.locator("#word-line")).to_contain_text("No word: the class was Too short")
    await assert_past_tense(page)


async def test_an_ended_class_without_windows_shows_no_empty_charts(host_server: HostServer) -> None:
    await host_server.add_class([], info=a_class(**OVER))
    page = await host_server.page(LIVE)
    await expect(page.locator("#word")).to_have_text("Nothing")
    for hidden in ("#timeline", "#shares", "#not-analysed"):
        await expect(page.locator(hidden)).to_be_hidden()
    await assert_past_tense(page)


async def test_a_class_that_ends_before_its_first_window_shows_nothing(host_server: HostServer) -> None:
    await host_server.add_class([])
    page = await host_server.page(LIVE)
    await expect(page.locator("#word")).to_have_text("Waiting")
    await page.locator("#end-class").focus()
    for key in ("Enter", "Tab", "Enter"):
        await page.keyboard.press(key)
    await expect(page.locator("#word")).to_have_text("Nothing")
    await expect(page.locator("#coverage")).to_have_text("was seen")
    await expect(page.locator("#report-link")).to_be_focused()


async def test_deleting_a_class_that_is_already_deleted_returns_to_the_list(host_server: HostServer) -> None:
    await host_server.add_class(steady(30), info=a_class(**OVER))
    page = await host_server.page(LIVE)
    await host_server.store.delete_class("c1")
    await page.click("#delete-class")
    await page.click("#delete-confirm")
    await expect(page.locator("h1")).to_have_text("Classes")


async def test_an_ended_class_without_face_analysis_says_so(host_server: HostServer) -> None:
    cameras_off = steady(60, analysed=0, camera_off=9, shown=False)
    await host_server.add_class(cameras_off, info=a_class(jurisdiction="eu-education", **OVER))
    page = await host_server.page(LIVE)
    await expect(page.locator("#no-faces")).to_have_text("No face analysis, and no video received.")
    await expect(page.locator("#timeline .cov-present")).to_be_visible()
    await assert_past_tense(page)
