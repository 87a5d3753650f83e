"""Copies of images and videos with boxes and labels drawn in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Final

import av
import cv2
import numpy as np
from av.container import OutputContainer

from bot.analyze.files import AnalyzeError
from bot.frames import RawFrame
from bot.media.kinds import PAGED
from inference.arrays import Image
from inference.batcher import FaceAnalysis
from inference.emotions import EMOTIONS

_ENCODERS: Final = {".jfif": ".jpg", ".apng": ".png"}  # formats that OpenCV knows under another name


def draw(image: Image, analysis: FaceAnalysis) -> None:
    """Draw boxes, labels and probabilities into a (height, width, 3) BGR image."""
    scale = max(0.4, image.shape[0] / 900)
    thickness = max(1, round(scale * 2))
    for box, probs in zip(analysis.faces.boxes, analysis.probs, strict=True):
        x0, y0, x1, y1 = (int(edge) for edge in box)
        best = int(np.argmax(probs))
        label = f"{EMOTIONS[best]} {probs[best]:.0%}"
        (width, height), base = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, scale, thickness)
        # Above the box, or below it if there is no room above.
        top = y0 - height - base if y0 > height + base else y1
        cv2.rectangle(image, (x0, y0), (x1, y1), (60, 200, 60), thickness)
        cv2.rectangle(image, (x0, top), (x0 + width, top + height + base), (60, 200, 60), cv2.FILLED)
        cv2.putText(
            image,
            label,
            (x0, top + height),
            cv2.FONT_HERSHEY_SIMPLEX,
            scale,
            (0, 0, 0),
            thickness,
            cv2.LINE_AA,
        )


def prepare_copy(copy: Path, source: Path) -> None:
    """Create the copy's folder.

    Raises:
        AnalyzeError: the folder cannot be created, or the copy would overwrite its source.
    """
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        if copy.exists() and copy.samefile(source):
            raise AnalyzeError(f"give another --out: the copy would overwrite {source} itself")
    except OSError as exc:
        raise AnalyzeError(
            f"give another --out: {copy.parent} cannot be written to ({exc.strerror})"
        ) from exc


def write_images(copy: Path, source: Path, images: list[tuple[float, Image]]) -> None:
    """Write images in the format of their source.

    Args:
        copy: File to write; its folder exists.
        source: File that the images were read from.
        images: Times in seconds, and (height, width, 3) BGR images.

    Raises:
        AnalyzeError: the copy cannot be written.
    """
    suffix = source.suffix.lower()
    suffix = _ENCODERS.get(suffix, suffix)
    try:
        if len(images) == 1:
            encoded, content = cv2.imencode(suffix, images[0][1])
        elif suffix in PAGED:
            encoded, content = cv2.imencodemulti(suffix, [image for _, image in images])
        else:
            animation = cv2.Animation()
            animation.frames = [image for _, image in images]
            lengths_ms = np.diff([round(at_s * 1000) for at_s, _ in images])
            animation.durations = [*lengths_ms.tolist(), int(lengths_ms[-1])]
            encoded, content = cv2.imencodeanimation(suffix, animation)
    except cv2.error:
        encoded = False
    if not encoded:
        raise AnalyzeError(f"convert {source} to .png first: the copy cannot be written as {source.suffix}")
    try:
        copy.write_bytes(np.asarray(content).tobytes())
    except OSError as exc:
        raise AnalyzeError(f"give another --out: {copy} cannot be written ({exc.strerror})") from exc


class VideoCopy:
    """An H.264 copy of a video: its frames as shown, with boxes, at their times."""

    def __init__(self, container: OutputContainer, source: av.VideoStream, size: tuple[int, int]) -> None:
        self._container = container
        self._stream = container.add_stream("libx264", rate=source.average_rate or 25)
        # The time base of the source: recordings of browsers and phones have a variable frame rate.
        self._time_base = source.time_base or Fraction(1, 25)
        self._stream.codec_context.time_base = self._time_base
        # yuv420p needs even sizes; a side of one pixel would become 0.
        self._stream.width, self._stream.height = max(2, size[0] // 2 * 2), max(2, size[1] // 2 * 2)
        self._stream.pix_fmt = "yuv420p"
        self._next_pts = 0

    def write(self, frame: RawFrame, analysis: FaceAnalysis) -> None:
        """Add a frame, with the faces drawn in."""
        image = frame.color()
        draw(image, analysis)
        width, height = self._stream.width, self._stream.height
        drawn = av.VideoFrame.from_ndarray(_fitted(image, width, height), format="bgr24")
        drawn.time_base = self._time_base
        # Rounded times may be equal; the encoder needs increasing ones.
        drawn.pts = max(self._next_pts, round(frame.at_s / self._time_base))
        self._next_pts = drawn.pts + 1
        for packet in self._stream.encode(drawn):
            self._container.mux(packet)

    def flush(self) -> None:
        """Write the frames that the encoder still buffers."""
        for packet in self._stream.encode(None):
            self._container.mux(packet)


def _fitted(image: Image, width: int, height: int) -> Image:
    """An image in a frame of another size: cut by an odd row or column, else scaled down and put on black.

    The frame size may change within a video, for example when a phone is turned during a call.
    """
    if 0 <= image.shape[0] - height <= 1 and 0 <= image.shape[1] - width <= 1:
        return np.ascontiguousarray(image[:height, :width])
    scale = min(height / image.shape[0], width / image.shape[1])
    size = (max(1, round(image.shape[1] * scale)), max(1, round(image.shape[0] * scale)))
    scaled = np.asarray(cv2.resize(image, size, interpolation=cv2.INTER_AREA), np.uint8)
    fitted = np.zeros((height, width, 3), np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    fitted[top : top + size[1], left : left + size[0]] = scaled
    return fitted


@contextmanager
def video_copy(path: Path, source: av.VideoStream, size: tuple[int, int]) -> Iterator[VideoCopy]:
    """Open a copy for writing. After an error the file is completed, so that it plays up to there."""
    with av.open(f"file:{path}", "w") as container:
        copy = VideoCopy(container, source, size)
        try:
            yield copy
        finally:
            copy.flush()
