"""Live crops: what is cut from a call is what FER-2013 shows, also after VP8; a crop that is off shows."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from inference.crops import crop_faces
from inference.detector import LANDMARKS, NO_FACES, Faces
from training.__main__ import main
from training.augment import to_floats
from training.live import BOX_SHARE, PADDED, LiveFigures, measure_live, through_vp8
from training.scenes import FRAME, central, scene

EYES_PX = ((23.9 - 8.6, 18.7), (23.9 + 8.6, 18.7))
"""Where FER-2013 has the eyes, pixels of 48."""


def _picture(seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8)).astype(np.uint8)
    return np.asarray(cv2.resize(noise, (48, 48), interpolation=cv2.INTER_CUBIC), np.uint8)


def _faces(size: tuple[int, int], side: int, grown: float = 1.0) -> Faces:
    """The face of a picture of FER-2013 that ``scene`` scaled to a side, as BlazeFace would find it."""
    left, top, scale = (size[0] - side) // 2, (size[1] - side) // 2, side / 48
    landmarks = np.zeros((1, len(LANDMARKS), 2), np.float32)
    landmarks[0, :2] = [(left + scale * x, top + scale * y) for x, y in EYES_PX]
    box = np.array([[left, top, left + side, top + side]], np.float32)
    return Faces(box, np.ones(1, np.float32), landmarks, np.array([side * BOX_SHARE * grown], np.float32))


def test_the_crop_of_a_scene_is_the_picture_and_one_off_by_a_tenth_is_not() -> None:
    image = _picture()
    own = to_floats(image[np.newaxis])
    whole = scene(image, PADDED, 96)

    def gap(grown: float) -> float:
        return float(np.abs(crop_faces(whole, _faces(PADDED, 96, grown)) - own).mean())

    assert gap(1.0) < 0.02
    assert gap(1.1) > 2 * gap(1.0)
    assert gap(0.9) > 2 * gap(1.0)


def test_a_scene_has_the_size_asked_for_and_the_picture_in_its_middle() -> None:
    image = _picture()
    whole = scene(image, FRAME, 70)
    assert whole.shape == (180, 320)
    middle = whole[55:125, 125:195]
    assert (middle == cv2.resize(image, (70, 70), interpolation=cv2.INTER_CUBIC)).all()


def test_vp8_gives_every_frame_in_order_changed_a_little() -> None:
    scenes = [scene(_picture(seed), FRAME, 70) for seed in range(4)]
    seen = list(through_vp8(scenes))
    assert len(seen) == 4
    for before, after in zip(scenes, seen, strict=True):
        gaps = [np.abs(after.astype(int) - other).mean() for other in scenes]
        assert int(np.argmin(gaps)) == [other is before for other in scenes].index(True)
        assert 0 < min(gaps) < 12


def test_the_face_in_the_middle_is_taken() -> None:
    boxes = np.array([[0, 0, 10, 10], [45, 0, 55, 10]], np.float32)
    faces = Faces(boxes, np.array([0.9, 0.6], np.float32), np.zeros((2, 6, 2), np.float32), boxes[:, 2])
    assert central(faces, 100).scores.tolist() == pytest.approx([0.6])
    assert central(faces, 0).scores.tolist() == pytest.approx([0.9])
    assert not len(central(NO_FACES, 100))


def test_points_lost_are_own_less_live() -> None:
    assert LiveFigures("vp8", 10, 0.5, 0.7, 0.66).lost_points == pytest.approx(4)
    assert LiveFigures("vp8", 10, 0.0, None, None).as_json()["lost_points"] is None


@pytest.mark.slow
def test_live_crops_of_publictest_lose_little(fer2013: Path) -> None:
    padded, vp8 = measure_live(fer2013, "validation", limit=400)
    assert padded.found > 0.95
    assert vp8.found > 0.4
    for figures, bound in ((padded, 2.5), (vp8, 4.0)):
        assert figures.lost_points is not None
        assert figures.lost_points < bound


@pytest.mark.slow
def test_the_command_measures_both(fer2013: Path) -> None:
    result = CliRunner().invoke(main, ["live", "--data", str(fer2013), "--limit", "40"])
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines()[1:]] == ["padded", "vp8"]
