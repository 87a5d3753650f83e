"""The live page in a real browser with odd input: nobody seen, one student, hostile words, jumping clocks."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.async_api import expect

from tests.e2e.chromium import needs_chromium
from tests.e2e.host_server import HostServer
from tests.e2e.live_page_classes import LIVE, add_running_class, steady
from tests.reports.summary.simulated_classes import a_window, simulate

pytestmark = [pytest.mark.browser, needs_chromium]


async def test_a_class_without_any_face(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(300, analysed=0, camera_off=9, shown=False))
    page = await host_server.page(LIVE)
    await expect(page.locator("#word")).to_have_text("Unseen")
    await expect(page.locator("#coverage")).to_have_text("0 of 9 faces seen")
    await expect(page.locator("#not-analysed")).to_contain_text("9 camera off")
    await expect(page.locator("#newest-alert")).to_contain_text("No alert so far")


async def test_a_class_of_one(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(300, analysed=1, camera_off=0, shown=False))
    page = await host_server.page(LIVE)
    await expect(page.locator("#coverage")).to_have_text("1 of 1 face seen")
    await expect(page.locator("#word")).to_have_text("Unseen")
    await expect(page.locator("#shares-note")).to_contain_text("Withheld")


async def test_hostile_words_stay_words(host_server: HostServer) -> None:
    hostile = '<img src=x onerror="document.title=1">'
    info = replace(await host_server.add_class([]), title=hostile, reason=hostile)
    await host_server.store.put_class(info)
    page = await host_server.page(LIVE)
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    await expect(page.locator("h1")).to_have_text(hostile)
    await page.fill("#marker-label", hostile)
    await page.keyboard.press("Enter")
    await expect(page.locator("#markers")).to_contain_text(hostile)
    await page.evaluate("document.getElementById('marker-label').maxLength = 20000")
    await page.fill("#marker-label", "m" * 10_000)
    await page.click("#add-marker")
    await expect(page.locator("#failed")).to_contain_text("label is too long: give at most 200 characters")
    assert await page.locator("main img").count() == 0
    assert wrong == []


async def test_a_clock_that_jumps_leaves_a_page_that_works(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(300))
    page = await host_server.page(LIVE)
    await expect(page.locator("#word")).to_have_text("Steady")
    await host_server.publish_window(a_window(86_400))
    await expect(page.locator("#as-of")).to_have_text("at 24:00:05")
    await host_server.publish_window(a_window(300))
    await expect(page.locator("#timeline svg")).to_be_visible()
    await expect(page.locator("#word")).not_to_have_text("–")


async def test_ninety_minutes_of_thirty_students_are_all_there(host_server: HostServer) -> None:
    """How soon is measured by ``python -m benchmarks pages``."""
    windows = [replace(one, class_id="c1") for one in simulate(1, 90, students=30, shifts=[(2400, 0.2, 0)])]
    await add_running_class(host_server, windows)
    page = await host_server.page(LIVE)
    await expect(page.locator("#as-of")).to_have_text("at 1:30:00")
    await expect(page.locator("#timeline svg desc")).to_contain_text("1080 windows over 90.0 minutes")
    await expect(page.locator("#newest-alert")).to_contain_text("Faces look tenser")
