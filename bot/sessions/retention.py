"""Deleting what has been kept for long enough, at start and every hour.

Comes in: the settings of ``privacy`` and two clocks. Goes out: deletions in the store. The wall clock says
what is due, and can be wrong: while it jumps against the steady clock nothing is deleted.
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

EVERY_S: Final = 3600.0
AGAIN_S: Final = 60.0
"""After a deletion that failed, seconds."""

MOST_DRIFT_S: Final = 1800.0
"""Between two rounds the wall clock may move by so much more or less than the steady one, seconds."""

_log = structlog.get_logger()


class Retention:
    """Deletes what is due."""

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
            store: Where classes are kept.
            privacy: How long.
            now: The wall clock, UTC.
            clock: The steady clock, seconds; it goes on while the machine is suspended.
            sleep: Waits so many seconds.
        """
        self._store, self._now, self._clock, self._sleep = store, now, clock, sleep
        self._kept = timedelta(days=privacy.retention_days), timedelta(hours=privacy.individual_hours)
        self._before: tuple[datetime, float] | None = None

    async def run(self) -> None:
        """Delete what is due now, and then every hour."""
        while True:
            await self._sleep(await self.once())

    async def once(self) -> float:
        """Delete what is due now; when to do it again, in seconds."""
        now = self._now()
        if self._jumped(now):
            _log.warning("the clock was changed: nothing is deleted until it has been steady for an hour")
            return EVERY_S
        try:
            count = await self._store.purge(now, *self._kept)
        except StoreError as exc:
            _log.error("what is due could not be deleted, trying again", reason=str(exc))
            return AGAIN_S
        _log.info("deleted what was due", classes=count)
        return EVERY_S

    def _jumped(self, now: datetime) -> bool:
        at_s = self._clock()
        before, self._before = self._before, (now, at_s)
        if before is None:
            return False
        moved_s = (now - before[0]).total_seconds() - (at_s - before[1])
        return abs(moved_s) > MOST_DRIFT_S
