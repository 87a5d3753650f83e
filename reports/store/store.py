"""The store: where classes, windows, markers, pulses and consents are kept.

Comes in: the data of ``reports.summary``, from the sessions of the bot. Goes out: the same data, to the
pages and the report. No picture and, but for a consent to individual check-ins, no person.

One thread writes, a few read, and the event loop waits for none of them. A write that returned is
committed: it outlives a kill. One that was handed over and then cancelled is written all the same.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

import structlog
from sqlalchemy import Delete, Engine, delete, func, select
from sqlalchemy.orm import Session

from reports.store.database import (
    StoreError,
    StoreRefused,
    display_name,
    held,
    migrate,
    prove_writable,
    reader_engine,
    require_current,
    resolve,
    translated,
    wipe_deleted,
    writer_engine,
)
from reports.store.tables import CheckInRow, ClassRow, ConsentRow, MarkerRow, PulseRow, WindowRow, to_utc
from reports.summary.classes import FINAL_STATES, ClassInfo, ClassState
from reports.summary.records import CheckIn, Consent, Marker, PulseRecord
from reports.summary.windows import WindowSummary

__all__ = ["Store", "StoreError", "StoreRefused"]

_READERS: Final = 3
_HALF_MS: Final = 0.0005
_INTERRUPTED: Final = (
    "cut off when ClassMood stopped without ending it; found again on {now:%Y-%m-%d %H:%M} UTC"
)

_T = TypeVar("_T")
_log = structlog.get_logger()


class Store:
    """A database of classes. Get one with ``open``; every method may raise ``StoreError``."""

    def __init__(
        self,
        name: str,
        writer: tuple[Engine, ThreadPoolExecutor],
        readers: tuple[Engine, ThreadPoolExecutor],
        held_open: ExitStack,
    ) -> None:
        self._name = name
        self._writer, self._writing = writer
        self._reader, self._reading = readers
        self._held_open = held_open

    @classmethod
    def open(cls, url: str) -> Store:
        """Open a database, make it if there is none, and bring it to this version's tables.

        Blocks; call it before the event loop runs, or from a thread.

        Args:
            url: SQLAlchemy URL. A SQLite file is held against any other opener until ``close``.

        Raises:
            StoreError: the database is in use, newer than this program, no database, or cannot be
                opened or written.
        """
        target = resolve(url)
        name = display_name(target)
        with ExitStack() as stack:
            stack.enter_context(held(target))
            migrate(target)
            with translated(name):
                writer = writer_engine(target)
                stack.callback(writer.dispose)
                reader = reader_engine(target, _READERS)
                stack.callback(reader.dispose)
                prove_writable(writer)
            writing = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-writer")
            stack.callback(writing.shutdown)
            reading = ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="store-reader")
            stack.callback(reading.shutdown)
            held_open = stack.pop_all()
        return cls(name, (writer, writing), (reader, reading), held_open)

    @classmethod
    @contextmanager
    def open_reading(cls, url: str) -> Iterator[Store]:
        """A database to read from only, even while a server writes to it; writing raises.

        Raises:
            StoreError: the database is not there, of another version, or cannot be read.
        """
        target = resolve(url)
        require_current(target)
        reader = reader_engine(target, _READERS)
        with (
            ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="store-reader") as reading,
            ExitStack() as stack,
        ):
            stack.callback(reader.dispose)
            yield cls(display_name(target), (reader, reading), (reader, reading), stack)

    @property
    def alone(self) -> bool:
        """Whether no other program can have it open to write: then no class in it runs but one's own."""
        return self._writer.dialect.name == "sqlite"

    def close(self) -> None:
        """Wait for what is being written and let go of the database. May be called again."""
        self._held_open.close()

    async def put_class(self, info: ClassInfo) -> None:
        """Keep a class, new or in place of what was kept of it."""
        row = ClassRow.of(info)
        await self._write(lambda session: _keep(session, row))

    async def update_class(self, info: ClassInfo) -> None:
        """Keep what has changed of a class.

        Raises:
            StoreRefused: the class was deleted meanwhile, and stays so.
        """
        row = ClassRow.of(info)

        def work(session: Session) -> None:
            if session.get(ClassRow, info.id) is None:
                raise StoreRefused(f"{self._name}: refused: the class was deleted")
            _keep(session, row)

        await self._write(work)

    async def get_class(self, class_id: str) -> ClassInfo | None:
        """A class; None if there is no such one."""

        def work(session: Session) -> ClassInfo | None:
            row = session.get(ClassRow, class_id)
            return None if row is None else row.data()

        return await self._read(work)

    async def classes(self) -> list[ClassInfo]:
        """All classes, newest first."""
        query = select(ClassRow).order_by(ClassRow.started_at.desc(), ClassRow.id)
        return await self._read(lambda session: [row.data() for row in session.scalars(query)])

    async def delete_class(self, class_id: str) -> bool:
        """Delete a class with everything that hangs on it; False if there is no such one."""
        found = delete(ClassRow).where(ClassRow.id == class_id)
        return await self._write(lambda session: session.connection().execute(found).rowcount > 0, wipe=True)

    async def add_window(self, window: WindowSummary) -> None:
        """Keep a window; of a suppressed one, no expressions. A class has one window at a time."""
        row = WindowRow.of(window)
        await self._write(lambda session: session.add(row))

    async def windows(self, class_id: str, since_s: float = 0.0) -> list[WindowSummary]:
        """The windows of a class that start at ``since_s`` or later, oldest first.

        To the millisecond, as starts are given out: whoever asks from one gets that window.
        """
        query = (
            select(WindowRow)
            .where(WindowRow.class_id == class_id, WindowRow.start_s >= since_s - _HALF_MS)
            .order_by(WindowRow.start_s)
        )
        return await self._read(lambda session: [row.data() for row in session.scalars(query)])

    async def add_marker(self, marker: Marker) -> None:
        """Keep a marker."""
        row = MarkerRow.of(marker)
        await self._write(lambda session: session.add(row))

    async def markers(self, class_id: str) -> list[Marker]:
        """The markers of a class, oldest first."""
        query = select(MarkerRow).where(MarkerRow.class_id == class_id).order_by(MarkerRow.at_s, MarkerRow.id)
        return await self._read(lambda session: [row.data() for row in session.scalars(query)])

    async def add_pulse(self, pulse: PulseRecord) -> None:
        """Keep a tap."""
        row = PulseRow.of(pulse)
        await self._write(lambda session: session.add(row))

    async def pulses(self, class_id: str) -> list[PulseRecord]:
        """The taps of a class, oldest first."""
        query = select(PulseRow).where(PulseRow.class_id == class_id).order_by(PulseRow.at_s, PulseRow.id)
        return await self._read(lambda session: [row.data() for row in session.scalars(query)])

    async def add_consent(self, consent: Consent) -> None:
        """Keep a consent in place of the participant's earlier one; a name only with ``individual``.

        Without ``individual``, the participant's check-ins are deleted.
        """
        row = ConsentRow.of(consent)

        def work(session: Session) -> None:
            _keep(session, row)
            if not consent.individual:
                session.execute(_check_ins_of(consent.class_id, consent.participant_id))

        await self._write(work, wipe=True)

    async def consents(self, class_id: str) -> list[Consent]:
        """The consents of a class, oldest first."""
        query = (
            select(ConsentRow)
            .where(ConsentRow.class_id == class_id)
            .order_by(ConsentRow.at_s, ConsentRow.participant_id)
        )
        return await self._read(lambda session: [row.data() for row in session.scalars(query)])

    async def add_check_in(self, check_in: CheckIn) -> bool:
        """Keep a check-in; False, and nothing is kept, without the participant's consent to them."""

        def work(session: Session) -> bool:
            consent = session.get(ConsentRow, (check_in.class_id, check_in.participant_id))
            if consent is None or not consent.individual:
                return False
            session.add(CheckInRow.of(check_in))
            return True

        return await self._write(work)

    async def check_ins(self, class_id: str) -> list[CheckIn]:
        """The check-ins of a class by the students' names, which is no ranking."""
        query = (
            select(CheckInRow, ConsentRow.name)
            .join(
                ConsentRow,
                (ConsentRow.class_id == CheckInRow.class_id)
                & (ConsentRow.participant_id == CheckInRow.participant_id),
            )
            .where(CheckInRow.class_id == class_id, ConsentRow.individual)
        )

        def work(session: Session) -> list[CheckIn]:
            found = [row.data(name) for row, name in session.execute(query)]
            return sorted(found, key=lambda one: ((one.name or "").casefold(), one.participant_id, one.at_s))

        return await self._read(work)

    async def erase_participant(self, class_id: str, participant_id: str) -> None:
        """Delete consent, name and check-ins of a participant, the only rows that know of one."""
        found = delete(ConsentRow).where(
            ConsentRow.class_id == class_id, ConsentRow.participant_id == participant_id
        )

        def work(session: Session) -> None:
            session.execute(found)
            session.execute(_check_ins_of(class_id, participant_id))

        await self._write(work, wipe=True)

    async def erase_everywhere(self, participant_id: str) -> bool:
        """Delete the same in whichever class they were; nothing is written when there is none.

        Returns:
            Whether anything was kept.
        """
        classes = select(ConsentRow.class_id).where(ConsentRow.participant_id == participant_id)
        for class_id in (found := await self._read(lambda session: session.scalars(classes).all())):
            await self.erase_participant(class_id, participant_id)
        return bool(found)

    async def recover(self, now: datetime) -> list[ClassInfo]:
        """Mark the classes a crash cut off; call it at start, before any class begins.

        Such a class ended with its last window, or when it started if it has none.

        Args:
            now: The time of the start, said in the reason.

        Returns:
            The classes that were marked, newest first.
        """
        reason = _INTERRUPTED.format(now=now.astimezone(UTC))
        running = [state.value for state in ClassState if state not in FINAL_STATES]
        query = select(ClassRow).where(ClassRow.state.in_(running)).order_by(ClassRow.started_at.desc())
        last_end = func.max(WindowRow.start_s + WindowRow.length_s)

        def work(session: Session) -> list[ClassInfo]:
            cut_off = session.scalars(query).all()
            for row in cut_off:
                length_s = session.scalar(select(last_end).where(WindowRow.class_id == row.id)) or 0.0
                row.state = ClassState.INTERRUPTED.value
                row.reason = reason
                row.ended_at = row.started_at + timedelta(seconds=length_s)
            return [row.data() for row in cut_off]

        recovered = await self._write(work)
        if recovered:
            _log.warning("classes were cut off", classes=len(recovered))
        return recovered

    async def purge(self, now: datetime, retention: timedelta, individual: timedelta) -> int:
        """Delete what has been kept for long enough.

        Args:
            now: The time to count back from.
            retention: How long a class is kept after its end.
            individual: How long a name, the consent to individual check-ins and what came of it are kept
                after the consent was given. What stays is the plain consent.

        Returns:
            How many classes were deleted.
        """
        moment = to_utc(now)
        ended = delete(ClassRow).where(ClassRow.ended_at < moment - retention)
        given = (
            select(ConsentRow, ClassRow.started_at)
            .join(ClassRow, ClassRow.id == ConsentRow.class_id)
            .where(ConsentRow.individual)
        )

        def work(session: Session) -> int:
            deleted = session.connection().execute(ended).rowcount
            for consent, started_at in session.execute(given):
                if started_at + timedelta(seconds=consent.at_s) < moment - individual:
                    consent.individual = False
                    consent.name = None
                    session.execute(_check_ins_of(consent.class_id, consent.participant_id))
            return deleted

        return await self._write(work, wipe=True)

    async def _write(self, work: Callable[[Session], _T], *, wipe: bool = False) -> _T:
        def job() -> _T:
            result = self._within(self._writer, work)
            if wipe:
                with translated(self._name):
                    wipe_deleted(self._writer)
            return result

        # Shielded: cancelling a queued job would lose what the caller believes handed over.
        return await asyncio.shield(self._submit(self._writing, job))

    async def _read(self, work: Callable[[Session], _T]) -> _T:
        return await self._submit(self._reading, lambda: self._within(self._reader, work))

    def _submit(self, threads: ThreadPoolExecutor, job: Callable[[], _T]) -> asyncio.Future[_T]:
        try:
            return asyncio.get_running_loop().run_in_executor(threads, job)
        except RuntimeError as exc:
            raise StoreError(f"{self._name}: the store is closed") from exc

    def _within(self, engine: Engine, work: Callable[[Session], _T]) -> _T:
        with translated(self._name), Session(engine) as session, session.begin():
            return work(session)


def _keep(session: Session, row: ClassRow | ConsentRow) -> None:
    session.merge(row)


def _check_ins_of(class_id: str, participant_id: str) -> Delete:
    return delete(CheckInRow).where(
        CheckInRow.class_id == class_id, CheckInRow.participant_id == participant_id
    )
