"""Keeps and shows what one class's pipeline gives out.

Comes in: windows, pulses, consents, check-ins, erasures. Goes out: to the store, by way of the backlog, and
to the live feed. Nothing in here waits long for the store: the class goes on while it is in trouble.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from bot.metrics import Metrics
from bot.sessions.backlog import Backlog
from bot.sessions.class_stats import ClassStats
from reports.store import Store
from reports.summary.indicators import Indicators
from reports.summary.records import CheckIn, Consent, PulseRecord
from reports.summary.windows import WindowSummary
from reports.web.feed import LiveFeed

_KEPT_FIRST_S: Final = 0.5
"""How long a window waits to be kept before it is shown, so that who reads the store finds it there."""


class ClassSink:
    """The ``Sink`` of one class."""

    def __init__(
        self,
        class_id: str,
        *,
        store: Store,
        backlog: Backlog,
        feed: LiveFeed,
        metrics: Metrics,
        stats: Callable[[], ClassStats],
        on_connection: Callable[[bool, str], Awaitable[None]],
    ) -> None:
        """Wire up; ``on_connection`` is told when the room breaks off or comes back, ``stats`` asked anew."""
        self._class_id = class_id
        self._store, self._backlog, self._feed = store, backlog, feed
        self._metrics, self._stats = metrics, stats
        self._on_connection = on_connection
        self._indicators = Indicators()
        self._checked_in: set[str] = set()  # participants of whom a page may show a check-in

    async def on_window(self, window: WindowSummary, behind_s: float) -> None:
        clock = asyncio.get_running_loop().time
        ended_s = clock() - behind_s
        self._backlog.put(lambda: self._store.add_window(window))
        await self._backlog.settle(_KEPT_FIRST_S)
        self._feed.publish(window.class_id, "summary", window.to_json())
        shown_after_s = clock() - ended_s  # with the wait for the store
        indicator, alert = self._indicators.add(window)
        self._feed.publish(window.class_id, "indicator", indicator.to_json())
        if alert is not None:
            self._feed.publish(window.class_id, "alert", alert.to_json())
        self._stats().window(shown_after_s, window.analysed)
        self._metrics.behind.observe(shown_after_s)

    async def on_pulse(self, pulse: PulseRecord) -> None:
        self._metrics.pulses.labels(pulse.kind.value).inc()
        self._backlog.put(lambda: self._store.add_pulse(pulse))
        self._feed.publish(pulse.class_id, "pulse", pulse.to_json())

    async def on_consent(self, consent: Consent) -> None:
        self._backlog.put(lambda: self._store.add_consent(consent), must=True)
        if not consent.individual:
            await self._take_off_pages(consent.participant_id)

    async def on_check_in(self, check_in: CheckIn) -> None:
        self._backlog.put(lambda: self._store.add_check_in(check_in))
        self._checked_in.add(check_in.participant_id)
        await self._backlog.settle(_KEPT_FIRST_S)
        # Without the name: what is on the feed may be kept for pages that come back.
        self._feed.publish(check_in.class_id, "check_in", {})

    async def on_erase(self, participant_id: str) -> None:
        self._backlog.put(lambda: self._store.erase_participant(self._class_id, participant_id), must=True)
        await self._take_off_pages(participant_id)

    async def _take_off_pages(self, participant_id: str) -> None:
        """The check-ins of a participant are deleted: pages that show them read them anew."""
        if participant_id not in self._checked_in:
            return
        self._checked_in.remove(participant_id)
        await self._backlog.settle(_KEPT_FIRST_S)
        self._feed.publish(self._class_id, "check_in", {})

    async def on_connection(self, up: bool, reason: str) -> None:
        await self._on_connection(up, reason)

    def on_observation(self, took_s: float) -> None:
        self._stats().sample(took_s)
        self._metrics.reading.observe(took_s)

    def on_cameras(self, change: int) -> None:
        self._metrics.cameras.inc(change)
