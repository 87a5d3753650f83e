"""What a student's browser sends from the companion page: no more than is looked at."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from playwright.async_api import Page, expect

from bot.app import serving
from bot.config import Settings, StoreSettings, WebSettings
from tests.cameras import needs_network
from tests.e2e.chromium import as_camera, chromium, needs_chromium

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium, needs_network]

KEEP_CONNECTIONS = """
  const Made = RTCPeerConnection;
  window.made = [];
  window.RTCPeerConnection = class extends Made {
    constructor(...given) { super(...given); window.made.push(this); }
  };
"""
SENT = """async () => {
  const report = await window.made.at(-1).getStats();
  const sent = [...report.values()].find((entry) => entry.type === "outbound-rtp");
  const {framesSent, keyFramesEncoded, frameHeight, scalabilityMode} = sent;
  const encoding = window.made.at(-1).getSenders()[0].getParameters().encodings[0];
  return {framesSent, keyFramesEncoded, frameHeight, scalabilityMode, maxFramerate: encoding.maxFramerate};
}"""


async def sent(page: Page) -> dict[str, Any]:
    found: dict[str, Any] = await page.evaluate(SENT)
    return found


async def test_a_browser_sends_twice_what_is_looked_at_in_layers_and_key_frames_when_asked_only(
    faces: Path, tmp_path: Path
) -> None:
    settings = Settings(
        store=StoreSettings(url=f"sqlite:///{tmp_path}/class.db"),
        web=WebSettings(port=0, token_file=tmp_path / "token"),
    )
    wanted_fps = 2 * settings.analysis.samples_per_s
    camera = await asyncio.to_thread(as_camera, faces / "single_face.mp4", tmp_path)
    async with serving(settings) as server, chromium(camera) as browser:
        info = await server.sessions.start("companion:", "Maths")
        page = await browser.new_page()
        await page.add_init_script(KEEP_CONNECTIONS)
        await page.goto(f"{server.url}/c/{info.code}")
        await page.check("#consent")
        await page.click("#join")
        await expect(page.locator("#status")).to_contain_text("camera is on", timeout=20_000)
        await asyncio.sleep(4)
        first, clock = await sent(page), asyncio.get_running_loop().time
        began_s = clock()
        await asyncio.sleep(5)
        then, took_s = await sent(page), clock() - began_s
        assert (then["maxFramerate"], then["scalabilityMode"], then["frameHeight"]) == (
            wanted_fps,
            "L1T3",
            180,
        )
        assert 0 < then["framesSent"] - first["framesSent"] <= (wanted_fps + 1) * took_s
        assert first["keyFramesEncoded"] >= 1
        assert then["keyFramesEncoded"] == first["keyFramesEncoded"]
