"""The store never keeps suppressed shares, unneeded names, or data that was erased or has expired."""

from __future__ import annotations

import asyncio
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from reports.store import Store
from reports.summary.classes import ClassState
from reports.summary.records import Consent
from tests.reports.builders import START, a_class, a_window
from tests.reports.store.databases import Database, Refused


async def test_a_suppressed_window_is_stored_without_shares(store: Store, database: Database) -> None:
    await store.put_class(a_class())
    await store.add_window(a_window(expressions=None, analysed=2, facing=0.5))
    (window,) = await store.windows("c1")
    assert (window.expressions, window.facing) == (None, None)
    assert window.suppressed is True
    assert b"disgust" not in await asyncio.to_thread(database.content)


def test_constraints_of_the_database_refuse_suppressed_shares_and_unneeded_names(
    store: Store, database: Database
) -> None:
    asyncio.run(store.put_class(a_class()))
    asyncio.run(store.add_window(a_window(facing=0.75)))
    asyncio.run(store.add_consent(Consent("c1", "p1", 0.0, True, "Ada")))
    for statement, constraint in (
        ("UPDATE windows SET suppressed = true, facing = NULL", "suppressed_is_empty"),
        ("UPDATE windows SET suppressed = true, expressions = NULL", "suppressed_faces_nowhere"),
        ("UPDATE consents SET individual = false", "name_is_individual"),
    ):
        with pytest.raises(Refused, match=constraint):
            database.execute(statement)


async def test_a_name_is_stored_only_with_consent_to_check_ins(store: Store, database: Database) -> None:
    await store.put_class(a_class())
    await store.add_consent(Consent("c1", "p1", 1.0, False, "Grace Plainname"))
    await store.add_consent(Consent("c1", "p2", 2.0, True, "Ada Checkin"))
    assert await store.consents("c1") == [
        Consent("c1", "p1", 1.0, False, None),
        Consent("c1", "p2", 2.0, True, "Ada Checkin"),
    ]
    assert b"Plainname" not in await asyncio.to_thread(database.content)


async def test_a_new_consent_replaces_the_earlier_one_and_its_name(store: Store, database: Database) -> None:
    await store.put_class(a_class())
    await store.add_consent(Consent("c1", "p1", 1.0, True, "Ada Checkin"))
    await store.add_consent(Consent("c1", "p1", 9.0, False, None))
    assert await store.consents("c1") == [Consent("c1", "p1", 9.0, False, None)]
    assert b"Checkin" not in await asyncio.to_thread(database.content)


async def test_nothing_of_an_erased_participant_can_be_read(store: Store, database: Database) -> None:
    await store.put_class(a_class())
    for participant in ("p-erased", "p-stays"):
        await store.add_consent(Consent("c1", participant, 1.0, True, f"Name of {participant}"))
    assert b"Name of p-erased" in await asyncio.to_thread(database.content)
    await store.erase_participant("c1", "p-erased")
    assert [consent.participant_id for consent in await store.consents("c1")] == ["p-stays"]
    remaining = await asyncio.to_thread(database.content)
    assert b"p-erased" not in remaining
    assert b"Name of p-stays" in remaining


async def test_purge_deletes_expired_classes_and_names(store: Store, database: Database) -> None:
    now = START + timedelta(days=200)
    old_end, new_end = now - timedelta(days=181), now - timedelta(days=179)
    await store.put_class(a_class("old", state=ClassState.ENDED, ended_at=old_end))
    await store.put_class(a_class("new", state=ClassState.ENDED, ended_at=new_end))
    await store.put_class(a_class("running", started_at=now - timedelta(hours=49)))
    await store.add_window(a_window(0.0, "old"))
    await store.add_consent(Consent("new", "p1", 0.0, True, "Ada Longago"))
    await store.add_consent(Consent("running", "p2", 1800.0, True, "Alan Justover"))
    await store.add_consent(Consent("running", "p3", 5400.0, True, "Grace Justunder"))

    assert await store.purge(now, timedelta(days=180), timedelta(hours=48)) == 1

    assert [info.id for info in await store.classes()] == ["running", "new"]
    assert await store.windows("old") == []
    assert await store.consents("new") == [Consent("new", "p1", 0.0, False, None)]
    assert await store.consents("running") == [
        Consent("running", "p2", 1800.0, False, None),
        Consent("running", "p3", 5400.0, True, "Grace Justunder"),
    ]
    remaining = await asyncio.to_thread(database.content)
    assert b"Longago" not in remaining
    assert b"Justover" not in remaining
    assert await store.purge(now, timedelta(days=180), timedelta(hours=48)) == 0


def test_only_the_owner_can_read_the_database_files(path: Path) -> None:
    with closing(Store.open(f"sqlite:///{path}")):
        assert {file.stat().st_mode & 0o077 for file in path.parent.glob("classes.db*")} == {0}
