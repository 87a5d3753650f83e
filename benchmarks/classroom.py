"""``benchmarks classroom``: a whole class through the whole program, from packets to windows on the page.

The server runs here as it always does, with a database in a temporary folder; simulated students with a
drawn face join its embedded room from a process of their own.
"""

from __future__ import annotations

import asyncio
import os
import tempfile
import time
from pathlib import Path
from typing import Any, Final

import aiohttp

from benchmarks.figures import percentiles
from benchmarks.resources import resident_mb, threads_now
from benchmarks.simulation.clips import ClipSpec
from benchmarks.simulation.senders import SenderProcess
from benchmarks.simulation.student import Faults
from bot.app import serving
from bot.class_stats import ClassStats
from bot.config import Settings, StoreSettings, WebSettings

_AT_ONCE: Final = 4
_WARM_UP_S: Final = 6.0
_CODE: Final = "benchmark"


class _Recorded(ClassStats):
    """Keeps every timing, while it is open."""

    def __init__(self) -> None:
        super().__init__()
        self.open = False
        self.readings_ms: list[float] = []
        self.events_ms: list[float] = []
        self.analysed: list[int] = []

    def sample(self, took_s: float) -> None:
        super().sample(took_s)
        if self.open:
            self.readings_ms.append(took_s * 1000)

    def window(self, behind_s: float, analysed: int) -> None:
        super().window(behind_s, analysed)
        if self.open:
            self.events_ms.append(behind_s * 1000)
            self.analysed.append(analysed)


async def attend(
    tracks: int, width: int, height: int, fps: int, layers: int, seconds: float, loss: float
) -> dict[str, Any]:
    """Hold a class and measure it once everyone is there."""
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings(
            store=StoreSettings(url=f"sqlite:///{Path(folder) / 'benchmark.db'}"),
            web=WebSettings(port=0, token_file=Path(folder) / "token"),
        )
        async with serving(settings) as server, SenderProcess() as senders:
            info = await server.sessions.start(f"companion:{_CODE}?synthetic=1", "Benchmark")
            running = server.sessions.running(info.id)
            if running is None:
                raise RuntimeError("the class ended at once")
            stats = running.stats = _Recorded()
            async with aiohttp.ClientSession() as http:
                gate = asyncio.Semaphore(_AT_ONCE)

                async def join(student: int) -> None:
                    clip = ClipSpec(student % 256, width, height, fps, layers=layers, face=True)
                    async with gate:
                        offer = await senders.add(student, clip, Faults(loss=loss, seed=student))
                        answer = await _join(http, server.url, offer)
                        await senders.accept(student, answer)

                await asyncio.gather(*(join(student) for student in range(tracks)))
            await asyncio.sleep(_WARM_UP_S)
            rss_mb, began_s, cpu_s = resident_mb(), time.monotonic(), time.process_time()
            stats.open = True
            await asyncio.sleep(seconds)
            stats.open = False
            cores = (time.process_time() - cpu_s) / (time.monotonic() - began_s)
            found = {
                "tracks": tracks,
                "size": f"{width}x{height}",
                "seconds": seconds,
                "cpu_ms_per_track_s": round(cores * 1000 / tracks, 2),
                "stock_cpu_ms_per_track_s": None,
                "ratio": None,
                "delivered": len(stats.readings_ms),
                "latency_ms": percentiles(stats.readings_ms),
                "threads": threads_now(),
                "rss_mb": {"start": round(rss_mb, 1), "end": round(resident_mb(), 1)},
                "cores": round(cores, 3),
                "frame_to_event_ms": percentiles(stats.events_ms),
                "fps": fps,
                "layers": layers,
                "loss": loss,
                "samples_per_s": settings.analysis.samples_per_s,
                "windows": len(stats.events_ms),
                "fewest_analysed": min(stats.analysed, default=0),
                "machine_cores": os.cpu_count(),
            }
            await server.sessions.end(info.id, "The benchmark is over.")
    return found


async def _join(http: aiohttp.ClientSession, url: str, offer: str) -> str:
    fields = {"sdp": offer, "type": "offer", "name": None, "consent": True, "individual": False}
    async with http.post(f"{url}/api/companion/{_CODE}/offer", json=fields) as response:
        answer = await response.json()
    if response.status != 200:
        raise RuntimeError(f"a student was refused: {answer.get('error')}")
    return str(answer["sdp"])
