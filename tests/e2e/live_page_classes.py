"""Classes for the tests of the live page, and the accessibility check."""

from __future__ import annotations

from typing import Any

from axe_core_python.async_playwright import Axe
from playwright.async_api import Page

from reports.summary.windows import WindowSummary
from tests.e2e.host_server import HostServer
from tests.reports.summary.simulated_classes import a_window

LIVE = "/classes/c1"
SMALL = "/classes/c1?view=small"


def steady(seconds: float, start_s: float = 0.0, **changes: Any) -> list[WindowSummary]:
    """Identical windows of five seconds; ``changes`` apply to each."""
    return [a_window(start_s + 5 * index, **changes) for index in range(round(seconds / 5))]


async def add_running_class(host_server: HostServer, windows: list[WindowSummary], **more: Any) -> None:
    """Store a class and its indicators, so that further windows can be published."""
    await host_server.add_class(windows, **more)
    for window in windows:
        host_server.indicators.add(window)


async def accessibility_violations(page: Page) -> list[str]:
    """The rule and the first element of each violation that axe finds."""
    result = await Axe().run(page)
    return [f"{violation['id']}: {violation['nodes'][0]['html'][:120]}" for violation in result["violations"]]
