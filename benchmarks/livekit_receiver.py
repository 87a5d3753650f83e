"""Measures one process that receives a LiveKit room: ours, stock aiortc, or LiveKit's native SDK.

``receive_livekit`` starts it as a program. It reads a ``Plan`` as JSON from the command line, joins the room,
measures once every student is seen, and prints a ``Measurement`` as JSON.
"""

from __future__ import annotations

import asyncio
import json
import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from benchmarks.resources import resident_mb, threads_now, udp_drops
from benchmarks.simulation.faults import Faults, impaired_network
from benchmarks.simulation.frame_times import FPS, age_s
from benchmarks.simulation.livekit_server import API_KEY, API_SECRET, make_token

_WARM_UP_S: Final = 3.0
_LATE_FRAMES_S: Final = 1.0
_SEEN_WITHIN_S: Final = 90.0
_ALL_LAYERS: Final = 3


@dataclass(frozen=True, slots=True)
class Plan:
    """What to receive.

    Attributes:
        receiver: ``ours``, ``stock`` or ``native``.
        url: ``ws://`` address of the server.
        room: Name of the room.
        tracks: Number of students; they are there before the receiver.
        seconds: How long to measure.
        wanted_fps: Frame rate that our receiver asks for; 0 for all frames.
        loss: Share of packets lost on the way to our receiver.
        reorder: Share of packets reordered on the way to our receiver.
    """

    receiver: str
    url: str
    room: str
    tracks: int
    seconds: float
    wanted_fps: float
    loss: float = 0.0
    reorder: float = 0.0


@dataclass(slots=True)
class Measurement:
    """The result of a plan. All but the first four fields are known only of our receiver.

    Attributes:
        cpu_ms_per_track_s: CPU time of this process for one second of one track, milliseconds.
        delivered: Frames delivered while measuring.
        threads: Threads of this process.
        rss_mb: Resident memory at the end, MiB.
        sent: Frames that the students sent in a second period, in which each frame is checked.
        shown: Number of these that were delivered.
        fewest_share: Smallest share of a student's frames that was delivered.
        longest_gap_s: Longest time between two frames of a student that were delivered.
        silent: Students without a frame.
        wrong: Frames that show another student.
        ages_ms: Age of each frame on delivery.
        udp_drops: Datagrams that the kernel dropped because a receive buffer was full.
    """

    cpu_ms_per_track_s: float = 0.0
    delivered: int = 0
    threads: int = 0
    rss_mb: float = 0.0
    sent: int = 0
    shown: int = 0
    fewest_share: float = 0.0
    longest_gap_s: float = 0.0
    silent: int = 0
    wrong: int = 0
    ages_ms: list[float] = field(default_factory=list)
    udp_drops: int = 0


async def _ours(plan: Plan) -> Measurement:
    # Imported here: ``bot.webrtc`` patches aiortc for the whole process, which stock aiortc must not get.
    from benchmarks.receive_janus import delivered
    from benchmarks.watcher import Watcher
    from bot.config import LiveKitSettings, WebrtcSettings
    from bot.rooms.livekit.adapter import parse_url
    from bot.rooms.livekit.room import LiveKitRoom

    settings = LiveKitSettings.model_validate({"api_key": API_KEY, "api_secret": API_SECRET})
    address, access = await asyncio.to_thread(parse_url, f"livekit+{plan.url}/{plan.room}", settings)
    # With two frames asked for each that is analysed, every one of the students' frames is shown.
    samples_per_s = plan.wanted_fps / 2 or FPS
    found = Measurement()
    is_impaired = plan.loss or plan.reorder
    with impaired_network(Faults(plan.loss, plan.reorder)) if is_impaired else nullcontext():
        room = LiveKitRoom(address, access, WebrtcSettings(), samples_per_s=samples_per_s)
        watcher = Watcher(room)
        async with room:
            watching = asyncio.create_task(watcher.watch())
            if not await watcher.wait_until(lambda seen: len(seen.fresh_s) == plan.tracks):
                raise RuntimeError(f"only {len(watcher.seen.fresh_s)} of {plan.tracks} students were seen")
            drops = udp_drops()
            watcher.checking = False
            await _measure(plan, found, lambda: watcher.seen.frames)
            watcher.checking = True
            await asyncio.sleep(_WARM_UP_S)
            began_s = time.monotonic()
            await asyncio.sleep(plan.seconds)
            ended_s = time.monotonic()
            found.udp_drops = udp_drops() - drops
            await asyncio.sleep(_LATE_FRAMES_S)
        await watching
    seen = watcher.seen
    shares = delivered(seen, range(plan.tracks), (began_s, ended_s), _ALL_LAYERS)
    found.sent, found.shown, found.fewest_share = shares.sent, shares.shown, shares.fewest_share
    found.longest_gap_s, found.silent, found.wrong = shares.longest_gap_s, shares.silent, seen.wrong
    found.ages_ms = [
        age_s(student, frame, at_s) * 1000
        for student, shown in seen.shown.items()
        for frame, at_s in shown
        if began_s <= at_s <= ended_s
    ]
    return found


async def _measure(plan: Plan, found: Measurement, count: Callable[[], int]) -> None:
    """Measure CPU time and frames."""
    await asyncio.sleep(_WARM_UP_S)
    before, began_s, cpu_s = count(), time.monotonic(), time.process_time()
    await asyncio.sleep(plan.seconds)
    ended_s, cpu_s = time.monotonic(), time.process_time() - cpu_s
    found.delivered = count() - before
    found.cpu_ms_per_track_s = cpu_s * 1000 / (ended_s - began_s) / plan.tracks
    found.threads, found.rss_mb = threads_now(), resident_mb()


class _Counter:
    """Counts frames, and remembers when each track had its last one."""

    def __init__(self) -> None:
        self.frames = 0
        self._newest_s: dict[object, float] = {}

    def add(self, track: object) -> None:
        self.frames += 1
        self._newest_s[track] = time.monotonic()

    async def wait_for(self, tracks: int) -> None:
        """Wait until all tracks have had a frame within a second: stock aiortc may freeze at the beginning.

        Raises:
            RuntimeError: that has not happened in time.
        """
        until_s = time.monotonic() + _SEEN_WITHIN_S
        while sum(newest_s > time.monotonic() - 1 for newest_s in self._newest_s.values()) < tracks:
            if time.monotonic() > until_s:
                raise RuntimeError(f"the {tracks} students were never all seen at the same time")
            await asyncio.sleep(0.2)


async def _stock(plan: Plan) -> Measurement:
    """Receive with aiortc as it is, over LiveKit's protocol with one subscription to all tracks."""
    from aiohttp import ClientSession
    from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
    from aiortc.mediastreams import MediaStreamError
    from aiortc.sdp import candidate_from_sdp
    from livekit.protocol import rtc

    found, counter, tasks = Measurement(), _Counter(), set[asyncio.Task[None]]()
    configuration = RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE)
    connection = RTCPeerConnection(configuration)

    async def read(track: Any) -> None:
        try:
            while True:
                await track.recv()
                counter.add(track.id)
        except MediaStreamError:
            return

    connection.on("track", lambda track: tasks.add(asyncio.create_task(read(track))))
    connected = asyncio.Event()

    def on_state() -> None:
        if connection.connectionState == "connected":
            connected.set()

    connection.on("connectionstatechange", on_state)
    candidates: list[str] = []
    sids: list[str] = []

    async def add_candidate(line: str) -> None:
        if not line:
            return
        candidate = candidate_from_sdp(line.removeprefix("candidate:"))
        candidate.sdpMLineIndex = 0
        await connection.addIceCandidate(candidate)

    async with ClientSession() as client:
        headers = {"Authorization": f"Bearer {make_token(plan.room, 'stock')}"}
        query = {"protocol": "16", "auto_subscribe": "0"}
        async with client.ws_connect(f"{plan.url}/rtc", params=query, headers=headers) as socket:

            async def follow() -> None:
                async for message in socket:
                    answer = rtc.SignalResponse.FromString(message.data)
                    if answer.HasField("join"):
                        for student in answer.join.other_participants:
                            sids.extend(track.sid for track in student.tracks)
                    if answer.HasField("trickle"):
                        line = json.loads(answer.trickle.candidateInit)["candidate"]
                        if connection.remoteDescription is None:
                            candidates.append(line)
                        else:
                            await add_candidate(line)
                    if answer.HasField("offer"):
                        offer = RTCSessionDescription(answer.offer.sdp, "offer")
                        await connection.setRemoteDescription(offer)
                        for line in candidates:
                            await add_candidate(line)
                        candidates.clear()
                        await connection.setLocalDescription(await connection.createAnswer())
                        sdp = connection.localDescription.sdp
                        reply = rtc.SessionDescription(type="answer", sdp=sdp, id=answer.offer.id)
                        await socket.send_bytes(rtc.SignalRequest(answer=reply).SerializeToString())

            tasks.add(asyncio.create_task(follow()))
            # aiortc starts no receiver of an offer that comes before the connection is made.
            await connected.wait()
            wanted = rtc.UpdateSubscription(track_sids=sids, subscribe=True)
            await socket.send_bytes(rtc.SignalRequest(subscription=wanted).SerializeToString())
            await counter.wait_for(plan.tracks)
            await _measure(plan, found, lambda: counter.frames)
            await connection.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    return found


async def _native(plan: Plan) -> Measurement:
    """Receive with LiveKit's native SDK."""
    from livekit import rtc

    found, counter, tasks = Measurement(), _Counter(), set[asyncio.Task[None]]()
    room = rtc.Room()

    async def read(track: Any) -> None:
        async for _ in rtc.VideoStream(track):
            counter.add(track.sid)

    def on_track(track: Any, *_: object) -> None:
        if track.kind == rtc.TrackKind.KIND_VIDEO:
            tasks.add(asyncio.create_task(read(track)))

    room.on("track_subscribed", on_track)
    await room.connect(plan.url, make_token(plan.room, "native"))
    await counter.wait_for(plan.tracks)
    await _measure(plan, found, lambda: counter.frames)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    await room.disconnect()
    return found


if __name__ == "__main__":
    logging.getLogger("livekit").setLevel(logging.ERROR)
    plan = Plan(**json.loads(sys.argv[1]))
    if plan.receiver == "ours":
        import uvloop

        result = uvloop.run(_ours(plan))
    else:
        result = asyncio.run(_stock(plan) if plan.receiver == "stock" else _native(plan))
    print(json.dumps(asdict(result)), flush=True)
    if plan.receiver == "native":
        os._exit(0)  # threads of the SDK can abort the process while the interpreter ends
