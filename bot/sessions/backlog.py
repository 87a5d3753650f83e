"""What the store could not take yet: written in order, tried again until it is kept.

Comes in: writes of the classes that run. Goes out: the same writes, to the store. A disk that is full or a
database another program has locked for a while costs nothing then but time, least of all an erasure.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import structlog

from reports.store import StoreError, StoreRefused

MOST_WAITING: Final = 20_000
"""Writes that may wait, a day of windows; beyond it the oldest of those that may be lost is, and told of."""

_RETRY_S: Final = 1.0

_log = structlog.get_logger()

Write = Callable[[], Awaitable[object]]


class _Waiting(NamedTuple):
    """A write that waits, and whether it may be lost."""

    write: Write
    must: bool


class Backlog:
    """The writes that are not done yet; no task runs while there are none."""

    def __init__(self, on_change: Callable[[int, str | None], None], retry_s: float = _RETRY_S) -> None:
        """Nothing waits.

        Args:
            on_change: Given how many writes wait and why, None while the store takes them.
            retry_s: How long to wait after a failure, seconds.
        """
        self._on_change, self._retry_s = on_change, retry_s
        self._waiting: deque[_Waiting] = deque()
        self._writing = False  # one that is no longer among those waiting
        self._trouble: str | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def trouble(self) -> str | None:
        """Why the store takes nothing at present, in one line; None if it does."""
        return self._trouble

    def put(self, write: Write, *, must: bool = False) -> None:
        """Have something written after all that was put before it.

        Args:
            write: Does it.
            must: Whether it is kept when others are lost for want of room, as an erasure is.
        """
        if len(self._waiting) >= MOST_WAITING:
            self._lose_one()
        self._waiting.append(_Waiting(write, must))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name="backlog")

    async def settle(self, within_s: float) -> int:
        """Wait until all is written, at most ``within_s`` seconds; how many writes still wait."""
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=within_s)
        return 0 if self._task is None or self._task.done() else len(self._waiting) + self._writing

    async def close(self, within_s: float) -> int:
        """A last chance for what waits; how many writes were given up."""
        lost = await self.settle(within_s)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        return lost

    def _lose_one(self) -> None:
        """The oldest that may be lost; if none may, the oldest."""
        lost = next((place for place, waiting in enumerate(self._waiting) if not waiting.must), 0)
        del self._waiting[lost]
        _log.error("a record is lost: too many wait for the store", waiting=MOST_WAITING)

    async def _work(self) -> None:
        while self._waiting:
            waiting, self._writing = self._waiting.popleft(), True
            try:
                await waiting.write()
            # Logged without a traceback, which would be read from the disk on the loop.
            except StoreRefused as exc:
                _log.error("a record was refused by the store", reason=str(exc))
            except StoreError as exc:
                self._waiting.appendleft(waiting)
                self._writing = False
                if self._trouble is None:
                    _log.error("records cannot be kept yet", reason=str(exc))
                self._tell(str(exc))
                await asyncio.sleep(self._retry_s)
                continue
            except Exception as exc:  # noqa: BLE001  # a fault of ours in one must not hold up the others
                _log.error("a record is lost by an error", error=type(exc).__name__)
            self._writing = False
            if self._trouble is not None:
                _log.warning("records are kept again")
            self._tell(None)

    def _tell(self, trouble: str | None) -> None:
        self._trouble = trouble
        self._on_change(len(self._waiting), trouble)
