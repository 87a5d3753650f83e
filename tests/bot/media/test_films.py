"""Films are read as a player shows them: orientation, shape of pixels, transparency, and times."""

from __future__ import annotations

import struct
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from bot.frames import RawFrame
from bot.media.films import open_film
from bot.media.kinds import MediaError

ONE = 0x10000
MATRICES = {  # the first four numbers of a display matrix, and what a player makes of the pixels
    "as stored": ((ONE, 0, 0, ONE), lambda pixels: pixels),
    "left and right": ((-ONE, 0, 0, ONE), lambda pixels: pixels[:, ::-1]),
    "upside down": ((-ONE, 0, 0, -ONE), lambda pixels: pixels[::-1, ::-1]),
    "top and bottom": ((ONE, 0, 0, -ONE), lambda pixels: pixels[::-1]),
    "rows and columns": ((0, ONE, ONE, 0), lambda pixels: pixels.T),
    "clockwise": ((0, ONE, -ONE, 0), lambda pixels: np.rot90(pixels, -1)),
    "rows and columns, upside down": ((0, -ONE, -ONE, 0), lambda pixels: pixels.T[::-1, ::-1]),
    "counterclockwise": ((0, -ONE, ONE, 0), lambda pixels: np.rot90(pixels)),
}


def corners() -> np.ndarray:
    """(32, 64) gray pixels; all four corners differ."""
    pixels = np.full((32, 64), 128, np.uint8)
    pixels[:16, :16], pixels[:16, -16:], pixels[-16:, :16] = 20, 80, 180
    return pixels


def write_film(
    path: Path,
    pixels: np.ndarray,
    times: list[int],
    aspect: Fraction | None = None,
    options: dict[str, str] | None = None,
) -> None:
    """Write the same gray frame at each time, in tenths of a second."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=10, options=options or {"crf": "1"})
        stream.height, stream.width = pixels.shape
        stream.pix_fmt = "yuv420p"
        if aspect is not None:
            stream.codec_context.sample_aspect_ratio = aspect
        for time in times:
            frame = av.VideoFrame.from_ndarray(pixels, format="gray").reformat(format="yuv420p")
            frame.pts, frame.time_base = time, Fraction(1, 10)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def read(path: Path) -> list[RawFrame]:
    with open_film(path) as film:
        return list(film.frames())


def set_matrix(path: Path, matrix: tuple[int, int, int, int]) -> None:
    """Replace the display matrix in the track header of an MP4."""
    content = bytearray(path.read_bytes())
    at = content.index(b"tkhd") + 4 + 40  # version 0: 40 bytes of other fields
    a, b, c, d = matrix
    struct.pack_into(">9i", content, at, a, b, 0, c, d, 0, 0, 0, 1 << 30)
    path.write_bytes(content)


@pytest.mark.parametrize("name", MATRICES)
def test_the_whole_display_matrix_is_applied(name: str, tmp_path: Path) -> None:
    matrix, shown = MATRICES[name]
    write_film(tmp_path / "film.mp4", corners(), [0, 1])
    as_stored = read(tmp_path / "film.mp4")[0].luma()
    set_matrix(tmp_path / "film.mp4", matrix)
    assert (read(tmp_path / "film.mp4")[0].luma() == shown(as_stored)).all()


def test_pixels_are_made_square(tmp_path: Path) -> None:
    write_film(tmp_path / "pal.mp4", corners(), [0, 1], aspect=Fraction(64, 45))
    frame = read(tmp_path / "pal.mp4")[0]
    assert frame.luma().shape == (32, 91)
    assert frame.color().shape == (32, 91, 3)


@pytest.mark.parametrize("aspect", [Fraction(1, 1), Fraction(200, 1)])
def test_square_pixels_and_damaged_shapes_are_left_as_they_are(aspect: Fraction, tmp_path: Path) -> None:
    write_film(tmp_path / "film.mp4", corners(), [0, 1], aspect=aspect)
    assert read(tmp_path / "film.mp4")[0].luma().shape == (32, 64)


@pytest.mark.parametrize("suffix", ["avi", "mp4"])
def test_times_of_a_film_with_b_frames_rise(suffix: str, tmp_path: Path) -> None:
    path = tmp_path / f"film.{suffix}"
    rng = np.random.default_rng(1)
    write_film(
        path, rng.integers(0, 255, (32, 64), np.uint8), list(range(20)), options={"bf": "3", "b-adapt": "0"}
    )
    assert [round(frame.at_s, 3) for frame in read(path)] == [number / 10 for number in range(20)]


def test_times_begin_at_zero(tmp_path: Path) -> None:
    write_film(tmp_path / "late.mkv", corners(), [36_000, 36_001, 36_005])
    assert [round(frame.at_s, 3) for frame in read(tmp_path / "late.mkv")] == [0.0, 0.1, 0.5]


def test_transparent_parts_are_white(tmp_path: Path) -> None:
    pixels = np.zeros((16, 32, 4), np.uint8)
    pixels[:, :16, 3] = 255  # black on the left, invisible on the right
    with av.open(str(tmp_path / "cutout.mov"), "w") as container:
        stream = container.add_stream("qtrle", rate=10)
        stream.width, stream.height, stream.pix_fmt = 32, 16, "argb"
        container.mux(
            stream.encode(av.VideoFrame.from_ndarray(pixels, format="rgba").reformat(format="argb"))
        )
        container.mux(stream.encode(None))
    luma = read(tmp_path / "cutout.mov")[0].luma()
    assert luma[:, :16].max() < 5
    assert luma[:, 16:].min() > 250


def test_transparent_parts_of_a_webm_are_white(tmp_path: Path) -> None:
    pixels = np.zeros((32, 64, 4), np.uint8)
    pixels[:, :32, 3] = 255  # black on the left, invisible on the right
    with av.open(str(tmp_path / "cutout.webm"), "w") as container:
        stream = container.add_stream("libvpx-vp9", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuva420p"
        for _ in range(3):
            frame = av.VideoFrame.from_ndarray(pixels, format="rgba").reformat(format="yuva420p")
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))
    frames = read(tmp_path / "cutout.webm")
    assert [round(frame.at_s, 3) for frame in frames] == [0.0, 0.1, 0.2]
    for frame in frames:
        assert frame.luma()[:, :28].max() < 20
        assert frame.luma()[:, 36:].min() > 235


def test_a_frame_with_exif_data_is_set_upright(tmp_path: Path) -> None:
    """PyAV raises an error when it is asked for the side data of such a frame."""
    exif = b"II*\0" + struct.pack("<IHHHIHHI", 8, 1, 0x0112, 3, 1, 6, 0, 0)
    kinds, blocks = [cv2.IMAGE_METADATA_EXIF], [np.frombuffer(exif, np.uint8)]
    _, content = cv2.imencodeWithMetadata(".jpg", corners(), kinds, blocks)
    (tmp_path / "film.mjpeg").write_bytes(content.tobytes())
    (frame,) = read(tmp_path / "film.mjpeg")
    assert np.abs(frame.luma().astype(int) - np.rot90(corners(), -1)).mean() < 5


def test_a_file_without_video_is_refused(tmp_path: Path) -> None:
    with av.open(str(tmp_path / "sound.mkv"), "w") as container:
        stream = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(stream.encode(frame))
    with pytest.raises(MediaError, match="no video stream"):
        read(tmp_path / "sound.mkv")
