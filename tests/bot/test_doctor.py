"""``classmood doctor`` finds real problems, which these tests produce, and changes nothing."""

from __future__ import annotations

import asyncio
import re
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from alembic import command

from bot.config import Settings, StoreSettings, WebSettings
from bot.doctor import Finding, Verdict, examine
from reports.store import Store
from reports.store.database import alembic_config, migration_engine, resolve
from tests.postgres_server import PostgresServer

_KILLED_WRITER = """
import os, sqlite3, sys
writer = sqlite3.connect(sys.argv[1])
writer.execute("PRAGMA journal_mode=WAL")
writer.execute("UPDATE alembic_version SET version_num = '9999'")
writer.commit()
os._exit(0)  # without closing: the change stays in the write-ahead log
"""


def settings(folder: Path, **web_settings: object) -> Settings:
    chosen = {"port": 0, "token_file": folder / "classmood.token", **web_settings}
    return Settings(
        store=StoreSettings(url=f"sqlite:///{folder}/classes.db"), web=WebSettings.model_validate(chosen)
    )


def finding_for(settings: Settings, subject: str) -> Finding:
    (finding,) = (finding for finding in examine(settings) if finding.subject == subject)
    return finding


def contents(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Content, mode and modification time of every file below a folder."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns) for path in files}


def create_at_revision(folder: Path, revision: str) -> None:
    config = alembic_config()
    config.attributes["connection"] = migration_engine(resolve(f"sqlite:///{folder}/classes.db"))
    command.upgrade(config, revision)


def test_before_the_first_start_all_is_ok_and_no_file_is_created(tmp_path: Path) -> None:
    findings = list(examine(settings(tmp_path)))
    assert {finding.verdict for finding in findings} == {Verdict.OK}
    assert list(tmp_path.iterdir()) == []
    texts = {finding.subject: finding.text for finding in findings}
    assert "the first start creates it" in texts["database"]


def test_older_database_is_reported_and_not_migrated(tmp_path: Path) -> None:
    create_at_revision(tmp_path, "0002")
    (tmp_path / "classes.db").chmod(0o600)
    before = contents(tmp_path)
    finding = finding_for(settings(tmp_path), "database")
    assert finding.verdict is Verdict.OK
    assert "before the next start, which migrates it from revision 0002 to 0" in finding.text
    assert contents(tmp_path) == before


def test_closed_database_of_this_version_is_not_changed(tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path}/classes.db").close()
    before = contents(tmp_path)
    finding = finding_for(settings(tmp_path), "database")
    assert finding.verdict is Verdict.OK
    assert "has the tables of this version" in finding.text
    assert contents(tmp_path) == before


@pytest.mark.parametrize("suffix", ["", ".lock"])
def test_a_database_that_others_can_read_is_a_warning(tmp_path: Path, suffix: str) -> None:
    with closing(Store.open(settings(tmp_path).store.url)):
        file = tmp_path / f"classes.db{suffix}"
        file.chmod(0o644)
        finding = finding_for(settings(tmp_path), "database")
        assert finding.verdict is Verdict.WARN
        assert finding.text.startswith(f"run `chmod 600 {file}")
        for one in tmp_path.glob("classes.db*"):  # SQLite gives a new log the mode of its database
            one.chmod(0o600)
        assert finding_for(settings(tmp_path), "database").verdict is Verdict.OK


def test_database_in_use_by_a_server_is_read(tmp_path: Path) -> None:
    with closing(Store.open(f"sqlite:///{tmp_path}/classes.db")):
        before = sorted(contents(tmp_path))
        finding = finding_for(settings(tmp_path), "database")
        assert finding.verdict is Verdict.OK
        assert "has the tables of this version" in finding.text
        assert sorted(contents(tmp_path)) == before


def test_change_in_the_write_ahead_log_of_a_killed_server_is_read(tmp_path: Path) -> None:
    file = tmp_path / "classes.db"
    create_at_revision(tmp_path, "head")
    subprocess.run([sys.executable, "-c", _KILLED_WRITER, str(file)], check=True)
    assert file.with_name("classes.db-wal").stat().st_size > 0
    finding = finding_for(settings(tmp_path), "database")
    assert finding.verdict is Verdict.WRONG
    assert "a newer version wrote" in finding.text


def test_empty_file_is_ok_and_a_file_that_is_no_database_is_wrong(tmp_path: Path) -> None:
    file = tmp_path / "classes.db"
    sqlite3.connect(file).close()
    file.chmod(0o600)
    assert "has no tables yet" in finding_for(settings(tmp_path), "database").text
    file.write_bytes(b"this is no database at all, not even close to one")
    finding = finding_for(settings(tmp_path), "database")
    assert finding.verdict is Verdict.WRONG
    assert "is not a database" in finding.text


def test_database_in_an_impossible_folder_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    impossible = settings(tmp_path).model_copy(
        update={"store": StoreSettings(url=f"sqlite:///{tmp_path}/file/below/classes.db")}
    )
    finding = finding_for(impossible, "database")
    assert finding.verdict is Verdict.WRONG
    assert "or change store.url" in finding.text


def postgres_finding(folder: Path, url: str) -> Finding:
    chosen = settings(folder).model_copy(update={"store": StoreSettings(url=url)})
    return finding_for(chosen, "database")


def test_postgresql_version_and_latency_are_shown(postgres: PostgresServer, tmp_path: Path) -> None:
    finding = postgres_finding(tmp_path, postgres.url(postgres.create()))
    assert finding.verdict is Verdict.OK, finding.text
    assert re.search(
        r"tables of this version, revision \d+; PostgreSQL \d+\.\d+, \d+\.\d ms away", finding.text
    )


def test_postgresql_role_without_rights_is_wrong(postgres: PostgresServer, tmp_path: Path) -> None:
    name, empty = postgres.create(), postgres.create(empty=True)
    postgres.execute(name, "CREATE ROLE reader LOGIN")
    postgres.execute(name, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader")
    finding = postgres_finding(tmp_path, postgres.url(name, "reader"))
    assert finding.verdict is Verdict.WRONG
    assert "INSERT on classes" in finding.text
    assert "SELECT" not in finding.text
    finding = postgres_finding(tmp_path, postgres.url(empty, "reader"))
    assert finding.verdict is Verdict.WRONG
    assert "CREATE in the schema" in finding.text
    postgres.execute(name, f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    finding = postgres_finding(tmp_path, postgres.url(name))
    assert finding.verdict is Verdict.WRONG
    assert "is read-only" in finding.text


def test_postgresql_that_does_not_answer_is_wrong(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        finding = postgres_finding(tmp_path, f"postgresql://u:p@127.0.0.1:{silent.getsockname()[1]}/classes")
    assert finding.verdict is Verdict.WRONG
    assert "check store.url" in finding.text


@pytest.mark.parametrize(
    ("chosen", "verdict", "text"),
    [
        ({}, Verdict.OK, "only this machine can connect"),
        ({"host": "localhost"}, Verdict.OK, "only this machine can connect"),
        ({"public_url": "http://localhost:9000"}, Verdict.OK, "only this machine can connect"),
        ({"host": "0.0.0.0"}, Verdict.WARN, "put a TLS proxy in front"),
        ({"host": "::"}, Verdict.WARN, "set web.public_url to its https address and web.host to 127.0.0.1"),
        ({"host": "0.0.0.0", "public_url": "http://mood.example"}, Verdict.WARN, "without https no camera"),
        ({"public_url": "http://mood.example"}, Verdict.WARN, "set web.public_url to its https address"),
        ({"public_url": "https://mood.example"}, Verdict.WARN, "web.trusted_proxies"),
        (
            {"public_url": "HTTPS://mood.example", "trusted_proxies": ["127.0.0.1"]},
            Verdict.OK,
            "others go through the TLS proxy",
        ),
        (
            {"host": "0.0.0.0", "public_url": "https://mood.example", "trusted_proxies": ["10.0.0.1"]},
            Verdict.WARN,
            "bypass the TLS proxy",
        ),
    ],
)
def test_exposure_to_other_machines_and_https_for_cameras(
    tmp_path: Path, chosen: dict[str, object], verdict: Verdict, text: str
) -> None:
    finding = finding_for(settings(tmp_path, **chosen), "exposure")
    assert finding.verdict is verdict, finding.text
    assert text in finding.text


async def _port_finding(tmp_path: Path, health_response: web.Response) -> Finding:
    """The finding for a port on which a program gives this response to /healthz."""

    async def health(_request: web.Request) -> web.Response:
        return health_response

    app = web.Application()
    app.router.add_get("/healthz", health)
    async with TestServer(app) as server:
        return await asyncio.to_thread(finding_for, settings(tmp_path, port=server.port), "port")


async def test_running_classmood_on_the_port_is_ok(tmp_path: Path) -> None:
    alive = web.json_response({"alive": True}, headers={"Server": "ClassMood"})
    finding = await _port_finding(tmp_path, alive)
    assert finding.verdict is Verdict.OK
    assert "ClassMood already runs on" in finding.text


async def test_other_web_server_on_the_port_is_wrong(tmp_path: Path) -> None:
    other_name = {"Server": "nginx"}
    for other in (
        web.json_response({"alive": True}, headers=other_name),
        web.Response(text="Hello", headers=other_name),
    ):
        finding = await _port_finding(tmp_path, other)
        assert finding.verdict is Verdict.WRONG
        assert "end the program that uses port" in finding.text


def test_silent_program_on_the_port_and_address_of_another_machine_are_wrong(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        finding = finding_for(settings(tmp_path, port=other.getsockname()[1]), "port")
    assert finding.verdict is Verdict.WRONG
    assert "end the program that uses port" in finding.text
    elsewhere = finding_for(settings(tmp_path, host="192.0.2.1", port=9), "port")
    assert elsewhere.verdict is Verdict.WRONG
    assert "check web.host and web.port" in elsewhere.text
