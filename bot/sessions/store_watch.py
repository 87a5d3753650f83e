"""Watches the database while no class writes to it, and takes up what lost servers left behind.

A deleted database file and a database server that does not answer are noticed within seconds, so that
``/readyz`` and the pages say it before a class begins. Where several servers share a database, each says that
it is at work, and marks the classes of those that no longer do as interrupted.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime
from typing import Final

import structlog

from bot.clocks import steady_s
from bot.sessions.recorder import Recorder
from reports.store import Store, StoreError
from reports.store.ownership import LOST_AFTER_S

WATCH_S: Final = 2.0
"""Pause between two checks, seconds. Much shorter than ``LOST_AFTER_S``."""

ANSWER_S: Final = 2.0
"""A database that has not answered a check after this many seconds is in trouble."""

_log = structlog.get_logger()


class StoreWatch:
    """Checks the database every ``WATCH_S`` seconds."""

    def __init__(
        self,
        store: Store,
        recorder: Recorder,
        on_taken_for_lost: Callable[[], None],
        *,
        now: Callable[[], datetime],
        clock: Callable[[], float] = steady_s,
    ) -> None:
        """Set up.

        Args:
            store: The database of classes.
            recorder: Is told about trouble.
            on_taken_for_lost: Called when other servers took this one for lost, although it is at work; they
                have marked its classes as interrupted.
            now: The wall clock, UTC.
            clock: The steady clock, seconds.
        """
        self._store, self._recorder, self._on_taken_for_lost = store, recorder, on_taken_for_lost
        self._now, self._clock = now, clock
        self._steady_since_s = clock()  # since when every check succeeded, by the steady clock
        self._checking: asyncio.Task[str | None] | None = None

    async def run(self) -> None:
        """Check until cancelled."""
        try:
            while True:
                await self.once()
                await asyncio.sleep(WATCH_S)
        finally:
            if self._checking is not None:
                self._checking.cancel()

    async def once(self) -> None:
        """Check once, and mark the classes of lost servers."""
        trouble = await self._check()
        self._recorder.show_trouble(trouble)
        at_s = self._clock()
        if trouble is not None:
            self._steady_since_s = at_s
        # After an outage of the database all servers look lost until each has had the time to renew its row.
        elif self._store.owner is not None and at_s - self._steady_since_s > LOST_AFTER_S:
            self._steady_since_s = at_s
            try:
                await self._store.recover(self._now(), lost=True)
            except StoreError as exc:
                _log.error("classes of lost servers could not be marked, retrying", reason=str(exc))

    async def _check(self) -> str | None:
        """The trouble of the database in one line; None if it accepts writes."""
        # A check that takes long goes on: another one would only wait behind it.
        if self._checking is None:
            self._checking = asyncio.create_task(self._renew(), name="store-check")
        await asyncio.wait((self._checking,), timeout=ANSWER_S)
        if not self._checking.done():
            return "the database does not answer: see whether its server runs and can be reached"
        checked, self._checking = self._checking, None
        return checked.result()

    async def _renew(self) -> str | None:
        try:
            if not await self._store.renew():
                _log.warning("other servers took this one for lost")
                self._on_taken_for_lost()
        except StoreError as exc:
            return str(exc)
        return None
