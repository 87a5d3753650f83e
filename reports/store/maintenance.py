"""Work on stored classes beyond reading and writing records: recovery, retention and erasure.

Each function runs inside a transaction that the store has begun.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from reports.store.tables import CheckInRow, ClassRow, ConsentRow, ServerRow, WindowRow, to_utc
from reports.summary.classes import FINAL_STATES, ClassInfo, ClassState

BATCH: Final = 50
"""Largest number of classes that are deleted in one transaction."""

_INTERRUPTED: Final = (
    "cut off when ClassMood stopped without ending it; noticed at the next start, {now:%Y-%m-%d %H:%M} UTC"
)


def mark_interrupted(session: Session, now: datetime) -> list[ClassInfo]:
    """Mark the running classes without a server as interrupted.

    Their end is that of their last window, or their start if they have none.

    Args:
        session: A session that may write.
        now: The present time, named in the reason.

    Returns:
        The classes that were marked, newest first.
    """
    running = [state.value for state in ClassState if state not in FINAL_STATES]
    owned = select(ServerRow.id).where(ServerRow.id == ClassRow.owner).exists()
    query = select(ClassRow).where(ClassRow.state.in_(running), ~owned).order_by(ClassRow.started_at.desc())
    last_end = func.max(WindowRow.start_s + WindowRow.length_s)
    rows = session.scalars(query).all()
    for row in rows:
        length_s = session.scalar(select(last_end).where(WindowRow.class_id == row.id)) or 0.0
        row.state = ClassState.INTERRUPTED.value
        row.reason = _INTERRUPTED.format(now=now.astimezone(UTC))
        row.ended_at = row.started_at + timedelta(seconds=length_s)
        row.owner = None
    return [row.data() for row in rows]


def delete_expired(session: Session, now: datetime, retention: timedelta) -> int:
    """Delete some classes whose retention time is over, the oldest first.

    Not all at once: a long deletion would hold up the windows of running classes.

    Args:
        session: A session that may write.
        now: The present time.
        retention: How long a class is stored after its end.

    Returns:
        How many classes were deleted, at most ``BATCH``.
    """
    expired = (
        select(ClassRow.id)
        .where(ClassRow.ended_at < to_utc(now) - retention)
        .order_by(ClassRow.ended_at)
        .limit(BATCH)
    )
    # Two statements: MySQL refuses a limit in a subquery.
    ids = session.scalars(expired).all()
    return session.connection().execute(delete(ClassRow).where(ClassRow.id.in_(ids))).rowcount


def delete_individual(session: Session, now: datetime, individual: timedelta) -> None:
    """Delete individual data whose retention time is over; the plain consents remain.

    Args:
        session: A session that may write.
        now: The present time.
        individual: How long a name, the consent to individual check-ins and the check-ins themselves are
            stored after the consent was given.
    """
    consents = (
        select(ConsentRow, ClassRow.started_at)
        .join(ClassRow, ClassRow.id == ConsentRow.class_id)
        .where(ConsentRow.individual)
    )
    for consent, started_at in session.execute(consents):
        if started_at + timedelta(seconds=consent.at_s) < to_utc(now) - individual:
            consent.individual = False
            consent.name = None
            delete_check_ins(session, consent.class_id, consent.participant_id)


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
