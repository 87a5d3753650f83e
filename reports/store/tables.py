"""The tables of the store: one row type for each kind of data in ``reports.summary``.

Used by the store, which turns data into rows and rows into data here, and by the migrations, which
must produce exactly these tables (a test compares them). What may never be on disk is refused by the
database itself: the shares of a suppressed window, and a name without an individual consent.

Times are UTC without a zone, because not every database keeps zones.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final, Self

from sqlalchemy import (
    JSON,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    MetaData,
    String,
    Text,
    UniqueConstraint,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from reports.summary.classes import ClassInfo, ClassState
from reports.summary.records import CheckIn, CheckInKind, Consent, Marker, PulseRecord
from reports.summary.windows import PulseKind, WindowSummary

_ID: Final = String(64)
_WORD: Final = String(16)
_PLACES: Final = 4


class Base(DeclarativeBase):
    """What all tables share; constraints are named so that a migration can change them anywhere."""

    metadata = MetaData(
        naming_convention={
            "ix": "ix_%(table_name)s_%(column_0_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ck": "ck_%(table_name)s_%(constraint_name)s",
            "fk": "fk_%(table_name)s_%(column_0_name)s_%(referred_table_name)s",
            "pk": "pk_%(table_name)s",
        }
    )
    type_annotation_map = {  # noqa: RUF012 - SQLAlchemy reads a plain dict
        datetime: DateTime(),
        float: Double(),
        str: Text(),
        dict[str, Any]: JSON(none_as_null=True),
    }


class ClassRow(Base):
    """A class; everything else hangs on it and goes with it."""

    __tablename__ = "classes"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    title: Mapped[str]
    room: Mapped[str]
    state: Mapped[str] = mapped_column(_WORD)
    reason: Mapped[str]
    code: Mapped[str | None] = mapped_column(_ID)
    student_url: Mapped[str | None]
    started_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    min_group: Mapped[int]
    synthetic: Mapped[bool]
    jurisdiction: Mapped[str] = mapped_column(String(32), server_default="none")

    @classmethod
    def of(cls, info: ClassInfo) -> Self:
        """The row of a class.

        Raises:
            ValueError: a time without a zone.
        """
        return cls(
            id=info.id,
            title=info.title,
            room=info.room,
            state=info.state.value,
            reason=info.reason,
            code=info.code,
            student_url=info.student_url,
            started_at=to_utc(info.started_at),
            ended_at=None if info.ended_at is None else to_utc(info.ended_at),
            min_group=info.min_group,
            synthetic=info.synthetic,
            jurisdiction=info.jurisdiction,
        )

    def data(self) -> ClassInfo:
        """The class of this row."""
        return ClassInfo(
            id=self.id,
            title=self.title,
            room=self.room,
            state=ClassState(self.state),
            reason=self.reason,
            code=self.code,
            student_url=self.student_url,
            started_at=self.started_at.replace(tzinfo=UTC),
            ended_at=None if self.ended_at is None else self.ended_at.replace(tzinfo=UTC),
            min_group=self.min_group,
            synthetic=self.synthetic,
            jurisdiction=self.jurisdiction,
        )


class WindowRow(Base):
    """A window: what is searched and summed as columns, the small maps as JSON."""

    __tablename__ = "windows"
    __table_args__ = (
        UniqueConstraint("class_id", "start_s"),
        CheckConstraint("NOT suppressed OR expressions IS NULL", name="suppressed_is_empty"),
        CheckConstraint("NOT suppressed OR facing IS NULL", name="suppressed_faces_nowhere"),
    )

    id: Mapped[int] = mapped_column(primary_key=True)
    class_id: Mapped[str] = mapped_column(_ID, ForeignKey("classes.id", ondelete="CASCADE"))
    start_s: Mapped[float]
    length_s: Mapped[float]
    participants: Mapped[int]
    cameras_on: Mapped[int]
    analysed: Mapped[int]
    suppressed: Mapped[bool]
    not_analysed: Mapped[dict[str, Any]]
    expressions: Mapped[dict[str, Any] | None]
    pulses: Mapped[dict[str, Any]]
    votes: Mapped[dict[str, Any]] = mapped_column("voices")
    facing: Mapped[float | None]

    @classmethod
    def of(cls, window: WindowSummary) -> Self:
        """The row of a window; a suppressed one leaves its shares behind."""
        hidden = window.suppressed or window.expressions is None
        return cls(
            class_id=window.class_id,
            start_s=window.start_s,
            length_s=window.length_s,
            participants=window.participants,
            cameras_on=window.cameras_on,
            analysed=window.analysed,
            suppressed=window.suppressed,
            not_analysed=dict(window.not_analysed),
            expressions=None if hidden else _rounded(window.expressions or {}),
            pulses=dict(window.pulses),
            votes=dict(window.votes),
            facing=None if hidden or window.facing is None else round(window.facing, _PLACES),
        )

    def data(self) -> WindowSummary:
        """The window of this row."""
        return WindowSummary(
            class_id=self.class_id,
            start_s=self.start_s,
            length_s=self.length_s,
            participants=self.participants,
            cameras_on=self.cameras_on,
            analysed=self.analysed,
            not_analysed=self.not_analysed,
            expressions=self.expressions,
            suppressed=self.suppressed,
            pulses=self.pulses,
            votes=self.votes,
            facing=self.facing,
        )


class MarkerRow(Base):
    """A moment the host marked."""

    __tablename__ = "markers"

    id: Mapped[int] = mapped_column(primary_key=True)
    class_id: Mapped[str] = mapped_column(_ID, ForeignKey("classes.id", ondelete="CASCADE"), index=True)
    at_s: Mapped[float]
    label: Mapped[str]

    @classmethod
    def of(cls, marker: Marker) -> Self:
        """The row of a marker."""
        return cls(class_id=marker.class_id, at_s=marker.at_s, label=marker.label)

    def data(self) -> Marker:
        """The marker of this row."""
        return Marker(class_id=self.class_id, at_s=self.at_s, label=self.label)


class PulseRow(Base):
    """One tap, without the student."""

    __tablename__ = "pulses"

    id: Mapped[int] = mapped_column(primary_key=True)
    class_id: Mapped[str] = mapped_column(_ID, ForeignKey("classes.id", ondelete="CASCADE"), index=True)
    at_s: Mapped[float]
    kind: Mapped[str] = mapped_column(_WORD)

    @classmethod
    def of(cls, pulse: PulseRecord) -> Self:
        """The row of a tap."""
        return cls(class_id=pulse.class_id, at_s=pulse.at_s, kind=pulse.kind.value)

    def data(self) -> PulseRecord:
        """The tap of this row."""
        return PulseRecord(class_id=self.class_id, at_s=self.at_s, kind=PulseKind(self.kind))


class ConsentRow(Base):
    """That a participant agreed; the only row that may hold a name."""

    __tablename__ = "consents"
    __table_args__ = (CheckConstraint("individual OR name IS NULL", name="name_is_individual"),)

    class_id: Mapped[str] = mapped_column(_ID, ForeignKey("classes.id", ondelete="CASCADE"), primary_key=True)
    participant_id: Mapped[str] = mapped_column(_ID, primary_key=True)
    at_s: Mapped[float]
    individual: Mapped[bool]
    name: Mapped[str | None]

    @classmethod
    def of(cls, consent: Consent) -> Self:
        """The row of a consent; the name stays behind unless individual check-ins were agreed to."""
        return cls(
            class_id=consent.class_id,
            participant_id=consent.participant_id,
            at_s=consent.at_s,
            individual=consent.individual,
            name=consent.name if consent.individual else None,
        )

    def data(self) -> Consent:
        """The consent of this row."""
        return Consent(
            class_id=self.class_id,
            participant_id=self.participant_id,
            at_s=self.at_s,
            individual=self.individual,
            name=self.name,
        )


class CheckInRow(Base):
    """That a student who opted in may need a word; gone with the individual consent."""

    __tablename__ = "check_ins"

    id: Mapped[int] = mapped_column(primary_key=True)
    class_id: Mapped[str] = mapped_column(_ID, ForeignKey("classes.id", ondelete="CASCADE"), index=True)
    participant_id: Mapped[str] = mapped_column(_ID)
    at_s: Mapped[float]
    kind: Mapped[str] = mapped_column(_WORD)
    reason: Mapped[str]

    @classmethod
    def of(cls, check_in: CheckIn) -> Self:
        """The row of a check-in; the name stays with the consent."""
        return cls(
            class_id=check_in.class_id,
            participant_id=check_in.participant_id,
            at_s=check_in.at_s,
            kind=check_in.kind.value,
            reason=check_in.reason,
        )

    def data(self, name: str | None) -> CheckIn:
        """The check-in of this row, with the name of its consent."""
        return CheckIn(
            class_id=self.class_id,
            participant_id=self.participant_id,
            at_s=self.at_s,
            kind=CheckInKind(self.kind),
            reason=self.reason,
            name=name,
        )


def to_utc(moment: datetime) -> datetime:
    """A moment as the tables keep it: UTC, the zone taken off.

    Raises:
        ValueError: the moment has no zone, so that what it means is unknown.
    """
    if moment.tzinfo is None:
        raise ValueError("a time in the store needs a zone")
    return moment.astimezone(UTC).replace(tzinfo=None)


def _rounded(shares: Mapping[str, float]) -> dict[str, float]:
    return {label: round(share, _PLACES) for label, share in shares.items()}
