"""Measures one receiving process: ours or stock aiortc. ``receive`` starts it as a program.

It reads a ``Plan`` as JSON from the command line and prints a ``Measurement`` as JSON. A frame counts as
delivered when ``recv`` of the track returns it.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from benchmarks.resources import resident_mb, threads_now, udp_drops
from benchmarks.simulation.clips import ClipSpec, read_identity
from benchmarks.simulation.faults import Faults
from benchmarks.simulation.senders import SenderProcess

_CONCURRENT_JOINS: Final = 5
_WARM_UP_S: Final = 3.0
_CLOCK_HZ: Final = 90_000
_IDENTITIES: Final = 256


@dataclass(frozen=True, slots=True)
class Plan:
    """What to receive.

    Attributes:
        stock: Whether aiortc's own receiver is measured.
        tracks: Number of cameras.
        width: Pixels.
        height: Pixels.
        fps: Frames a second of each camera.
        layers: Temporal layers, 1 or 3.
        seconds: How long to measure.
        loss: Share of packets lost.
        wanted_fps: Frame rate that our receiver is set to; 0 for all frames. Stock aiortc has no such option.
        reorder: Share of packets that arrive after the next two.
    """

    stock: bool
    tracks: int
    width: int
    height: int
    fps: int
    layers: int
    seconds: float
    loss: float
    wanted_fps: float
    reorder: float = 0.0


@dataclass(slots=True)
class Measurement:
    """The result of a plan.

    Attributes:
        cpu_ms_per_track_s: CPU time of this process for one second of one track, milliseconds.
        delivered: Frames delivered while measuring.
        silent_tracks: Tracks without a frame.
        fewest_on_a_track: Frames of the track with the fewest.
        longest_gap_s: Longest time without a frame, of any track.
        wrong: Frames that show another student.
        latencies_ms: Time from sending to delivery of each frame; only for our receiver.
        threads: Threads of this process.
        rss_mb: Resident memory in MiB at the start and at the end.
        udp_drops: Datagrams that the kernel dropped because a receive buffer was full.
        sent: Frames sent while measuring.
    """

    cpu_ms_per_track_s: float = 0.0
    delivered: int = 0
    silent_tracks: int = 0
    fewest_on_a_track: int = 0
    longest_gap_s: float = 0.0
    wrong: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    threads: int = 0
    rss_mb: tuple[float, float] = (0.0, 0.0)
    udp_drops: int = 0
    sent: int = 0


class _Counter:
    """Counts the frames of the tracks between ``begin`` and ``end``."""

    def __init__(self, tracks: int) -> None:
        self.counts = [0] * tracks
        self.latencies_ms: list[float] = []
        self.wrong = 0
        self.longest_gap_s = 0.0
        self._last_s = [0.0] * tracks
        self._open = False

    def begin(self) -> None:
        self._open = True
        self._last_s = [time.monotonic()] * len(self.counts)

    def end(self) -> None:
        self._open = False
        now_s = time.monotonic()
        self.longest_gap_s = max([self.longest_gap_s, *(now_s - last_s for last_s in self._last_s)])

    def add(self, track: int, latency_ms: float | None, identity: int | None) -> None:
        if not self._open:
            return
        now_s = time.monotonic()
        self.longest_gap_s = max(self.longest_gap_s, now_s - self._last_s[track])
        self._last_s[track] = now_s
        self.counts[track] += 1
        if latency_ms is not None:
            self.latencies_ms.append(latency_ms)
        if identity is not None and identity != track % _IDENTITIES:
            self.wrong += 1


async def run(plan: Plan) -> Measurement:
    """Connect all cameras, warm up, measure, and close."""
    counter = _Counter(plan.tracks)
    async with SenderProcess() as senders, _receivers(plan, counter) as connect:
        slots = asyncio.Semaphore(_CONCURRENT_JOINS)

        async def join(track: int) -> None:
            clip = ClipSpec(track % _IDENTITIES, plan.width, plan.height, plan.fps, layers=plan.layers)
            async with slots:
                offer = await senders.add(track, clip, Faults(plan.loss, plan.reorder, seed=track))
                await senders.accept(track, await connect(track, offer))

        await asyncio.gather(*(join(track) for track in range(plan.tracks)))
        await asyncio.sleep(_WARM_UP_S)
        before = await senders.sent()
        drops, rss = udp_drops(), resident_mb()
        began_s, cpu_s = time.monotonic(), time.process_time()
        counter.begin()
        await asyncio.sleep(plan.seconds)
        counter.end()
        cpu_s, took_s = time.process_time() - cpu_s, time.monotonic() - began_s
        measurement = Measurement(
            cpu_ms_per_track_s=cpu_s * 1000 / took_s / plan.tracks,
            delivered=sum(counter.counts),
            silent_tracks=counter.counts.count(0),
            fewest_on_a_track=min(counter.counts),
            longest_gap_s=counter.longest_gap_s,
            wrong=counter.wrong,
            latencies_ms=counter.latencies_ms,
            threads=threads_now(),
            rss_mb=(rss, resident_mb()),
            udp_drops=udp_drops() - drops,
        )
        after = await senders.sent()
        measurement.sent = sum(after[track]["frames"] - before[track]["frames"] for track in after)
    return measurement


_Connect = Callable[[int, str], Awaitable[str]]


@asynccontextmanager
async def _receivers(plan: Plan, counter: _Counter) -> AsyncIterator[_Connect]:
    """Provide a function that answers the offer of a track; all its connections are closed at the end."""
    tasks: list[asyncio.Task[None]] = []
    async with _stock(tasks, counter) if plan.stock else _ours(plan, tasks, counter) as connect:
        yield connect
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _stock(tasks: list[asyncio.Task[None]], counter: _Counter) -> AsyncIterator[_Connect]:
    connections: list[RTCPeerConnection] = []

    async def connect(track: int, offer: str) -> str:
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        connections.append(connection)
        await connection.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
        await connection.setLocalDescription(await connection.createAnswer())
        tasks.append(asyncio.create_task(read(track, connection.getReceivers()[0].track)))
        return str(connection.localDescription.sdp)

    async def read(track: int, source: Any) -> None:
        try:
            while True:
                await source.recv()
                counter.add(track, None, None)
        except MediaStreamError:
            return

    yield connect
    await asyncio.gather(*(connection.close() for connection in connections))


@asynccontextmanager
async def _ours(plan: Plan, tasks: list[asyncio.Task[None]], counter: _Counter) -> AsyncIterator[_Connect]:
    # Imported here: ``bot.webrtc`` patches aiortc for the whole process, which stock aiortc must not get.
    from bot.config import WebrtcSettings
    from bot.tracks import LatestFrameTrack, TrackEnded
    from bot.webrtc.batch_ticks import BatchTicks
    from bot.webrtc.peer import ReceivingPeer
    from bot.webrtc.receive_options import ReceiveOptions

    peers: list[ReceivingPeer] = []
    with ThreadPoolExecutor(2, thread_name_prefix="decode") as threads:
        options = ReceiveOptions(WebrtcSettings(), threads, BatchTicks(), plan.wanted_fps or None)

        async def connect(track: int, offer: str) -> str:
            camera = LatestFrameTrack(str(track), str(track))
            peer = ReceivingPeer(camera, options, lambda _peer, _state: None)
            peers.append(peer)
            answer = await peer.answer(offer)
            tasks.append(asyncio.create_task(read(track, camera)))
            return answer

        async def read(track: int, camera: LatestFrameTrack) -> None:
            try:
                while True:
                    frame = await camera.recv()
                    if frame.av_frame is None:
                        continue
                    age = (int(time.monotonic() * _CLOCK_HZ) - (frame.av_frame.pts or 0)) & 0xFFFFFFFF
                    counter.add(track, age * 1000 / _CLOCK_HZ, read_identity(frame.luma()))
            except TrackEnded:
                return

        yield connect
        await asyncio.gather(*(peer.close() for peer in peers))


if __name__ == "__main__":
    plan = Plan(**json.loads(sys.argv[1]))
    if plan.stock:
        result = asyncio.run(run(plan))
    else:
        import uvloop

        result = uvloop.run(run(plan))
    print(json.dumps(asdict(result)))
