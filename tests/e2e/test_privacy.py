"""Frames stay in memory: what a whole class opens, writes, stores and prints.

A class with analysed faces, names, tokens, a consent to check-ins and an erasure runs at the log level
``debug`` under strace, which records every file that any thread or library opens, creates, renames or writes.
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
SYSCALLS = (
    "openat,open,creat,memfd_create,mkdir,mkdirat,mknod,mknodat,rename,renameat,renameat2,link,linkat,"
    "symlink,symlinkat,write,pwrite64,writev,pwritev,pwritev2,sendfile,copy_file_range"
)
OPENED = re.compile(r'(?:openat\([^,]+, |open\(|creat\()"((?:[^"\\]|\\.)*)"\.*, ([A-Z_|0-9]+)')
CREATED = re.compile(r"^\d+ +(?:mkdir|mknod|rename|link|symlink)\w*\((.*)\) += 0$", re.MULTILINE)
QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
WRITTEN = re.compile(r"(?:write|pwrite64|writev|pwritev2?|sendfile|copy_file_range)\(\d+<(/[^>]*)>")
ALLOWED = re.compile(
    r"(classmood\.db(-wal|-shm|-journal|\.lock)?|classmood\.token(\.new)?|class-reports(/[0-9a-f]{12}\.html)?)"
)
SYSTEM = ("/dev/", "/proc/", "/sys/")
NUMBERS = re.compile(r"(?:-?\d*\.\d+(?:e-?\d+)?[\s,\]\[}{'\"a-z:=_]+){4}")
"""Four fractions in a row, as in probabilities, a crop or an embedding. Addresses and times have fewer."""

CHECK_INS, NO_CHECK_INS, ERASED = "Ada Zweigelt", "Bea Quittenbaum", "Cem Dornfelder"


@dataclass
class TracedClass:
    """A class that ran under strace.

    Attributes:
        folder: The folder it ran in.
        temporary: Its folder for temporary files.
        trace: The output of strace.
        printed: Standard output and error.
        limits: The limits of the process while it ran.
        secrets: Tokens of the host and the students.
    """

    folder: Path
    temporary: Path
    trace: str = ""
    printed: str = ""
    limits: str = ""
    secrets: list[str] = field(default_factory=list)


def request_json(method: str, url: str, **fields: Any) -> dict[str, Any]:
    request = urllib.request.Request(
        url, json.dumps(fields).encode(), {"Content-Type": "application/json"}, method=method
    )
    with urllib.request.urlopen(request, timeout=20) as response:
        answer: dict[str, Any] = json.load(response)
    return answer


def join_without_cameras(url: str, code: str, traced: TracedClass) -> None:
    """Join as students without cameras: one agrees to check-ins, one does not, one is erased; all tap."""
    api = f"{url}/api/companion/{code}"
    tokens = {}
    for name, individual in ((CHECK_INS, True), (NO_CHECK_INS, False), (ERASED, True)):
        answer = request_json(
            "POST", f"{api}/offer", sdp=None, type=None, name=name, consent=True, individual=individual
        )
        tokens[name] = answer["token"]
        request_json("POST", f"{api}/pulse", token=answer["token"], kind="lost")
    traced.secrets += tokens.values()
    time.sleep(1)
    request_json("DELETE", f"{api}/me", token=tokens[ERASED])


@pytest.fixture(scope="module")
def traced(tmp_path_factory: pytest.TempPathFactory) -> TracedClass:
    folder = tmp_path_factory.mktemp("traced")
    found = TracedClass(folder / "class", folder / "temporary")
    found.folder.mkdir()
    found.temporary.mkdir()
    trace = folder / "trace"
    env = {
        **os.environ, "PYTHONPATH": str(ROOT), "PYTHONDONTWRITEBYTECODE": "1",
        "TMPDIR": str(found.temporary), "CLASSMOOD_LOGS__LEVEL": "debug",
        "CLASSMOOD_PRIVACY__MIN_GROUP": "1", "CLASSMOOD_ANALYSIS__WINDOW_S": "2",
    }  # fmt: skip
    bot = subprocess.Popen(
        ["strace", "-f", "-qq", "-y", "-s", "0", "--seccomp-bpf", "-e", f"trace={SYSCALLS}", "-o", str(trace),
         sys.executable, "-m", "bot", "join", "companion:", "--port", "0", "--jsonl", "--minutes", "3"],
        cwd=found.folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert bot.stdout is not None
    assert bot.stderr is not None
    students: subprocess.Popen[bytes] | None = None
    try:
        while "Student link" not in found.printed:
            line = bot.stderr.readline()
            if not line and "ptrace" in found.printed:
                pytest.skip("cannot trace processes: ptrace is forbidden")
            assert line, found.printed
            found.printed += line
        link = re.search(r"Student link: +(http://[^/]+)/c/(\S+)", found.printed)
        token = re.search(r"\?token=(\S+)", found.printed)
        assert link is not None
        assert token is not None
        found.secrets.append(token[1])
        found.printed = found.printed.replace(
            token[0], ""
        )  # the host link itself, which is meant for the host
        errors: list[str] = []
        reading = threading.Thread(target=lambda: errors.extend(bot.stderr or ()), daemon=True)
        reading.start()
        students = subprocess.Popen(
            [sys.executable, "-m", "bot.demo.students", "--server", link[1],
             "--code", link[2], "--students", "2"],
            cwd=found.folder, env={**env, "CLASSMOOD_LOGS__LEVEL": "error"}, stdin=subprocess.PIPE,
        )  # fmt: skip
        join_without_cameras(link[1], link[2], found)
        # The traced process is the tracer's child.
        (pid,) = Path(f"/proc/{bot.pid}/task/{bot.pid}/children").read_text().split()
        found.limits = Path(f"/proc/{pid}/limits").read_text()
        complete_windows = 0
        while complete_windows < 3:
            line = bot.stdout.readline()
            assert line, "".join(errors)
            found.printed += line
            complete_windows += json.loads(line)["analysed"] == 2
        os.kill(int(pid), signal.SIGINT)
        found.printed += bot.stdout.read()
        bot.wait(30)
        reading.join(10)
        found.printed += "".join(errors)
    finally:
        for process in (students, bot):
            if process is not None:
                process.kill()
                process.wait()
    assert bot.returncode == 0, found.printed
    found.trace = trace.read_text()
    return found


def forbidden(paths: set[str], folder: Path) -> set[str]:
    """The paths that are neither the system's nor among the few that a class may write."""
    return {
        path
        for path in paths
        if not path.startswith(SYSTEM) and not ALLOWED.fullmatch(os.path.relpath(folder / path, folder))
    }


def test_only_database_token_and_report_are_opened_for_writing_created_or_written(
    traced: TracedClass,
) -> None:
    opened = {
        path
        for path, flags in OPENED.findall(traced.trace)
        if re.search("O_WRONLY|O_RDWR|O_CREAT|O_TMPFILE", flags)
    }
    assert forbidden(opened, traced.folder) == set()
    created = {path for call in CREATED.findall(traced.trace) for path in QUOTED.findall(call)}
    assert "class-reports" in created, "the trace must contain the folder of reports"
    assert forbidden(created, traced.folder) == set()
    written = set(WRITTEN.findall(traced.trace))
    assert any("classmood.db" in path for path in written), "the trace must contain the database"
    assert forbidden(written, traced.folder) == set()
    assert "memfd_create(" not in traced.trace
    assert list(traced.temporary.iterdir()) == []


def test_no_token_and_only_the_agreed_name_is_stored_and_none_is_printed(traced: TracedClass) -> None:
    stored = {file.name: file.read_bytes() for file in traced.folder.rglob("*") if file.is_file()}
    del stored["classmood.token"]
    for name, content in stored.items():
        for secret in (NO_CHECK_INS, ERASED, "Student 1", "Student 2", *traced.secrets):
            assert secret.encode() not in content, name
        assert (CHECK_INS.encode() in content) <= name.startswith("classmood.db"), name
    assert any(CHECK_INS.encode() in content for content in stored.values()), "the agreed name is stored"
    for secret in (CHECK_INS, NO_CHECK_INS, ERASED, "Student 1", "Student 2", *traced.secrets):
        assert secret not in traced.printed


def test_no_log_line_contains_an_image_or_the_probabilities_of_a_person(traced: TracedClass) -> None:
    lines = [line for line in traced.printed.splitlines() if not line.startswith('{"class_id"')]
    assert any("[debug" in line or "[info" in line for line in lines), "the log level must be debug"
    for line in lines:
        assert not NUMBERS.search(line), line
        assert "array(" not in line
        assert len(line) < 1000, line


def test_every_value_in_the_database_is_a_number_or_a_short_text(traced: TracedClass) -> None:
    with closing(sqlite3.connect(traced.folder / "classmood.db")) as raw:
        tables = [name for (name,) in raw.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        assert set(tables) == {
            "alembic_version", "classes", "windows", "markers", "pulses", "consents", "check_ins",
            "asks", "servers", "host_keys",
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
        "not_analysed", "expressions", "facing", "pulses", "voices", "shown", "weights",
    }  # fmt: skip


def test_core_dumps_are_disabled(traced: TracedClass) -> None:
    assert re.search(r"^Max core file size +0 +0 ", traced.limits, re.MULTILINE)
    done = subprocess.run(
        [sys.executable, "-c",
         "import ctypes; from bot.core_dumps import forbid_core_dumps; forbid_core_dumps();"
         "print(ctypes.CDLL(None).prctl(3, 0, 0, 0, 0))"],
        cwd=ROOT, capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert done.stdout.strip() == "0", "PR_GET_DUMPABLE"
