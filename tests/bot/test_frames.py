"""Frames are set upright."""

from __future__ import annotations

import av
import numpy as np
import pytest

from bot.frames import RawFrame


def corner_frame() -> av.VideoFrame:
    """A frame of 64 x 32 pixels, black with a white top left corner."""
    pixels = np.zeros((32, 64, 3), np.uint8)
    pixels[:16, :16] = 255
    return av.VideoFrame.from_ndarray(pixels, format="bgr24").reformat(format="yuv420p")


@pytest.mark.parametrize(
    ("rotation", "shape", "corner"),
    [(0, (32, 64), (0, 0)), (1, (64, 32), (0, -1)), (2, (32, 64), (-1, -1)), (3, (64, 32), (-1, 0))],
)
def test_the_rotation_is_in_clockwise_quarter_turns(
    rotation: int, shape: tuple[int, int], corner: tuple[int, int]
) -> None:
    luma = RawFrame(0.0, corner_frame(), rotation).luma()
    assert luma.shape == shape
    assert luma[corner] > 200
    assert sum(int(luma[row, column] > 200) for row in (0, -1) for column in (0, -1)) == 1


@pytest.mark.parametrize("rotation", range(4))
def test_a_mirrored_frame_is_mirrored_after_the_rotation(rotation: int) -> None:
    rotated = RawFrame(0.0, corner_frame(), rotation)
    mirrored = RawFrame(0.0, corner_frame(), rotation, mirrored=True)
    assert (mirrored.luma() == rotated.luma()[:, ::-1]).all()
    assert (mirrored.color() == rotated.color()[:, ::-1]).all()


@pytest.mark.parametrize(("rotation", "shape"), [(0, (32, 128)), (1, (128, 32))])
def test_wide_pixels_are_made_square_before_the_rotation(rotation: int, shape: tuple[int, int]) -> None:
    frame = RawFrame(0.0, corner_frame(), rotation, pixel_aspect=2.0)
    assert frame.luma().shape == shape
    assert frame.color().shape == (*shape, 3)
