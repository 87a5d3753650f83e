"""The migrations: a single history, up and down, that produces the tables of the models."""

from __future__ import annotations

import asyncio
import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest
from alembic import command
from alembic.config import Config
from pytest_alembic.tests import (
    test_model_definitions_match_ddl,
    test_single_head_revision,
    test_up_down_consistency,
    test_upgrade,
)
from sqlalchemy import Engine, inspect
from sqlalchemy.engine.url import make_url

from reports.store import Store, StoreError
from reports.store.database import alembic_config as store_config
from reports.store.database import migration_engine, resolve
from reports.store.tables import Base
from tests.postgres_server import PostgresServer
from tests.reports.builders import SHARES

__all__ = [
    "test_model_definitions_match_ddl",
    "test_single_head_revision",
    "test_up_down_consistency",
    "test_upgrade",
]

ROOT = Path(__file__).parents[3]


@pytest.fixture
def alembic_config() -> Config:
    return store_config()


@pytest.fixture(params=["sqlite", "postgresql"])
def empty_databases(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[Engine, Engine]]:
    """Two empty databases of a kind."""
    names: list[str] = []
    if request.param == "sqlite":
        urls = [f"sqlite:///{tmp_path}/{name}.db" for name in ("one", "other")]
    else:
        server: PostgresServer = request.getfixturevalue("postgres")
        names = [server.create(empty=True) for _ in range(2)]
        urls = [server.url(name) for name in names]
    one, other = (migration_engine(resolve(url)) for url in urls)
    yield one, other
    one.dispose()
    other.dispose()
    for name in names:
        server.drop(name)


@pytest.fixture
def alembic_engine(empty_databases: tuple[Engine, Engine]) -> Engine:
    return empty_databases[0]


@pytest.fixture
def modelled(empty_databases: tuple[Engine, Engine]) -> Engine:
    return empty_databases[0]


@pytest.fixture
def migrated(empty_databases: tuple[Engine, Engine]) -> Engine:
    migrate_to(empty_databases[1], "head")
    return empty_databases[1]


def tables_of(path: Path) -> set[str]:
    with closing(sqlite3.connect(path)) as connection:
        return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type='table'")}


def constraints_of(engine: Engine, table: str) -> list[str]:
    """Constraints and indexes of a table in a form that can be compared."""
    found: list[str] = []
    for getter in ("get_check_constraints", "get_foreign_keys", "get_unique_constraints", "get_indexes"):
        for entry in getattr(inspect(engine), getter)(table):
            conditions = {key: str(value) for key, value in entry.get("dialect_options", {}).items()}
            found.append(f"{getter} {entry | {'dialect_options': conditions}}")
    return sorted(found)


def test_migrated_constraints_are_those_of_the_models(migrated: Engine, modelled: Engine) -> None:
    """Alembic's own comparison ignores constraints and indexes."""
    Base.metadata.create_all(modelled)
    for table in Base.metadata.tables:
        assert constraints_of(migrated, table) == constraints_of(modelled, table)
    assert {check["name"] for check in inspect(migrated).get_check_constraints("windows")} == {
        "ck_windows_suppressed_is_empty",
        "ck_windows_suppressed_faces_nowhere",
    }
    assert inspect(migrated).get_foreign_keys("windows")[0]["options"] == {"ondelete": "CASCADE"}


def test_a_failed_migration_leaves_nothing_behind(tmp_path: Path) -> None:
    path = tmp_path / "other.db"
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("CREATE TABLE pulses (heart INTEGER)")
    with pytest.raises(StoreError, match="pulses already exists"):
        Store.open(f"sqlite:///{path}")
    assert tables_of(path) == {"pulses"}


def migrate_to(engine: Engine, revision: str) -> None:
    config = store_config()
    config.attributes["connection"] = engine
    command.upgrade(config, revision)


def migrate(path: Path, revision: str) -> None:
    engine = migration_engine(make_url(f"sqlite:///{path}"))
    migrate_to(engine, revision)
    engine.dispose()


def test_windows_from_before_facing_existed_survive_the_migration(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    migrate(path, "0002")
    shares = json.dumps(SHARES)
    with closing(sqlite3.connect(path)) as old, old:
        old.execute(
            "INSERT INTO classes VALUES "
            "('c1','Old','companion:A','ended','over','A',NULL,'2026-03-02 09:00:00',NULL,5,0)"
        )
        old.execute(f"INSERT INTO windows VALUES (1,'c1',0,5,6,6,6,0,'{{}}','{shares}','{{}}')")
        old.execute("INSERT INTO markers VALUES (1,'c1',2,'Quiz')")
    with closing(Store.open(f"sqlite:///{path}")) as store:
        (window,) = asyncio.run(store.windows("c1"))
        assert (window.facing, window.expressions) == (None, SHARES)
        assert [marker.label for marker in asyncio.run(store.markers("c1"))] == ["Quiz"]


def insert_class(old: sqlite3.Connection, name: str) -> None:
    """Insert a class into tables of revision 0004."""
    old.execute(
        f"INSERT INTO classes VALUES ('{name}','Old','companion:A','ended','over','A',NULL,"
        "'2026-03-02 09:00:00',NULL,5,0,'none')"
    )


def insert_window(old: sqlite3.Connection, name: str, start_s: int, participants: int, pulses: str) -> None:
    """Insert a window into tables of revision 0004."""
    old.execute(
        "INSERT INTO windows (class_id, start_s, length_s, participants, cameras_on, analysed, suppressed, "
        f"not_analysed, pulses) VALUES ('{name}',{start_s},5,{participants},0,0,1,'{{}}','{pulses}')"
    )


def test_older_windows_count_each_tap_of_two_minutes_as_a_vote(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    migrate(path, "0004")
    with closing(sqlite3.connect(path)) as old, old:
        for name in ("c1", "c2"):
            insert_class(old, name)
        for name, start_s, lost in (
            ("c2", 0, 4),
            ("c1", 60, 2),
            ("c1", 0, 1),
            ("c1", 120, 0),
            ("c1", 180, 0),
        ):
            pulses = json.dumps({"lost": lost, "ok": 0, "too_slow": 0})
            insert_window(old, name, start_s, 6, pulses)
    with closing(Store.open(f"sqlite:///{path}")) as store:
        votes = [
            [window.votes["lost"] for window in asyncio.run(store.windows(name))] for name in ("c1", "c2")
        ]
    assert votes == [[1, 3, 2, 0], [4]]


def test_older_windows_have_no_more_votes_than_participants(tmp_path: Path) -> None:
    path = tmp_path / "old.db"
    migrate(path, "0004")
    with closing(sqlite3.connect(path)) as old, old:
        insert_class(old, "c1")
        insert_window(old, "c1", 0, 4, json.dumps({"lost": 1, "ok": 0, "too_slow": 3}))
        insert_window(old, "c1", 5, 5, json.dumps({"lost": 6, "ok": 1, "too_slow": 1}))
        insert_window(old, "c1", 10, 12, json.dumps({"lost": 0, "ok": 0, "too_slow": 0}))
        insert_window(old, "c1", 15, 0, json.dumps({"lost": 0, "ok": 0, "too_slow": 0}))
    with closing(Store.open(f"sqlite:///{path}")) as store:
        votes = [dict(window.votes) for window in asyncio.run(store.windows("c1"))]
    assert votes == [
        {"lost": 1, "ok": 0, "too_slow": 3},
        {"lost": 5, "ok": 0, "too_slow": 0},
        {"lost": 7, "ok": 1, "too_slow": 4},
        {"lost": 0, "ok": 0, "too_slow": 0},
    ]


def alembic(*arguments: str, cwd: Path, environment: dict[str, str] | None = None) -> tuple[int, str]:
    completed = subprocess.run(
        [sys.executable, "-m", "alembic", *arguments],
        cwd=cwd,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    return completed.returncode, completed.stdout + completed.stderr


def test_the_command_migrates_the_configured_database_but_none_in_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "classes.db"
    monkeypatch.setenv("CLASSMOOD_STORE__URL", f"sqlite:///{path}")
    code, output = alembic("upgrade", "head", cwd=ROOT)
    assert code == 0, output
    assert set(Base.metadata.tables) < tables_of(path)
    with closing(Store.open(f"sqlite:///{path}")):
        code, output = alembic("downgrade", "base", cwd=ROOT)
    assert code != 0
    assert "another ClassMood is running" in output
    assert set(Base.metadata.tables) < tables_of(path)


def test_the_command_migrates_a_given_url_from_another_folder(tmp_path: Path) -> None:
    configuration = str(ROOT / "pyproject.toml")
    code, output = alembic(
        "-c", configuration, "-x", "url=sqlite:///here.db", "upgrade", "head", cwd=tmp_path
    )
    assert code == 0, output
    assert set(Base.metadata.tables) < tables_of(tmp_path / "here.db")


def test_sql_written_by_the_command_gives_older_windows_no_votes(tmp_path: Path) -> None:
    options = ("-c", str(ROOT / "pyproject.toml"), "-x", "url=postgresql://u:p@host/db")
    code, output = alembic(*options, "upgrade", "head", "--sql", cwd=tmp_path)
    assert code == 0, output
    assert "ALTER TABLE windows ADD COLUMN voices JSON" in output
    assert "-- Older windows get no votes" in output
    assert "UPDATE windows SET voices" not in output
    assert "UPDATE windows SET shown=windows.analysed" in output
