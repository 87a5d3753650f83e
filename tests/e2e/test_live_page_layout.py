"""The live page in a real browser: layout and accessibility at several widths."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.async_api import expect

from reports.summary.classes import ClassState
from reports.summary.words import WORD_MEANINGS
from tests.e2e.chromium import needs_chromium
from tests.e2e.host_server import HostServer
from tests.e2e.live_page_classes import LIVE, SMALL, accessibility_violations, add_running_class, steady
from tests.reports.builders import a_class
from tests.reports.summary.simulated_classes import a_window

pytestmark = [pytest.mark.browser, needs_chromium]


@pytest.mark.parametrize(("path", "width"), [(LIVE, 1100), (LIVE, 320), (SMALL, 320)])
async def test_an_alert_appears_without_moving_the_page(
    host_server: HostServer, path: str, width: int
) -> None:
    await add_running_class(host_server, steady(900))
    page = await host_server.page(path, width=width)
    await expect(page.locator("#word")).to_have_text("Steady")
    before = await page.locator("#pulses").bounding_box()
    for window in steady(60, 900, tense=0.45):
        await host_server.publish_window(window)
    await expect(page.locator("#newest-alert")).to_contain_text("Faces look tenser tension +")
    await expect(page.locator("#as-of")).to_have_text("at 16:00")
    assert await page.locator("#pulses").bounding_box() == before


@pytest.mark.parametrize(("path", "width"), [(LIVE, 1100), (LIVE, 320), (SMALL, 320), (LIVE, 3840)])
async def test_the_page_does_not_shift_while_it_loads(host_server: HostServer, path: str, width: int) -> None:
    await add_running_class(host_server, steady(900), markers=[(60, "Welcome"), (300, "Group work")])
    page = await host_server.page("/", width=width)
    await page.add_init_script(
        """window.layoutShift = 0; new PerformanceObserver((list) => {
            for (const entry of list.getEntries()) window.layoutShift += entry.value;
        }).observe({ type: "layout-shift", buffered: true });"""
    )
    await page.goto(host_server.url + path)
    await expect(page.locator("#word")).to_have_text("Steady")
    await expect(page.locator("#connection")).to_have_text("connected")
    if path == LIVE:
        await expect(page.locator("#timeline svg")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    assert await page.evaluate("window.layoutShift") < 0.05


@pytest.mark.parametrize(
    ("path", "width"), [(SMALL, 320), (LIVE, 320), (LIVE, 390), (LIVE, 1100), (LIVE, 2560)]
)
async def test_longer_text_below_the_word_moves_nothing(
    host_server: HostServer, path: str, width: int
) -> None:
    await add_running_class(host_server, steady(900))
    page = await host_server.page(path, width=width)
    await expect(page.locator("#word")).to_have_text("Steady")
    now = await page.locator("section.now").bounding_box()
    await host_server.publish_window(a_window(900, too_slow=4))
    await expect(page.locator("#word")).to_have_text("Too slow")
    await expect(page.locator("#word-meaning")).to_have_text(WORD_MEANINGS["too_slow"])
    await expect(page.locator("#disagreement")).to_contain_text("what students say counts")
    assert await page.locator("section.now").bounding_box() == now


@pytest.mark.parametrize(("path", "width"), [(LIVE, 390), (LIVE, 768), (LIVE, 1280), (SMALL, 320)])
async def test_little_space_stays_empty_below_the_word(
    host_server: HostServer, path: str, width: int
) -> None:
    await add_running_class(host_server, steady(900))
    page = await host_server.page(path, width=width)
    await expect(page.locator("#word")).to_have_text("Steady")
    height, used, line_height = await page.locator(".word-notes").evaluate(
        """notes => {
          const bottoms = [...notes.querySelectorAll("p")].map((p) => p.getBoundingClientRect().bottom);
          const box = notes.getBoundingClientRect();
          return [box.height, Math.max(...bottoms) - box.top, parseFloat(getComputedStyle(notes).lineHeight)];
        }"""
    )
    assert height - used < 2 * line_height, "two lines or more stay empty"


async def test_the_small_window_fits_without_scrolling(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(900, lost=0))
    page = await host_server.page(LIVE)
    await page.evaluate("delete window.documentPictureInPicture")  # as in browsers that have none
    async with page.expect_popup() as opening:
        await page.click("#pop-out")
    small = await opening.value
    assert small.url.endswith(SMALL)
    await small.set_viewport_size({"width": 320, "height": 660})
    await expect(small.locator("#word")).to_have_text("Steady")
    for shown in ("#word-line", "#coverage", "#newest-alert", "#pulses", "#not-meant"):
        await expect(small.locator(shown)).to_be_visible()
    for hidden in ("#timeline", "#shares", "#end-class", "#invite"):
        await expect(small.locator(hidden)).to_be_hidden()
    assert await small.evaluate("document.documentElement.scrollWidth") <= 320
    mark, footer = (
        await small.locator("#add-marker").bounding_box(),
        await small.locator("footer").bounding_box(),
    )
    assert mark is not None
    assert footer is not None
    assert mark["y"] + mark["height"] < footer["y"], "the button is below the visible part"
    await host_server.publish_window(a_window(900, too_slow=4))
    await expect(small.locator("#word")).to_have_text("Too slow")


async def test_the_small_window_shows_a_lost_connection_to_the_room(host_server: HostServer) -> None:
    info = a_class()
    await add_running_class(host_server, steady(300), info=info)
    small = await host_server.page(SMALL, width=320, height=660)
    await expect(small.locator("#word")).to_have_text("Steady")
    await expect(small.locator("#state")).to_be_hidden()
    lost = replace(info, state=ClassState.RECONNECTING, reason="The room's server does not answer.")
    host_server.feed.publish("c1", "state", lost.to_json())
    await expect(small.locator(".state-line")).to_contain_text("Connection to the room lost, trying again")
    await expect(small.locator("#reason")).to_be_visible()
    await expect(small.locator("body.stale")).to_have_count(1)
    host_server.feed.publish("c1", "state", info.to_json())
    await expect(small.locator("body.stale")).to_have_count(0)
    host_server.feed.publish("c1", "state", lost.to_json())
    await expect(small.locator("body.stale")).to_have_count(1)
    assert await small.evaluate("document.documentElement.scrollWidth") <= 320


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize(("path", "width"), [(LIVE, 1100), (LIVE, 320), (SMALL, 320), (LIVE, 2560)])
async def test_the_live_page_is_accessible_and_fits_every_width(
    host_server: HostServer, path: str, width: int, scheme: str
) -> None:
    markers = [(0.0, "مراجعة"), (400.0, "Quiz")]
    await add_running_class(host_server, steady(900) + steady(90, 900, tense=0.45, ok=9), markers=markers)
    page = await host_server.page(path, width=width, scheme=scheme)
    await expect(page.locator("#word")).to_have_text("OK")
    if path == LIVE:
        await expect(page.locator("#timeline svg")).to_be_visible()
    assert await page.evaluate("document.documentElement.scrollWidth") <= width
    assert await accessibility_violations(page) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [320, 1100])
async def test_the_list_and_error_pages_are_accessible_and_fit_every_width(
    host_server: HostServer, width: int, scheme: str
) -> None:
    await host_server.add_class(steady(30), info=a_class(title="درس الرياضيات"))
    await host_server.add_class([], info=a_class("c2", title="<b>" + "x" * 190, state=ClassState.ENDED))
    page = await host_server.page("/", width=width, scheme=scheme)
    for path in ("/", "/classes/none", "/nothing"):
        await page.goto(host_server.url + path)
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        assert await accessibility_violations(page) == []
    await page.context.clear_cookies()
    await page.goto(host_server.url)
    await expect(page.locator("h1")).to_have_text("Only the host can open this page")
    assert await accessibility_violations(page) == []
