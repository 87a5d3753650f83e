"""What the owner of a camera is told about it."""

import numpy as np
import pytest

from bot.pipeline.observation import Observation, sight_of
from bot.tracks import Sight, SteadySight
from reports.summary.windows import NotAnalysed


def test_a_sight_must_hold_before_it_is_told() -> None:
    seen = SteadySight()
    seen.note(Sight.FINE, 10.0)
    assert seen.sight is None
    seen.note(Sight.FINE, 12.0)
    assert seen.sight is Sight.FINE
    seen.note(Sight.NO_FACE, 13.0)  # a turned head
    seen.note(Sight.FINE, 14.0)
    seen.note(Sight.NO_FACE, 15.0)
    assert seen.sight is Sight.FINE
    seen.note(Sight.NO_FACE, 17.0)
    assert seen.sight is Sight.NO_FACE


@pytest.mark.parametrize(
    ("reason", "faces", "level", "sight"),
    [
        (NotAnalysed.NO_FACE, 0, 120, Sight.NO_FACE),
        (NotAnalysed.NO_FACE, 0, 45, Sight.TOO_DARK),
        (NotAnalysed.CAMERA_OFF, 0, 16, Sight.TOO_DARK),  # a covered lens
        (NotAnalysed.TOO_SMALL, 1, 120, Sight.TOO_SMALL),
        (NotAnalysed.LOW_CONFIDENCE, 1, 120, Sight.FINE),
        (None, 2, 120, Sight.FINE),
    ],
)
def test_the_sight_of_a_frame(reason: NotAnalysed | None, faces: int, level: int, sight: Sight) -> None:
    luma = np.full((48, 64), level, np.uint8)
    assert sight_of(Observation("p", 1.0, faces, None, reason), luma) is sight
