"""Individual check-ins in the store: stored only with consent, deleted with it, never in a report."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest

from reports.document.class_report import load_report
from reports.document.csv_table import to_csv
from reports.document.rendering import to_html, to_json
from reports.store import Store
from reports.summary.classes import ClassState
from reports.summary.records import CheckIn, CheckInKind, Consent
from tests.reports.builders import START, a_class, a_window
from tests.reports.store.databases import Database

RETENTION = timedelta(days=180)


@pytest.fixture
async def store(database: Database) -> AsyncIterator[Store]:
    opened = await asyncio.to_thread(Store.open, database.url)
    await opened.put_class(a_class(state=ClassState.ENDED, ended_at=START))
    for participant_id, name in (("p1", "Zoe"), ("p2", "Anna"), ("p3", None)):
        await opened.add_consent(Consent("c1", participant_id, 60.0, name is not None, name))
    yield opened
    await asyncio.to_thread(opened.close)


def a_check_in(participant_id: str, at_s: float = 900.0) -> CheckIn:
    return CheckIn("c1", participant_id, at_s, CheckInKind.TENSION, "tension +22 points")


async def names(store: Store) -> list[str | None]:
    return [check_in.name for check_in in await store.check_ins("c1")]


async def test_only_students_who_agreed_have_check_ins_sorted_by_name(store: Store) -> None:
    assert await store.add_check_in(a_check_in("p1", 300))
    assert await store.add_check_in(a_check_in("p2", 900))
    assert not await store.add_check_in(a_check_in("p3"))
    assert not await store.add_check_in(a_check_in("stranger"))
    assert await names(store) == ["Anna", "Zoe"]


async def test_check_ins_are_deleted_with_the_consent_the_participant_or_the_class(store: Store) -> None:
    for participant_id in ("p1", "p2"):
        await store.add_check_in(a_check_in(participant_id))
    await store.add_consent(Consent("c1", "p1", 70.0, False, None))
    assert await names(store) == ["Anna"]
    await store.add_consent(Consent("c1", "p1", 80.0, True, "Zoe"))
    assert await names(store) == ["Anna"], "a new consent does not restore them"
    await store.erase_participant("c1", "p2")
    assert await names(store) == []
    await store.add_check_in(a_check_in("p1"))
    await store.delete_class("c1")
    assert await names(store) == []


async def test_a_participant_is_erased_without_knowing_the_class(store: Store, database: Database) -> None:
    for participant_id in ("p1", "p2"):
        await store.add_check_in(a_check_in(participant_id))
    assert await store.erase_everywhere("p1")
    assert not await store.erase_everywhere("p1"), "nothing remains to erase"
    assert await names(store) == ["Anna"]
    assert "p1" not in [consent.participant_id for consent in await store.consents("c1")]
    assert b"Zoe" not in await asyncio.to_thread(database.content)


async def test_check_ins_and_names_expire_after_the_individual_retention(
    store: Store, database: Database
) -> None:
    await store.add_check_in(a_check_in("p1"))
    agreed_at = START + timedelta(seconds=60)
    await store.purge(agreed_at + timedelta(hours=47), RETENTION, timedelta(hours=48))
    assert await names(store) == ["Zoe"]
    await store.purge(agreed_at + timedelta(hours=49), RETENTION, timedelta(hours=48))
    assert await names(store) == []
    remaining = await asyncio.to_thread(database.content)
    assert b"+22 points" not in remaining
    assert b"Zoe" not in remaining


async def test_no_report_contains_check_ins(store: Store) -> None:
    await store.add_window(a_window())
    await store.add_check_in(a_check_in("p1"))
    report = await load_report(store, "c1", None)
    assert report is not None
    for render in (to_html, to_csv, to_json):
        text = await asyncio.to_thread(render, report)
        assert "Zoe" not in text
        assert "+22 points" not in text
        assert "p1" not in text
