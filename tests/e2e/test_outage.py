"""The machine's network gone for a minute: the class stays, says what is so, and everyone comes back."""

from __future__ import annotations

import json
import os
import re
import secrets
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

GONE_S = float(os.environ.get("CLASSMOOD_TEST_OUTAGE_S", "60"))
SERVER, STUDENTS = "10.211.7.1", "10.211.7.2"


def ip(*words: str) -> bool:
    return subprocess.run(["ip", *words], capture_output=True, check=False).returncode == 0


class Wire:
    """Two network namespaces and the cable between them."""

    def __init__(self) -> None:
        mark = secrets.token_hex(3)
        self.here, self.there = f"cm-{mark}-a", f"cm-{mark}-b"

    def lay(self) -> bool:
        """Whether it could be laid."""
        return all(
            (
                shutil.which("ip") is not None,
                ip("netns", "add", self.here),
                ip("netns", "add", self.there),
                ip("link", "add", "wire", "netns", self.here, "type", "veth",
                   "peer", "name", "wire", "netns", self.there),
                *(
                    ip("-n", name, "addr", "add", f"{address}/24", "dev", "wire")
                    and ip("-n", name, "link", "set", "wire", "up")
                    and ip("-n", name, "link", "set", "lo", "up")
                    for name, address in ((self.here, SERVER), (self.there, STUDENTS))
                ),
            )
        )  # fmt: skip

    def cut(self) -> None:
        assert ip("-n", self.here, "link", "set", "wire", "down")

    def mend(self) -> None:
        assert ip("-n", self.here, "link", "set", "wire", "up")

    def remove(self) -> None:
        for name in (self.here, self.there):
            if shutil.which("ip") is not None:
                ip("netns", "del", name)


@pytest.fixture
def wire() -> Iterator[Wire]:
    made = Wire()
    try:
        if os.geteuid() != 0 or not made.lay():
            pytest.skip("network namespaces cannot be made here: that needs root and iproute2")
        yield made
    finally:
        made.remove()


def until(windows: list[dict[str, Any]], true: Callable[[dict[str, Any]], bool], within_s: float) -> int:
    """The place of the first window from now on for which it is true."""
    give_up_s, place = time.monotonic() + within_s, len(windows)
    while time.monotonic() < give_up_s:
        while place < len(windows):
            if true(windows[place]):
                return place
            place += 1
        time.sleep(0.1)
    raise AssertionError(f"not within {within_s} s; the last windows: {windows[-3:]}")


def test_the_network_gone_for_a_minute_is_told_and_everyone_is_back_after_it(
    tmp_path: Path, wire: Wire
) -> None:
    env = {
        **os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "CLASSMOOD_WEB__HOST": SERVER,
        "CLASSMOOD_ANALYSIS__WINDOW_S": "2", "CLASSMOOD_PRIVACY__MIN_GROUP": "3",
    }  # fmt: skip
    inside = ["ip", "netns", "exec"]
    bot = subprocess.Popen(
        [*inside, wire.here, sys.executable, "-m", "bot", "join", "companion:", "--port", "0", "--jsonl"],
        cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert bot.stdout is not None
    assert bot.stderr is not None
    students: subprocess.Popen[bytes] | None = None
    try:
        said = ""
        while "Student link" not in said:
            line = bot.stderr.readline()
            assert line, said
            said += line
        found = re.search(r"Student link: +(http://[^/]+)/c/(\S+)", said)
        assert found is not None
        rest: list[str] = []
        windows: list[dict[str, Any]] = []
        threads = [
            threading.Thread(target=lambda: rest.extend(bot.stderr or ()), daemon=True),
            threading.Thread(
                target=lambda: windows.extend(map(json.loads, bot.stdout or ())), daemon=True
            ),
        ]  # fmt: skip
        for thread in threads:
            thread.start()
        students = subprocess.Popen(
            [*inside, wire.there, sys.executable, "-m", "bot.demo.students", "--server", found[1],
             "--code", found[2], "--students", "3"],
            cwd=tmp_path, env=env, stdin=subprocess.PIPE,
        )  # fmt: skip
        until(windows, lambda window: window["analysed"] == 3, 60)

        wire.cut()
        cut_s = time.monotonic()
        until(windows, lambda window: window["analysed"] == 0, 30)
        time.sleep(max(0.0, GONE_S - (time.monotonic() - cut_s)))
        assert bot.poll() is None, "the class goes on"
        assert windows[-1]["analysed"] == 0
        assert windows[-1]["suppressed"]
        wire.mend()
        back = until(windows, lambda window: window["analysed"] == 3, 90)
        assert windows[back]["participants"] == 3, "nobody counts twice"
        bot.send_signal(signal.SIGINT)
        bot.wait(20)
        for thread in threads:
            thread.join(10)
    finally:
        for process in (students, bot):
            if process is not None and process.poll() is None:
                process.kill()
                process.wait()
    assert bot.returncode == 0
    assert "Class ended: It was ended from the terminal." in "".join(rest)
    starts = [window["start_s"] for window in windows]
    assert starts == [2.0 * number for number in range(len(starts))], "no window is missing"
    for window in windows:
        assert window["participants"] == window["analysed"] + sum(window["not_analysed"].values())
    with closing(sqlite3.connect(tmp_path / "classmood.db")) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert raw.execute("SELECT count(*) FROM windows").fetchone() == (len(windows),)
