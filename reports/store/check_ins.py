"""Reads the check-ins of a class together with the names from the consents."""

from __future__ import annotations

from sqlalchemy import select
from sqlalchemy.orm import Session

from reports.store.tables import CheckInRow, ConsentRow
from reports.summary.records import CheckIn


def check_ins_of(session: Session, class_id: str) -> list[CheckIn]:
    """The check-ins of a class, sorted by the students' names so that the order is no ranking."""
    query = (
        select(CheckInRow, ConsentRow.name)
        .join(
            ConsentRow,
            (ConsentRow.class_id == CheckInRow.class_id)
            & (ConsentRow.participant_id == CheckInRow.participant_id),
        )
        .where(CheckInRow.class_id == class_id, ConsentRow.individual)
    )
    check_ins = [row.data(name) for row, name in session.execute(query)]
    return sorted(check_ins, key=lambda one: ((one.name or "").casefold(), one.participant_id, one.at_s))
