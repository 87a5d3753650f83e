"""A student who agreed to check-ins erases their data from the page after the class."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest
from playwright.async_api import expect

from bot.app import serving
from bot.config import Settings, StoreSettings, WebSettings
from tests.e2e.chromium import chromium, needs_chromium
from tests.e2e.student_page import is_accessible

pytestmark = [pytest.mark.browser, needs_chromium]


def database_contains(folder: Path, text: bytes) -> bool:
    return any(text in file.read_bytes() for file in folder.glob("class.db*"))


@pytest.mark.parametrize("reloaded", [False, True], ids=["page still open", "page reloaded"])
async def test_a_student_erases_themselves_after_the_class(tmp_path: Path, reloaded: bool) -> None:
    settings = Settings(
        store=StoreSettings(url=f"sqlite:///{tmp_path}/class.db"),
        web=WebSettings(port=0, token_file=tmp_path / "token"),
    )
    async with serving(settings) as server, chromium() as browser:
        info = await server.sessions.start("companion:", "Maths")
        page = await browser.new_page()
        await page.goto(f"{server.url}/c/{info.code}")
        await page.check("#consent")
        await page.click("#join-more summary")
        await page.check("#individual")
        await page.fill("#name", "Adelheid")
        await page.click("#join")
        await expect(page.locator("#status")).to_contain_text("You are in the class", timeout=20_000)
        await expect(page.locator("#afterwards")).to_be_hidden()
        await server.sessions.end(info.id)
        await expect(page.locator("#status")).to_contain_text("has ended", timeout=20_000)
        assert [consent.name for consent in await server.store.consents(info.id)] == ["Adelheid"]
        assert await asyncio.to_thread(database_contains, tmp_path, b"Adelheid")
        await is_accessible(page)

        if reloaded:
            await page.reload()
            await expect(page.locator("h1")).to_contain_text("no class here")
            await is_accessible(page)
        stranger = await browser.new_page()
        await stranger.goto(page.url)
        await expect(stranger.locator("h1")).to_contain_text("no class here")
        await expect(stranger.locator("#afterwards")).to_be_hidden()

        await page.click("#erase-kept")
        await expect(page.locator("#status")).to_contain_text("You were erased")
        await expect(page.locator("#status")).to_be_focused()
        await expect(page.locator("#afterwards")).to_be_hidden()
        assert await server.store.consents(info.id) == []
        assert not await asyncio.to_thread(database_contains, tmp_path, b"Adelheid")
