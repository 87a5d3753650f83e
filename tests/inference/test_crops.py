"""Crops: FER-2013's framing, scaling, and faces at the edge of the image."""

import numpy as np
import pytest

from inference.arrays import Image
from inference.crops import DROP_RATIO, SIDE_RATIO, crop_faces
from inference.detector import NO_FACES, Faces


def face(eye_x: float, eye_y: float, side: float) -> Faces:
    """A face with the midpoint of its eyes at (eye_x, eye_y)."""
    landmarks = np.zeros((1, 6, 2), np.float32)
    landmarks[0, 0] = eye_x - 5, eye_y
    landmarks[0, 1] = eye_x + 5, eye_y
    return Faces(
        np.zeros((1, 4), np.float32), np.ones(1, np.float32), landmarks, np.array([side], np.float32)
    )


def gradient(width: int, height: int) -> Image:
    return np.tile(np.linspace(0, 255, width), (height, 1)).astype(np.uint8)


def test_without_faces_there_are_no_crops() -> None:
    assert crop_faces(np.zeros((180, 320), np.uint8), NO_FACES).shape == (0, 48, 48, 1)


def test_white_pixels_become_one() -> None:
    crops = crop_faces(np.full((180, 320), 255, np.uint8), face(160, 80, 60))
    assert crops.dtype == np.float32
    assert crops.shape == (1, 48, 48, 1)
    assert crops.min() == crops.max() == 1.0


@pytest.mark.parametrize("side", [30.0, 41.0, 60.0, 120.0])
def test_the_crop_is_framed_as_in_fer_2013(side: float) -> None:
    """The midpoint of the eyes is at (24, 18.7) of 48 pixels, and the side of the box is 41 of 48."""
    image = np.zeros((400, 400), np.uint8)
    image[196:205, 196:205] = 255
    crop = crop_faces(image, face(200.5, 200.5, side))[0, :, :, 0]
    rows, columns = np.nonzero(crop > 0.5 * crop.max())
    pixel = 48 / (side * SIDE_RATIO)
    assert columns.mean() == pytest.approx(23.5, abs=0.5 + 0.5 * pixel)
    assert rows.mean() == pytest.approx((0.5 - DROP_RATIO) * 48 - 0.5, abs=0.5 + 0.5 * pixel)
    bright_side = np.sqrt(crop.sum())
    assert bright_side == pytest.approx(9 / (side * SIDE_RATIO) * 48, rel=0.1)
    assert pytest.approx(41.1, abs=0.2) == 48 / SIDE_RATIO


def test_beyond_the_image_its_edge_pixels_are_repeated() -> None:
    image = gradient(100, 100)
    crop = crop_faces(image, face(0, 50, 60))[0, :, :, 0]
    assert np.all(crop[:, :20] == 0)
    assert crop[:, -1].mean() > 0.3
    far = crop_faces(image, face(-500, -500, 60))
    assert np.all(far == image[0, 0] / 255)


def test_shrinking_averages_pixels() -> None:
    checks = np.indices((400, 400)).sum(axis=0) % 2 * 255
    crop = crop_faces(checks.astype(np.uint8), face(200, 200, 240))
    assert crop.std() < 0.1
    assert crop.mean() == pytest.approx(0.5, abs=0.03)
