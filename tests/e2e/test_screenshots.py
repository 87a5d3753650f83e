"""The screenshots of the README show whole pages, and a class that is long enough for an indicator."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from playwright.async_api import expect

from docs.screenshots import CLASS_S, screenshot_down_to, screenshot_whole_page
from tests.e2e.chromium import needs_chromium
from tests.e2e.host_server import HostServer
from tests.e2e.live_page_classes import LIVE, add_running_class, steady

pytestmark = [pytest.mark.browser, needs_chromium]


async def test_the_screenshot_shows_the_whole_live_page(host_server: HostServer, tmp_path: Path) -> None:
    await add_running_class(host_server, steady(900))
    page = await host_server.page(LIVE)
    await expect(page.locator("#timeline svg")).to_be_visible()
    await screenshot_whole_page(page, tmp_path / "live.png")
    end, footer = (
        await page.locator("#end-class").bounding_box(),
        await page.locator("footer").bounding_box(),
    )
    assert end is not None
    assert footer is not None
    assert end["y"] + end["height"] < footer["y"]
    screenshot = cv2.imread(str(tmp_path / "live.png"))
    assert screenshot is not None
    assert screenshot.shape[0] == round(footer["y"] + footer["height"])


async def test_the_class_is_just_long_enough_for_an_indicator(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(CLASS_S - CLASS_S % 5))
    page = await host_server.page(LIVE)
    await expect(page.locator("#word")).to_have_text("Steady")
    assert CLASS_S < 240


async def test_a_screenshot_down_to_an_element_ends_just_below_it(
    host_server: HostServer, tmp_path: Path
) -> None:
    await add_running_class(host_server, steady(900))
    page = await host_server.page("/api/classes/c1/report.html")
    await screenshot_down_to(page, "section[aria-labelledby=overall]", tmp_path / "report.png")
    section = await page.locator("section[aria-labelledby=overall]").bounding_box()
    following = await page.locator("section[aria-labelledby=segments]").bounding_box()
    screenshot = cv2.imread(str(tmp_path / "report.png"))
    assert section is not None
    assert following is not None
    assert screenshot is not None
    assert section["y"] + section["height"] < screenshot.shape[0] < following["y"]
