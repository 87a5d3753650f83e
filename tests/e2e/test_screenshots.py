"""The pictures of the README: the live page is taken whole, once the class is long enough for a word."""

from __future__ import annotations

from pathlib import Path

import cv2
import pytest
from playwright.async_api import expect

from docs.screenshots import SECONDS, take_whole
from tests.e2e.chromium import needs_chromium
from tests.e2e.host_server import HostServer
from tests.e2e.live_page_classes import LIVE, add_running_class, steady

pytestmark = [pytest.mark.browser, needs_chromium]


async def test_nothing_of_the_live_page_is_cut_off(host_server: HostServer, tmp_path: Path) -> None:
    await add_running_class(host_server, steady(900))
    page = await host_server.page(LIVE)
    await expect(page.locator("#timeline svg")).to_be_visible()
    await take_whole(page, tmp_path / "live.png")
    end, footer = (
        await page.locator("#end-class").bounding_box(),
        await page.locator("footer").bounding_box(),
    )
    assert end is not None
    assert footer is not None
    assert end["y"] + end["height"] < footer["y"]
    taken = cv2.imread(str(tmp_path / "live.png"))
    assert taken is not None
    assert taken.shape[0] == round(footer["y"] + footer["height"])


async def test_the_class_held_for_them_is_just_long_enough_for_a_word(host_server: HostServer) -> None:
    await add_running_class(host_server, steady(SECONDS - SECONDS % 5))
    page = await host_server.page(LIVE)
    await expect(page.locator("#word")).to_have_text("Steady")
    assert SECONDS < 240
