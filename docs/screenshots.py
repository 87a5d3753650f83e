"""Takes the screenshots of the README: a demo class in a real Chromium. Run by ``make screenshots``.

The students are drawn, so the screenshots show no real person. The script takes almost four minutes: the
indicator needs three minutes of a class for its baseline.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path
from typing import Final

from playwright.async_api import Page, async_playwright
from tqdm import tqdm

from bot.app import serving
from bot.config import PrivacySettings, Settings, StoreSettings, WebSettings
from bot.demo.students import run_students

_IMAGES: Final = Path(__file__).parent / "images"
_CHROMIUM: Final = "/usr/bin/chromium"
_STUDENTS: Final = 8
_WIDTH_PX: Final = 1100
_MARGIN_PX: Final = 12
CLASS_S: Final = 190
"""Length of the class in seconds, just longer than the indicator needs for its baseline."""

_BEGIN_S: Final = 60.0
"""Where the students' script begins, seconds: just before its difficult part, so that the class has recovered
by the end."""

_ASK_S: Final = 60
"""When the class is asked, seconds: in the difficult part."""

_MARKER_S: Final = 100
"""When the marker is set, seconds."""


async def main() -> None:
    """Run a class and save screenshots of its pages."""
    _IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            store=StoreSettings(url=f"sqlite:///{folder}/class.db"),
            web=WebSettings(
                port=0, token_file=Path(folder) / "token", public_url="https://mood.school.example"
            ),
            privacy=PrivacySettings(min_group=5),
        )
        async with serving(settings) as server, async_playwright() as playwright:
            browser = await playwright.chromium.launch(
                executable_path=_CHROMIUM,
                args=["--no-sandbox", "--disable-gpu", "--disable-background-networking"],
            )
            info = await server.sessions.start("companion:?synthetic=1", "Biology 9b: the cell")
            stop = asyncio.Event()
            students = asyncio.create_task(
                run_students(server.url, info.code or "", _STUDENTS, 1, stop, begin_s=_BEGIN_S)
            )
            context = await browser.new_context(viewport={"width": _WIDTH_PX, "height": 900})
            page = await context.new_page()
            await page.goto(server.host_link)
            await page.locator("#start-class").wait_for()  # the host link forwards to the list of classes
            await page.goto(f"{server.url}/classes/{info.id}")
            for second in tqdm(range(CLASS_S), desc="running the class", unit="s"):
                if second == _ASK_S:
                    await server.sessions.ask(info.id, "", (), None)
                if second == _MARKER_S:
                    await server.sessions.mark(info.id, "mitosis")
                await asyncio.sleep(1)
            await screenshot_whole_page(page, _IMAGES / "live.png")
            small = await context.new_page()
            await small.set_viewport_size({"width": 320, "height": 660})
            await small.goto(f"{server.url}/classes/{info.id}?view=small")
            await small.locator("#word-line:not([data-word=''])").wait_for()
            await small.screenshot(path=_IMAGES / "small.png")
            companion = await browser.new_page(viewport={"width": 420, "height": 800})
            await companion.goto(f"{server.url}/c/{info.code}")
            await companion.screenshot(path=_IMAGES / "companion.png", full_page=True)
            stop.set()
            await students
            await server.sessions.end(info.id)
            await page.goto(f"{server.url}/api/classes/{info.id}/report.html")
            await screenshot_down_to(page, "section[aria-labelledby=overall]", _IMAGES / "report.png")
            await browser.close()


async def screenshot_whole_page(page: Page, file: Path) -> None:
    """Take a screenshot in a window as tall as the page: the page's footer sticks to the window's bottom."""
    await _screenshot(page, await page.evaluate("document.documentElement.scrollHeight"), file)


async def screenshot_down_to(page: Page, selector: str, file: Path) -> None:
    """Take a screenshot from the top of the page to the end of an element, so that no line of text is cut."""
    bottom = await page.locator(selector).evaluate("element => element.getBoundingClientRect().bottom")
    await _screenshot(page, round(bottom) + _MARGIN_PX, file)


async def _screenshot(page: Page, height: int, file: Path) -> None:
    await page.set_viewport_size({"width": _WIDTH_PX, "height": height})
    await page.screenshot(path=file)


if __name__ == "__main__":
    asyncio.run(main())
    sys.stdout.write(f"Screenshots are in {_IMAGES}.\n")
