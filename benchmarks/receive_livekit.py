"""``benchmarks receive --livekit``: the cost of receiving a LiveKit room, compared in one run.

The same students of a real server are received by our receiver, by stock aiortc and by LiveKit's native SDK,
each in a process of its own, one after the other and in turns. The ratios are more reliable than the figures.
"""

from __future__ import annotations

import asyncio
import json
import sys
import tempfile
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, Final

from benchmarks.figures import percentiles
from benchmarks.livekit_receiver import Measurement, Plan
from benchmarks.simulation.frame_times import FPS
from benchmarks.simulation.livekit_server import LiveKitServer
from benchmarks.simulation.livekit_students import LiveKitStudents

_ROOM: Final = "benchmark"
_ROUNDS: Final = 2
_TIMEOUT_S: Final = 180.0


async def receive(
    tracks: int,
    size: tuple[int, int],
    seconds: float,
    wanted_fps: float,
    *,
    loss: float,
    reorder: float,
    others: bool,
) -> dict[str, Any]:
    """Run a class and receive it in turns.

    Args:
        tracks: Number of students. Each sends 15 frames a second.
        size: Width and height of the frames, pixels.
        seconds: How long to measure each receiver in total.
        wanted_fps: Frame rate that our receiver asks the server for; 0 for all frames.
        loss: Share of packets lost between the server and our receiver.
        reorder: Share of these packets that are reordered.
        others: Whether stock aiortc and the native SDK are measured too.

    Raises:
        NoLiveKit: the server cannot be built here.
    """
    kinds = ["ours", "stock", "native"] if others else ["ours"]
    runs: dict[str, list[Measurement]] = {kind: [] for kind in kinds}
    with tempfile.TemporaryDirectory() as folder:
        async with (
            LiveKitServer(Path(folder)) as server,
            LiveKitStudents(server.url, _ROOM, size=size) as students,
        ):
            for student in range(tracks):
                await students.join(student)
            plan = Plan("ours", server.url, _ROOM, tracks, seconds / _ROUNDS, wanted_fps, loss, reorder)
            for _ in range(_ROUNDS):
                for kind in kinds:
                    runs[kind].append(await _run_once(replace(plan, receiver=kind)))
    ours = runs["ours"]
    costs = {
        kind: round(sum(run.cpu_ms_per_track_s for run in done) / len(done), 2) for kind, done in runs.items()
    }
    sent, shown = sum(run.sent for run in ours), sum(run.shown for run in ours)
    return {
        "tracks": tracks,
        "size": f"{size[0]}x{size[1]}",
        "seconds": seconds,
        "fps": FPS,
        "wanted_fps": wanted_fps or None,
        "loss": loss,
        "reorder": reorder,
        "cpu_ms_per_track_s": costs["ours"],
        "stock_cpu_ms_per_track_s": costs.get("stock"),
        "native_cpu_ms_per_track_s": costs.get("native"),
        "ratio": _ratio(costs, "stock"),
        "native_ratio": _ratio(costs, "native"),
        "delivered": {kind: sum(run.delivered for run in done) for kind, done in runs.items()},
        "sent": sent,
        "delivered_share": round(shown / sent, 3) if sent else None,
        "fewest_share": round(min(run.fewest_share for run in ours), 3),
        "silent_tracks": max(run.silent for run in ours),
        "longest_gap_s": round(max(run.longest_gap_s for run in ours), 2),
        "wrong_student": sum(run.wrong for run in ours),
        "latency_ms": percentiles([age for run in ours for age in run.ages_ms]),
        "udp_drops": sum(run.udp_drops for run in ours),
        "threads": {kind: max(run.threads for run in done) for kind, done in runs.items()},
        "rss_mb": {kind: round(done[-1].rss_mb, 1) for kind, done in runs.items()},
    }


def _ratio(costs: dict[str, float], other: str) -> float | None:
    return round(costs["ours"] / costs[other], 3) if costs.get(other) else None


async def _run_once(plan: Plan) -> Measurement:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.livekit_receiver", json.dumps(asdict(plan)),
        stdout=asyncio.subprocess.PIPE,
    )  # fmt: skip
    try:
        output, _ = await asyncio.wait_for(process.communicate(), plan.seconds + _TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise RuntimeError("a measurement did not end in time: is the machine overloaded?") from None
    if process.returncode:
        raise RuntimeError(f"the measurement of {plan.receiver} failed with exit code {process.returncode}")
    return Measurement(**json.loads(output))
