"""The benchmark of a whole class sees the class it measures."""

import pytest

from benchmarks.classroom import Setting, attend
from tests.cameras import needs_network

pytestmark = pytest.mark.real_time


@needs_network
@pytest.mark.slow
async def test_a_class_is_measured_from_picture_to_window() -> None:
    found = await attend(Setting(tracks=3, width=320, height=180, fps=15, layers=3, seconds=11.0, loss=0.0))
    assert found["windows"] >= 2
    assert found["fewest_analysed"] == 3
    assert found["delivered"] > 3 * 11
    assert found["frame_to_event_ms"]["p95"] is not None
