"""Deletes expired classes and individual data, at start and every hour.

The wall clock decides what has expired, and it can be wrong. At start, nothing is deleted before the clock
has been steady for an hour, unless the newest class began in the last days, which confirms the clock. If the
clock jumps later, nothing is deleted until it has been steady for an hour again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Final

import structlog

from bot.clocks import steady_s
from bot.config import PrivacySettings
from reports.store import Store, StoreError

INTERVAL_S: Final = 3600.0
RETRY_S: Final = 60.0
"""Pause after a failed deletion, seconds."""

MAX_DRIFT_S: Final = 1800.0
"""Largest difference by which the two clocks may advance between two deletions, seconds; more is a jump."""

_CONFIRMED: Final = timedelta(days=3)
"""A class that began within this time before now shows that the wall clock is right."""

_log = structlog.get_logger()


class Retention:
    """Deletes expired data from the store."""

    def __init__(
        self,
        store: Store,
        privacy: PrivacySettings,
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float] = steady_s,
        sleep: Callable[[float], Awaitable[object]] = asyncio.sleep,
    ) -> None:
        """Set up.

        Args:
            store: The database of classes.
            privacy: How long classes and individual data are stored.
            now: The wall clock, UTC.
            clock: The steady clock, seconds; it advances while the machine is suspended.
            sleep: Waits the given number of seconds.
        """
        self._store, self._now, self._clock, self._sleep = store, now, clock, sleep
        self._lifetimes = timedelta(days=privacy.retention_days), timedelta(hours=privacy.individual_hours)
        self._before: tuple[datetime, float] | None = None  # both clocks at the previous deletion

    async def run(self) -> None:
        """Delete expired data now, and then every hour."""
        while True:
            await self._sleep(await self.once())

    async def once(self) -> float:
        """Delete expired data now; the seconds until it should be done again."""
        now = self._now()
        try:
            if not await self._is_steady(now):
                _log.warning("nothing is deleted until the clock has been steady for an hour")
                return INTERVAL_S
            count = await self._store.purge(now, *self._lifetimes)
        except StoreError as exc:
            _log.error("expired data could not be deleted, retrying", reason=str(exc))
            return RETRY_S
        _log.info("deleted expired data", classes=count)
        return INTERVAL_S

    async def _is_steady(self, now: datetime) -> bool:
        at_s = self._clock()
        before, self._before = self._before, (now, at_s)
        if before is None:
            newest_first = await self._store.classes(limit=1)
            return not newest_first or timedelta(0) <= now - newest_first[0].started_at <= _CONFIRMED
        moved_s = (now - before[0]).total_seconds() - (at_s - before[1])
        return abs(moved_s) <= MAX_DRIFT_S
