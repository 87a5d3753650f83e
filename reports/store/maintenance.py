"""Work on stored classes beyond reading and writing records: recovery, retention and erasure.

Each function runs inside a transaction that the store has begun.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from reports.store.tables import CheckInRow, ClassRow, ConsentRow, WindowRow, to_utc
from reports.summary.classes import FINAL_STATES, ClassInfo, ClassState

_INTERRUPTED: Final = (
    "cut off when ClassMood stopped without ending it; noticed at the next start, {now:%Y-%m-%d %H:%M} UTC"
)


def mark_interrupted(session: Session, now: datetime) -> list[ClassInfo]:
    """Mark the classes that a crash cut off as interrupted, with the end of their last window as their end.

    A class without windows gets its start as its end.

    Args:
        session: A session that may write.
        now: The time of the start, named in the reason.

    Returns:
        The classes that were marked, newest first.
    """
    running = [state.value for state in ClassState if state not in FINAL_STATES]
    query = select(ClassRow).where(ClassRow.state.in_(running)).order_by(ClassRow.started_at.desc())
    last_end = func.max(WindowRow.start_s + WindowRow.length_s)
    rows = session.scalars(query).all()
    for row in rows:
        length_s = session.scalar(select(last_end).where(WindowRow.class_id == row.id)) or 0.0
        row.state = ClassState.INTERRUPTED.value
        row.reason = _INTERRUPTED.format(now=now.astimezone(UTC))
        row.ended_at = row.started_at + timedelta(seconds=length_s)
    return [row.data() for row in rows]


def delete_expired(session: Session, now: datetime, retention: timedelta, individual: timedelta) -> int:
    """Delete classes and individual data whose retention time is over.

    Args:
        session: A session that may write.
        now: The present time.
        retention: How long a class is stored after its end.
        individual: How long a name, the consent to individual check-ins and the check-ins themselves are
            stored after the consent was given. The plain consent remains.

    Returns:
        How many classes were deleted.
    """
    now_utc = to_utc(now)
    expired = delete(ClassRow).where(ClassRow.ended_at < now_utc - retention)
    consents = (
        select(ConsentRow, ClassRow.started_at)
        .join(ClassRow, ClassRow.id == ConsentRow.class_id)
        .where(ConsentRow.individual)
    )
    deleted = session.connection().execute(expired).rowcount
    for consent, started_at in session.execute(consents):
        if started_at + timedelta(seconds=consent.at_s) < now_utc - individual:
            consent.individual = False
            consent.name = None
            delete_check_ins(session, consent.class_id, consent.participant_id)
    return deleted


def delete_participant(session: Session, class_id: str, participant_id: str) -> None:
    """Delete a participant's consent, name and check-ins; no other row refers to a participant."""
    session.execute(
        delete(ConsentRow).where(ConsentRow.class_id == class_id, ConsentRow.participant_id == participant_id)
    )
    delete_check_ins(session, class_id, participant_id)


def delete_check_ins(session: Session, class_id: str, participant_id: str) -> None:
    """Delete the check-ins of a participant."""
    session.execute(
        delete(CheckInRow).where(CheckInRow.class_id == class_id, CheckInRow.participant_id == participant_id)
    )
