"""A network outage of a minute: the class continues, and all students reconnect after it."""

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

OUTAGE_S = float(os.environ.get("CLASSMOOD_TEST_OUTAGE_S", "60"))
SERVER, STUDENTS = "10.211.7.1", "10.211.7.2"


def ip(*words: str) -> bool:
    return subprocess.run(["ip", *words], capture_output=True, check=False).returncode == 0


class NetworkCable:
    """Two network namespaces connected by a virtual cable."""

    def __init__(self) -> None:
        suffix = secrets.token_hex(3)
        self.bot, self.students = f"cm-{suffix}-a", f"cm-{suffix}-b"

    def create(self) -> bool:
        """Create the namespaces and the cable; whether that was possible."""
        return all(
            (
                shutil.which("ip") is not None,
                ip("netns", "add", self.bot),
                ip("netns", "add", self.students),
                ip("link", "add", "wire", "netns", self.bot, "type", "veth",
                   "peer", "name", "wire", "netns", self.students),
                *(
                    ip("-n", name, "addr", "add", f"{address}/24", "dev", "wire")
                    and ip("-n", name, "link", "set", "wire", "up")
                    and ip("-n", name, "link", "set", "lo", "up")
                    for name, address in ((self.bot, SERVER), (self.students, STUDENTS))
                ),
            )
        )  # fmt: skip

    def disconnect(self) -> None:
        assert ip("-n", self.bot, "link", "set", "wire", "down")

    def reconnect(self) -> None:
        assert ip("-n", self.bot, "link", "set", "wire", "up")

    def remove(self) -> None:
        for name in (self.bot, self.students):
            if shutil.which("ip") is not None:
                ip("netns", "del", name)


@pytest.fixture
def cable() -> Iterator[NetworkCable]:
    created = NetworkCable()
    try:
        if os.geteuid() != 0 or not created.create():
            pytest.skip("cannot create network namespaces: that needs root and iproute2")
        yield created
    finally:
        created.remove()


def wait_for_window(
    windows: list[dict[str, Any]], condition: Callable[[dict[str, Any]], bool], within_s: float
) -> int:
    """The index of the first new window that meets a condition."""
    give_up_s, index = time.monotonic() + within_s, len(windows)
    while time.monotonic() < give_up_s:
        while index < len(windows):
            if condition(windows[index]):
                return index
            index += 1
        time.sleep(0.1)
    raise AssertionError(f"not within {within_s} s; the last windows: {windows[-3:]}")


def test_a_class_survives_a_network_outage_and_counts_every_student_once_after_it(
    tmp_path: Path, cable: NetworkCable
) -> None:
    env = {
        **os.environ, "PYTHONPATH": str(Path(__file__).parents[2]), "CLASSMOOD_WEB__HOST": SERVER,
        "CLASSMOOD_ANALYSIS__WINDOW_S": "2", "CLASSMOOD_PRIVACY__MIN_GROUP": "3",
    }  # fmt: skip
    inside = ["ip", "netns", "exec"]
    bot = subprocess.Popen(
        [*inside, cable.bot, sys.executable, "-m", "bot", "join", "companion:", "--port", "0", "--jsonl"],
        cwd=tmp_path, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert bot.stdout is not None
    assert bot.stderr is not None
    students: subprocess.Popen[bytes] | None = None
    try:
        printed = ""
        while "Student link" not in printed:
            line = bot.stderr.readline()
            assert line, printed
            printed += line
        found = re.search(r"Student link: +(http://[^/]+)/c/(\S+)", printed)
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
            [*inside, cable.students, sys.executable, "-m", "bot.demo.students", "--server", found[1],
             "--code", found[2], "--students", "3"],
            cwd=tmp_path, env=env, stdin=subprocess.PIPE,
        )  # fmt: skip
        wait_for_window(windows, lambda window: window["analysed"] == 3, 60)

        cable.disconnect()
        outage_began_s = time.monotonic()
        wait_for_window(windows, lambda window: window["analysed"] == 0, 30)
        time.sleep(max(0.0, OUTAGE_S - (time.monotonic() - outage_began_s)))
        assert bot.poll() is None, "the class continues"
        assert windows[-1]["analysed"] == 0
        assert windows[-1]["suppressed"]
        cable.reconnect()
        back = wait_for_window(windows, lambda window: window["analysed"] == 3, 90)
        assert windows[back]["participants"] == 3, "nobody is counted twice"
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
    assert "Class ended: The class was ended from the terminal." in "".join(rest)
    starts = [window["start_s"] for window in windows]
    assert starts == [2.0 * number for number in range(len(starts))], "no window is missing"
    for window in windows:
        assert window["participants"] == window["analysed"] + sum(window["not_analysed"].values())
    with closing(sqlite3.connect(tmp_path / "classmood.db")) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert raw.execute("SELECT count(*) FROM windows").fetchone() == (len(windows),)
