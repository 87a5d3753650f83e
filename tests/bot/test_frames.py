"""Rotated frames are set upright."""

from __future__ import annotations

from pathlib import Path

import av
import numpy as np
import pytest

from bot.frames import RawFrame, rotation_of


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


@pytest.mark.parametrize("counterclockwise", [0, 90, 180, -90])
def test_the_rotation_of_a_file_is_undone(tmp_path: Path, counterclockwise: int) -> None:
    path = tmp_path / "phone.mp4"
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        stream.set_display_rotation(counterclockwise)
        container.mux(stream.encode(corner_frame()))
        container.mux(stream.encode(None))
    with av.open(str(path)) as container:
        frame = next(container.decode(video=0))
    rotation = rotation_of(frame)
    assert rotation == (-counterclockwise // 90) % 4
    as_stored, upright = RawFrame(0.0, frame).luma(), RawFrame(0.0, frame, rotation).luma()
    assert (upright == np.rot90(as_stored, counterclockwise // 90)).all()
