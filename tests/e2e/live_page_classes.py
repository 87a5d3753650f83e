"""Classes for the tests of the live page: kept, followed, going on."""

from __future__ import annotations

from typing import Any

from reports.summary.windows import WindowSummary
from tests.e2e.host_server import HostDesk
from tests.reports.summary.simulated_classes import a_window

LIVE = "/classes/c1"


def steady(seconds: float, start_s: float = 0.0, **changes: Any) -> list[WindowSummary]:
    return [a_window(start_s + 5 * index, **changes) for index in range(round(seconds / 5))]


async def running_class(desk: HostDesk, windows: list[WindowSummary], **more: Any) -> None:
    """A class whose windows are kept and followed, so that it can go on."""
    await desk.add_class(windows, **more)
    for window in windows:
        desk.live.add(window)
