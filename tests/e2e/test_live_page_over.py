"""The live page of a class that is over, in a real browser: it speaks of the past and offers what is left."""

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


async def reads_of_the_past(page: Page) -> None:
    """Nothing in view speaks of the present; what the words mean is folded away."""
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
        (steady(30, 900, tense=0.45, ok=6), "At the end, students said", "OK"),
        (steady(30, 900, analysed=0, camera_off=0, shown=False), "In the room:", "Nobody"),
    ],
)
@pytest.mark.parametrize("width", [1280, 390])
async def test_a_class_that_is_over_is_told_as_such(
    host_server: HostServer, width: int, last: list[object], source: str, word: str
) -> None:
    await host_server.add_class([*steady(900), *last], info=a_class(**OVER))
    page = await host_server.page(LIVE, width=width)
    await expect(page.locator("#word-source")).to_have_text(source)
    await expect(page.locator("#word")).to_have_text(word)
    await reads_of_the_past(page)
    said = await page.locator(".said").bounding_box()
    assert said is not None
    assert said["height"] == 0, "no blank lines below the word"


async def test_a_page_that_is_open_when_the_class_ends_turns_to_the_past(host_server: HostServer) -> None:
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
    await expect(page.locator("#word-line")).to_contain_text("For a word: Too short")
    await reads_of_the_past(page)


async def test_a_class_without_a_window_shows_no_empty_drawings(host_server: HostServer) -> None:
    await host_server.add_class([], info=a_class(**OVER))
    page = await host_server.page(LIVE)
    await expect(page.locator("#word")).to_have_text("Nothing")
    for hidden in ("#timeline", "#shares", "#not-analysed"):
        await expect(page.locator(hidden)).to_be_hidden()
    await reads_of_the_past(page)


async def test_a_class_that_ends_before_its_first_window_waits_no_longer(host_server: HostServer) -> None:
    await host_server.add_class([])
    page = await host_server.page(LIVE)
    await expect(page.locator("#word")).to_have_text("Waiting")
    await page.locator("#end-class").focus()
    for key in ("Enter", "Tab", "Enter"):
        await page.keyboard.press(key)
    await expect(page.locator("#word")).to_have_text("Nothing")
    await expect(page.locator("#coverage")).to_have_text("was seen")
    await expect(page.locator("#report-link")).to_be_focused()


async def test_a_class_deleted_in_another_window_can_be_left(host_server: HostServer) -> None:
    await host_server.add_class(steady(30), info=a_class(**OVER))
    page = await host_server.page(LIVE)
    await host_server.store.delete_class("c1")
    await page.click("#delete-class")
    await page.click("#delete-confirm")
    await expect(page.locator("h1")).to_have_text("Classes")


async def test_a_class_whose_faces_were_not_looked_at_is_told_as_such(host_server: HostServer) -> None:
    quiet = steady(60, analysed=0, camera_off=9, shown=False)
    await host_server.add_class(quiet, info=a_class(jurisdiction="eu-education", **OVER))
    page = await host_server.page(LIVE)
    await expect(page.locator("#no-faces")).to_have_text(
        "Profile eu-education: no face analysis, no video received."
    )
    await expect(page.locator("#timeline .cov-present")).to_be_visible()
    await reads_of_the_past(page)
