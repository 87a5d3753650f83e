"""``benchmarks receive``: the CPU time of receiving, with our receiver and with stock aiortc.

Each run is a separate process with its own senders. Runs of the two alternate, so that other load on the
machine affects both alike. The ratio is more reliable than the absolute figures.
"""

from __future__ import annotations

import asyncio
import json
import sys
from dataclasses import asdict, replace
from typing import Any, Final

from benchmarks.figures import percentiles
from benchmarks.receiver_process import Measurement, Plan

_ROUNDS: Final = 2
_TIMEOUT_S: Final = 120.0


async def compare(plan: Plan, *, stock: bool) -> dict[str, Any]:
    """Measure our receiver and stock aiortc in alternating runs.

    Args:
        plan: What to receive. ``seconds`` is the total over all runs of one receiver.
        stock: Whether stock aiortc is measured too.
    """
    one_run = replace(plan, seconds=plan.seconds / _ROUNDS)
    our_runs: list[Measurement] = []
    stock_runs: list[Measurement] = []
    for _ in range(_ROUNDS):
        our_runs.append(await _run_once(one_run))
        if stock:
            stock_runs.append(await _run_once(replace(one_run, stock=True)))
    cost, stock_cost = _mean_cost(our_runs), _mean_cost(stock_runs)
    delivered, sent = sum(run.delivered for run in our_runs), sum(run.sent for run in our_runs)
    return {
        "tracks": plan.tracks,
        "size": f"{plan.width}x{plan.height}",
        "seconds": plan.seconds,
        "cpu_ms_per_track_s": cost,
        "stock_cpu_ms_per_track_s": stock_cost,
        "ratio": None if cost is None or not stock_cost else round(cost / stock_cost, 3),
        "delivered": delivered,
        "latency_ms": percentiles([latency for run in our_runs for latency in run.latencies_ms]),
        "threads": max(run.threads for run in our_runs),
        "rss_mb": {"start": round(our_runs[-1].rss_mb[0], 1), "end": round(our_runs[-1].rss_mb[1], 1)},
        "fps": plan.fps,
        "layers": plan.layers,
        "loss": plan.loss,
        "reorder": plan.reorder,
        "wanted_fps": plan.wanted_fps or None,
        "sent": sent,
        "delivered_share": round(delivered / sent, 3) if sent else None,
        "silent_tracks": max(run.silent_tracks for run in our_runs),
        "fewest_on_a_track": min(run.fewest_on_a_track for run in our_runs),
        "longest_gap_s": round(max(run.longest_gap_s for run in our_runs), 2),
        "wrong_student": sum(run.wrong for run in our_runs),
        "udp_drops": sum(run.udp_drops for run in our_runs),
        "stock_delivered": sum(run.delivered for run in stock_runs) if stock_runs else None,
        "stock_silent_tracks": max(run.silent_tracks for run in stock_runs) if stock_runs else None,
        "stock_fewest_on_a_track": min(run.fewest_on_a_track for run in stock_runs) if stock_runs else None,
        "stock_longest_gap_s": round(max(run.longest_gap_s for run in stock_runs), 2) if stock_runs else None,
        "stock_threads": max(run.threads for run in stock_runs) if stock_runs else None,
    }


def _mean_cost(runs: list[Measurement]) -> float | None:
    if not runs:
        return None
    return round(sum(run.cpu_ms_per_track_s for run in runs) / len(runs), 2)


async def _run_once(plan: Plan) -> Measurement:
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "benchmarks.receiver_process",
        json.dumps(asdict(plan)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), plan.seconds + _TIMEOUT_S)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise RuntimeError("a measurement did not end in time: is the machine overloaded?") from None
    if process.returncode:
        raise RuntimeError(f"a measurement failed with exit code {process.returncode}")
    return Measurement(**json.loads(output))
