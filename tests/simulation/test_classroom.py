"""The benchmark of a whole class measures windows of all its students."""

import pytest

from benchmarks.classroom import ClassSetup, measure_class
from tests.cameras import needs_network

pytestmark = pytest.mark.real_time


@needs_network
@pytest.mark.slow
async def test_a_class_is_measured_from_frames_to_windows() -> None:
    found = await measure_class(
        ClassSetup(tracks=3, width=320, height=180, fps=15, layers=3, seconds=11.0, loss=0.0)
    )
    assert found["windows"] >= 2
    assert found["fewest_analysed"] == 3
    assert found["delivered"] > 3 * 11
    assert found["frame_to_event_ms"]["p95"] is not None
