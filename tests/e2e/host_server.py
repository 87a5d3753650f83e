"""A web server with a real store, filled with simulated classes, and a real browser for its host."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from aiohttp import web
from playwright.async_api import Browser, Page

from inference.classifier import DEFAULT_MODEL
from inference.engine import read_card
from reports.languages import language as find_language
from reports.languages import load_all
from reports.store import Store
from reports.summary.classes import ClassInfo
from reports.summary.indicators import Indicators
from reports.summary.records import Marker, PulseRecord
from reports.summary.windows import PulseKind, WindowSummary
from reports.web.application import build_app
from reports.web.feed import LiveFeed
from reports.web.host_keys import HostKeys
from tests.e2e.chromium import chromium
from tests.reports.builders import FakeController, a_class
from tests.reports.web.app_client import memory_keys


@dataclass(slots=True, eq=False)
class HostServer:
    """A server, its store and feed, and a browser for the host."""

    url: str
    store: Store
    feed: LiveFeed
    browser: Browser
    indicators: Indicators
    keys: HostKeys

    async def add_class(
        self,
        windows: Iterable[WindowSummary],
        markers: Sequence[tuple[float, str]] = (),
        info: ClassInfo | None = None,
    ) -> ClassInfo:
        """Store a class with windows, their pulses and markers."""
        info = info or a_class()
        await self.store.put_class(info)
        for window in windows:
            await self._store_window(replace(window, class_id=info.id))
        for at_s, label in markers:
            await self.store.add_marker(Marker(info.id, at_s, label))
        return info

    async def publish_window(self, window: WindowSummary) -> None:
        """Add a window to the running class: store and publish it as the class sink does."""
        await self._store_window(window)
        self.feed.publish(window.class_id, "summary", window.to_json())
        indicator, alerts = self.indicators.add(window)
        self.feed.publish(window.class_id, "indicator", indicator.to_json())
        for alert in alerts:
            self.feed.publish(window.class_id, "alert", alert.to_json())

    async def page(self, path: str, width: int = 1100, height: int = 900, scheme: str = "light") -> Page:
        """Sign in with a host link in a new browser context, then open a page."""
        context = await self.browser.new_context(
            viewport={"width": width, "height": height},
            color_scheme="dark" if scheme == "dark" else "light",
        )
        page = await context.new_page()
        await page.goto(f"{self.url}/?token={await self.keys.make_link()}")
        await page.locator("#start-class").wait_for()  # wait until the welcome page has forwarded to the list
        await page.goto(self.url + path)
        return page

    async def _store_window(self, window: WindowSummary) -> None:
        await self.store.add_window(window)
        for kind in PulseKind:
            for tap in range(window.pulses[kind.value]):
                await self.store.add_pulse(PulseRecord(window.class_id, window.start_s + tap / 10, kind))


@asynccontextmanager
async def serve_host(folder: Path, language: str = "en") -> AsyncIterator[HostServer]:
    """Run a server whose store is in ``folder``, with a browser."""
    await asyncio.to_thread(load_all)
    store = await asyncio.to_thread(Store.open, f"sqlite:///{folder / 'classes.db'}")
    feed, keys = LiveFeed(), memory_keys("token")
    app = await asyncio.to_thread(
        build_app,
        store=store,
        controller=FakeController(store, feed),
        feed=feed,
        keys=keys,
        language=language,
        model_card=await asyncio.to_thread(read_card, DEFAULT_MODEL),
    )
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=1)
    await runner.setup()
    try:
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        async with chromium() as browser:
            url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield HostServer(url, store, feed, browser, Indicators(find_language(language).gettext), keys)
    finally:
        await runner.cleanup()
        await asyncio.to_thread(store.close)
