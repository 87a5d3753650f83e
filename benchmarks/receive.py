"""``benchmarks receive``: what receiving costs, ours and stock aiortc in turn.

Each turn is a process of its own with a sender of its own; the turns are interleaved, so that what else the
machine does falls on both alike. Trust the ratio.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, replace
from typing import Any, Final

from benchmarks.figures import percentiles
from benchmarks.measured import Measured, Plan

_ROUNDS: Final = 2
_PATIENCE_S: Final = 120.0


async def compare(plan: Plan, *, stock: bool) -> dict[str, Any]:
    """Measure in turns.

    Args:
        plan: What to receive; ``seconds`` is for each of the two, over all its turns.
        stock: Whether stock aiortc is measured too.
    """
    turn = replace(plan, seconds=plan.seconds / _ROUNDS)
    ours: list[Measured] = []
    theirs: list[Measured] = []
    for _ in range(_ROUNDS):
        ours.append(await _turn(turn))
        if stock:
            theirs.append(await _turn(replace(turn, stock=True)))
    cost, stock_cost = _mean_cost(ours), _mean_cost(theirs)
    delivered, sent = sum(turn.delivered for turn in ours), sum(turn.sent for turn in ours)
    return {
        "tracks": plan.tracks,
        "size": f"{plan.width}x{plan.height}",
        "seconds": plan.seconds,
        "cpu_ms_per_track_s": cost,
        "stock_cpu_ms_per_track_s": stock_cost,
        "ratio": None if cost is None or not stock_cost else round(cost / stock_cost, 3),
        "delivered": delivered,
        "latency_ms": percentiles([latency for turn in ours for latency in turn.latencies_ms]),
        "threads": max(turn.threads for turn in ours),
        "rss_mb": {"start": round(ours[-1].rss_mb[0], 1), "end": round(ours[-1].rss_mb[1], 1)},
        "fps": plan.fps,
        "layers": plan.layers,
        "loss": plan.loss,
        "reorder": plan.reorder,
        "wanted_fps": plan.wanted_fps or None,
        "sent": sent,
        "delivered_share": round(delivered / sent, 3) if sent else None,
        "silent_tracks": max(turn.silent_tracks for turn in ours),
        "fewest_on_a_track": min(turn.slowest_track for turn in ours),
        "longest_gap_s": round(max(turn.longest_gap_s for turn in ours), 2),
        "wrong_student": sum(turn.wrong for turn in ours),
        "udp_drops": sum(turn.udp_drops for turn in ours),
        "stock_delivered": sum(turn.delivered for turn in theirs) if theirs else None,
        "stock_silent_tracks": max(turn.silent_tracks for turn in theirs) if theirs else None,
        "stock_fewest_on_a_track": min(turn.slowest_track for turn in theirs) if theirs else None,
        "stock_longest_gap_s": round(max(turn.longest_gap_s for turn in theirs), 2) if theirs else None,
        "stock_threads": max(turn.threads for turn in theirs) if theirs else None,
    }


def _mean_cost(turns: list[Measured]) -> float | None:
    if not turns:
        return None
    return round(sum(turn.cpu_ms_per_track_s for turn in turns) / len(turns), 2)


async def _turn(plan: Plan) -> Measured:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "benchmarks.measured", json.dumps(asdict(plan)), stdout=asyncio.subprocess.PIPE
    )
    try:
        told, _ = await asyncio.wait_for(process.communicate(), plan.seconds + _PATIENCE_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise RuntimeError("a measurement did not end: is the machine overloaded?") from None
    if process.returncode:
        raise RuntimeError(f"a measurement failed with exit code {process.returncode}")
    return Measured(**json.loads(told))
