"""A whole class in real browsers: students with cameras, the host's live page, the report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from pathlib import Path

import pytest
from playwright.async_api import Page, expect

from bot.app import Server, serving
from bot.config import PrivacySettings, Settings, StoreSettings, WebSettings
from reports.summary.windows import WindowSummary
from tests.cameras import needs_network
from tests.e2e.chromium import as_camera, chromium, needs_chromium

pytestmark = [pytest.mark.browser, needs_chromium, needs_network]


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[Server]:
    settings = Settings(
        store=StoreSettings(url=f"sqlite:///{tmp_path}/class.db"),
        web=WebSettings(port=0, token_file=tmp_path / "token"),
        privacy=PrivacySettings(min_group=1),
    )
    async with serving(settings) as running:
        yield running


async def join(stack: AsyncExitStack, url: str, camera: Path) -> Page:
    """Open a browser as a student and join."""
    browser = await stack.enter_async_context(chromium(camera))
    page = await browser.new_page()
    await page.goto(url)
    await page.check("#consent")
    await page.click("#join")
    return page


async def windows(server: Server, class_id: str) -> list[WindowSummary]:
    found = await server.store.windows(class_id)
    for window in found:
        assert window.participants == window.analysed + sum(window.not_analysed.values())
    return found


async def test_from_camera_to_report(server: Server, faces: Path, tmp_path: Path) -> None:
    smiling, landscape, changing = [
        await asyncio.to_thread(as_camera, faces / name, tmp_path)
        for name in ("single_face.mp4", "no_face.mp4", "WolfgangLanger_Pexels.mp4")
    ]
    async with AsyncExitStack() as stack:
        browser = await stack.enter_async_context(chromium())
        host = await browser.new_page()
        errors: list[str] = []
        host.on("pageerror", lambda error: errors.append(str(error)))
        host.on("console", lambda line: errors.append(line.text) if line.type == "error" else None)

        await host.goto(server.host_link)
        await expect(host.locator("h1")).to_be_visible()
        assert "token" not in host.url
        await host.fill("input[name=title]", "Biology <b>1</b>")
        await host.keyboard.press("Enter")
        await expect(host.locator("#state")).to_contain_text("live", ignore_case=True)
        class_id = host.url.rsplit("/", 1)[1]
        info = await server.store.get_class(class_id)
        assert info is not None
        assert info.student_url is not None

        await join(stack, info.student_url, smiling)
        await expect(host.locator("#coverage")).to_contain_text("1 of 1", timeout=12_000)
        # A browser begins with low video quality: in the first window the smile may be blurred.
        await host.wait_for_function(
            """() => {
                const rows = [...document.querySelectorAll("#shares [data-emotion]")];
                rows.sort((one, other) => other.dataset.share - one.dataset.share);
                const [largest] = rows;
                const {emotion, share} = largest?.dataset ?? {};
                return rows.length === 7 && emotion === "happy" && share > 0.4;
            }""",
            timeout=20_000,
        )

        await join(stack, info.student_url, landscape)
        await expect(host.locator("#coverage")).to_contain_text("1 of 2", timeout=15_000)
        await expect(host.locator("#not-analysed")).to_contain_text("no face", ignore_case=True)

        student = await join(stack, info.student_url, changing)
        await expect(host.locator("#coverage")).to_contain_text("2 of 3", timeout=15_000)
        await student.click("#pulse-lost")
        await asyncio.sleep(16)
        happy_shares = [
            window.expressions["happy"]
            for window in await windows(server, class_id)
            if window.expressions is not None and window.analysed == 2
        ]
        assert len(happy_shares) >= 3
        assert max(happy_shares) - min(happy_shares) > 0.05, "the changing face must change the shares"

        await host.click("#end-class")
        await host.click("#end-confirm")
        await expect(host.locator("#report-link")).to_be_visible(timeout=10_000)
        assert errors == []

        response = await host.request.get(f"{server.url}/api/classes/{class_id}/report.html")
        assert response.status == 200
        saved = tmp_path / "report.html"
        saved.write_bytes(await response.body())

        offline = await stack.enter_async_context(chromium())
        context = await offline.new_context(offline=True)
        report = await context.new_page()
        requested: list[str] = []
        report.on("request", lambda request: requested.append(request.url))
        await report.goto(saved.as_uri())
        await expect(report.locator("svg").first).to_be_visible()
        await expect(report.locator("body")).to_contain_text("Biology <b>1</b>")
        assert requested == [saved.as_uri()]

    stored = await windows(server, class_id)
    assert any(window.not_analysed["no_face"] == 1 for window in stored)
    assert sum(window.pulses["lost"] for window in stored) == 1
    final = await server.store.get_class(class_id)
    assert final is not None
    assert final.state == "ended"
