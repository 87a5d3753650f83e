"""``benchmarks receive --janus``: a class received through a real Janus, over a bad network if asked.

The way to Janus is good, the way from there to the receiver is bad: what is lost there Janus alone can send
again. Which pictures must have come is known from the clock, since each says its number.
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
from benchmarks.simulation.faults import Faults, bad_way_here
from benchmarks.simulation.janus_class import FPS, JanusClass, age_s, pictures_between
from benchmarks.simulation.janus_server import OPEN_ROOM, RTX_TYPE, JanusServer
from benchmarks.watcher import Seen, Watcher
from bot.config import WebrtcSettings
from bot.rooms.janus.adapter import parse_address
from bot.rooms.janus.room import JanusRoom, temporal_layer

_WARM_UP_S: Final = 3.0
_LATECOMERS_S: Final = 1.0
"""How long a picture is waited for after the end."""


@dataclass(frozen=True, slots=True)
class Delivered:
    """What came of the pictures asked for.

    Attributes:
        sent: Pictures sent, of the layers asked for.
        shown: Of them, those shown.
        fewest_share: Of the student of whom the smallest share was shown.
        longest_gap_s: Longest time between two pictures shown one after the other, whatever their layer, of
            any student, by when they were sent.
        silent: Students of whom nothing was shown.
    """

    sent: int
    shown: int
    fewest_share: float
    longest_gap_s: float
    silent: int


async def receive(
    tracks: int, size: tuple[int, int], seconds: float, faults: Faults, wanted_fps: float
) -> dict[str, Any]:
    """Hold a class and measure it once everyone is seen.

    Args:
        tracks: Students.
        size: Of their pictures, pixels; 15 a second in three layers.
        seconds: How long to measure.
        faults: On the way from Janus.
        wanted_fps: Pictures there is use for; which layers Janus is asked for follows from it.

    Returns:
        Figures as of ``receive``, ``stock`` ones aside, and what became of the packets.

    Raises:
        NoJanus: there is no Janus here.
    """
    samples_per_s = wanted_fps / 2  # the bot has use for two pictures for each it looks at
    layers = temporal_layer(samples_per_s) + 1
    with tempfile.TemporaryDirectory() as folder, bad_way_here(faults) as passed:
        server = JanusServer(Path(folder))
        room = JanusRoom(parse_address(server.room_url()), WebrtcSettings(), samples_per_s=samples_per_s)
        watcher = Watcher(room)
        async with server, JanusClass(server.url, OPEN_ROOM, tracks, size=size):
            async with room:
                watching = asyncio.create_task(watcher.watch())
                if not await watcher.until(lambda seen: len(seen.fresh_s) == tracks):
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
                await asyncio.sleep(_LATECOMERS_S)
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
        "datagrams": {"sent": passed.sent, "arrived": passed.arrived},
        "retransmissions": passed.media[RTX_TYPE],
        "reconnected_cameras": watcher.seen.tracks - tracks,
    }


def delivered(seen: Seen, students: Iterable[int], time_s: tuple[float, float], layers: int) -> Delivered:
    """Hold what was shown against what was sent.

    Args:
        seen: What was shown.
        students: Whom to look at.
        time_s: From when until when the pictures were sent, monotonic seconds.
        layers: How many temporal layers were asked for.
    """
    sent, shown, silent, fewest, longest = 0, 0, 0, 1.0, 0
    for student in students:
        wanted = pictures_between(student, *time_s, layers)
        all_shown = {picture for picture, _ in seen.shown.get(student, ())}
        came = all_shown & {*wanted}
        sent, shown, silent = sent + len(wanted), shown + len(came), silent + (not came)
        fewest = min(fewest, len(came) / len(wanted))
        between = sorted(picture for picture in all_shown if wanted[0] < picture < wanted[-1])
        ends = [wanted[0], *between, wanted[-1]]
        longest = max(longest, *(after - before for before, after in pairwise(ends)))
    return Delivered(sent, shown, fewest, longest / FPS, silent)


def _ages_ms(seen: Seen, began_s: float, ended_s: float) -> list[float]:
    """How old each picture was when it was shown."""
    return [
        age_s(student, picture, at_s) * 1000
        for student, shown in seen.shown.items()
        for picture, at_s in shown
        if began_s <= at_s <= ended_s
    ]
