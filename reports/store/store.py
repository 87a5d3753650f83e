"""The store: reads and writes classes, windows, markers, pulses, consents and check-ins.

It contains no images, and names no person except in a consent to individual check-ins.

One thread writes, a few read, and the event loop waits for none of them. When a write has returned it is
committed and survives a kill of the process. A write that was started and then cancelled is written too.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import datetime, timedelta
from typing import Final, TypeVar

import structlog
from sqlalchemy import Engine, delete, select
from sqlalchemy.orm import Session

from reports.store.check_ins import check_ins_of
from reports.store.database import (
    display_name,
    locked,
    migrate,
    prove_writable,
    reader_engine,
    require_current,
    resolve,
    wipe_deleted,
    writer_engine,
)
from reports.store.database_file import DatabaseFile
from reports.store.errors import StoreError, StoreRefused, translated
from reports.store.maintenance import delete_check_ins, delete_expired, delete_participant, mark_interrupted
from reports.store.tables import AskRow, CheckInRow, ClassRow, ConsentRow, MarkerRow, PulseRow, WindowRow
from reports.summary.asks import Ask
from reports.summary.classes import ClassInfo
from reports.summary.records import CheckIn, Consent, Marker, PulseRecord
from reports.summary.windows import WindowSummary

__all__ = ["Store", "StoreError", "StoreRefused"]

_READERS: Final = 3
_HALF_MS: Final = 0.0005

_Result = TypeVar("_Result")
_log = structlog.get_logger()


class Store:
    """A database of classes, created with ``open``. Every method may raise ``StoreError``."""

    def __init__(
        self,
        name: str,
        writer: tuple[Engine, ThreadPoolExecutor],
        readers: tuple[Engine, ThreadPoolExecutor],
        resources: ExitStack,
        file: DatabaseFile | None = None,
    ) -> None:
        self._name = name
        self._writer, self._writer_thread = writer
        self._reader, self._reader_threads = readers
        self._resources, self._file = resources, file

    @classmethod
    def open(cls, url: str) -> Store:
        """Open a database, create it if it does not exist, and bring it to this version's tables.

        Blocks: call it before the event loop runs, or from a thread.

        Args:
            url: SQLAlchemy URL. A SQLite file is locked against any other opener until ``close``.

        Raises:
            StoreError: the database is in use, newer than this program, not a database, or cannot be
                opened or written.
        """
        target = resolve(url)
        name = display_name(target)
        with ExitStack() as stack:
            stack.enter_context(locked(target))
            migrate(target)
            with translated(name):
                writer = writer_engine(target)
                stack.callback(writer.dispose)
                reader = reader_engine(target, _READERS)
                stack.callback(reader.dispose)
                prove_writable(writer)
            writer_thread = ThreadPoolExecutor(max_workers=1, thread_name_prefix="store-writer")
            stack.callback(writer_thread.shutdown)
            reader_threads = ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="store-reader")
            stack.callback(reader_threads.shutdown)
            resources = stack.pop_all()
        file = DatabaseFile(name) if target.get_backend_name() == "sqlite" else None
        return cls(name, (writer, writer_thread), (reader, reader_threads), resources, file)

    @classmethod
    @contextmanager
    def open_reading(cls, url: str) -> Iterator[Store]:
        """Open a database for reading only, even while a server writes to it; writing raises.

        Raises:
            StoreError: the database does not exist, is of another version, or cannot be read.
        """
        target = resolve(url)
        require_current(target)
        reader = reader_engine(target, _READERS)
        with (
            ThreadPoolExecutor(max_workers=_READERS, thread_name_prefix="store-reader") as threads,
            ExitStack() as stack,
        ):
            stack.callback(reader.dispose)
            yield cls(display_name(target), (reader, threads), (reader, threads), stack)

    @property
    def alone(self) -> bool:
        """Whether no other program can have the database open for writing.

        If so, every running class in it belongs to this process.
        """
        return self._writer.dialect.name == "sqlite"

    def trouble(self) -> str | None:
        """Why no write can last, in one line: the database file was deleted or replaced; None otherwise.

        Reads the file system: call it in a thread.
        """
        if self._file is None or self._file.is_in_place():
            return None
        return f"{self._name}: stop the server and restore a backup: the file was deleted or replaced"

    def close(self) -> None:
        """Wait for pending writes and release the database. May be called more than once."""
        self._resources.close()

    async def put_class(self, info: ClassInfo) -> None:
        """Store a class, new or in place of its earlier row."""
        row = ClassRow.of(info)
        await self._write(lambda session: _merge(session, row))

    async def update_class(self, info: ClassInfo) -> None:
        """Store the changes of a class.

        Raises:
            StoreRefused: the class was deleted meanwhile, and stays deleted.
        """
        row = ClassRow.of(info)

        def work(session: Session) -> None:
            if session.get(ClassRow, info.id) is None:
                raise StoreRefused(f"{self._name}: refused: the class was deleted")
            _merge(session, row)

        await self._write(work)

    async def get_class(self, class_id: str) -> ClassInfo | None:
        """A class; None if it does not exist."""

        def work(session: Session) -> ClassInfo | None:
            row = session.get(ClassRow, class_id)
            return None if row is None else row.data()

        return await self._read(work)

    async def classes(self) -> list[ClassInfo]:
        """All classes, newest first."""
        query = select(ClassRow).order_by(ClassRow.started_at.desc(), ClassRow.id)
        return await self._read(lambda session: [row.data() for row in session.scalars(query)])

    async def delete_class(self, class_id: str) -> bool:
        """Delete a class with all its records; False if it does not exist."""
        statement = delete(ClassRow).where(ClassRow.id == class_id)
        return await self._write(
            lambda session: session.connection().execute(statement).rowcount > 0, wipe=True
        )

    async def add_window(self, window: WindowSummary) -> None:
        """Store a window. A class has at most one window with the same start."""
        row = WindowRow.of(window)
        await self._write(lambda session: session.add(row))

    async def windows(self, class_id: str, since_s: float = 0.0) -> list[WindowSummary]:
        """The windows of a class that start at ``since_s`` or later, oldest first.

        A client may pass the start of a window to get that window and all later ones. The API publishes
        starts to the millisecond and older databases store them unrounded, hence the tolerance.
        """
        query = (
            select(WindowRow)
            .where(WindowRow.class_id == class_id, WindowRow.start_s >= since_s - _HALF_MS)
            .order_by(WindowRow.start_s)
        )
        return await self._read(lambda session: [row.data() for row in session.scalars(query)])

    async def add_marker(self, marker: Marker) -> None:
        """Store a marker."""
        row = MarkerRow.of(marker)
        await self._write(lambda session: session.add(row))

    async def markers(self, class_id: str) -> list[Marker]:
        """The markers of a class, oldest first."""
        query = select(MarkerRow).where(MarkerRow.class_id == class_id).order_by(MarkerRow.at_s, MarkerRow.id)
        return await self._read(lambda session: [row.data() for row in session.scalars(query)])

    async def put_ask(self, ask: Ask) -> None:
        """Store a question, new or with more answers than before."""
        row = AskRow.of(ask)
        await self._write(lambda session: _merge(session, row))

    async def asks(self, class_id: str) -> list[Ask]:
        """The questions to a class, oldest first."""
        query = select(AskRow).where(AskRow.class_id == class_id).order_by(AskRow.at_s, AskRow.id)
        return await self._read(lambda session: [row.data() for row in session.scalars(query)])

    async def add_pulse(self, pulse: PulseRecord) -> None:
        """Store a tap."""
        row = PulseRow.of(pulse)
        await self._write(lambda session: session.add(row))

    async def pulses(self, class_id: str) -> list[PulseRecord]:
        """The taps of a class, oldest first."""
        query = select(PulseRow).where(PulseRow.class_id == class_id).order_by(PulseRow.at_s, PulseRow.id)
        return await self._read(lambda session: [row.data() for row in session.scalars(query)])

    async def add_consent(self, consent: Consent) -> None:
        """Store a consent in place of the participant's earlier one; a name only with ``individual``.

        Without ``individual``, the participant's check-ins are deleted.
        """
        row = ConsentRow.of(consent)

        def work(session: Session) -> None:
            _merge(session, row)
            if not consent.individual:
                delete_check_ins(session, consent.class_id, consent.participant_id)

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
        """Store a check-in.

        Returns:
            False, with nothing stored, if the participant has not agreed to check-ins.
        """

        def work(session: Session) -> bool:
            consent = session.get(ConsentRow, (check_in.class_id, check_in.participant_id))
            if consent is None or not consent.individual:
                return False
            session.add(CheckInRow.of(check_in))
            return True

        return await self._write(work)

    async def check_ins(self, class_id: str) -> list[CheckIn]:
        """The check-ins of a class, sorted by the students' names so that the order is no ranking."""
        return await self._read(lambda session: check_ins_of(session, class_id))

    async def erase_participant(self, class_id: str, participant_id: str) -> None:
        """Delete a participant's consent, name and check-ins; no other row refers to a participant."""
        await self._write(lambda session: delete_participant(session, class_id, participant_id), wipe=True)

    async def erase_everywhere(self, participant_id: str) -> bool:
        """Erase a participant from every class; without a stored consent, nothing is written.

        Returns:
            Whether there was anything to erase.
        """
        query = select(ConsentRow.class_id).where(ConsentRow.participant_id == participant_id)
        class_ids = await self._read(lambda session: session.scalars(query).all())
        for class_id in class_ids:
            await self.erase_participant(class_id, participant_id)
        return bool(class_ids)

    async def recover(self, now: datetime) -> list[ClassInfo]:
        """Mark the classes that a crash cut off; call it at start, before any class begins.

        The end of such a class is that of its last window, or its start if it has none.

        Args:
            now: The time of the start, named in the reason.

        Returns:
            The classes that were marked, newest first.
        """
        recovered = await self._write(lambda session: mark_interrupted(session, now))
        if recovered:
            _log.warning("classes were cut off", classes=len(recovered))
        return recovered

    async def purge(self, now: datetime, retention: timedelta, individual: timedelta) -> int:
        """Delete classes and individual data whose retention time is over (see ``delete_expired``).

        Returns:
            How many classes were deleted.
        """
        return await self._write(
            lambda session: delete_expired(session, now, retention, individual), wipe=True
        )

    async def _write(self, work: Callable[[Session], _Result], *, wipe: bool = False) -> _Result:
        def job() -> _Result:
            if (trouble := self.trouble()) is not None:
                raise StoreError(trouble)
            result = self._run(self._writer, work)
            if wipe:
                with translated(self._name):
                    wipe_deleted(self._writer)
            return result

        # Shielded: a cancelled caller may rely on the write, and cancelling a queued job would lose it.
        return await asyncio.shield(self._submit(self._writer_thread, job))

    async def _read(self, work: Callable[[Session], _Result]) -> _Result:
        return await self._submit(self._reader_threads, lambda: self._run(self._reader, work))

    def _submit(self, threads: ThreadPoolExecutor, job: Callable[[], _Result]) -> asyncio.Future[_Result]:
        try:
            return asyncio.get_running_loop().run_in_executor(threads, job)
        except RuntimeError as exc:
            raise StoreError(f"{self._name}: the store is closed") from exc

    def _run(self, engine: Engine, work: Callable[[Session], _Result]) -> _Result:
        with translated(self._name), Session(engine) as session, session.begin():
            return work(session)


def _merge(session: Session, row: AskRow | ClassRow | ConsentRow) -> None:
    session.merge(row)
