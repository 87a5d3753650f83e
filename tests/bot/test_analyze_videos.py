"""Copies of videos that ``analyze`` draws into: upright, and as fast as the source."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from benchmarks.simulation.clips import ClipSpec, make_clip
from bot.analyze import Analyser, analyse_file
from bot.app import make_analyser
from bot.config import AnalysisSettings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return make_analyser(AnalysisSettings())


def drawn_face() -> np.ndarray:
    """A student of the demo, (360, 640, 3)."""
    clip = make_clip(ClipSpec(2, 640, 360, 5, seconds=1, layers=1, face=True))
    decoder = av.VideoCodecContext.create("vp8", "r")
    (frame,) = decoder.decode(av.Packet(clip.pictures[0].data))
    return frame.to_ndarray(format="bgr24")


def write(path: Path, picture: np.ndarray, times_ms: Iterable[int], rotation: int = 0) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx" if path.suffix == ".webm" else "libx264", rate=30)
        stream.height, stream.width = picture.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        if rotation:
            stream.set_display_rotation(rotation)
        for time_ms in times_ms:
            frame = av.VideoFrame.from_ndarray(picture, format="bgr24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def times_of(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [round(float(frame.time or 0), 3) for frame in container.decode(video=0)]


def test_a_copy_of_a_recording_without_a_steady_rate_lasts_as_long(
    tmp_path: Path, analyser: Analyser
) -> None:
    """As a browser records a camera that grows slower in the dark."""
    times_ms = [0, 33, 66, 400, 433, 1500, 2700]
    write(tmp_path / "call.webm", np.zeros((48, 64, 3), np.uint8), times_ms)
    records = list(analyse_file(tmp_path / "call.webm", analyser, tmp_path / "copy.mp4"))
    assert [round(record.at_s * 1000) for record in records] == times_ms
    assert times_of(tmp_path / "copy.mp4") == [time_ms / 1000 for time_ms in times_ms]


def test_a_video_of_a_telephone_held_upright_is_looked_at_upright(tmp_path: Path, analyser: Analyser) -> None:
    face = drawn_face()
    write(tmp_path / "lying.mp4", cv2.rotate(face, cv2.ROTATE_90_CLOCKWISE), [0, 100], rotation=90)
    write(tmp_path / "upright.mp4", face, [0, 100])
    found = {
        name: next(iter(analyse_file(tmp_path / name, analyser, tmp_path / "copies" / name)))
        for name in ("lying.mp4", "upright.mp4")
    }
    assert [(one.size, len(one.reading.faces.boxes)) for one in found.values()] == [((640, 360), 1)] * 2
    boxes = [one.reading.faces.boxes[0] for one in found.values()]
    assert np.abs(boxes[0] - boxes[1]).max() < 6
    with av.open(str(tmp_path / "copies" / "lying.mp4")) as container:
        shown = next(container.decode(video=0))
    assert (shown.width, shown.height, shown.rotation) == (640, 360, 0)
