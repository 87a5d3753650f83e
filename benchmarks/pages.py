"""``benchmarks pages``: how soon the live page and the report of a long class are shown.

ClassMood's own aggregator computes the windows of a class from random observations, without waiting. They are
stored, and Chromium opens both pages of a real server several times.
"""

from __future__ import annotations

import random
import tempfile
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import numpy as np
from playwright.async_api import Page, async_playwright

from bot.app import Server, serving
from bot.config import Settings, StoreSettings, WebSettings
from bot.pipeline.aggregator import WindowAggregator
from bot.pipeline.observation import Observation
from bot.pipeline.privacy_groups import PrivacyGroups
from reports.summary.classes import ClassInfo, ClassState
from reports.summary.records import Marker, PulseRecord
from reports.summary.windows import NotAnalysed, PulseKind, WindowSummary

_CHROMIUM: Final = "/usr/bin/chromium"
_WINDOW_S: Final = 5.0
_CLASS_ID: Final = "simulated"
_SHARE_ANALYSED: Final = 0.93
_TAPS_PER_WINDOW: Final = 0.05


@dataclass(frozen=True, slots=True)
class SimulatedClass:
    """What is stored about a simulated class."""

    windows: list[WindowSummary]
    pulses: list[PulseRecord]
    markers: list[Marker]


def simulate(minutes: float, students: int, seed: int = 1) -> SimulatedClass:
    """Simulate a class: each student's expressions drift around a mean; most samples are analysed."""
    rng = np.random.default_rng(seed)
    mean = rng.dirichlet(np.array([1, 0.5, 1, 4, 2, 1, 8]), students)
    drift = np.zeros_like(mean)
    aggregator = WindowAggregator(_CLASS_ID, _WINDOW_S, PrivacyGroups(5, random.Random(seed)))
    names = [f"s{number}" for number in range(students)]
    for name in names:
        aggregator.join(name, 0.0)
    pulses = []
    for index in range(round(minutes * 60 / _WINDOW_S)):
        at_s = index * _WINDOW_S + 1
        drift = 0.6 * drift + rng.normal(0, 0.05, drift.shape)
        probabilities = np.clip(mean + drift, 0.001, 1)
        probs = (probabilities / probabilities.sum(axis=1, keepdims=True)).astype(np.float32)
        for number, name in enumerate(names):
            if rng.random() < _SHARE_ANALYSED:
                faces = bool(rng.random() < 0.9)
                aggregator.add(Observation(name, at_s, 1, probs[number], None, faces))
            else:
                aggregator.add(Observation(name, at_s, 0, None, NotAnalysed.NO_FACE))
            if rng.random() < _TAPS_PER_WINDOW:
                kind = list(PulseKind)[int(rng.choice(3, p=[0.2, 0.7, 0.1]))]
                aggregator.pulse(name, kind, at_s)
                pulses.append(PulseRecord(_CLASS_ID, at_s, kind))
    windows = aggregator.close_until(minutes * 60)
    markers = [
        Marker(_CLASS_ID, at_s, f"Part {at_s / 600:.0f}") for at_s in np.arange(600, minutes * 60, 600)
    ]
    return SimulatedClass(windows, pulses, markers)


async def open_pages(minutes: float, students: int, times: int) -> dict[str, Any]:
    """Open both pages repeatedly in a running browser, and measure the time.

    Raises:
        ModelError: a model is missing or damaged.
    """
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            store=StoreSettings(url=f"sqlite:///{folder}/class.db"),
            web=WebSettings(port=0, token_file=Path(folder) / "token"),
        )
        async with serving(settings) as server, async_playwright() as playwright:
            simulated = simulate(minutes, students)
            await _store(server, simulated, minutes)
            browser = await playwright.chromium.launch(executable_path=_CHROMIUM, args=["--no-sandbox"])
            page = await browser.new_page()
            await page.goto(server.host_link)
            await page.locator("#start-class").wait_for()
            report = f"{server.url}/api/classes/{_CLASS_ID}/report.html"
            found = {
                "windows": len(simulated.windows),
                "withheld": sum(window.suppressed for window in simulated.windows),
                "live_page_s": await _timed(times, lambda: _open_live_page(page, server)),
                "report_s": await _timed(times, lambda: page.goto(report)),
                "report_bytes": len(await (await page.request.get(report)).body()),
            }
            await browser.close()
            return found


async def _store(server: Server, simulated: SimulatedClass, minutes: float) -> None:
    began = datetime(2026, 3, 2, 9, tzinfo=UTC)
    info = ClassInfo(
        id=_CLASS_ID,
        title="Simulated class",
        room="companion:simulated",
        state=ClassState.ENDED,
        reason="Simulated.",
        code=None,
        student_url=None,
        started_at=began,
        ended_at=began + timedelta(minutes=minutes),
        min_group=5,
        synthetic=True,
    )
    await server.store.put_class(info)
    for window in simulated.windows:
        await server.store.add_window(window)
    for pulse in simulated.pulses:
        await server.store.add_pulse(pulse)
    for marker in simulated.markers:
        await server.store.add_marker(marker)


async def _open_live_page(page: Page, server: Server) -> None:
    await page.goto(f"{server.url}/classes/{_CLASS_ID}")
    await page.locator("#timeline svg").wait_for()
    await page.locator("#word-line:not([data-word=''])").wait_for()


async def _timed(times: int, step: Callable[[], Awaitable[object]]) -> dict[str, float]:
    durations = []
    for _ in range(times):
        began_s = time.monotonic()
        await step()
        durations.append(time.monotonic() - began_s)
    return {
        "least": round(min(durations), 2),
        "median": round(float(np.median(durations)), 2),
        "most": round(max(durations), 2),
    }
