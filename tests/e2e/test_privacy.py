"""Frames stay in memory: what a whole class opens and writes, keeps and says, watched from outside.

A class with faces that are read, names, tokens, an opt-in and an erasure runs at the log level ``debug``
under strace, which sees every file opened, made, renamed and written to, by any thread and library.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
import urllib.request
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cameras import needs_network

pytestmark = [
    pytest.mark.slow,
    needs_network,
    pytest.mark.skipif(shutil.which("strace") is None, reason="no strace: apt-get install strace"),
]

ROOT = Path(__file__).parents[2]
WATCHED = (
    "openat,open,creat,memfd_create,mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,link,linkat,"
    "symlink,symlinkat,write,pwrite64,writev,pwritev,pwritev2,sendfile,copy_file_range"
)
OPENED = re.compile(r'(?:openat\([^,]+, |open\(|creat\()"((?:[^"\\]|\\.)*)"\.*, ([A-Z_|0-9]+)')
MADE = re.compile(r"^\d+ +(?:mkdir|mknod|rename|link|symlink)\w*\((.*)\) += 0$", re.MULTILINE)
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
WRITTEN = re.compile(r"(?:write|pwrite64|writev|pwritev2?|sendfile|copy_file_range)\(\d+<(/[^>]*)>")
ALLOWED = re.compile(
    r"(classmood\.db(-wal|-shm|-journal|\.lock)?|classmood\.token(\.new)?|class-reports(/[0-9a-f]{12}\.html)?)"
)
SYSTEM = ("/dev/", "/proc/", "/sys/")
NUMBERS = re.compile(r"(?:-?\d*\.\d+(?:e-?\d+)?[\s,\]\[}{'\"a-z:=_]+){4}")
"""Four fractions in a row: probabilities, a crop, an embedding. (Addresses and times have fewer.)"""

OPTED_IN, PLAIN, ERASED = "Ada Zweigelt", "Bea Quittenbaum", "Cem Dornfelder"


@dataclass
class Watched:
    """A class that was watched.

    Attributes:
        here: The folder it ran in.
        trace: What strace saw.
        said: Standard output and error.
        limits: The process's limits while it ran.
        secrets: Tokens of the host and the students.
    """

    here: Path
    temporary: Path
    trace: str = ""
    said: str = ""
    limits: str = ""
    secrets: list[str] = field(default_factory=list)


def ask(method: str, url: str, **fields: Any) -> dict[str, Any]:
    request = urllib.request.Request(
        url, json.dumps(fields).encode(), {"Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def attend(url: str, code: str, watched: Watched) -> None:
    """What students without a face do: give names, tap, opt in, have themselves erased."""
    api = f"{url}/api/companion/{code}"
    tokens = {}
    for name, individual in ((OPTED_IN, True), (PLAIN, False), (ERASED, True)):
        answer = ask(
            "POST", f"{api}/offer", sdp=None, type=None, name=name, consent=True, individual=individual
        )
        tokens[name] = answer["token"]
        ask("POST", f"{api}/pulse", token=answer["token"], kind="lost")
    watched.secrets += tokens.values()
    time.sleep(1)
    ask("DELETE", f"{api}/me", token=tokens[ERASED])


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Watched:
    folder = tmp_path_factory.mktemp("watched")
    found = Watched(folder / "here", folder / "temporary")
    found.here.mkdir()
    found.temporary.mkdir()
    trace = folder / "trace"
    env = {
        **os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(found.temporary), "CLASSMOOD_LOGS__LEVEL": "debug",
        "CLASSMOOD_PRIVACY__MIN_GROUP": "1", "CLASSMOOD_ANALYSIS__WINDOW_S": "2",
    }  # fmt: skip
    bot = subprocess.Popen(
        ["strace", "-f", "-qq", "-y", "-s", "0", "--seccomp-bpf", "-e", f"trace={WATCHED}", "-o", str(trace),
         sys.executable, "-m", "bot", "join", "companion:", "--port", "0", "--jsonl", "--minutes", "3"],
        cwd=found.here, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert bot.stdout is not None
    assert bot.stderr is not None
    students: subprocess.Popen[bytes] | None = None
    try:
        while "Student link" not in found.said:
            line = bot.stderr.readline()
            if not line and "ptrace" in found.said:
                pytest.skip("processes cannot be traced here")
            assert line, found.said
            found.said += line
        link = re.search(r"Student link: +(http://[^/]+)/c/(\S+)", found.said)
        token = re.search(r"\?token=(\S+)", found.said)
        assert link is not None
        assert token is not None
        found.secrets.append(token[1])
        found.said = found.said.replace(token[0], "")  # the host link itself, which is meant for the host
        errors: list[str] = []
        reading = threading.Thread(target=lambda: errors.extend(bot.stderr or ()), daemon=True)
        reading.start()
        students = subprocess.Popen(
            [sys.executable, "-m", "bot.demo.students", "--server", link[1],
             "--code", link[2], "--students", "2"],
            cwd=found.here, env={**env, "CLASSMOOD_LOGS__LEVEL": "error"}, stdin=subprocess.PIPE,
        )  # fmt: skip
        attend(link[1], link[2], found)
        # The traced process is the tracer's child.
        (pid,) = Path(f"/proc/{bot.pid}/task/{bot.pid}/children").read_text().split()
        found.limits = Path(f"/proc/{pid}/limits").read_text()
        looked_at = 0
        while looked_at < 3:
            line = bot.stdout.readline()
            assert line, "".join(errors)
            found.said += line
            looked_at += json.loads(line)["analysed"] == 2
        os.kill(int(pid), signal.SIGINT)
        found.said += bot.stdout.read()
        bot.wait(30)
        reading.join(10)
        found.said += "".join(errors)
    finally:
        for process in (students, bot):
            if process is not None:
                process.kill()
                process.wait()
    assert bot.returncode == 0, found.said
    found.trace = trace.read_text()
    return found


def foreign(paths: set[str], here: Path) -> set[str]:
    """Those that are neither the system's nor among the few that a class may write."""
    return {
        path
        for path in paths
        if not path.startswith(SYSTEM) and not ALLOWED.fullmatch(os.path.relpath(here / path, here))
    }


def test_nothing_is_opened_for_writing_made_or_written_but_database_token_and_report(
    watched: Watched,
) -> None:
    opened = {
        path
        for path, flags in OPENED.findall(watched.trace)
        if re.search("O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE", flags)
    }
    assert foreign(opened, watched.here) == set()
    made = {path for call in MADE.findall(watched.trace) for path in QUOTED.findall(call)}
    assert "class-reports" in made, "the trace saw the reports' folder"
    assert foreign(made, watched.here) == set()
    written = set(WRITTEN.findall(watched.trace))
    assert any("classmood.db" in path for path in written), "the trace saw the database"
    assert foreign(written, watched.here) == set()
    assert "memfd_create(" not in watched.trace
    assert list(watched.temporary.iterdir()) == []


def test_no_name_and_no_token_is_kept_or_said(watched: Watched) -> None:
    kept = {file.name: file.read_bytes() for file in watched.here.rglob("*") if file.is_file()}
    del kept["classmood.token"]
    for name, content in kept.items():
        for secret in (PLAIN, ERASED, "Student 1", "Student 2", *watched.secrets):
            assert secret.encode() not in content, name
        assert (OPTED_IN.encode() in content) <= name.startswith("classmood.db"), name
    assert any(OPTED_IN.encode() in content for content in kept.values()), "who opted in is known by name"
    for secret in (OPTED_IN, PLAIN, ERASED, "Student 1", "Student 2", *watched.secrets):
        assert secret not in watched.said


def test_no_log_line_holds_a_picture_or_a_person_s_probabilities(watched: Watched) -> None:
    lines = [line for line in watched.said.splitlines() if not line.startswith('{"class_id"')]
    assert any("[debug" in line or "[info" in line for line in lines), "the log was really on"
    for line in lines:
        assert not NUMBERS.search(line), line
        assert "array(" not in line
        assert len(line) < 1000, line


def test_every_cell_of_the_database_is_a_number_or_a_short_text(watched: Watched) -> None:
    with closing(sqlite3.connect(watched.here / "classmood.db")) as raw:
        tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert set(tables) == {
            "alembic_version", "classes", "windows", "markers", "pulses", "consents", "check_ins",
        }  # fmt: skip
        for table in tables:
            for row in raw.execute(f"SELECT * FROM {table}"):
                for cell in row:
                    assert cell is None or isinstance(cell, int | float | str), table
                    assert not isinstance(cell, str) or len(cell) < 400, table
        shares = [json.loads(cell) for (cell,) in raw.execute("SELECT expressions FROM windows") if cell]
        assert shares
        assert all(len(one) == 7 for one in shares)
        columns = {column for (_, column, *_) in raw.execute("PRAGMA table_info(windows)")}
    assert columns == {
        "id", "class_id", "start_s", "length_s", "participants", "cameras_on", "analysed", "suppressed",
        "not_analysed", "expressions", "facing", "pulses", "voices",
    }  # fmt: skip


def test_there_is_no_core_dump(watched: Watched) -> None:
    assert re.search(r"^Max core file size +0 +0 ", watched.limits, re.MULTILINE)
    told = subprocess.run(
        [sys.executable, "-c",
         "import ctypes; from bot.core_dumps import forbid_core_dumps; forbid_core_dumps();"
         "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert told.stdout.strip() == "0", "PR_GET_DUMPABLE"
