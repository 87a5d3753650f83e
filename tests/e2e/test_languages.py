"""The pages in other languages, and from right to left, in a real Chromium."""

from __future__ import annotations

from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from reports.languages import LANGUAGES, PSEUDO
from reports.summary.classes import ClassState
from tests.e2e.chromium import needs_chromium
from tests.e2e.host_server import serve_host
from tests.e2e.live_page_classes import LIVE, accessibility_violations, add_running_class, steady
from tests.e2e.student_page import ServedRoom, is_accessible
from tests.reports.builders import START, a_class
from tests.reports.summary.simulated_classes import a_window

pytestmark = [pytest.mark.browser, needs_chromium]

UNMARKED = """() => {
  const found = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const text = node.textContent.trim();
    if (!/[a-z]{3}/i.test(text) || text.includes("[") || text.includes("]")) continue;
    const names = "time, script, style, a[hreflang], a[href], b[dir=ltr], h1, bdi, option, kbd";
    if (node.parentElement.closest(names)) continue;
    found.push(text);
  }
  return found;
}"""
"""Texts that are not marked as translated; times, names, links and the host's own words need not be."""


async def test_the_student_page_is_whole_in_every_language_and_stays_small(
    served_room: ServedRoom, page: Page
) -> None:
    sizes: list[int] = []
    page.on("response", lambda response: sizes.append(int(response.headers.get("content-length", 0))))
    for code in (*LANGUAGES, PSEUDO):
        sizes.clear()
        await page.goto(f"{served_room.url}?lang={code}")
        await expect(page.locator("html")).to_have_attribute("lang", code)
        assert sum(sizes) < 60_000, code
        await is_accessible(page)
    assert await page.evaluate(UNMARKED) == []
    assert await page.evaluate("getComputedStyle(document.body).direction") == "rtl"
    await page.check("#consent")
    await page.click("#join")
    await expect(page.locator("#in-class")).to_be_visible()
    await is_accessible(page)
    assert await page.evaluate(UNMARKED) == []


@pytest.mark.parametrize("code", ["hi", "de", PSEUDO])
async def test_the_hosts_pages_and_the_report_are_whole(tmp_path: Path, code: str) -> None:
    async with serve_host(tmp_path, language=code) as host_server:
        await add_running_class(host_server, steady(900) + steady(90, 900, tense=0.45))
        page = await host_server.page(LIVE, width=1366, height=768)
        await expect(page.locator("#since")).not_to_be_empty()
        await host_server.publish_window(a_window(990, tense=0.45, lost=4))
        await expect(page.locator("#now")).to_have_attribute("data-level", "act")
        await page.click("#ask")
        await expect(page.locator("#asked")).not_to_be_empty()
        await expect(page.locator("#timeline svg")).to_be_visible()
        assert await accessibility_violations(page) == []
        for width in (1366, 320):
            await page.set_viewport_size({"width": width, "height": 768})
            assert await page.evaluate("document.documentElement.scrollWidth") <= width
        if code == PSEUDO:
            left = [text for text in await page.evaluate(UNMARKED) if text != "students are in"]
            assert left == []
        await host_server.store.put_class(a_class("c2", state=ClassState.ENDED, ended_at=START))
        for path in ("/", "/api/classes/c1/report.html"):
            await page.goto(host_server.url + path)
            await expect(page.locator("html")).to_have_attribute("lang", code)
            assert await page.evaluate("document.documentElement.scrollWidth") <= 320
            if code == PSEUDO and path == "/":
                assert await page.evaluate(UNMARKED) == []
