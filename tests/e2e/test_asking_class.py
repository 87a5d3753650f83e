"""Asking a class of thirty: the host's page in a real Chromium, students who answer when asked."""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from bot.app import Server, serving
from bot.config import PrivacySettings, Settings, StoreSettings, WebSettings
from reports.summary.classes import ClassInfo
from tests.contract.room_setups.replay import write_video
from tests.e2e.chromium import chromium, needs_chromium
from tests.e2e.live_page_classes import accessibility_violations
from tests.e2e.student_page import is_accessible
from tests.e2e.voters import voters

pytestmark = [pytest.mark.browser, needs_chromium]

LOST = 12
ANSWERS = ["lost"] * LOST + ["with_me"] * 18


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    """A server without face analysis: it needs no models, and taps and answers alone decide the word."""
    settings = Settings(
        store=StoreSettings(url=f"sqlite:///{tmp_path}/class.db"),
        web=WebSettings(port=0, token_file=tmp_path / "token"),
        privacy=PrivacySettings(jurisdiction="eu-education"),
    )
    async with serving(settings) as running:
        yield running


async def open_class(server: Server, page: Page, room: str = "companion:") -> ClassInfo:
    info = await server.sessions.start(room, "Algebra 9b")
    await page.goto(server.host_link)
    await page.locator("#start-class").wait_for()
    await page.goto(f"{server.url}/classes/{info.id}")
    await expect(page.locator("#connection")).to_have_text("connected")
    return info


async def seconds_until(page: Page, selector: str, pattern: str, within_s: float) -> float:
    """How long it takes until the text of an element matches."""
    start_s = time.monotonic()
    while not re.search(pattern, await page.locator(selector).text_content() or ""):
        assert time.monotonic() - start_s < within_s, await page.locator(selector).text_content()
        await asyncio.sleep(0.02)
    return time.monotonic() - start_s


async def test_asking_fills_live_turns_the_word_and_calms_it_again(server: Server) -> None:
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 1366, "height": 768})
        info = await open_class(server, page)
        assert info.code is not None
        async with voters(server.url, info.code, ANSWERS) as students:
            await expect(page.locator("#coverage")).to_have_text("30 present", timeout=12_000)
            await expect(page.locator("#invite")).not_to_have_attribute("open", "")
            await page.keyboard.press("a")
            await seconds_until(page, "#asked", r"Asking: .*[1-9]\d* (lost|with me)", 1.0)
            word_s = await seconds_until(page, "#word", "^Lost$", 10.0)
            await expect(page.locator("#now")).to_have_attribute("data-level", "act")
            assert (await page.title()).startswith("● Lost")
            await expect(page.locator("#asked")).to_contain_text("18 with me · 12 lost", timeout=8000)
            await expect(page.locator("#newest-alert")).to_contain_text("Students say lost")
            assert await accessibility_violations(page) == []
            await students.tap("ok", range(LOST))
            calm_s = await seconds_until(page, "#word", "^OK$", 20.0)
            await expect(page.locator("#now")).to_have_attribute("data-level", "calm")
            await expect(page.locator("#newest-alert")).to_contain_text("Ended at")
            assert not (await page.title()).startswith("●")
            print(f"word after {word_s:.1f} s, calm after {calm_s:.1f} s")
        await page.evaluate("document.querySelector('#end-class').click()")
        await page.click("#end-confirm")
        await expect(page.locator("#report-link")).to_be_visible()
        await expect(page.locator("#markers")).to_contain_text("Asked: 18 with me · 12 lost · 0 silent")
        await page.click("#report-link")
        await expect(page.locator("section[aria-labelledby=asked]")).to_contain_text("18 with me · 12 lost")


async def test_the_first_lost_is_shown_and_dealt_with(server: Server) -> None:
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 1366, "height": 768})
        info = await open_class(server, page)
        assert info.code is not None
        async with voters(server.url, info.code, ["with_me"] * 6) as students:
            await expect(page.locator("#coverage")).to_have_text("6 present", timeout=12_000)
            await students.tap("lost", [0])
            await expect(page.locator("#word-detail")).to_have_text(
                "1 of 6 students says lost, last 1 min.", timeout=12_000
            )
            await expect(page.locator("#now")).to_have_attribute("data-level", "caution")
            await expect(page.locator("[data-pulse=lost]")).to_have_text("1")
            await expect(page.locator("[data-pulse=silent]")).to_have_text("5")
            assert await accessibility_violations(page) == []
            await page.keyboard.press("d")
            await expect(page.locator("#now")).to_have_attribute("data-level", "none", timeout=2000)
            await expect(page.locator("#markers")).to_contain_text("Dealt with it")


async def test_a_question_of_ones_own_on_a_students_phone(server: Server) -> None:
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 1366, "height": 768})
        info = await open_class(server, page)
        assert info.student_url is not None
        phone = await browser.new_page(viewport={"width": 390, "height": 844}, locale="de-DE")
        errors: list[str] = []
        phone.on("pageerror", lambda error: errors.append(str(error)))
        await phone.goto(info.student_url)
        join = await phone.locator("#join").bounding_box()
        assert join is not None
        assert join["y"] + join["height"] < 844, "Join is on the first screen of a phone"
        await is_accessible(phone)
        await phone.check("#consent")
        await phone.click("#join")
        await expect(phone.locator("#in-class")).to_be_visible()
        await page.click("#own-question summary")
        await page.fill("#ask-question", "Which graph?")
        for number, answer in enumerate(("left", "right"), 1):
            await page.fill(f"#answer-{number}", answer)
        await page.keyboard.press("Enter")
        await expect(phone.locator("#question-title")).to_have_text("Which graph?")
        await is_accessible(phone)
        await phone.click("#answers button:nth-child(2)")
        await expect(phone.locator("#answers button:nth-child(2)")).to_have_attribute("aria-pressed", "true")
        await expect(page.locator("#asked")).to_contain_text("Which graph? · 0 left · 1 right · 0 silent")
        await phone.click("#answers button:nth-child(1)")
        await expect(page.locator("#asked")).to_contain_text("1 left · 0 right")
        await phone.reload()
        await phone.check("#consent")
        await phone.click("#join")
        await expect(phone.locator("#question-title")).to_have_text("Which graph?")
        assert errors == []


async def test_a_class_in_another_room_has_a_page_with_buttons(server: Server, tmp_path: Path) -> None:
    await asyncio.to_thread(write_video, tmp_path / "student.mp4")
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 1366, "height": 768})
        info = await open_class(server, page, f"replay:{tmp_path}")
        await expect(page.locator("#invite summary").first).to_have_text(
            "Student link for buttons and answers"
        )
        assert info.student_url is not None
        student = await browser.new_page()
        await student.goto(info.student_url)
        await expect(student.locator("#notice")).to_contain_text("This page uses no camera")
        await student.check("#consent")
        await student.click("#join")
        await page.keyboard.press("a")
        await student.click("[data-answer=with_me]")
        await expect(page.locator("#asked")).to_contain_text("1 with me")
        await expect(page.locator("#coverage")).to_have_text("1 present", timeout=12_000)


async def test_a_small_screen_shows_the_word_first(server: Server) -> None:
    async with chromium() as browser:
        page = await browser.new_page(viewport={"width": 1366, "height": 768})
        info = await open_class(server, page)
        assert info.code is not None
        async with voters(server.url, info.code, ["with_me"] * 3):
            await expect(page.locator("#coverage")).to_have_text("3 present", timeout=12_000)
            for width, height in ((1366, 768), (683, 384)):  # 683 x 384: 1366 x 768 at a zoom of 200 %
                await page.set_viewport_size({"width": width, "height": height})
                footer = await page.locator("footer").bounding_box()
                assert footer is not None
                assert footer["height"] < 40, "the sticky line is one line"
                for selector in ("#word", "#ask"):
                    box = await page.locator(selector).bounding_box()
                    assert box is not None
                    assert box["y"] + box["height"] <= footer["y"], selector
