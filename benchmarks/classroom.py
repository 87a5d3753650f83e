"""``benchmarks classroom``: a whole class through the whole program, from packets to windows on the page.

The server runs here as it always does, with a database in a temporary folder; simulated students with a
drawn face join its embedded room, or a room of a real Janus, from a process of their own.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import aiohttp

from benchmarks.figures import percentiles
from benchmarks.resources import resident_mb, threads_now
from benchmarks.simulation.clips import ClipSpec
from benchmarks.simulation.faults import Faults
from benchmarks.simulation.janus_class import JanusClass
from benchmarks.simulation.janus_server import OPEN_ROOM, JanusServer
from benchmarks.simulation.senders import SenderProcess
from bot.app import Server, serving
from bot.config import Settings, StoreSettings, WebSettings

_AT_ONCE: Final = 4
_WARM_UP_S: Final = 6.0
_CODE: Final = "benchmark"
_JANUS_CONNECTS_IN_S: Final = 0.3
"""For each student; the bot connects to several at a time."""


@dataclass(frozen=True, slots=True)
class Setting:
    """What kind of class.

    Attributes:
        tracks: Students.
        width: Pixels.
        height: Pixels.
        fps: Pictures a second of each.
        layers: Temporal layers, 1 or 3.
        seconds: How long to measure.
        loss: Share of packets lost.
        janus: Whether they come through a Janus; 15 a second in three layers and without loss then.
    """

    tracks: int
    width: int
    height: int
    fps: int
    layers: int
    seconds: float
    loss: float
    janus: bool = False


async def attend(setting: Setting) -> dict[str, Any]:
    """Hold a class and measure it once everyone is there.

    Raises:
        NoJanus: it is to go through a Janus, and there is none.
    """
    tracks, seconds = setting.tracks, setting.seconds
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            store=StoreSettings(url=f"sqlite:///{Path(folder) / 'benchmark.db'}"),
            web=WebSettings(port=0, token_file=Path(folder) / "token"),
        )
        come = _through_janus if setting.janus else _by_the_companion_page
        async with serving(settings) as server, come(setting, server, Path(folder)) as class_id:
            running = server.sessions.running(class_id)
            if running is None:
                raise RuntimeError("the class ended at once")
            timings = running.timings
            await asyncio.sleep(_WARM_UP_S)
            rss_mb, began_s, cpu_s = resident_mb(), time.monotonic(), time.process_time()
            timings.clear()
            await asyncio.sleep(seconds)
            cores = (time.process_time() - cpu_s) / (time.monotonic() - began_s)
            delivered, samples_ms = timings.samples, [1000 * delay_s for delay_s in timings.sample_delays_s]
            windows, events_ms = timings.windows, [1000 * delay_s for delay_s in timings.window_delays_s]
            stored = await server.store.windows(class_id)
            found = {
                "tracks": tracks,
                "size": f"{setting.width}x{setting.height}",
                "seconds": seconds,
                "cpu_ms_per_track_s": round(cores * 1000 / tracks, 2),
                "stock_cpu_ms_per_track_s": None,
                "ratio": None,
                "delivered": delivered,
                "latency_ms": percentiles(samples_ms),
                "threads": threads_now(),
                "rss_mb": {"start": round(rss_mb, 1), "end": round(resident_mb(), 1)},
                "cores": round(cores, 3),
                "frame_to_event_ms": percentiles(events_ms),
                "fps": setting.fps,
                "layers": setting.layers,
                "loss": setting.loss,
                "through": "janus" if setting.janus else "companion",
                "samples_per_s": settings.analysis.samples_per_s,
                "windows": windows,
                "fewest_analysed": min((one.analysed for one in stored[len(stored) - windows :]), default=0),
                "machine_cores": os.cpu_count(),
            }
            await server.sessions.end(class_id, "The benchmark is over.")
    return found


@asynccontextmanager
async def _by_the_companion_page(setting: Setting, server: Server, _: Path) -> AsyncIterator[str]:
    info = await server.sessions.start(f"companion:{_CODE}?synthetic=1", "Benchmark")
    gate = asyncio.Semaphore(_AT_ONCE)
    async with SenderProcess() as senders, aiohttp.ClientSession() as http:

        async def join(student: int) -> None:
            clip = ClipSpec(
                student % 256, setting.width, setting.height, setting.fps, layers=setting.layers, face=True
            )
            async with gate:
                offer = await senders.add(student, clip, Faults(loss=setting.loss, seed=student))
                await senders.accept(student, await _join(http, server.url, offer))

        await asyncio.gather(*(join(student) for student in range(setting.tracks)))
        yield info.id


@asynccontextmanager
async def _through_janus(setting: Setting, server: Server, folder: Path) -> AsyncIterator[str]:
    async with (
        JanusServer(folder) as janus,
        JanusClass(janus.url, OPEN_ROOM, setting.tracks, size=(setting.width, setting.height), faces=True),
    ):
        info = await server.sessions.start(janus.room_url(), "Benchmark")
        await asyncio.sleep(setting.tracks * _JANUS_CONNECTS_IN_S)
        yield info.id


async def _join(http: aiohttp.ClientSession, url: str, offer: str) -> str:
    fields = {"sdp": offer, "type": "offer", "name": None, "consent": True, "individual": False}
    async with http.post(f"{url}/api/companion/{_CODE}/offer", json=fields) as response:
        answer = await response.json()
    if response.status != 200:
        raise RuntimeError(f"a student was refused: {answer.get('error')}")
    return str(answer["sdp"])
