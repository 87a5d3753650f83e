"""docs/operations.md lists every metric and the limits of the code, and its backup commands work."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import subprocess
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

from bot.metrics import Metrics
from bot.rooms.companion import room, student_routes
from bot.webrtc import offers
from reports.store import Store
from reports.summary.records import Consent
from reports.web import api, requests, stream
from reports.web.feed import LiveFeed
from tests.postgres_server import PostgresServer
from tests.reports.builders import a_class, a_window

TEXT = (Path(__file__).parents[1] / "docs" / "operations.md").read_text(encoding="utf-8")


def block(heading: str, number: int) -> str:
    """The block of commands with this number under a heading."""
    return re.findall(r"```sh\n(.*?)```", TEXT.split(f"## {heading}\n")[1].split("\n## ")[0], re.DOTALL)[
        number
    ]


def row(beginning: str) -> str:
    return next(line for line in TEXT.splitlines() if line.startswith(f"| {beginning}"))


def test_every_metric_is_listed() -> None:
    suffixes = {"counter": "_total"}
    for metric in Metrics().registry.collect():
        if metric.name.startswith("classmood"):
            assert metric.name + suffixes.get(metric.type, "") in TEXT


def test_listed_limits_are_those_of_the_code() -> None:
    assert requests.MAX_BODY_BYTES == offers.MAX_OFFER_CHARS == 64 * 1024
    assert requests.BODY_TIMEOUT_S == 10
    assert "64 KiB, 10 s" in row("request body")
    for limit in (f"{offers.MAX_OFFER_LINES} lines", f"{offers.MAX_CANDIDATES} candidates", "64 codecs"):
        assert limit in row("offer of a camera")
    assert offers.MAX_OFFER_CODECS == 64
    assert f"{room.MAX_STUDENTS} at a time, {5 * room.MAX_STUDENTS} in all" in row("students of a class")
    for beginning, (burst, per_s) in (
        ("joins of a student", room._REJOINS),
        ("a student page's other requests", room._REPORTS),
        ("joins of a client address", student_routes._JOINS),
        ("other requests of a client address", student_routes._REQUESTS),
        ("requests of a client address with unknown class codes", student_routes._UNKNOWN_CODES),
    ):
        rate = {0.5: "one in 2 s", 1.0: "one a second"}.get(per_s, f"{per_s:.0f} a second")
        assert f"{burst} at once, then {rate}" in row(beginning)
    assert f"| {stream.MAX_FOLLOWERS} |" in row("pages that follow")
    assert f"| {api.MAX_MARKERS}, {api.LABEL_CHARS} |" in row("markers of a class")
    assert f"{LiveFeed()._queue_size} events" in row("events that a live page may be behind")


PYTHON = re.findall(r'`(python3 -c ".*?backup.*?")`', TEXT)[0]
SQLITE3 = pytest.mark.skipif(shutil.which("sqlite3") is None, reason="no sqlite3: apt-get install sqlite3")


@pytest.mark.parametrize(
    "backup", [pytest.param(block("Backup and restore", 0), marks=SQLITE3), PYTHON], ids=["sqlite3", "python"]
)
def test_backup_of_a_running_server_can_be_restored(tmp_path: Path, backup: str) -> None:
    url = f"sqlite:///{tmp_path / 'classmood.db'}"
    with closing(Store.open(url)) as store:
        asyncio.run(_store_a_class(store))
        assert (tmp_path / "classmood.db-wal").stat().st_size > 0, "the class is in the write-ahead log only"
        subprocess.run(backup, shell=True, cwd=tmp_path, check=True)
        asyncio.run(store.delete_class("c1"))
    subprocess.run(block("Backup and restore", 1), shell=True, cwd=tmp_path, check=True)
    assert (tmp_path / "classmood.db").stat().st_mode & 0o777 == 0o600
    with closing(Store.open(url)) as restored:
        assert [info.id for info in asyncio.run(restored.classes())] == ["c1"]
        assert len(asyncio.run(restored.windows("c1"))) == 1


def test_backup_of_postgresql_can_be_restored(postgres: PostgresServer, tmp_path: Path) -> None:
    name, restored = postgres.create(), postgres.create(empty=True)
    client = {**os.environ, "PATH": f"{postgres.programs}:{os.environ['PATH']}"}
    client |= {"PGHOST": str(postgres.folder), "PGUSER": "admin"}

    def run(number: int, database: str) -> None:
        commands = block("PostgreSQL", number).replace(" classmood\n", f" {database}\n")
        commands = commands.replace("--dbname=classmood", f"--dbname={database}")
        subprocess.run(commands, shell=True, cwd=tmp_path, env=client, check=True)

    with closing(Store.open(postgres.url(name))) as store:
        asyncio.run(_store_a_class(store))
        run(1, name)
    run(2, restored)
    with closing(Store.open(postgres.url(restored))) as store:
        assert [info.id for info in asyncio.run(store.classes())] == ["c1"]
        assert len(asyncio.run(store.windows("c1"))) == 1


def test_names_leave_the_files_of_postgresql_as_the_privacy_page_says(postgres: PostgresServer) -> None:
    """What the page admits is tested, too: without the command, the name stays."""
    page = (Path(__file__).parents[1] / "docs" / "privacy.md").read_text(encoding="utf-8")
    (command,) = re.findall(r"```sql\n(.*?);\n```", page)
    name = postgres.create()
    (number,) = postgres.execute(name, f"SELECT oid FROM pg_database WHERE datname = '{name}'")[0]

    def table_files() -> bytes:
        postgres.execute(name, "CHECKPOINT")
        files = (postgres.data / "base" / str(number)).iterdir()
        return b"".join(file.read_bytes() for file in files)

    with closing(Store.open(postgres.url(name))) as store:
        asyncio.run(_store_a_class(store))
        asyncio.run(store.add_consent(Consent("c1", "p1", 1.0, True, "Ada Checkin")))
        assert b"Ada Checkin" in table_files()
        asyncio.run(store.erase_participant("c1", "p1"))
        assert b"Ada Checkin" in table_files()
        postgres.execute(name, command)
        assert b"Ada Checkin" not in table_files()


async def _store_a_class(store: Store) -> None:
    await store.put_class(a_class("c1"))
    await store.add_window(replace(a_window(), class_id="c1"))
