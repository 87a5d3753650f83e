"""The live page in a real browser with odd input: no faces, one student, HTML in texts, clock jumps."""

from __future__ import annotations

from dataclasses import replace

import pytest
from playwright.async_api import expect

from tests.e2e.chromium import needs_chromium
from tests.e2e.host_server import HostServer
from tests.e2e.live_page_classes import LIVE, add_running_class, steady
from tests.reports.summary.simulated_classes import a_window, simulate

pytestmark = [pytest.mark.browser, needs_chromium]


async def test_a_class_without_any_face_is_unseen(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(300, analysed=0, camera_off=9, shown=False))
    page = await host_server.page(LIVE)
    await expect(page.locator("#word")).to_have_text("Too few to show")
    await expect(page.locator("#coverage")).to_have_text("0 of 9 faces seen")
    await expect(page.locator("#not-analysed")).to_contain_text("9 camera off")
    await expect(page.locator("#newest-alert")).to_contain_text("No alert so far")


async def test_the_shares_of_a_class_of_one_are_withheld(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(300, analysed=1, camera_off=0, shown=False))
    page = await host_server.page(LIVE)
    await expect(page.locator("#coverage")).to_have_text("1 of 1 face seen")
    await expect(page.locator("#word")).to_have_text("Too few to show")
    await expect(page.locator("#shares-note")).to_contain_text("Not shown")


async def test_html_in_titles_and_labels_is_shown_as_text(host_server: HostServer) -> None:
    hostile = '<img src=x onerror="document.title=1">'
    info = replace(await host_server.add_class([]), title=hostile, reason=hostile)
    await host_server.store.put_class(info)
    page = await host_server.page(LIVE)
    page_errors: list[str] = []
    page.on("pageerror", lambda error: page_errors.append(str(error)))
    await expect(page.locator("h1")).to_have_text(hostile)
    await page.fill("#marker-label", hostile)
    await page.keyboard.press("Enter")
    await expect(page.locator("#markers")).to_contain_text(hostile)
    await page.evaluate("document.getElementById('marker-label').maxLength = 20000")
    await page.fill("#marker-label", "m" * 10_000)
    await page.click("#add-marker")
    await expect(page.locator("#failed")).to_contain_text("label is too long: give at most 200 characters")
    assert await page.locator("main img:not(.qr)").count() == 0
    assert page_errors == []


async def test_the_page_works_after_the_clock_jumps(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(300))
    page = await host_server.page(LIVE)
    await expect(page.locator("#word")).to_have_text("Steady")
    await host_server.publish_window(a_window(86_400))
    await expect(page.locator("#as-of")).to_have_text("at 24:00:05")
    await host_server.publish_window(a_window(300))
    await expect(page.locator("#timeline svg")).to_be_visible()
    await expect(page.locator("#word")).not_to_have_text("–")


async def test_ninety_minutes_of_thirty_students_are_shown_completely(host_server: HostServer) -> None:
    """``python -m benchmarks pages`` measures how long it takes to load."""
    windows = [
        replace(window, class_id="c1") for window in simulate(1, 90, students=30, shifts=[(2400, 0.2, 0)])
    ]
    await add_running_class(host_server, windows)
    page = await host_server.page(LIVE)
    await expect(page.locator("#as-of")).to_have_text("at 1:30:00")
    await expect(page.locator("#timeline svg desc")).to_contain_text("1080 windows over 90.0 minutes")
    await expect(page.locator("#newest-alert")).to_contain_text("Faces look tenser")
