"""The system's Chromium with a fake camera, as the end-to-end tests start it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import av
import cv2
import pytest
from playwright.async_api import Browser, async_playwright

CHROMIUM = Path("/usr/bin/chromium")

needs_chromium = pytest.mark.skipif(not CHROMIUM.exists(), reason="no Chromium: apt-get install chromium")

_ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@asynccontextmanager
async def chromium(camera: Path | None = None) -> AsyncIterator[Browser]:
    """A browser; ``camera`` is an MJPEG file that it plays as its camera."""
    arguments = list(_ARGUMENTS)
    if camera is not None:
        arguments += [
            "--use-fake-ui-for-media-stream",
            "--use-fake-device-for-media-stream",
            f"--use-file-for-fake-video-capture={camera}",
        ]
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=str(CHROMIUM), args=arguments)
        try:
            yield browser
        finally:
            await browser.close()


def as_camera(clip: Path, folder: Path) -> Path:
    """Convert a clip to the MJPEG file that Chromium's fake camera plays in a loop."""
    target = folder / f"{clip.stem}.mjpeg"
    with av.open(str(clip)) as source, target.open("wb") as file:
        for frame in source.decode(video=0):
            image = frame.reformat(640, 360, "bgr24").to_ndarray()
            coded, jpeg = cv2.imencode(".jpg", image, [cv2.IMWRITE_JPEG_QUALITY, 92])
            assert coded
            file.write(jpeg.tobytes())
    return target
