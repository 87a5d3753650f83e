"""Tests that every room adapter must pass.

They find the adapters by their modules. A new adapter needs only a module in ``room_setups``.
"""

from __future__ import annotations

import asyncio
import importlib
import threading
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import pytest

from bot.config import Settings
from bot.rooms.contract import Joined, Left, RoomUrlError, TrackAdded, TrackRemoved
from bot.rooms.registry import RoomAdapter, RoomContext, adapters, open_room
from reports.summary.asks import Ask
from tests.cameras import needs_network
from tests.contract.room_setups import RoomSetup
from tests.room_recorder import RoomRecorder, wait_for_track_end

SCHEMES = sorted(adapters(RoomContext(Settings())))

pytestmark = [pytest.mark.real_time, needs_network]


@pytest.fixture(params=SCHEMES)
def adapter(request: pytest.FixtureRequest) -> RoomAdapter:
    return adapters(RoomContext(Settings()))[request.param]


@asynccontextmanager
async def room_setup_of(adapter: RoomAdapter, folder: Path) -> AsyncIterator[RoomSetup]:
    module = importlib.import_module(f"tests.contract.room_setups.{adapter.scheme}")
    async with module.RoomSetup(adapter, folder) as setup:
        yield setup


@asynccontextmanager
async def join(adapter: RoomAdapter, folder: Path) -> AsyncIterator[tuple[RoomRecorder, RoomSetup]]:
    """Join a room with one participant, and record its events."""
    async with (
        room_setup_of(adapter, folder) as setup,
        RoomRecorder(await asyncio.to_thread(adapter.open, setup.url)) as recorder,
    ):
        await setup.participant_joins()
        yield recorder, setup


async def test_the_example_url_has_the_scheme_of_its_adapter(adapter: RoomAdapter) -> None:
    assert adapter.example.startswith(adapter.scheme)
    assert adapter.example.split(":")[0].split("+")[0] == adapter.scheme


async def test_a_wrong_url_is_rejected_with_a_one_line_error(adapter: RoomAdapter, tmp_path: Path) -> None:
    async with room_setup_of(adapter, tmp_path) as setup:
        for url in setup.bad_urls:
            with pytest.raises(RoomUrlError) as caught:
                await asyncio.to_thread(adapter.open, url)
            assert "\n" not in str(caught.value)
        room = await asyncio.to_thread(open_room, setup.url, {adapter.scheme: adapter})
        assert room.public_url


async def test_a_participant_is_reported_before_their_camera(adapter: RoomAdapter, tmp_path: Path) -> None:
    async with join(adapter, tmp_path) as (recorder, setup):
        track = (await recorder.wait_for_kind(TrackAdded, within_s=15)).track
        kinds = [type(event) for event in recorder.events]
        assert kinds.index(Joined) < kinds.index(TrackAdded)
        (participant,) = [event for event in recorder.events if isinstance(event, Joined)]
        assert track.participant_id == participant.participant_id
        assert track.track_id
        if setup.secret:
            assert setup.secret not in recorder.room.public_url


async def test_frames_are_grey_images_in_order_and_recent(adapter: RoomAdapter, tmp_path: Path) -> None:
    async with join(adapter, tmp_path) as (recorder, _):
        track = (await recorder.wait_for_kind(TrackAdded, within_s=15)).track
        loop, times = asyncio.get_running_loop(), []
        for _ in range(5):
            async with asyncio.timeout(15):
                frame = await track.recv()
            luma = frame.luma()
            assert luma.ndim == 2
            assert luma.dtype == np.uint8
            assert luma.max() > luma.min()
            times.append(frame.at_s)
        assert times == sorted(set(times))
        assert loop.time() - times[-1] < 1.0


async def test_after_a_pause_the_reader_gets_the_newest_frame(adapter: RoomAdapter, tmp_path: Path) -> None:
    async with join(adapter, tmp_path) as (recorder, _):
        track = (await recorder.wait_for_kind(TrackAdded, within_s=15)).track
        async with asyncio.timeout(15):
            await track.recv()
            await asyncio.sleep(1.5)
            frame = await track.recv()
        assert asyncio.get_running_loop().time() - frame.at_s < 0.5


async def test_when_a_participant_leaves_they_are_reported_and_their_track_ends(
    adapter: RoomAdapter, tmp_path: Path
) -> None:
    async with join(adapter, tmp_path) as (recorder, setup):
        track = (await recorder.wait_for_kind(TrackAdded, within_s=15)).track
        await track.recv()
        await setup.participant_leaves()
        left = await recorder.wait_for_kind(Left, within_s=15)
        assert left.participant_id == track.participant_id
        removed = [event for event in recorder.events if isinstance(event, TrackRemoved)]
        assert all(event.track_id == track.track_id for event in removed)
        await wait_for_track_end(track, within_s=5)


async def test_leaving_ends_events_tracks_tasks_and_threads(adapter: RoomAdapter, tmp_path: Path) -> None:
    async with room_setup_of(adapter, tmp_path) as setup:
        threads = set(threading.enumerate())
        tasks = asyncio.all_tasks()
        room = await asyncio.to_thread(adapter.open, setup.url)
        async with RoomRecorder(room) as recorder:  # on leaving, it fails if the events do not end within 5 s
            await setup.participant_joins()
            track = (await recorder.wait_for_kind(TrackAdded, within_s=15)).track
            await track.recv()
            assert isinstance(await room.announce("hello"), bool)
            assert await room.leave_out("a name that nobody has") == 0
        assert recorder.error is None
        await wait_for_track_end(track, within_s=5)
        await asyncio.sleep(0.3)
        names = {task.get_name() for task in asyncio.all_tasks() - tasks}
        # Janus tasks are not checked: the student of the Janus setup has tasks of the same names.
        prefixes = ("replay", "peer", "companion", "decode", "rtcp")
        assert not [name for name in names if name.startswith(prefixes)]
        left = [thread.name for thread in set(threading.enumerate()) - threads if "decod" in thread.name]
        assert not left


async def test_a_room_takes_a_question_and_its_end(adapter: RoomAdapter, tmp_path: Path) -> None:
    question = Ask("a1", "c", 0.0, 30.0, "Which?", ("this", "that"), open=True)
    async with join(adapter, tmp_path) as (recorder, _setup):
        assert isinstance(await recorder.room.ask(question), bool)
        assert isinstance(await recorder.room.ask(None), bool)
