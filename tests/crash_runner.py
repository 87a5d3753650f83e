"""Kills a class with SIGKILL at random moments and checks what the database holds afterwards.

``python -m tests.crash_runner --times 100`` does it a hundred times on one database. Real sessions, pipeline
and store run in a child process under load: twenty windows a second, pulses, markers, consents and erasures.
The child reports every record that the store has acknowledged. It may be killed at any moment, even while the
database is opened or a class ends. After each kill the database must be intact, the class must be marked as
interrupted, and every acknowledged record must be stored. The parent has no threads, so it can fork.
"""

from __future__ import annotations

import argparse
import asyncio
import itertools
import json
import logging
import os
import random
import signal
import sqlite3
import sys
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import structlog
from aiohttp import web

from bot.config import AnalysisSettings, PrivacySettings, Settings
from bot.metrics import Metrics
from bot.rooms.contract import Joined, OptedOut, Pulse, Room, TrackAdded
from bot.sessions.lifecycle import Sessions
from bot.sessions.recorder import Recorder
from reports.document.class_report import load_report
from reports.document.rendering import to_html
from reports.store import Store
from reports.summary.classes import ClassState
from reports.summary.records import Consent, Marker, PulseRecord
from reports.summary.windows import PulseKind, WindowSummary
from reports.web.feed import LiveFeed
from tests.fakes import FakeRoom, FakeTrack, ScriptedReader, one_face

MAX_LIFETIME_S = 0.9
"""A child is killed after at most this time, seconds."""

WINDOW_S = 0.05
STUDENTS = 6

Report = Callable[[str, str, object], None]
"""Called with the kind of a record, its class, and what identifies it within the class."""


class ReportingStore(Store):
    """Reports each write after the database has acknowledged it."""

    report: Report

    async def add_window(self, window: WindowSummary) -> None:
        await super().add_window(window)
        self.report("window", window.class_id, window.start_s)

    async def add_pulse(self, pulse: PulseRecord) -> None:
        await super().add_pulse(pulse)
        self.report("pulse", pulse.class_id, pulse.at_s)

    async def add_marker(self, marker: Marker) -> None:
        await super().add_marker(marker)
        self.report("marker", marker.class_id, marker.label)

    async def add_consent(self, consent: Consent) -> None:
        await super().add_consent(consent)
        self.report("consent", consent.class_id, consent.participant_id)

    async def erase_participant(self, class_id: str, participant_id: str) -> None:
        await super().erase_participant(class_id, participant_id)
        self.report("erased", class_id, participant_id)


class FreshRooms:
    """A new fake room for each class."""

    scheme = "fake"
    example = "fake:room"

    def __init__(self) -> None:
        self.room = FakeRoom()

    def open(self, url: str) -> Room:
        self.room = FakeRoom()
        return self.room

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        return ()


async def run_classes(url: str, report: Report, rng: random.Random) -> None:
    """Recover the database, then run short classes one after another, without end."""
    store = await asyncio.to_thread(ReportingStore.open, url)
    assert isinstance(store, ReportingStore)
    store.report = report
    await store.recover(datetime.now(UTC))
    await store.purge(datetime.now(UTC), timedelta(days=1), timedelta(hours=1))
    analysis = AnalysisSettings.model_construct(**{**AnalysisSettings().model_dump(), "window_s": WINDOW_S})
    rooms = FreshRooms()
    metrics = Metrics()
    sessions = Sessions(
        store=store,
        recorder=Recorder(store, metrics),
        feed=LiveFeed(),
        adapters={"fake": rooms},
        reader=ScriptedReader({100: one_face("happy")}),
        settings=Settings(analysis=analysis, privacy=PrivacySettings(min_group=3)),
        metrics=metrics,
        public_url="http://here",
    )
    while True:
        info = await sessions.start("fake:room", "Kills")
        report("class", info.id, None)
        names = [f"{info.id}-{number}" for number in range(STUDENTS)]
        for name in names:
            rooms.room.emit(Joined(name, name=f"name of {name}", individual=True, consented=True))
            rooms.room.emit(TrackAdded(FakeTrack(name, 100)))
        for step in range(rng.randint(5, 40)):
            rooms.room.emit(Pulse(names[-1], rng.choice(list(PulseKind))))
            if step == 10:
                rooms.room.emit(OptedOut(names[0]))
            await sessions.mark(info.id, f"mark {step}")
            await asyncio.sleep(0.01)
        await sessions.end(info.id)
        report("ended", info.id, None)


def run_child(url: str, pipe: int, seed: int) -> None:
    """The process that is killed: run classes and write the reports to a pipe."""

    def report(kind: str, class_id: str, key: object) -> None:
        os.write(pipe, json.dumps([kind, class_id, key]).encode() + b"\n")

    asyncio.run(run_classes(url, report, random.Random(seed)))


async def check_records(store: Store, reported: list[tuple[str, str, object]]) -> Counter[str]:
    """Recover the store and check that it has every reported record; count them by kind.

    Raises:
        AssertionError: a record is missing, or the store is inconsistent.
    """
    began = list(dict.fromkeys(class_id for _, class_id, _ in reported))
    ended = {class_id for kind, class_id, _ in reported if kind == "ended"}
    recovered = {info.id: info for info in await store.recover(datetime.now(UTC))}
    # A class may have begun or ended without a report, if the child was killed in between.
    assert len(recovered) <= 1, "at most one class runs at a time"
    assert not set(recovered) & ended, "a class that ended must not be marked as interrupted"
    assert await store.recover(datetime.now(UTC)) == []
    for class_id in {*began, *recovered}:
        info = await store.get_class(class_id)
        assert info is not None, "a class is lost"
        windows = await store.windows(class_id)
        stored: dict[str, set[object]] = {
            "window": {window.start_s for window in windows},
            "pulse": {pulse.at_s for pulse in await store.pulses(class_id)},
            "marker": {marker.label for marker in await store.markers(class_id)},
            "consent": {consent.participant_id for consent in await store.consents(class_id)},
        }
        expected: dict[str, set[object]] = {
            kind: {key for other, owner, key in reported if (other, owner) == (kind, class_id)}
            for kind in (*stored, "erased")
        }
        for kind, keys in stored.items():
            lost = expected[kind] - keys - (expected["erased"] if kind == "consent" else set())
            if kind == "consent" and lost:  # erased, but killed before the report
                lost -= {f"{class_id}-0"}
            assert not lost, f"{kind}s are lost: {sorted(map(str, lost))}"
        assert not expected["erased"] & stored["consent"], "the consent of an erased student is stored"
        numbers = [round(window.start_s / WINDOW_S) for window in windows]
        assert numbers == list(range(len(numbers))), "windows are missing or stored twice"
        assert not info.running
        assert info.ended_at is not None
        if class_id in recovered:
            assert info.state is ClassState.INTERRUPTED
            assert "cut off when ClassMood stopped" in info.reason
            length_s = windows[-1].end_s if windows else 0.0
            assert abs((info.ended_at - info.started_at).total_seconds() - length_s) < 0.001
        document = await load_report(store, class_id, None)
        assert document is not None
        assert ("was interrupted" in to_html(document)) is (class_id in recovered)
    return Counter(kind for kind, _, _ in reported) + Counter({"interrupted": len(recovered)})


def check_database(url: str, path: Path, reported: list[tuple[str, str, object]]) -> Counter[str]:
    """Open the database after a kill and check it; count its records by kind."""
    with closing(Store.open(url)) as store:
        found = asyncio.run(check_records(store, reported))
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
    content = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    for kind, _, key in reported:
        if kind == "erased":
            assert f"name of {key}".encode() not in content, (
                "the name of an erased student is still in the file"
            )
    return found


def kill_once(url: str, path: Path, seed: int) -> Counter[str]:
    """Start a child, kill it at a random moment and check the database; count its records by kind."""
    rng = random.Random(seed)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _run_and_exit(lambda: run_child(url, writing, seed))
    os.close(writing)
    time.sleep(rng.uniform(0.0, MAX_LIFETIME_S))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), "the child ended before it was killed"
    with os.fdopen(reading, "rb") as pipe:
        lines = [line for line in pipe if line.endswith(b"\n")]  # the kill may have cut the last line off
    reported = [(str(kind), str(class_id), key) for kind, class_id, key in map(json.loads, lines)]
    found: Counter[str] = Counter()
    reading, writing = os.pipe()
    pid = os.fork()  # a child checks, too, because this process must not start threads
    if pid == 0:
        os.close(reading)
        _run_and_exit(lambda: os.write(writing, json.dumps(check_database(url, path, reported)).encode()))
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"seed {seed}: the database is not intact after the kill, see above"
    found.update(json.loads(text))
    return found


def _run_and_exit(work: Callable[[], object]) -> None:
    try:
        work()
    except BaseException:  # noqa: BLE001  # a forked child must never return to the caller's code
        traceback.print_exc()
        os._exit(1)
    os._exit(0)


def main() -> None:
    """Kill as many classes as ``--times`` says."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--times", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    logging.disable(logging.CRITICAL)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    found: Counter[str] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "class.db"
        for number in itertools.count(1):
            found.update(kill_once(f"sqlite:///{path}", path, options.seed * 1000 + number))
            if number == options.times:
                break
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(found.items()))
    sys.stdout.write(f"killed {options.times} times, nothing acknowledged was lost: {counts}\n")


if __name__ == "__main__":
    main()
