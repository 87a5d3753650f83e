"""One receiving process, measured: ours or stock aiortc. Run by ``receive`` as a program of its own.

Comes in: a ``Plan`` as JSON on the command line. Goes out: a ``Measured`` as JSON on standard output.
Everything read is counted: of ours the pictures the track gave, of stock those of ``track.recv()``.
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

_AT_ONCE: Final = 5
_WARM_UP_S: Final = 3.0
_CLOCK: Final = 90_000
_IDENTITIES: Final = 256


@dataclass(frozen=True, slots=True)
class Plan:
    """What to receive.

    Attributes:
        stock: Whether aiortc's own receiver is measured.
        tracks: Cameras.
        width: Pixels.
        height: Pixels.
        fps: Pictures a second of each.
        layers: Temporal layers, 1 or 3.
        seconds: How long to measure.
        loss: Share of packets lost.
        wanted_fps: Pictures a second asked of ours; 0 for all.
        reorder: Share of packets overtaken.
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
class Measured:
    """What came of it.

    Attributes:
        cpu_ms_per_track_s: CPU milliseconds of this process a second of one track.
        delivered: Pictures given out while measuring.
        silent_tracks: Tracks that gave none.
        slowest_track: Pictures of the track that gave the fewest.
        longest_gap_s: Longest time without a picture, of any track.
        wrong: Pictures that show somebody else.
        latencies_ms: From the picture's time at the sender until it was given out; of ours only.
        threads: Threads of this process.
        rss_mb: At the start and at the end of measuring.
        udp_drops: Datagrams the kernel dropped for want of buffer.
        sent: Pictures sent while measuring.
    """

    cpu_ms_per_track_s: float = 0.0
    delivered: int = 0
    silent_tracks: int = 0
    slowest_track: int = 0
    longest_gap_s: float = 0.0
    wrong: int = 0
    latencies_ms: list[float] = field(default_factory=list)
    threads: int = 0
    rss_mb: tuple[float, float] = (0.0, 0.0)
    udp_drops: int = 0
    sent: int = 0


class _Tally:
    """Counts the pictures of the tracks, while it is open."""

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


async def run(plan: Plan) -> Measured:
    """Connect, warm up, measure, close."""
    tally = _Tally(plan.tracks)
    async with SenderProcess() as senders, _receivers(plan, tally) as connect:
        gate = asyncio.Semaphore(_AT_ONCE)

        async def join(track: int) -> None:
            clip = ClipSpec(track % _IDENTITIES, plan.width, plan.height, plan.fps, layers=plan.layers)
            async with gate:
                offer = await senders.add(track, clip, Faults(plan.loss, plan.reorder, seed=track))
                await senders.accept(track, await connect(track, offer))

        await asyncio.gather(*(join(track) for track in range(plan.tracks)))
        await asyncio.sleep(_WARM_UP_S)
        before = await senders.sent()
        drops, rss = udp_drops(), resident_mb()
        began_s, cpu_s = time.monotonic(), time.process_time()
        tally.begin()
        await asyncio.sleep(plan.seconds)
        tally.end()
        cpu_s, took_s = time.process_time() - cpu_s, time.monotonic() - began_s
        measured = Measured(
            cpu_ms_per_track_s=cpu_s * 1000 / took_s / plan.tracks,
            delivered=sum(tally.counts),
            silent_tracks=tally.counts.count(0),
            slowest_track=min(tally.counts),
            longest_gap_s=tally.longest_gap_s,
            wrong=tally.wrong,
            latencies_ms=tally.latencies_ms,
            threads=threads_now(),
            rss_mb=(rss, resident_mb()),
            udp_drops=udp_drops() - drops,
        )
        after = await senders.sent()
        measured.sent = sum(after[track]["pictures"] - before[track]["pictures"] for track in after)
    return measured


_Connect = Callable[[int, str], Awaitable[str]]


@asynccontextmanager
async def _receivers(plan: Plan, tally: _Tally) -> AsyncIterator[_Connect]:
    """Gives a function that answers the offer of a track; what it opened is closed at the end."""
    tasks: list[asyncio.Task[None]] = []
    async with _stock(tasks, tally) if plan.stock else _ours(plan, tasks, tally) as connect:
        yield connect
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


@asynccontextmanager
async def _stock(tasks: list[asyncio.Task[None]], tally: _Tally) -> AsyncIterator[_Connect]:
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
                tally.add(track, None, None)
        except MediaStreamError:
            return

    yield connect
    await asyncio.gather(*(connection.close() for connection in connections))


@asynccontextmanager
async def _ours(plan: Plan, tasks: list[asyncio.Task[None]], tally: _Tally) -> AsyncIterator[_Connect]:
    # Imported here: it mends aiortc's tables for the whole process.
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
                    age = (int(time.monotonic() * _CLOCK) - (frame.av_frame.pts or 0)) & 0xFFFFFFFF
                    tally.add(track, age * 1000 / _CLOCK, read_identity(frame.luma()))
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
