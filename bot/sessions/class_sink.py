"""Stores and publishes what the pipeline of one class produces.

Every wait for the store is limited, so the class continues while the store is in trouble.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Final

from bot.metrics import Metrics
from bot.sessions.class_timings import ClassTimings
from bot.sessions.recorder import Recorder
from reports.summary.asks import Ask
from reports.summary.indications import Alert, Indicator
from reports.summary.indicators import Indicators
from reports.summary.records import CheckIn, Consent, Marker, MarkerKind, PulseRecord
from reports.summary.windows import WindowSummary
from reports.summary.words import asked
from reports.web.feed import LiveFeed

_STORE_FIRST_S: Final = 0.5
"""Longest wait for the store before an event is published anyway, seconds. A page that reads the store on an
event then finds the record there."""


class ClassSink:
    """The ``Sink`` of one class: to the recorder, the live feed and the metrics."""

    def __init__(
        self,
        class_id: str,
        *,
        recorder: Recorder,
        feed: LiveFeed,
        metrics: Metrics,
        timings: ClassTimings,
        on_connection: Callable[[bool, str], Awaitable[None]],
        say: Callable[[str], str] = str,
    ) -> None:
        """Set up.

        Args:
            class_id: The class.
            recorder: Writes records.
            feed: Publishes events.
            metrics: The server's metrics.
            timings: The class's timings.
            on_connection: Called with whether the room's connection is up, and why not.
            say: Translates texts for the host.
        """
        self._class_id = class_id
        self._recorder, self._feed = recorder, feed
        self._metrics, self._timings = metrics, timings
        self._on_connection = on_connection
        self._say = say
        self._indicators = Indicators(say)
        self._checked_in: set[str] = set()  # participants with a check-in that a page may show

    async def on_window(self, window: WindowSummary, behind_s: float) -> None:
        clock = asyncio.get_running_loop().time
        ended_s = clock() - behind_s
        self._recorder.window(window)
        await self._recorder.settle(_STORE_FIRST_S)
        self._feed.publish(window.class_id, "summary", window.to_json())
        self._timings.window(clock() - ended_s)  # includes the wait for the store
        self._publish_indicator(*self._indicators.add(window))

    async def on_pulse(self, pulse: PulseRecord) -> None:
        self._metrics.pulses.labels(pulse.kind.value).inc()
        self._recorder.pulse(pulse)
        self._feed.publish(pulse.class_id, "pulse", pulse.to_json())

    async def on_ask(self, ask: Ask) -> None:
        if not ask.open:
            self._recorder.ask(ask)
            marker = Marker(self._class_id, ask.at_s, asked(ask, self._say), MarkerKind.ASK)
            self._recorder.marker_later(marker)
            await self._recorder.settle(_STORE_FIRST_S)
            self._feed.publish(self._class_id, "marker", marker.to_json())
        self._feed.publish(self._class_id, "ask", ask.to_json())

    def calm(self, at_s: float) -> None:
        """The host dealt with what the word says: publish that at once."""
        self._indicators.calm(at_s)
        self._publish_indicator(*self._indicators.settle())

    async def on_consent(self, consent: Consent) -> None:
        self._recorder.consent(consent)
        if not consent.individual:
            await self._remove_check_ins(consent.participant_id)

    async def on_check_in(self, check_in: CheckIn) -> None:
        self._recorder.check_in(check_in)
        self._checked_in.add(check_in.participant_id)
        await self._publish_check_ins()

    async def on_erase(self, participant_id: str, on_erased: Callable[[], None]) -> None:
        self._recorder.erase_participant(self._class_id, participant_id, on_erased)
        await self._remove_check_ins(participant_id)

    async def on_connection(self, up: bool, reason: str) -> None:
        await self._on_connection(up, reason)

    def on_observation(self, delay_s: float) -> None:
        self._timings.sample(delay_s)

    def on_cameras(self, change: int) -> None:
        self._metrics.cameras.inc(change)

    def _publish_indicator(self, indicator: Indicator | None, alerts: tuple[Alert, ...]) -> None:
        if indicator is not None:
            self._feed.publish(self._class_id, "indicator", indicator.to_json())
        for alert in alerts:
            self._feed.publish(self._class_id, "alert", alert.to_json())

    async def _remove_check_ins(self, participant_id: str) -> None:
        """Make pages reload the check-ins if one of this participant, now deleted, may be shown."""
        if participant_id in self._checked_in:
            self._checked_in.remove(participant_id)
            await self._publish_check_ins()

    async def _publish_check_ins(self) -> None:
        """Make pages load the check-ins from the store.

        The event carries no name: the feed holds events for pages that reconnect, and an erasure would not
        reach them there.
        """
        await self._recorder.settle(_STORE_FIRST_S)
        self._feed.publish(self._class_id, "check_in", {})
