"""What students are told about their camera: unanswered questions, no frames, faces; and a frozen server."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from bot.rooms.contract import Joined, TrackAdded
from bot.tracks import Sight
from tests.attack.target import running
from tests.cameras import needs_network
from tests.e2e.chromium import chromium, needs_chromium
from tests.e2e.student_page import ServedRoom, is_accessible

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_network, needs_chromium]

NEVER_ANSWERED = """
  const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
  window.allow = null;
  navigator.mediaDevices.getUserMedia = (wanted) =>
    new Promise((resolve) => { window.allow = () => resolve(open(wanted)); });
"""
MUTED = """
  Object.defineProperty(MediaStreamTrack.prototype, "muted", {get() { return window.taken === true; }});
"""
UNPARSABLE = "this is not JavaScript ("
SOON_MS = 14_000
ON = "You are in the class. Your camera is on."


async def test_a_student_who_does_not_answer_the_browser_joins_without_a_camera(
    served_room: ServedRoom, page: Page
) -> None:
    await page.add_init_script(NEVER_ANSWERED)
    await page.goto(served_room.url)
    await page.check("#consent")
    await expect(page.locator("#status")).to_contain_text(
        "Allow it at the top of the window", timeout=SOON_MS
    )
    await page.click("#join")
    await served_room.next(Joined)
    await expect(page.locator("#status")).to_contain_text("without a camera: the browser asks")
    await page.evaluate("window.allow()")
    await served_room.next(TrackAdded)
    await expect(page.locator("#status")).to_have_text(ON)


async def test_a_camera_that_another_program_has(served_room: ServedRoom, page: Page) -> None:
    await page.add_init_script(MUTED)
    await page.goto(served_room.url)
    await page.check("#consent")
    await page.click("#join")
    await expect(page.locator("#status")).to_have_text(
        "You are in the class. Your camera is on.", timeout=SOON_MS
    )
    await page.evaluate("window.taken = true")
    await expect(page.locator("#status")).to_contain_text("no pictures are arriving", timeout=SOON_MS)
    await expect(page.locator("#status")).to_contain_text("Windows 11")
    await page.evaluate("window.taken = false")
    await expect(page.locator("#status")).to_have_text(
        "You are in the class. Your camera is on.", timeout=SOON_MS
    )


async def test_a_student_is_told_what_the_camera_shows(served_room: ServedRoom, page: Page) -> None:
    await page.goto(served_room.url)
    await page.check("#consent")
    await page.click("#join")
    added = await served_room.next(TrackAdded)
    assert isinstance(added, TrackAdded)
    for sight, text in (
        (Sight.NO_FACE, "No face is seen"),
        (Sight.TOO_DARK, "too dark"),
        (Sight.TOO_SMALL, "move closer"),
        (Sight.FINE, "Your face is seen."),
    ):
        added.track.seen.sight = sight
        await expect(page.locator("#sight")).to_contain_text(text, timeout=SOON_MS)
    await is_accessible(page)


async def test_an_old_browser_says_so(served_room: ServedRoom) -> None:
    async def unparsable(route: object) -> None:
        await route.fulfill(content_type="text/javascript", body=UNPARSABLE)  # type: ignore[attr-defined]

    async with chromium() as browser:
        page = await browser.new_page()
        await page.route("**/main.js", unparsable)
        await page.goto(served_room.url)
        await expect(page.get_by_text("this browser is too old")).to_be_visible(timeout=SOON_MS)


async def test_a_current_browser_does_not_say_so(served_room: ServedRoom, page: Page) -> None:
    await page.goto(served_room.url)
    await expect(page.locator("#too-old")).to_have_count(0)


@pytest.mark.real_time
async def test_pages_notice_a_frozen_server(tmp_path: Path) -> None:
    """SIGSTOP closes no connection: only silence shows it."""
    async with running(tmp_path) as target, chromium() as browser:
        made = await target.start_class()
        host = await browser.new_page()
        await host.goto(f"{target.url}/classes/{made['id']}?token={target.token}")
        await expect(host.locator("#connection")).to_have_attribute("data-state", "open")
        student = await browser.new_page()
        await student.goto(made["student_url"])
        await student.check("#consent")
        await student.click("#join")
        await expect(student.locator("#status")).to_contain_text("You are in the class", timeout=SOON_MS)
        os.kill(target.process.pid, signal.SIGSTOP)
        try:
            await expect(host.locator("#connection")).to_have_attribute("data-state", "lost", timeout=SOON_MS)
            await expect(student.locator("#status")).to_contain_text("connection is lost", timeout=SOON_MS)
        finally:
            os.kill(target.process.pid, signal.SIGCONT)
        await expect(host.locator("#connection")).to_have_attribute("data-state", "open", timeout=30_000)
        await expect(student.locator("#status")).to_contain_text("You are in the class", timeout=30_000)
