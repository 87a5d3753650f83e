"""The tables of the store: one row type for each kind of record in ``reports.summary``.

The migrations must produce exactly these tables; a test compares them. A row has an attribute for each
field of its record and is filled from it by name, so that a new field needs only a column here.

CHECK constraints let the database itself refuse what must never be stored: the shares of a suppressed
window, and a name without the consent to individual check-ins.

Times are UTC without a zone, because not every database stores zones.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import UTC, datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final, Self, TypeVar

from sqlalchemy import (
    JSON,
    BigInteger,
    CheckConstraint,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    String,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

from reports.summary.asks import Ask
from reports.summary.classes import ClassInfo, ClassState
from reports.summary.json_object import VOTES_KEY
from reports.summary.records import CheckIn, CheckInKind, Consent, Marker, MarkerKind, PulseRecord
from reports.summary.windows import PulseKind, WindowSummary

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

_Record = TypeVar("_Record", bound="DataclassInstance")

_ID: Final = String(64)
_WORD: Final = String(16)

# 32 bits are 500 years of one class, but 400 classes at once use them up in 17 months. SQLite counts its
# rows by themselves only in a column of the type INTEGER, which has 64 bits there.
_NUMBER: Final = BigInteger().with_variant(Integer(), "sqlite")


class Base(DeclarativeBase):
    """What all tables share: column types, copying from and to records, and named constraints.

    A migration can change a constraint in every database only if the constraint has a name.
    """

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
        list[str]: JSON(none_as_null=True),
    }

    @classmethod
    def _from_record(cls, record: DataclassInstance, *, omit: str = "", **replaced: object) -> Self:
        """A row with the fields of a record.

        Args:
            record: The record.
            omit: A field without a column.
            replaced: Values that differ from the record's, or that only the row has.
        """
        names = (field.name for field in fields(record) if field.name != omit)
        return cls(**{name: _stored(getattr(record, name)) for name in names} | replaced)

    def _to_record(self, record_type: type[_Record], **replaced: object) -> _Record:
        """The record of this row; ``replaced`` has the values that differ from the row's."""
        names = (field.name for field in fields(record_type) if field.name not in replaced)
        return record_type(**{name: _loaded(getattr(self, name)) for name in names}, **replaced)


class ClassRow(Base):
    """A class. Deleting it deletes the rows of all other tables that refer to it.

    ``owner`` is the server that runs it (``ServerRow``); without one, no other server may be writing to the
    database.
    """

    __tablename__ = "classes"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    title: Mapped[str]
    room: Mapped[str]
    state: Mapped[str] = mapped_column(_WORD, index=True)
    reason: Mapped[str]
    code: Mapped[str | None] = mapped_column(_ID)
    student_url: Mapped[str | None]
    started_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None] = mapped_column(index=True)
    min_group: Mapped[int]
    synthetic: Mapped[bool]
    jurisdiction: Mapped[str] = mapped_column(String(32), server_default="none")
    owner: Mapped[str | None] = mapped_column(_ID)

    @classmethod
    def of(cls, info: ClassInfo, owner: str | None) -> Self:
        """The row of a class.

        Raises:
            ValueError: a time without a zone.
        """
        return cls._from_record(info, owner=owner)

    def data(self) -> ClassInfo:
        """The class of this row."""
        return self._to_record(ClassInfo, state=ClassState(self.state))


class WindowRow(Base):
    """A window: figures that queries sort or sum are columns, the small maps are JSON."""

    __tablename__ = "windows"
    __table_args__ = (
        UniqueConstraint("class_id", "start_s"),
        CheckConstraint("NOT suppressed OR expressions IS NULL", name="suppressed_is_empty"),
        CheckConstraint("NOT suppressed OR facing IS NULL", name="suppressed_faces_nowhere"),
    )

    id: Mapped[int] = mapped_column(_NUMBER, primary_key=True)
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
    votes: Mapped[dict[str, Any]] = mapped_column(VOTES_KEY)
    facing: Mapped[float | None]
    shown: Mapped[int] = mapped_column(server_default="0")
    weights: Mapped[dict[str, Any]] = mapped_column(server_default="{}")

    @classmethod
    def of(cls, window: WindowSummary) -> Self:
        """The row of a window."""
        # Derived from ``expressions``; stored because the CHECK constraints need it.
        return cls._from_record(window, suppressed=window.suppressed)

    def data(self) -> WindowSummary:
        """The window of this row."""
        return self._to_record(WindowSummary)


class MarkerRow(Base):
    """A moment that has a label."""

    __tablename__ = "markers"

    id: Mapped[int] = mapped_column(_NUMBER, primary_key=True)
    class_id: Mapped[str] = mapped_column(_ID, ForeignKey("classes.id", ondelete="CASCADE"), index=True)
    at_s: Mapped[float]
    label: Mapped[str]
    kind: Mapped[str] = mapped_column(_WORD, server_default="host")

    @classmethod
    def of(cls, marker: Marker) -> Self:
        """The row of a marker."""
        return cls._from_record(marker)

    def data(self) -> Marker:
        """The marker of this row."""
        return self._to_record(Marker, kind=MarkerKind(self.kind))


class AskRow(Base):
    """A question to the class and its answers as counts, without the students."""

    __tablename__ = "asks"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    class_id: Mapped[str] = mapped_column(_ID, ForeignKey("classes.id", ondelete="CASCADE"), index=True)
    at_s: Mapped[float]
    closes_s: Mapped[float]
    question: Mapped[str]
    answers: Mapped[list[str]]
    counts: Mapped[dict[str, Any]]
    silent: Mapped[int]
    by_chat: Mapped[int]
    alert_at_s: Mapped[float | None]

    @classmethod
    def of(cls, ask: Ask) -> Self:
        """The row of a question; only its answers so far, not that it is open."""
        return cls._from_record(ask, omit="open", answers=list(ask.answers))

    def data(self) -> Ask:
        """The question of this row."""
        return self._to_record(Ask, answers=tuple(self.answers), open=False)


class PulseRow(Base):
    """One tap, without the student."""

    __tablename__ = "pulses"

    id: Mapped[int] = mapped_column(_NUMBER, primary_key=True)
    class_id: Mapped[str] = mapped_column(_ID, ForeignKey("classes.id", ondelete="CASCADE"), index=True)
    at_s: Mapped[float]
    kind: Mapped[str] = mapped_column(_WORD)

    @classmethod
    def of(cls, pulse: PulseRecord) -> Self:
        """The row of a tap."""
        return cls._from_record(pulse)

    def data(self) -> PulseRecord:
        """The tap of this row."""
        return self._to_record(PulseRecord, kind=PulseKind(self.kind))


class ConsentRow(Base):
    """A participant's consent; the only row that may contain a name."""

    __tablename__ = "consents"
    __table_args__ = (
        CheckConstraint("individual OR name IS NULL", name="name_is_individual"),
        # Few consents are individual, and retention looks for them every hour.
        Index(
            "ix_consents_individual",
            "class_id",
            sqlite_where=text("individual"),
            postgresql_where=text("individual"),
        ),
    )

    class_id: Mapped[str] = mapped_column(_ID, ForeignKey("classes.id", ondelete="CASCADE"), primary_key=True)
    participant_id: Mapped[str] = mapped_column(_ID, primary_key=True, index=True)
    at_s: Mapped[float]
    individual: Mapped[bool]
    name: Mapped[str | None]

    @classmethod
    def of(cls, consent: Consent) -> Self:
        """The row of a consent; without the consent to individual check-ins the name is dropped."""
        return cls._from_record(consent, name=consent.name if consent.individual else None)

    def data(self) -> Consent:
        """The consent of this row."""
        return self._to_record(Consent)


class CheckInRow(Base):
    """A check-in. It is deleted together with the consent to individual check-ins."""

    __tablename__ = "check_ins"

    id: Mapped[int] = mapped_column(_NUMBER, primary_key=True)
    class_id: Mapped[str] = mapped_column(_ID, ForeignKey("classes.id", ondelete="CASCADE"), index=True)
    participant_id: Mapped[str] = mapped_column(_ID)
    at_s: Mapped[float]
    kind: Mapped[str] = mapped_column(_WORD)
    reason: Mapped[str]

    @classmethod
    def of(cls, check_in: CheckIn) -> Self:
        """The row of a check-in, without the name: only the consent's row contains it."""
        return cls._from_record(check_in, omit="name")

    def data(self, name: str | None) -> CheckIn:
        """The check-in of this row, with the name from its consent."""
        return self._to_record(CheckIn, kind=CheckInKind(self.kind), name=name)


class ServerRow(Base):
    """A server that writes to this database, and when it last said so by the clock of the database."""

    __tablename__ = "servers"

    id: Mapped[str] = mapped_column(_ID, primary_key=True)
    machine: Mapped[str]
    seen_at: Mapped[datetime]


class HostKeysRow(Base):
    """The hashes of the host's secrets, in one row; a SQLite database keeps them in a file beside it."""

    __tablename__ = "host_keys"

    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    token: Mapped[str] = mapped_column(_ID)
    links: Mapped[dict[str, Any]]
    cookies: Mapped[dict[str, Any]]


def to_utc(moment: datetime) -> datetime:
    """A time as the tables store it: in UTC and without a zone.

    Raises:
        ValueError: the time has no zone, so that its meaning is unknown.
    """
    if moment.tzinfo is None:
        raise ValueError("a time in the store needs a zone")
    return moment.astimezone(UTC).replace(tzinfo=None)


def _stored(value: object) -> object:
    if isinstance(value, datetime):
        return to_utc(value)
    if isinstance(value, StrEnum):
        return value.value
    return dict(value) if isinstance(value, Mapping) else value


def _loaded(value: object) -> object:
    return value.replace(tzinfo=UTC) if isinstance(value, datetime) else value
