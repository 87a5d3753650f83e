"""Frames stay in memory: what a whole class opens for writing, keeps and says, watched from outside."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.cameras import needs_network

pytestmark = [
    pytest.mark.slow,
    needs_network,
    pytest.mark.skipif(shutil.which("strace") is None, reason="no strace: apt-get install strace"),
]

OPENED = re.compile(r'(?:openat\([^,]+, |creat\()"((?:[^"\\]|\\.)*)", ([A-Z_|0-9]+)')
ALLOWED = re.compile(
    r"(classmood\.db(-wal|-shm|-journal|\.lock)?|classmood\.token(\.new)?|class-reports/[0-9a-f]{12}\.html)"
)
SYSTEM = ("/dev/", "/proc/", "/sys/")


def test_a_class_writes_nothing_but_its_database_its_token_and_its_report(tmp_path: Path) -> None:
    here, temporary = tmp_path / "here", tmp_path / "temporary"
    here.mkdir()
    temporary.mkdir()
    trace = tmp_path / "trace"
    done = subprocess.run(
        ["strace", "-f", "-qq", "-e", "trace=openat,open,creat", "-o", str(trace),
         sys.executable, "-m", "bot", "demo", "--students", "2", "--minutes", "0.5", "--port", "0"],
        cwd=here,
        env={
            **os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "PYTHONDONTWRITEBYTECODE": "1",
            "TMPDIR": str(temporary), "CLASSMOOD_LOGS__LEVEL": "info",
        },
        capture_output=True, text=True, timeout=180, check=False,
    )  # fmt: skip
    if "ptrace" in done.stderr and "not permitted" in done.stderr:
        pytest.skip("processes cannot be traced here")
    assert done.returncode == 0, done.stderr
    analysed = re.search(r"all 2 students analysed in (\d+) windows", done.stderr)
    assert analysed is not None, done.stderr
    assert int(analysed[1]) >= 2, "the class was really looked at"

    written = {
        path
        for path, flags in OPENED.findall(trace.read_text())
        if re.search("O_WRONLY|O_RDWR|O_CREAT", flags) and not path.startswith(SYSTEM)
    }
    assert any("classmood.db" in path for path in written), "the trace saw the database"
    foreign = {path for path in written if not ALLOWED.fullmatch(os.path.relpath(here / path, here))}
    assert foreign == set()
    assert list(temporary.iterdir()) == []

    kept = b"".join(
        file.read_bytes() for file in here.rglob("*") if file.is_file() and file.suffix != ".token"
    )
    said = done.stderr.replace(re.findall(r"\?token=(\S+)", done.stderr)[0], "")
    token = (here / "classmood.token").read_bytes().strip()
    for secret in (b"Student 1", b"Student 2", token):
        assert secret not in kept
        assert secret.decode() not in said
    for magic in (b"\xff\xd8\xff", b"\x89PNG", b"RIFF", b"ftyp"):
        assert magic not in kept
