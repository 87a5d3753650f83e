"""PostgreSQL: several servers, rights, refusals, and a server that hangs."""

from __future__ import annotations

import asyncio
import subprocess
import sys
import time
import traceback
from collections.abc import Iterator
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from reports.store import Store, StoreError, StoreRefused
from reports.store.database import migration_engine, resolve
from reports.store.ownership import LOST_AFTER_S
from reports.summary.classes import ClassState
from reports.summary.records import Consent
from tests.postgres_server import PostgresServer
from tests.reports.builders import START, a_class, a_window

ROOT = Path(__file__).parents[3]
LONG_AGO = f"UPDATE servers SET seen_at = seen_at - interval '{LOST_AFTER_S + 1:.0f} seconds'"


@pytest.fixture
def name(postgres: PostgresServer) -> Iterator[str]:
    created = postgres.create()
    yield created
    postgres.drop(created)


@pytest.fixture
def empty(postgres: PostgresServer) -> Iterator[str]:
    created = postgres.create(empty=True)
    yield created
    postgres.drop(created)


def states(store: Store) -> dict[str, ClassState]:
    return {info.id: info.state for info in asyncio.run(store.classes())}


def test_a_second_server_leaves_the_classes_of_the_first_alone(postgres: PostgresServer, name: str) -> None:
    now = START + timedelta(hours=1)
    with closing(Store.open(postgres.url(name))) as first:
        asyncio.run(first.put_class(a_class("c1")))
        with closing(Store.open(postgres.url(name))) as second:
            asyncio.run(second.put_class(a_class("c2")))
            assert asyncio.run(second.recover(now)) == []
            assert asyncio.run(second.recover(now, lost=True)) == []
            assert set(states(first).values()) == {ClassState.LIVE}
        # The second one has ended in an orderly way, without ending its class.
        assert [info.id for info in asyncio.run(first.recover(now))] == ["c2"]
    with closing(Store.open(postgres.url(name))) as third:
        assert [info.id for info in asyncio.run(third.recover(now))] == ["c1"]


def test_a_server_that_is_not_seen_for_long_is_lost_and_may_come_back(
    postgres: PostgresServer, name: str
) -> None:
    now = START + timedelta(hours=1)
    with closing(Store.open(postgres.url(name))) as frozen, closing(Store.open(postgres.url(name))) as other:
        asyncio.run(frozen.put_class(a_class("c1")))
        assert asyncio.run(frozen.renew())
        postgres.execute(name, LONG_AGO)
        assert asyncio.run(other.renew())
        assert asyncio.run(other.recover(now)) == [], "at start, a silent server is not taken for lost"
        assert [info.id for info in asyncio.run(other.recover(now, lost=True))] == ["c1"]
        assert not asyncio.run(frozen.renew()), "it learns that it was taken for lost"
        asyncio.run(frozen.update_class(a_class("c1")))
        assert asyncio.run(other.recover(now, lost=True)) == [], "its class is its own again"
        assert states(other) == {"c1": ClassState.LIVE}


STARTER = "import sys; from reports.store import Store; Store.open(sys.argv[1]).close()"


def test_several_servers_can_start_at_once_on_an_empty_database(postgres: PostgresServer, empty: str) -> None:
    starters = [
        subprocess.Popen(
            [sys.executable, "-c", STARTER, postgres.url(empty)], cwd=ROOT, stderr=subprocess.PIPE
        )
        for _ in range(3)
    ]
    for starter in starters:
        _, errors = starter.communicate(timeout=60)
        assert starter.returncode == 0, errors.decode()[-500:]
    with closing(Store.open(postgres.url(empty), migrating=False)) as store:
        assert asyncio.run(store.classes()) == []


def test_tables_are_not_changed_while_a_server_uses_them(postgres: PostgresServer, name: str) -> None:
    url = postgres.url(name)
    with closing(Store.open(url)) as store:
        postgres.execute(name, "UPDATE alembic_version SET version_num = '0007'")
        with pytest.raises(StoreError, match="stop every other ClassMood"):
            Store.open(url)
        postgres.execute(name, "UPDATE alembic_version SET version_num = '0008'")
        assert asyncio.run(store.classes()) == []


def test_only_a_start_migrates(postgres: PostgresServer, empty: str) -> None:
    with pytest.raises(StoreError, match="start `classmood serve` once"):
        Store.open(postgres.url(empty), migrating=False)
    assert postgres.execute(empty, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'") == [(0,)]


@pytest.mark.parametrize(
    "changes", [{"title": "a NUL \0 in it"}, {"code": "x" * 65}, {"min_group": 2**40}], ids=str
)
async def test_what_can_never_be_stored_is_refused_and_not_retried(
    postgres: PostgresServer, name: str, changes: dict[str, object]
) -> None:
    with closing(await asyncio.to_thread(Store.open, postgres.url(name))) as store:
        with pytest.raises(StoreRefused, match="too long or contains characters"):
            await store.put_class(a_class(**changes))  # type: ignore[arg-type]
        await store.put_class(a_class())
        await asyncio.to_thread(store.close)


def test_no_error_contains_a_value_of_a_row(postgres: PostgresServer, name: str) -> None:
    """PostgreSQL adds the failing row to its errors, and a name could be in it."""
    with closing(Store.open(postgres.url(name))) as store:
        with pytest.raises(StoreRefused) as caught:
            asyncio.run(store.add_consent(Consent("nobody", "p1", 1.0, True, "Ada Checkin")))
        text = "".join(traceback.format_exception(caught.value))
        assert "its class was deleted" in text
        assert "DETAIL" not in text
        assert "(nobody" not in text


def test_a_connection_that_the_server_ended_is_replaced(postgres: PostgresServer, name: str) -> None:
    with closing(Store.open(postgres.url(name))) as store:
        asyncio.run(store.put_class(a_class()))
        postgres.execute(
            name,
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}' "
            "AND application_name = 'classmood'",
        )
        asyncio.run(store.add_window(a_window()))
        assert len(asyncio.run(store.windows("c1"))) == 1


def test_errors_say_what_to_do(postgres: PostgresServer, name: str, tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"check store\.url, and whether the server runs.*nowhere"):
        Store.open(postgres.url("nowhere"))
    with pytest.raises(StoreError, match=r"check store\.url, and whether the server runs"):
        Store.open(f"postgresql://admin@/classes?host={tmp_path}")
    postgres.execute(name, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with pytest.raises(StoreError, match="it is read-only: name the primary server"):
        Store.open(postgres.url(name))


@pytest.mark.real_time
@pytest.mark.slow
def test_a_server_that_hangs_is_given_up_and_used_again(postgres: PostgresServer, name: str) -> None:
    store = Store.open(postgres.url(name))
    asyncio.run(store.put_class(a_class()))
    with postgres.frozen(name):
        began = time.monotonic()
        for request in (store.add_window(a_window()), store.classes()):
            with pytest.raises(StoreError, match=r"did not answer in time|timeout expired"):
                asyncio.run(request)
        assert time.monotonic() - began < 15, "each is given up after 5 s"
    asyncio.run(store.add_window(a_window()))
    assert len(asyncio.run(store.windows("c1"))) == 1
    with postgres.frozen(name):
        began = time.monotonic()
        store.close()
        assert time.monotonic() - began < 6, "it does not wait for the answer, but for a new connection"


def test_a_statement_that_waits_for_a_lock_is_ended(postgres: PostgresServer, name: str) -> None:
    with closing(Store.open(f"{postgres.url(name)}&options=-c%20lock_timeout%3D200")) as store:
        asyncio.run(store.put_class(a_class()))
        blocker = migration_engine(resolve(postgres.url(name)))
        with blocker.begin() as connection:
            connection.exec_driver_sql("LOCK TABLE windows")
            with pytest.raises(StoreError, match="another program holds a lock"):
                asyncio.run(store.add_window(a_window()))
        asyncio.run(store.add_window(a_window()))


@pytest.mark.parametrize(
    ("statement", "index"),
    [
        ("SELECT class_id FROM consents WHERE participant_id = 'p1'", "ix_consents_participant_id"),
        ("SELECT id FROM classes WHERE ended_at < now() ORDER BY ended_at LIMIT 50", "ix_classes_ended_at"),
        ("SELECT id FROM classes ORDER BY started_at DESC LIMIT 1", "ix_classes_started_at"),
        ("SELECT id FROM classes WHERE state IN ('live', 'joining')", "ix_classes_state"),
        ("SELECT class_id FROM consents WHERE individual", "ix_consents_individual"),
    ],
)
def test_frequent_queries_have_an_index(
    postgres: PostgresServer, name: str, statement: str, index: str
) -> None:
    engine = migration_engine(resolve(postgres.url(name)))
    with engine.begin() as connection:
        connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
        plan = " ".join(line for (line,) in connection.exec_driver_sql(f"EXPLAIN {statement}"))
    assert index in plan
