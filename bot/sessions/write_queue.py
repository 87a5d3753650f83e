"""Writes that the store has not accepted yet, retried in order.

While the disk is full or another program has locked the database, writes are late but not lost.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable
from typing import Final, NamedTuple

import structlog

from reports.store import StoreError, StoreRefused

MAX_QUEUED: Final = 20_000
"""Queued writes, about a day of windows. When the queue is full its oldest write is dropped and an error is
logged; writes queued with ``required`` are dropped last."""

_RETRY_S: Final = 1.0

_log = structlog.get_logger()

Write = Callable[[], Awaitable[object]]


class _Queued(NamedTuple):
    """A queued write, and whether it is dropped last when the queue is full."""

    write: Write
    required: bool


class WriteQueue:
    """A queue of writes with one task, which runs only while the queue is not empty."""

    def __init__(self, on_change: Callable[[int, str | None], None], retry_s: float = _RETRY_S) -> None:
        """Create an empty queue.

        Args:
            on_change: Called after each attempt with the number of queued writes and the error that holds
                them up, None when the attempt succeeded.
            retry_s: Pause after a failed attempt, seconds.
        """
        self._on_change, self._retry_s = on_change, retry_s
        self._queued: deque[_Queued] = deque()
        self._writing = False  # the write being attempted is no longer in the deque
        self._trouble: str | None = None
        self._task: asyncio.Task[None] | None = None

    @property
    def trouble(self) -> str | None:
        """The error that holds up all writes, in one line; None while the store accepts writes."""
        return self._trouble

    def put(self, write: Write, *, required: bool = False) -> None:
        """Queue a write after all earlier ones.

        Args:
            write: Performs it.
            required: Whether it is dropped last when the queue is full, as an erasure is.
        """
        if len(self._queued) >= MAX_QUEUED:
            self._drop_one()
        self._queued.append(_Queued(write, required))
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._work(), name="write-queue")

    async def settle(self, within_s: float) -> int:
        """Wait at most ``within_s`` seconds until the queue is empty; the number of writes left."""
        if self._task is not None:
            await asyncio.wait((self._task,), timeout=within_s)
        return 0 if self._task is None or self._task.done() else len(self._queued) + self._writing

    async def close(self, within_s: float) -> int:
        """Wait as ``settle`` does, then stop retrying; the number of writes given up."""
        lost = await self.settle(within_s)
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait((self._task,))
        return lost

    def _drop_one(self) -> None:
        """Drop the oldest write that is not required; if all are required, the oldest."""
        oldest = next((index for index, queued in enumerate(self._queued) if not queued.required), 0)
        del self._queued[oldest]
        _log.error("a record was dropped: the write queue is full", queued=MAX_QUEUED)

    async def _work(self) -> None:
        while self._queued:
            queued, self._writing = self._queued.popleft(), True
            try:
                await queued.write()
            # Errors are logged without a traceback: formatting one reads source files on the event loop.
            except StoreRefused as exc:
                _log.error("the store refused a record", reason=str(exc))
            except StoreError as exc:
                self._queued.appendleft(queued)
                self._writing = False
                if self._trouble is None:
                    _log.error("records cannot be stored, retrying", reason=str(exc))
                self._report(str(exc))
                await asyncio.sleep(self._retry_s)
                continue
            except Exception as exc:  # noqa: BLE001  # a bug in one write must not hold up the others
                _log.error("a record was lost through an internal error", error=type(exc).__name__)
            self._writing = False
            if self._trouble is not None:
                _log.warning("records are stored again")
            self._report(None)

    def _report(self, trouble: str | None) -> None:
        self._trouble = trouble
        self._on_change(len(self._queued), trouble)
