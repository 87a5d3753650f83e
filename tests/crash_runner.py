"""Kills a class with SIGKILL at random moments and checks what the database holds afterwards.

``python -m tests.crash_runner --times 100`` does it a hundred times on one database. The real sessions,
pipeline and store run in a child process under load: windows twenty times a second, pulses, markers, consents
and erasures. The child reports every record the store has acknowledged. After each kill, also during the
opening of the database and at the end of a class, the database must be sound, the class must be marked as
interrupted, and every acknowledged record must be there. Single-threaded until it forks.
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

LONGEST_S = 0.9
"""A child lives no longer than this, seconds."""

WINDOW_S = 0.05
STUDENTS = 6


class TellingStore(Store):
    """Tells of what is acknowledged, after the fact."""

    tell: Callable[[str, str, object], None]

    async def add_window(self, window: WindowSummary) -> None:
        await super().add_window(window)
        self.tell("window", window.class_id, window.start_s)

    async def add_pulse(self, pulse: PulseRecord) -> None:
        await super().add_pulse(pulse)
        self.tell("pulse", pulse.class_id, pulse.at_s)

    async def add_marker(self, marker: Marker) -> None:
        await super().add_marker(marker)
        self.tell("marker", marker.class_id, marker.label)

    async def add_consent(self, consent: Consent) -> None:
        await super().add_consent(consent)
        self.tell("consent", consent.class_id, consent.participant_id)

    async def erase_participant(self, class_id: str, participant_id: str) -> None:
        await super().erase_participant(class_id, participant_id)
        self.tell("erased", class_id, participant_id)


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


async def hold_classes(url: str, tell: Callable[[str, str, object], None], chance: random.Random) -> None:
    """Recover, then hold one short class after another, for ever."""
    store = await asyncio.to_thread(TellingStore.open, url)
    assert isinstance(store, TellingStore)
    store.tell = tell
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
        public_url=lambda: "http://here",
    )
    while True:
        info = await sessions.start("fake:room", "Kills")
        tell("class", info.id, None)
        names = [f"{info.id}-{number}" for number in range(STUDENTS)]
        for name in names:
            rooms.room.emit(Joined(name, name=f"name of {name}", individual=True, consented=True))
            rooms.room.emit(TrackAdded(FakeTrack(name, 100)))
        for step in range(chance.randint(5, 40)):
            rooms.room.emit(Pulse(names[-1], chance.choice(list(PulseKind))))
            if step == 10:
                rooms.room.emit(OptedOut(names[0]))
            await sessions.mark(info.id, f"mark {step}")
            await asyncio.sleep(0.01)
        await sessions.end(info.id)
        tell("ended", info.id, None)


def child(url: str, pipe: int, seed: int) -> None:
    """The process to be killed."""

    def tell(kind: str, class_id: str, key: object) -> None:
        os.write(pipe, json.dumps([kind, class_id, key]).encode() + b"\n")

    asyncio.run(hold_classes(url, tell, random.Random(seed)))


async def examine(store: Store, told: list[tuple[str, str, object]]) -> Counter[str]:
    """What is left holds all that was acknowledged; how much that was.

    Raises:
        AssertionError: it does not.
    """
    began = list(dict.fromkeys(class_id for _, class_id, _ in told))
    ended = {class_id for kind, class_id, _ in told if kind == "ended"}
    recovered = {info.id: info for info in await store.recover(datetime.now(UTC))}
    # One may have begun, or ended, without having been able to say so.
    assert len(recovered) <= 1, "at most one class runs at a time"
    assert not set(recovered) & ended, "a class that ended was not cut off"
    assert await store.recover(datetime.now(UTC)) == []
    for class_id in {*began, *recovered}:
        info = await store.get_class(class_id)
        assert info is not None, "a class is lost"
        windows = await store.windows(class_id)
        kept: dict[str, set[object]] = {
            "window": {window.start_s for window in windows},
            "pulse": {pulse.at_s for pulse in await store.pulses(class_id)},
            "marker": {marker.label for marker in await store.markers(class_id)},
            "consent": {consent.participant_id for consent in await store.consents(class_id)},
        }
        mine: dict[str, set[object]] = {
            kind: {key for what, whose, key in told if (what, whose) == (kind, class_id)}
            for kind in (*kept, "erased")
        }
        for kind, keys in kept.items():
            lost = mine[kind] - keys - (mine["erased"] if kind == "consent" else set())
            if kind == "consent" and lost:  # erased, and killed before it could say so
                lost -= {f"{class_id}-0"}
            assert not lost, f"{kind}s are lost: {sorted(map(str, lost))}"
        assert not mine["erased"] & kept["consent"], "an erased student is back"
        numbers = [round(window.start_s / WINDOW_S) for window in windows]
        assert numbers == list(range(len(numbers))), "windows are missing or doubled"
        assert not info.running
        assert info.ended_at is not None
        if class_id in recovered:
            assert info.state is ClassState.INTERRUPTED
            assert "cut off when ClassMood stopped" in info.reason
            length_s = windows[-1].end_s if windows else 0.0
            assert abs((info.ended_at - info.started_at).total_seconds() - length_s) < 0.001
        report = await load_report(store, class_id, None)
        assert report is not None
        assert ("was interrupted" in to_html(report)) is (class_id in recovered)
    return Counter(kind for kind, _, _ in told) + Counter({"interrupted": len(recovered)})


def look(url: str, path: Path, told: list[tuple[str, str, object]]) -> Counter[str]:
    """Open what is left and examine it."""
    with closing(Store.open(url)) as store:
        found = asyncio.run(examine(store, told))
    with closing(sqlite3.connect(path)) as raw:
        assert raw.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert raw.execute("PRAGMA foreign_key_check").fetchall() == []
    setup = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
    for kind, _, key in told:
        if kind == "erased":
            assert f"name of {key}".encode() not in setup, "an erased name can be read in the file"
    return found


def once(url: str, path: Path, seed: int) -> Counter[str]:
    """One class killed, one look."""
    chance = random.Random(seed)
    reading, writing = os.pipe()
    pid = os.fork()
    if pid == 0:
        os.close(reading)
        _run_and_exit(lambda: child(url, writing, seed))
    os.close(writing)
    time.sleep(chance.uniform(0.0, LONGEST_S))
    os.kill(pid, signal.SIGKILL)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status), "the class stopped by itself"
    with os.fdopen(reading, "rb") as pipe:
        lines = [line for line in pipe if line.endswith(b"\n")]  # a line is whole or was never told
    told = [(str(kind), str(class_id), key) for kind, class_id, key in map(json.loads, lines)]
    found: Counter[str] = Counter()
    reading, writing = os.pipe()
    pid = os.fork()  # in a child, too: this process must have no threads when it forks
    if pid == 0:
        os.close(reading)
        _run_and_exit(lambda: os.write(writing, json.dumps(look(url, path, told)).encode()))
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        text = pipe.read()
    _, status = os.waitpid(pid, 0)
    assert status == 0, f"seed {seed}: what the kill left is not sound, see above"
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
    """Kill as often as asked."""
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
            found.update(once(f"sqlite:///{path}", path, options.seed * 1000 + number))
            if number == options.times:
                break
    counts = ", ".join(f"{count} {kind}" for kind, count in sorted(found.items()))
    sys.stdout.write(f"killed {options.times} times, nothing acknowledged was lost: {counts}\n")


if __name__ == "__main__":
    main()
