"""What ``classmood doctor`` finds, each trouble made for real; and that looking changes nothing."""

from __future__ import annotations

import asyncio
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

_KILLED_WRITER = """
import os, sqlite3, sys
writer = sqlite3.connect(sys.argv[1])
writer.execute("PRAGMA journal_mode=WAL")
writer.execute("UPDATE alembic_version SET version_num = '9999'")
writer.commit()
os._exit(0)  # without closing: the change stays in the log
"""


def settings(folder: Path, **web_settings: object) -> Settings:
    chosen = {"port": 0, "token_file": folder / "classmood.token", **web_settings}
    return Settings(
        store=StoreSettings(url=f"sqlite:///{folder}/classes.db"), web=WebSettings.model_validate(chosen)
    )


def found(settings: Settings, subject: str) -> Finding:
    (finding,) = (finding for finding in examine(settings) if finding.subject == subject)
    return finding


def contents(folder: Path) -> dict[str, tuple[bytes, int, int]]:
    """Every file below a folder: content, mode, time of its last change."""
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    return {str(path): (path.read_bytes(), path.stat().st_mode, path.stat().st_mtime_ns) for path in files}


def at_revision(folder: Path, revision: str) -> None:
    config = alembic_config()
    config.attributes["connection"] = migration_engine(resolve(f"sqlite:///{folder}/classes.db"))
    command.upgrade(config, revision)


def test_a_machine_where_nothing_was_started_stays_so(tmp_path: Path) -> None:
    findings = list(examine(settings(tmp_path)))
    assert {finding.verdict for finding in findings} == {Verdict.OK}
    assert list(tmp_path.iterdir()) == []
    told = {finding.subject: finding.text for finding in findings}
    assert "the first start makes it" in told["database"]


def test_an_older_database_is_told_and_left_as_it_is(tmp_path: Path) -> None:
    at_revision(tmp_path, "0002")
    before = contents(tmp_path)
    finding = found(settings(tmp_path), "database")
    assert finding.verdict is Verdict.OK
    assert "is at revision 0002: the next start brings it to 0" in finding.text
    assert contents(tmp_path) == before


def test_a_closed_database_of_this_version_is_left_as_it_is(tmp_path: Path) -> None:
    Store.open(f"sqlite:///{tmp_path}/classes.db").close()
    before = contents(tmp_path)
    finding = found(settings(tmp_path), "database")
    assert finding.verdict is Verdict.OK
    assert "is of this version" in finding.text
    assert contents(tmp_path) == before


def test_a_database_in_use_is_read_beside_its_server(tmp_path: Path) -> None:
    with closing(Store.open(f"sqlite:///{tmp_path}/classes.db")):
        before = sorted(contents(tmp_path))
        finding = found(settings(tmp_path), "database")
        assert finding.verdict is Verdict.OK
        assert "is of this version" in finding.text
        assert sorted(contents(tmp_path)) == before


def test_what_only_the_log_of_a_killed_server_holds_is_seen(tmp_path: Path) -> None:
    file = tmp_path / "classes.db"
    at_revision(tmp_path, "head")
    subprocess.run([sys.executable, "-c", _KILLED_WRITER, str(file)], check=True)
    assert file.with_name("classes.db-wal").stat().st_size > 0
    finding = found(settings(tmp_path), "database")
    assert finding.verdict is Verdict.WRONG
    assert "newer ClassMood" in finding.text


def test_a_database_that_is_none_or_has_no_tables(tmp_path: Path) -> None:
    file = tmp_path / "classes.db"
    sqlite3.connect(file).close()
    assert "has no tables yet" in found(settings(tmp_path), "database").text
    file.write_bytes(b"this is no database at all, not even close to one")
    finding = found(settings(tmp_path), "database")
    assert finding.verdict is Verdict.WRONG
    assert "is not a database" in finding.text


def test_a_place_where_no_database_can_be_made(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    nowhere = settings(tmp_path).model_copy(
        update={"store": StoreSettings(url=f"sqlite:///{tmp_path}/file/below/classes.db")}
    )
    finding = found(nowhere, "database")
    assert finding.verdict is Verdict.WRONG
    assert "change store.url" in finding.text


@pytest.mark.parametrize(
    ("chosen", "verdict", "text"),
    [
        ({}, Verdict.OK, "this machine only"),
        ({"host": "localhost"}, Verdict.OK, "this machine only"),
        ({"public_url": "http://localhost:9000"}, Verdict.OK, "this machine only"),
        ({"host": "0.0.0.0"}, Verdict.WARN, "no camera there: put a TLS proxy in front"),
        ({"host": "::"}, Verdict.WARN, "set web.public_url to its https address and web.host to 127.0.0.1"),
        ({"host": "0.0.0.0", "public_url": "http://mood.example"}, Verdict.WARN, "no camera there"),
        ({"public_url": "http://mood.example"}, Verdict.WARN, "web.public_url is no https address"),
        ({"public_url": "https://mood.example"}, Verdict.WARN, "web.trusted_proxies"),
        (
            {"public_url": "HTTPS://mood.example", "trusted_proxies": ["127.0.0.1"]},
            Verdict.OK,
            "behind the TLS proxy",
        ),
        (
            {"host": "0.0.0.0", "public_url": "https://mood.example", "trusted_proxies": ["10.0.0.1"]},
            Verdict.WARN,
            "past the TLS proxy",
        ),
    ],
)
def test_who_can_reach_it_and_whether_students_get_a_camera(
    tmp_path: Path, chosen: dict[str, object], verdict: Verdict, text: str
) -> None:
    finding = found(settings(tmp_path, **chosen), "exposure")
    assert finding.verdict is verdict, finding.text
    assert text in finding.text


async def _port_finding(tmp_path: Path, answer: web.Response) -> Finding:
    """What is said of a port where a program answers so."""

    async def health(_request: web.Request) -> web.Response:
        return answer

    app = web.Application()
    app.router.add_get("/healthz", health)
    async with TestServer(app) as server:
        return await asyncio.to_thread(found, settings(tmp_path, port=server.port), "port")


async def test_a_class_mood_that_runs_already_is_known_by_its_health(tmp_path: Path) -> None:
    alive = web.json_response({"alive": True}, headers={"Server": "ClassMood"})
    finding = await _port_finding(tmp_path, alive)
    assert finding.verdict is Verdict.OK
    assert "ClassMood runs on" in finding.text


async def test_another_web_server_on_the_port_is_another_program(tmp_path: Path) -> None:
    for other in (web.json_response({"alive": True}), web.Response(text="Hello")):
        finding = await _port_finding(tmp_path, other)
        assert finding.verdict is Verdict.WRONG
        assert "another program has port" in finding.text


def test_a_port_that_answers_nothing_or_cannot_be_had(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        finding = found(settings(tmp_path, port=taken.getsockname()[1]), "port")
    assert finding.verdict is Verdict.WRONG
    assert "another program has port" in finding.text
    nowhere = found(settings(tmp_path, host="192.0.2.1", port=9), "port")
    assert nowhere.verdict is Verdict.WRONG
    assert "check web.host and web.port" in nowhere.text
