"""A real disk that is full for a while: the class says so, goes on, and is whole once there is space."""

from __future__ import annotations

import asyncio
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from bot.config import AnalysisSettings, PrivacySettings, Settings
from bot.rooms.contract import Joined, Pulse, TrackAdded
from reports.store import Store, StoreError
from reports.summary.classes import ClassState
from reports.summary.windows import PulseKind
from tests.bot.sessions.session_setup import SessionSetup
from tests.fakes import FakeRoom, FakeTrack

pytestmark = [pytest.mark.real_time, pytest.mark.slow]

SETTINGS = Settings(
    analysis=AnalysisSettings(window_s=1.0, samples_per_s=10), privacy=PrivacySettings(min_group=1)
)


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """A small file system of its own."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be made here: mounting needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Leave no byte."""
    with (disk / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"0" * 4096)
        except OSError:
            return


async def mark_often(setup: SessionSetup, class_id: str) -> None:
    for number in range(400):
        await setup.sessions.mark(class_id, f"mark {number}" * 20)


async def told_state(setup: SessionSetup, class_id: str, within_s: float = 30.0) -> list[str]:
    """The reasons of the class's states, from now on."""
    reasons: list[str] = []

    async def follow() -> None:
        with setup.feed.subscribe(class_id) as following:
            async for event in following:
                if event.event == "state":
                    reasons.append(str(event.data["reason"]))
                    return

    await asyncio.wait_for(follow(), within_s)
    return reasons


async def test_a_full_disk_is_told_and_what_came_meanwhile_is_kept_when_there_is_space(disk: Path) -> None:
    store = await asyncio.to_thread(Store.open, f"sqlite:///{disk}/class.db")
    setup = SessionSetup(store, FakeRoom(), SETTINGS)
    info = await setup.start()
    await setup.stored_state(info.id, ClassState.LIVE)
    setup.room.emit(Joined("a", consented=True), TrackAdded(FakeTrack("a", 100)))
    await asyncio.sleep(1.5)

    telling = asyncio.create_task(told_state(setup, info.id))
    await asyncio.sleep(0)
    await asyncio.to_thread(fill, disk)
    for _ in range(400):  # more than fits into pages that are there already
        setup.room.emit(Pulse("a", PulseKind.LOST))
    (reason,) = await telling
    assert "the disk is full: free some space" in reason
    with pytest.raises(StoreError, match="the disk is full"):
        await mark_often(setup, info.id)
    await asyncio.sleep(2.5)

    telling = asyncio.create_task(told_state(setup, info.id))
    await asyncio.sleep(0)
    await asyncio.to_thread((disk / "filler").unlink)
    assert await telling == ["The class is running."]
    ended = await setup.sessions.end(info.id)
    assert ended is not None
    assert ended.state is ClassState.ENDED
    await setup.stored_state(info.id, ClassState.ENDED)  # the last of what waits
    windows = await store.windows(info.id)
    assert [window.start_s for window in windows] == [float(number) for number in range(len(windows))]
    assert len(windows) >= 4
    assert len(await store.pulses(info.id)) == 400
    assert sum(window.pulses["lost"] for window in windows) == 400
    await setup.sessions.close()
    await asyncio.to_thread(store.close)


async def test_a_disk_that_stays_full_leaves_a_sound_database_and_a_class_marked_interrupted(
    disk: Path,
) -> None:
    url = f"sqlite:///{disk}/class.db"
    store = await asyncio.to_thread(Store.open, url)
    setup = SessionSetup(store, FakeRoom(), SETTINGS)
    info = await setup.start()
    await setup.stored_state(info.id, ClassState.LIVE)
    await asyncio.sleep(2.5)
    await asyncio.to_thread(fill, disk)
    for _ in range(400):
        setup.room.emit(Pulse("a", PulseKind.LOST))
    await asyncio.sleep(1.0)
    ended = await setup.sessions.end(info.id)
    assert ended is not None
    assert ended.state is ClassState.ENDED, "what the pages say is what is so"
    await setup.sessions.close()
    await asyncio.to_thread(store.close)

    await asyncio.to_thread((disk / "filler").unlink)
    store = await asyncio.to_thread(Store.open, url)
    (recovered,) = await store.recover(datetime.now(UTC))
    assert recovered.state is ClassState.INTERRUPTED
    windows = await store.windows(info.id)
    assert [window.start_s for window in windows] == [float(number) for number in range(len(windows))]
    assert len(windows) >= 2
    await asyncio.to_thread(store.close)
