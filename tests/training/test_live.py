"""Crops made in a call equal FER-2013's own, also after VP8; a crop of the wrong size is noticed."""

from pathlib import Path

import cv2
import numpy as np
import pytest
from click.testing import CliRunner

from inference.crops import crop_faces
from inference.detector import LANDMARKS, NO_FACES, Faces
from training.__main__ import main
from training.augment import to_floats
from training.live import BOX_SHARE, PADDED_SIZE, LiveFigures, measure_live, through_vp8
from training.synthetic_frames import FRAME_SIZE, most_central_face, place_in_frame

EYES_PX = ((23.9 - 8.6, 18.7), (23.9 + 8.6, 18.7))
"""Position of the eyes in FER-2013, pixels of 48."""


def _random_image(seed: int = 1) -> np.ndarray:
    noise = np.random.default_rng(seed).integers(0, 256, (8, 8)).astype(np.uint8)
    return np.asarray(cv2.resize(noise, (48, 48), interpolation=cv2.INTER_CUBIC), np.uint8)


def _detected_face(frame_size: tuple[int, int], side: int, box_scale: float = 1.0) -> Faces:
    """BlazeFace's result for an image of FER-2013 that ``place_in_frame`` scaled to a side."""
    left, top, scale = (frame_size[0] - side) // 2, (frame_size[1] - side) // 2, side / 48
    landmarks = np.zeros((1, len(LANDMARKS), 2), np.float32)
    landmarks[0, :2] = [(left + scale * x, top + scale * y) for x, y in EYES_PX]
    box = np.array([[left, top, left + side, top + side]], np.float32)
    box_side = np.array([side * BOX_SHARE * box_scale], np.float32)
    return Faces(box, np.ones(1, np.float32), landmarks, box_side)


def test_the_crop_from_a_frame_equals_the_image_unless_the_box_is_off_by_a_tenth() -> None:
    image = _random_image()
    own_crop = to_floats(image[np.newaxis])
    frame = place_in_frame(image, PADDED_SIZE, 96)

    def error(box_scale: float) -> float:
        crop = crop_faces(frame, _detected_face(PADDED_SIZE, 96, box_scale))
        return float(np.abs(crop - own_crop).mean())

    assert error(1.0) < 0.02
    assert error(1.1) > 2 * error(1.0)
    assert error(0.9) > 2 * error(1.0)


def test_a_frame_has_the_requested_size_and_the_image_in_its_centre() -> None:
    image = _random_image()
    frame = place_in_frame(image, FRAME_SIZE, 70)
    assert frame.shape == (180, 320)
    centre = frame[55:125, 125:195]
    assert (centre == cv2.resize(image, (70, 70), interpolation=cv2.INTER_CUBIC)).all()


def test_vp8_returns_every_frame_in_order_with_small_changes() -> None:
    frames = [place_in_frame(_random_image(seed), FRAME_SIZE, 70) for seed in range(4)]
    received = list(through_vp8(frames))
    assert len(received) == 4
    for number, after in enumerate(received):
        errors = [np.abs(after.astype(int) - frame).mean() for frame in frames]
        assert int(np.argmin(errors)) == number
        assert 0 < min(errors) < 12


def test_the_most_central_face_is_chosen() -> None:
    boxes = np.array([[0, 0, 10, 10], [45, 0, 55, 10]], np.float32)
    faces = Faces(boxes, np.array([0.9, 0.6], np.float32), np.zeros((2, 6, 2), np.float32), boxes[:, 2])
    assert most_central_face(faces, 100).scores.tolist() == pytest.approx([0.6])
    assert most_central_face(faces, 0).scores.tolist() == pytest.approx([0.9])
    assert not len(most_central_face(NO_FACES, 100))


def test_points_lost_are_the_difference_of_the_accuracies() -> None:
    assert LiveFigures("vp8", 10, 0.5, 0.7, 0.66).lost_points == pytest.approx(4)
    assert LiveFigures("vp8", 10, 0.0, None, None).as_json()["lost_points"] is None


@pytest.mark.slow
def test_live_crops_of_publictest_lose_little_accuracy(fer2013: Path) -> None:
    padded, vp8 = measure_live(fer2013, "validation", limit=400)
    assert padded.found > 0.95
    assert vp8.found > 0.4
    for figures, bound in ((padded, 2.5), (vp8, 4.0)):
        assert figures.lost_points is not None
        assert figures.lost_points < bound


@pytest.mark.slow
def test_the_live_command_prints_both_ways(fer2013: Path) -> None:
    result = CliRunner().invoke(main, ["live", "--data", str(fer2013), "--limit", "40"])
    assert result.exit_code == 0
    assert [line.split()[0] for line in result.output.splitlines()[1:]] == ["padded", "vp8"]
