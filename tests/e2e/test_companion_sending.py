"""The student page sends no more video than the analysis uses."""

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

RECORD_CONNECTIONS = """
  const Original = RTCPeerConnection;
  window.connections = [];
  window.RTCPeerConnection = class extends Original {
    constructor(...options) { super(...options); window.connections.push(this); }
  };
"""
SENDING_STATISTICS = """async () => {
  const report = await window.connections.at(-1).getStats();
  const stream = [...report.values()].find((entry) => entry.type === "outbound-rtp");
  const {framesSent, keyFramesEncoded, frameHeight, scalabilityMode} = stream;
  const encoding = window.connections.at(-1).getSenders()[0].getParameters().encodings[0];
  return {framesSent, keyFramesEncoded, frameHeight, scalabilityMode, maxFramerate: encoding.maxFramerate};
}"""


async def sending_statistics(page: Page) -> dict[str, Any]:
    statistics: dict[str, Any] = await page.evaluate(SENDING_STATISTICS)
    return statistics


async def test_a_browser_sends_twice_the_sampling_rate_in_layers_and_key_frames_on_request_only(
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
        await page.add_init_script(RECORD_CONNECTIONS)
        await page.goto(f"{server.url}/c/{info.code}")
        await page.check("#consent")
        await page.click("#join")
        await expect(page.locator("#status")).to_contain_text("camera is on", timeout=20_000)
        await asyncio.sleep(4)
        first, clock = await sending_statistics(page), asyncio.get_running_loop().time
        start_s = clock()
        await asyncio.sleep(5)
        then, elapsed_s = await sending_statistics(page), clock() - start_s
        assert (then["maxFramerate"], then["scalabilityMode"], then["frameHeight"]) == (
            wanted_fps,
            "L1T3",
            180,
        )
        assert 0 < then["framesSent"] - first["framesSent"] <= (wanted_fps + 1) * elapsed_s
        assert first["keyFramesEncoded"] >= 1
        assert then["keyFramesEncoded"] == first["keyFramesEncoded"]
