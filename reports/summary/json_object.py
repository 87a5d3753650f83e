"""The JSON object of a record, derived from its dataclass fields so that a new field needs no code here."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

VOTES_KEY: Final = "voices"
"""Key of the field ``votes`` in JSON, in the CSV and in the database."""


def json_object(record: DataclassInstance) -> dict[str, Any]:
    """The fields of a record in JSON types: times in ISO 8601, seconds to the millisecond."""
    return {
        VOTES_KEY if field.name == "votes" else field.name: _value(field.name, getattr(record, field.name))
        for field in fields(record)
    }


def _value(name: str, value: object) -> object:
    if isinstance(value, float) and name.endswith("_s"):
        return round(value, 3)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, tuple):
        return list(value)
    return dict(value) if isinstance(value, Mapping) else value
