"""The store: reads and writes classes, windows, markers, pulses, consents and check-ins.

It contains no images, and names no person except in a consent to individual check-ins.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final

import structlog
from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from reports.store.check_ins import check_ins_of
from reports.store.errors import StoreError, StoreRefused
from reports.store.maintenance import (
    BATCH,
    delete_check_ins,
    delete_expired,
    delete_individual,
    delete_participant,
    mark_interrupted,
)
from reports.store.opened_database import OpenedDatabase
from reports.store.ownership import forget_lost
from reports.store.tables import AskRow, CheckInRow, ClassRow, ConsentRow, MarkerRow, PulseRow, WindowRow
from reports.summary.asks import Ask
from reports.summary.classes import ClassInfo
from reports.summary.records import CheckIn, Consent, Marker, PulseRecord
from reports.summary.windows import WindowSummary

__all__ = ["Store", "StoreError", "StoreRefused"]

_HALF_MS: Final = 0.0005
_log = structlog.get_logger()


class Store(OpenedDatabase):
    """A database of classes, created with ``open``. Every method may raise ``StoreError``."""

    async def put_class(self, info: ClassInfo) -> None:
        """Store a class, new or in place of its earlier row."""
        row = ClassRow.of(info, self.owner if info.running else None)
        await self._write(lambda session: _merge(session, row))

    async def update_class(self, info: ClassInfo) -> None:
        """Store the changes of a class.

        Raises:
            StoreRefused: the class was deleted meanwhile, and stays deleted.
        """
        row = ClassRow.of(info, self.owner if info.running else None)

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

    async def classes(self, limit: int | None = None) -> list[ClassInfo]:
        """All classes, newest first; with ``limit``, only so many."""
        query = select(ClassRow).order_by(ClassRow.started_at.desc(), ClassRow.id).limit(limit)
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

    async def recover(self, now: datetime, *, lost: bool = False) -> list[ClassInfo]:
        """Mark the classes that a crash cut off; call it at start, before any class begins.

        The end of such a class is that of its last window, or its start if it has none. Classes of another
        server that is at work are left alone.

        Args:
            now: The present time, named in the reason.
            lost: Whether servers that have not been seen for ``LOST_AFTER_S`` are taken for lost. Where the
                database itself did not answer, all servers look lost: do so only some time after that.

        Returns:
            The classes that were marked, newest first.
        """

        def work(session: Session) -> list[ClassInfo]:
            if lost:
                forget_lost(session)
            return mark_interrupted(session, now)

        recovered = await self._write(work)
        if recovered:
            _log.warning("classes were cut off", classes=len(recovered))
        return recovered

    async def purge(self, now: datetime, retention: timedelta, individual: timedelta) -> int:
        """Delete classes and individual data whose retention time is over (see ``maintenance``).

        Returns:
            How many classes were deleted.
        """
        await self._write(lambda session: delete_individual(session, now, individual), wipe=True)
        deleted, batch = 0, BATCH
        while batch == BATCH:
            batch = await self._write(lambda session: delete_expired(session, now, retention), wipe=True)
            deleted += batch
        return deleted


def _merge(session: Session, row: AskRow | ClassRow | ConsentRow) -> None:
    session.merge(row)
