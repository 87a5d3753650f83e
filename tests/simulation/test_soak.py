"""The soak in short: nothing is left behind, and nobody is shown for somebody else."""

import pytest

from benchmarks.simulation.clips import ClipSpec
from benchmarks.soak import churn
from tests.cameras import needs_network


@needs_network
@pytest.mark.slow
async def test_coming_and_going_leaves_nothing_behind() -> None:
    clip = ClipSpec(0, 160, 90, seconds=2)
    found = await churn(clip, tracks=6, seconds=45.0, loss=0.02)
    assert found["joins"] > 20
    assert found["reuses"] > 0
    assert found["pictures"] > 100
    assert (found["wrong"], found["old"]) == (0, 0)
    assert found["left"] == []  # names what is left
    assert (found["tasks_left"], found["sockets_left"]) == (0, 0)
    assert found["threads"]["end"] <= found["threads"]["start"] + 1  # a pool's thread may start late
    assert found["rss_growth"] < 0.25  # a leak of stock's kind is several times that
