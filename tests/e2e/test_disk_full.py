"""A full disk: the class shows it and continues; its records are stored once there is space again."""

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
    """The folder of a small file system."""
    folder = tmp_path / "disk"
    folder.mkdir()
    mounting = ["mount", "-t", "tmpfs", "-o", "size=16m", "tmpfs", str(folder)]
    if shutil.which("mount") is None or subprocess.run(mounting, capture_output=True, check=False).returncode:
        pytest.skip("cannot mount a small file system: that needs root")
    yield folder
    subprocess.run(["umount", "-l", str(folder)], check=True)


def fill(disk: Path) -> None:
    """Fill the disk to the last byte."""
    with (disk / "filler").open("wb", buffering=0) as filler:
        try:
            while True:
                filler.write(b"0" * 4096)
        except OSError:
            return


async def set_many_markers(setup: SessionSetup, class_id: str) -> None:
    for number in range(400):
        await setup.sessions.mark(class_id, f"mark {number}" * 20)


async def next_reason(setup: SessionSetup, class_id: str) -> str:
    """The reason of the next state that the feed publishes."""
    async with asyncio.timeout(30):
        with setup.feed.subscribe(class_id) as events:
            async for event in events:
                if event.event == "state":
                    return str(event.data["reason"])
    raise AssertionError("the feed was closed")


async def test_a_full_disk_is_shown_and_records_are_stored_when_there_is_space_again(disk: Path) -> None:
    store = await asyncio.to_thread(Store.open, f"sqlite:///{disk}/class.db")
    setup = SessionSetup(store, FakeRoom(), SETTINGS)
    info = await setup.start()
    await setup.stored_state(info.id, ClassState.LIVE)
    setup.room.emit(Joined("a", consented=True), TrackAdded(FakeTrack("a", 100)))
    await asyncio.sleep(1.5)

    reason = asyncio.create_task(next_reason(setup, info.id))
    await asyncio.sleep(0)
    await asyncio.to_thread(fill, disk)
    for _ in range(400):  # more than fits into the free pages of the database
        setup.room.emit(Pulse("a", PulseKind.LOST))
    assert "the disk is full: free some space" in await reason
    with pytest.raises(StoreError, match="the disk is full"):
        await set_many_markers(setup, info.id)
    await asyncio.sleep(2.5)

    reason = asyncio.create_task(next_reason(setup, info.id))
    await asyncio.sleep(0)
    await asyncio.to_thread((disk / "filler").unlink)
    assert await reason == "The class is running."
    ended = await setup.sessions.end(info.id)
    assert ended is not None
    assert ended.state is ClassState.ENDED
    await setup.stored_state(info.id, ClassState.ENDED)  # the last queued record
    windows = await store.windows(info.id)
    assert [window.start_s for window in windows] == [float(number) for number in range(len(windows))]
    assert len(windows) >= 4
    assert len(await store.pulses(info.id)) == 400
    assert sum(window.pulses["lost"] for window in windows) == 400
    await setup.sessions.close()
    await asyncio.to_thread(store.close)


async def test_a_class_on_a_disk_that_stays_full_is_recovered_as_interrupted(
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
    assert ended.state is ClassState.ENDED, "pages show the end although it is not stored"
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
