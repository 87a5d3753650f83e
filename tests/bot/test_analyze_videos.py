"""The video copies of ``analyze`` are upright and keep the frame times of the source."""

from __future__ import annotations

from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path

import av
import cv2
import numpy as np
import pytest

from benchmarks.simulation.clips import ClipSpec, make_clip
from bot.analyze.analyser import Analyser, analyse_file
from bot.analyze.files import AnalyzeError
from bot.app import make_analyser
from bot.config import AnalysisSettings

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def analyser() -> Analyser:
    return make_analyser(AnalysisSettings())


def drawn_face() -> np.ndarray:
    """One frame of a drawn student, (360, 640, 3) BGR."""
    clip = make_clip(ClipSpec(2, 640, 360, 5, seconds=1, layers=1, face=True))
    decoder = av.VideoCodecContext.create("vp8", "r")
    (frame,) = decoder.decode(av.Packet(clip.frames[0].data))
    return frame.to_ndarray(format="bgr24")


def write_video(path: Path, image: np.ndarray, times_ms: Iterable[int], rotation_degrees: int = 0) -> None:
    """Write the same image at each time."""
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libvpx" if path.suffix == ".webm" else "libx264", rate=30)
        stream.height, stream.width = image.shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.codec_context.time_base = Fraction(1, 1000)
        if rotation_degrees:
            stream.set_display_rotation(rotation_degrees)
        for time_ms in times_ms:
            frame = av.VideoFrame.from_ndarray(image, format="bgr24")
            frame.pts, frame.time_base = time_ms, Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode(None))


def frame_times_s(path: Path) -> list[float]:
    with av.open(str(path)) as container:
        return [round(float(frame.time or 0), 3) for frame in container.decode(video=0)]


def test_copy_keeps_the_times_of_a_variable_frame_rate(tmp_path: Path, analyser: Analyser) -> None:
    """Browsers record such videos: a camera sends fewer frames in the dark."""
    times_ms = [0, 33, 66, 400, 433, 1500, 2700]
    write_video(tmp_path / "call.webm", np.zeros((48, 64, 3), np.uint8), times_ms)
    records = list(analyse_file(tmp_path / "call.webm", analyser, tmp_path / "copy.mp4"))
    assert [round(record.at_s * 1000) for record in records] == times_ms
    assert frame_times_s(tmp_path / "copy.mp4") == [time_ms / 1000 for time_ms in times_ms]


def test_video_with_a_rotation_is_analysed_and_copied_upright(tmp_path: Path, analyser: Analyser) -> None:
    face = drawn_face()
    rotated = cv2.rotate(face, cv2.ROTATE_90_CLOCKWISE)
    write_video(tmp_path / "rotated.mp4", rotated, [0, 100], rotation_degrees=90)
    write_video(tmp_path / "upright.mp4", face, [0, 100])
    records = [
        next(iter(analyse_file(tmp_path / name, analyser, tmp_path / "copies" / name)))
        for name in ("rotated.mp4", "upright.mp4")
    ]
    assert [(record.size, len(record.analysis.faces.boxes)) for record in records] == [((640, 360), 1)] * 2
    boxes = [record.analysis.faces.boxes[0] for record in records]
    assert np.abs(boxes[0] - boxes[1]).max() < 6
    with av.open(str(tmp_path / "copies" / "rotated.mp4")) as container:
        frame = next(container.decode(video=0))
    assert (frame.width, frame.height, frame.rotation) == (640, 360, 0)


def test_copy_keeps_the_shape_of_frames_that_change_their_size(tmp_path: Path, analyser: Analyser) -> None:
    """A phone that is turned during a recorded call: upright frames are put on black, not stretched."""
    with av.open(str(tmp_path / "call.webm"), "w") as container:
        stream = container.add_stream("libvpx", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 32, "yuv420p"
        for number, shape in enumerate([(32, 64), (64, 32)]):
            encoder = av.VideoCodecContext.create("libvpx", "w")
            encoder.height, encoder.width = shape
            encoder.pix_fmt, encoder.time_base = "yuv420p", Fraction(1, 10)
            frame = av.VideoFrame.from_ndarray(np.full((*shape, 3), 250, np.uint8), format="bgr24")
            frame.pts, frame.time_base = number, Fraction(1, 10)
            for packet in [*encoder.encode(frame), *encoder.encode(None)]:
                packet.stream = stream
                container.mux(packet)
    records = list(analyse_file(tmp_path / "call.webm", analyser, tmp_path / "copy.mp4"))
    assert [record.size for record in records] == [(64, 32), (32, 64)]
    with av.open(str(tmp_path / "copy.mp4")) as container:
        first, second = (frame.to_ndarray(format="gray") for frame in container.decode(video=0))
    assert first.min() > 200
    assert second[:, :20].max() < 50
    assert second[:, 26:38].min() > 200


def test_a_damaged_video_is_analysed_up_to_the_damage(tmp_path: Path, analyser: Analyser) -> None:
    encoder = av.VideoCodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt = 64, 48, "yuvj420p"
    encoder.time_base = Fraction(1, 10)
    (whole,) = encoder.encode(av.VideoFrame(64, 48, "yuvj420p"))
    with av.open(str(tmp_path / "camera.avi"), "w") as container:
        stream = container.add_stream("mjpeg", rate=10)
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuvj420p"
        for number in range(12):
            packet = av.Packet(bytes(whole) if number < 8 else b"damage")
            packet.pts = packet.dts = number
            packet.time_base, packet.stream = Fraction(1, 10), stream
            container.mux(packet)
    records = analyse_file(tmp_path / "camera.avi", analyser, None)
    assert [next(records).frame for _ in range(8)] == list(range(8))
    with pytest.raises(AnalyzeError, match="cannot be read as a video"):
        next(records)
