"""``benchmarks receive --janus``: receives a class through a real Janus, over a bad network if wanted.

The network is bad only between Janus and the receiver, so only Janus can retransmit what is lost. Each frame
has its number drawn in, so the clock tells which frames must arrive.
"""

from __future__ import annotations

import asyncio
import tempfile
import time
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import percentiles
from benchmarks.resources import resident_mb, threads_now, udp_drops
from benchmarks.simulation.faults import Faults, impaired_network
from benchmarks.simulation.frame_times import FPS, age_s, frames_between
from benchmarks.simulation.janus_class import JanusClass
from benchmarks.simulation.janus_server import OPEN_ROOM, RTX_TYPE, JanusServer
from benchmarks.watcher import Seen, Watcher
from bot.config import WebrtcSettings
from bot.rooms.janus.adapter import parse_address
from bot.rooms.janus.room import JanusRoom, temporal_layer

_WARM_UP_S: Final = 3.0
_LATE_FRAMES_S: Final = 1.0
"""How long to wait for late frames after the end."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """How many of the sent frames were shown.

    Attributes:
        sent: Frames sent in the requested temporal layers.
        shown: Number of these that were shown.
        fewest_share: Smallest share of a student's frames that was shown.
        longest_gap_s: Longest time between the sending times of two consecutive frames shown, of any layer
            and any student.
        silent: Students without any frame shown.
    """

    sent: int
    shown: int
    fewest_share: float
    longest_gap_s: float
    silent: int


async def receive(
    tracks: int, size: tuple[int, int], seconds: float, faults: Faults, wanted_fps: float
) -> dict[str, Any]:
    """Run a class and measure it once all students are seen.

    Args:
        tracks: Number of students. Each sends 15 frames a second in three layers.
        size: Width and height of the frames, pixels.
        seconds: How long to measure.
        faults: Faults of the network from Janus to the receiver.
        wanted_fps: Frame rate of each camera; the layers to request from Janus follow from it.

    Returns:
        The figures of ``receive`` without those of stock aiortc, and counts of datagrams and retransmissions.

    Raises:
        NoJanus: there is no Janus on this machine.
    """
    samples_per_s = wanted_fps / 2  # the bot requests two frames for each that it analyses
    layers = temporal_layer(samples_per_s) + 1
    with tempfile.TemporaryDirectory() as folder, impaired_network(faults) as traffic:
        server = JanusServer(Path(folder))
        room = JanusRoom(parse_address(server.room_url()), WebrtcSettings(), samples_per_s=samples_per_s)
        watcher = Watcher(room)
        async with server, JanusClass(server.url, OPEN_ROOM, tracks, size=size):
            async with room:
                watching = asyncio.create_task(watcher.watch())
                if not await watcher.wait_until(lambda seen: len(seen.fresh_s) == tracks):
                    raise RuntimeError(f"only {len(watcher.seen.fresh_s)} of {tracks} students were seen")
                await asyncio.sleep(_WARM_UP_S)
                rss_mb, drops = resident_mb(), udp_drops()
                began_s, cpu_s = time.monotonic(), time.process_time()
                await asyncio.sleep(seconds)
                ended_s, cpu_s = time.monotonic(), time.process_time() - cpu_s
                measured = {
                    "cpu_ms_per_track_s": round(cpu_s * 1000 / (ended_s - began_s) / tracks, 2),
                    "stock_cpu_ms_per_track_s": None,
                    "ratio": None,
                    "threads": threads_now(),
                    "rss_mb": {"start": round(rss_mb, 1), "end": round(resident_mb(), 1)},
                    "udp_drops": udp_drops() - drops,
                }
                await asyncio.sleep(_LATE_FRAMES_S)
            await watching
    found = delivered(watcher.seen, range(tracks), (began_s, ended_s), layers)
    return {
        "tracks": tracks,
        "size": f"{size[0]}x{size[1]}",
        "seconds": seconds,
        **measured,
        "delivered": found.shown,
        "latency_ms": percentiles(_ages_ms(watcher.seen, began_s, ended_s)),
        "fps": FPS,
        "layers": 3,
        "layers_asked": layers,
        "wanted_fps": wanted_fps,
        "loss": faults.loss,
        "reorder": faults.reorder,
        "sent": found.sent,
        "delivered_share": round(found.shown / found.sent, 3) if found.sent else None,
        "fewest_share": round(found.fewest_share, 3),
        "silent_tracks": found.silent,
        "longest_gap_s": round(found.longest_gap_s, 2),
        "wrong_student": watcher.seen.wrong,
        "datagrams": {"sent": traffic.sent, "arrived": traffic.arrived},
        "retransmissions": traffic.media[RTX_TYPE],
        "reconnected_cameras": watcher.seen.tracks - tracks,
    }


def delivered(seen: Seen, students: Iterable[int], time_s: tuple[float, float], layers: int) -> Delivered:
    """Compare the frames that were shown with those that were sent.

    Args:
        seen: What was shown.
        students: The students to compare.
        time_s: Start and end of the period in which the frames were sent, monotonic seconds.
        layers: Number of temporal layers requested.
    """
    sent, shown, silent, fewest, longest = 0, 0, 0, 1.0, 0
    for student in students:
        wanted = frames_between(student, *time_s, layers)
        all_shown = {frame for frame, _ in seen.shown.get(student, ())}
        arrived = all_shown & {*wanted}
        sent, shown, silent = sent + len(wanted), shown + len(arrived), silent + (not arrived)
        fewest = min(fewest, len(arrived) / len(wanted))
        between = sorted(frame for frame in all_shown if wanted[0] < frame < wanted[-1])
        ends = [wanted[0], *between, wanted[-1]]
        longest = max(longest, *(after - before for before, after in pairwise(ends)))
    return Delivered(sent, shown, fewest, longest / FPS, silent)


def _ages_ms(seen: Seen, began_s: float, ended_s: float) -> list[float]:
    """The age of each frame when it was shown."""
    return [
        age_s(student, frame, at_s) * 1000
        for student, shown in seen.shown.items()
        for frame, at_s in shown
        if began_s <= at_s <= ended_s
    ]
