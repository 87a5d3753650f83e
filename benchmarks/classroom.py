"""``benchmarks classroom``: the CPU time of a whole class, from video packets to windows on the page.

A real server runs in this process, with a database in a temporary folder. Simulated students with drawn faces
join its embedded room, or a room of a real Janus, from a separate process.
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

_CONCURRENT_JOINS: Final = 4
_WARM_UP_S: Final = 6.0
_CODE: Final = "benchmark"
_JANUS_CONNECTION_S: Final = 0.3
"""Time allowed for connecting to each student of a Janus room; the bot connects to several at a time."""


@dataclass(frozen=True, slots=True)
class ClassSetup:
    """The class to measure.

    Attributes:
        tracks: Number of students.
        width: Pixels.
        height: Pixels.
        fps: Frames a second of each student.
        layers: Temporal layers, 1 or 3.
        seconds: How long to measure.
        loss: Share of packets lost.
        janus: Whether students join through a Janus; then always 15 frames a second, three layers and no
            loss.
    """

    tracks: int
    width: int
    height: int
    fps: int
    layers: int
    seconds: float
    loss: float
    janus: bool = False


async def measure_class(setup: ClassSetup) -> dict[str, Any]:
    """Run a class and measure it once all students have joined.

    Raises:
        NoJanus: the class needs a Janus, and there is none on this machine.
    """
    tracks, seconds = setup.tracks, setup.seconds
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            store=StoreSettings(url=f"sqlite:///{Path(folder) / 'benchmark.db'}"),
            web=WebSettings(port=0, token_file=Path(folder) / "token"),
        )
        start_class = _janus_class if setup.janus else _embedded_class
        async with serving(settings) as server, start_class(setup, server, Path(folder)) as class_id:
            running = server.sessions.running(class_id)
            if running is None:
                raise RuntimeError("the class ended immediately")
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
                "size": f"{setup.width}x{setup.height}",
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
                "fps": setup.fps,
                "layers": setup.layers,
                "loss": setup.loss,
                "through": "janus" if setup.janus else "companion",
                "samples_per_s": settings.analysis.samples_per_s,
                "windows": windows,
                "fewest_analysed": min(
                    (window.analysed for window in stored[len(stored) - windows :]), default=0
                ),
                "machine_cores": os.cpu_count(),
            }
            await server.sessions.end(class_id, "The benchmark is over.")
    return found


@asynccontextmanager
async def _embedded_class(setup: ClassSetup, server: Server, _: Path) -> AsyncIterator[str]:
    info = await server.sessions.start(f"companion:{_CODE}?synthetic=1", "Benchmark")
    slots = asyncio.Semaphore(_CONCURRENT_JOINS)
    async with SenderProcess() as senders, aiohttp.ClientSession() as http:

        async def join(student: int) -> None:
            clip = ClipSpec(
                student % 256, setup.width, setup.height, setup.fps, layers=setup.layers, face=True
            )
            async with slots:
                offer = await senders.add(student, clip, Faults(loss=setup.loss, seed=student))
                await senders.accept(student, await _join(http, server.url, offer))

        await asyncio.gather(*(join(student) for student in range(setup.tracks)))
        yield info.id


@asynccontextmanager
async def _janus_class(setup: ClassSetup, server: Server, folder: Path) -> AsyncIterator[str]:
    async with (
        JanusServer(folder) as janus,
        JanusClass(janus.url, OPEN_ROOM, setup.tracks, size=(setup.width, setup.height), faces=True),
    ):
        info = await server.sessions.start(janus.room_url(), "Benchmark")
        await asyncio.sleep(setup.tracks * _JANUS_CONNECTION_S)
        yield info.id


async def _join(http: aiohttp.ClientSession, url: str, offer: str) -> str:
    fields = {"sdp": offer, "type": "offer", "name": None, "consent": True, "individual": False}
    async with http.post(f"{url}/api/companion/{_CODE}/offer", json=fields) as response:
        answer = await response.json()
    if response.status != 200:
        raise RuntimeError(f"the server refused a student: {answer.get('error')}")
    return str(answer["sdp"])
