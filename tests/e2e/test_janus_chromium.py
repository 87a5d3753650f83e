"""Students with real browsers in a real Janus room, analysed by the whole pipeline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from bot.app import Server, serving
from bot.config import AnalysisSettings, PrivacySettings, Settings, StoreSettings, WebrtcSettings, WebSettings
from bot.rooms.contract import TrackAdded
from bot.rooms.janus.adapter import Adapter
from bot.rooms.registry import RoomContext
from reports.summary.classes import ClassState
from reports.summary.windows import WindowSummary
from tests.cameras import needs_network
from tests.e2e.chromium import as_camera, needs_chromium
from tests.e2e.janus_page import browser_students
from tests.janus_server import OPEN_ROOM, JanusServer, needs_janus
from tests.room_recorder import RoomRecorder

pytestmark = [pytest.mark.browser, pytest.mark.slow, needs_chromium, needs_janus, needs_network]


@pytest.fixture
async def janus(tmp_path: Path) -> AsyncIterator[JanusServer]:
    async with JanusServer(tmp_path, videocodec="vp8,vp9") as server:
        yield server


def settings(folder: Path) -> Settings:
    return Settings(
        store=StoreSettings(url=f"sqlite:///{folder}/class.db"),
        web=WebSettings(port=0, token_file=folder / "token"),
        analysis=AnalysisSettings(window_s=2.0),
        privacy=PrivacySettings(min_group=1),
        webrtc=WebrtcSettings(silence_timeout_s=2.0),
    )


class RunningClass:
    """A running class: waits for its state and its windows."""

    def __init__(self, server: Server, class_id: str) -> None:
        self.server, self.class_id = server, class_id

    async def wait_for_state(self, state: ClassState, within_s: float = 6.0) -> None:
        """Wait until the class is in this state."""
        clock = asyncio.get_running_loop().time
        until_s = clock() + within_s
        while (info := await self.server.store.get_class(self.class_id)) is None or info.state is not state:
            assert clock() < until_s, info
            await asyncio.sleep(0.1)

    async def wait_for_window(
        self, matches: Callable[[WindowSummary], bool], within_s: float = 25.0
    ) -> WindowSummary:
        """Wait for a matching window among those that are still to come."""
        since = len(await self.server.store.windows(self.class_id))
        async with asyncio.timeout(within_s):
            while True:
                for window in (await self.server.store.windows(self.class_id))[since:]:
                    assert window.participants == window.analysed + sum(window.not_analysed.values())
                    if matches(window):
                        return window
                await asyncio.sleep(0.2)


@pytest.mark.parametrize(
    ("scales", "height"),
    [((1, 2), 180), ((1, 4), 360)],  # the smaller layer; the larger one, because 90 lines are too few
)
async def test_simulcast_is_received_in_the_smallest_useful_size_and_the_lowest_rate(
    janus: JanusServer, faces: Path, tmp_path: Path, scales: tuple[int, ...], height: int
) -> None:
    camera = await asyncio.to_thread(as_camera, faces / "single_face.mp4", tmp_path)
    room = Adapter(RoomContext(settings(tmp_path))).open(janus.room_url())
    async with RoomRecorder(room) as recorder, browser_students(camera) as (student,):
        await student.join(janus.url, OPEN_ROOM, "Ada", scales=scales)
        added = await recorder.wait_for_kind(TrackAdded)
        times: list[float] = []
        async with asyncio.timeout(40):
            while len(times) < 20:
                frame = await added.track.recv()
                times = [*times, frame.at_s] if frame.luma().shape[0] == height else []
        sent = {layer["frameHeight"] for layer in await student.sent_layers() if layer["framesSent"]}
        assert sent == {360 // scale for scale in scales}
        rate = (len(times) - 1) / (times[-1] - times[0])
        assert 1.5 < rate < 12  # of 25 to 30 frames a second


async def test_browser_students_are_counted_as_analysed_or_with_the_right_reason(
    janus: JanusServer, faces: Path, tmp_path: Path
) -> None:
    camera = await asyncio.to_thread(as_camera, faces / "single_face.mp4", tmp_path)
    async with serving(settings(tmp_path)) as server, browser_students(camera, 2) as (ada, bea):
        info = await server.sessions.start(janus.room_url(), "Maths")
        running = RunningClass(server, info.id)
        await ada.join(janus.url, OPEN_ROOM, "Ada", scales=(1, 2))
        window = await running.wait_for_window(lambda window: window.analysed == 1)
        assert window.expressions is not None
        # The man in the clip smiles for 1.7 of 2.4 s, which is at least half of any window of two seconds.
        smiling, neutral = window.expressions["happy"], window.expressions["neutral"]
        assert smiling > 0.25, window.expressions
        assert smiling + neutral > 0.8, window.expressions
        assert window.participants == 1

        await bea.join(janus.url, OPEN_ROOM, "Bea", codec="VP9")
        window = await running.wait_for_window(lambda window: window.not_analysed["unsupported_codec"] == 1)
        assert (window.participants, window.analysed) == (2, 1)

        await ada.enable(False)  # black frames
        window = await running.wait_for_window(lambda window: window.not_analysed["camera_off"] == 1)
        assert (window.analysed, window.not_analysed["no_face"]) == (0, 0)
        await ada.enable(True)
        await running.wait_for_window(lambda window: window.analysed == 1)

        await ada.attach(False)  # no packets
        await running.wait_for_window(lambda window: window.not_analysed["camera_off"] == 1)
        await ada.attach(True)
        await running.wait_for_window(lambda window: window.analysed == 1)

        await ada.close()
        window = await running.wait_for_window(lambda window: window.participants == 1)
        assert window.not_analysed["unsupported_codec"] == 1
        await janus.kill()
        await running.wait_for_state(ClassState.RECONNECTING)
        ended = await server.sessions.end(info.id)
        assert ended is not None
        assert ended.state is ClassState.ENDED
