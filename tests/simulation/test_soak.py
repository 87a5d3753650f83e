"""A short soak: nothing leaks, and no student is shown as another one."""

import pytest

from benchmarks.simulation.clips import ClipSpec
from benchmarks.soak import churn
from tests.cameras import needs_network


@needs_network
@pytest.mark.slow
async def test_joins_and_leaves_leak_nothing() -> None:
    clip = ClipSpec(0, 160, 90, seconds=2)
    found = await churn(clip, tracks=6, seconds=45.0, loss=0.02)
    assert found["joins"] > 20
    assert found["reuses"] > 0
    assert found["pictures"] > 100
    assert (found["wrong"], found["old"]) == (0, 0)
    assert found["left"] == []  # the names help to find a leak
    assert (found["tasks_left"], found["sockets_left"]) == (0, 0)
    assert found["threads"]["end"] <= found["threads"]["start"] + 1  # a thread of the pool may start late
    assert found["rss_growth"] < 0.25  # the leak of stock aiortc is several times larger
