"""Writes what running classes produce: the store and the queue of writes that it has not accepted yet."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from typing import Final

import structlog

from bot.metrics import Metrics
from bot.rooms.contract import Erasure
from bot.sessions.write_queue import WriteQueue
from reports.store import Store, StoreError
from reports.summary.asks import Ask
from reports.summary.classes import ClassInfo
from reports.summary.records import CheckIn, Consent, Marker, PulseRecord
from reports.summary.windows import WindowSummary

MAX_ERASURES: Final = 500
"""Queued erasures after a class. Anyone may request one, even without having been in a class, and these
requests must not push windows out of the queue."""

_ERASE_SETTLE_S: Final = 1.2
"""How long an erasure after a class waits for the queue to be empty before it is queued itself, seconds."""

_log = structlog.get_logger()


class Recorder:
    """The only part that writes to the store while classes run.

    Most methods queue a record and return at once; the queue keeps their order. ``add_class`` and ``marker``
    write at once and raise, because someone waits for the answer and can try again.
    """

    def __init__(self, store: Store, metrics: Metrics) -> None:
        """Create a recorder with an empty queue.

        Args:
            store: Where records are written.
            metrics: Shows how many records are queued.
        """
        self._store, self._metrics = store, metrics
        self._queue = WriteQueue(self._on_queue)
        self._listener: Callable[[str | None], None] = lambda _trouble: None
        self._found_trouble: str | None = None
        self._erasures: set[str] = set()  # participants whose erasure after a class is queued

    def listen(self, listener: Callable[[str | None], None]) -> None:
        """Call ``listener`` after every attempted write, with the trouble of the store or None."""
        self._listener = listener

    @property
    def trouble(self) -> str | None:
        """Why the store accepts no writes at present, in one line; None while it does."""
        return self._queue.trouble or self._found_trouble

    def show_trouble(self, trouble: str | None) -> None:
        """Show trouble of the database that was found without a write; None once it is over."""
        if trouble != self._found_trouble:
            self._found_trouble = trouble
            if trouble is not None:
                _log.error("nothing can be stored", reason=trouble)
            self._listener(self.trouble)

    async def add_class(self, info: ClassInfo) -> None:
        """Write a new class at once.

        Raises:
            StoreError: it cannot be written; nothing is queued.
        """
        await self._store.put_class(info)

    async def marker(self, marker: Marker) -> None:
        """Write a marker at once.

        Raises:
            StoreError: it cannot be written; nothing is queued.
        """
        await self._store.add_marker(marker)

    def marker_later(self, marker: Marker) -> None:
        """Queue a marker that nobody waits for."""
        self._queue.put(lambda: self._store.add_marker(marker))

    def ask(self, ask: Ask) -> None:
        """Queue a question with its answers."""
        self._queue.put(lambda: self._store.put_ask(ask))

    def class_state(self, info: ClassInfo, on_written: Callable[[], None]) -> None:
        """Queue a class's new state; ``on_written`` is called when it is stored. Dropped last."""

        async def write() -> None:
            await self._store.update_class(info)
            on_written()

        self._queue.put(write, required=True)

    def window(self, window: WindowSummary) -> None:
        """Queue a window."""
        self._queue.put(lambda: self._store.add_window(window))

    def pulse(self, pulse: PulseRecord) -> None:
        """Queue a pulse."""
        self._queue.put(lambda: self._store.add_pulse(pulse))

    def consent(self, consent: Consent) -> None:
        """Queue a consent."""
        self._queue.put(lambda: self._store.add_consent(consent), required=True)

    def check_in(self, check_in: CheckIn) -> None:
        """Queue a check-in."""
        self._queue.put(lambda: self._store.add_check_in(check_in))

    def erase_participant(self, class_id: str, participant_id: str, on_erased: Callable[[], None]) -> None:
        """Queue the erasure of a participant of a running class; ``on_erased`` is called when it is done."""

        async def erase() -> None:
            await self._store.erase_participant(class_id, participant_id)
            on_erased()

        self._queue.put(erase, required=True)

    async def erase_after_class(self, participant_id: str) -> Erasure:
        """Delete what is stored about a participant after their class, and what is still queued.

        Returns:
            Whether anything was stored. While the store accepts no writes this is unknown: the erasure is
            then queued.

        Raises:
            StoreError: the store accepts no writes, and ``MAX_ERASURES`` erasures are queued already.
        """
        if not await self.settle(_ERASE_SETTLE_S):
            with suppress(StoreError):
                erased = await self._store.erase_everywhere(participant_id)
                return Erasure.DONE if erased else Erasure.NOTHING
        if participant_id not in self._erasures:
            if len(self._erasures) >= MAX_ERASURES:
                raise StoreError("nothing can be deleted at present: try again in some minutes")
            self._erasures.add(participant_id)
            # Queued behind the participant's own records, which are written first and then deleted.
            self._queue.put(lambda: self._erase_everywhere(participant_id), required=True)
        return Erasure.PENDING

    async def settle(self, within_s: float) -> int:
        """Wait at most ``within_s`` seconds until all records are stored; the number of queued ones left."""
        return await self._queue.settle(within_s)

    async def close(self, within_s: float) -> None:
        """Wait as ``settle`` does, then give up the records that are still queued and log how many."""
        lost = await self._queue.close(within_s)
        if lost:
            _log.error("records were not stored", records=lost, reason=self.trouble)

    async def _erase_everywhere(self, participant_id: str) -> None:
        await self._store.erase_everywhere(participant_id)
        self._erasures.discard(participant_id)

    def _on_queue(self, queued: int, trouble: str | None) -> None:
        self._metrics.unsaved.set(queued)
        self._listener(trouble)
