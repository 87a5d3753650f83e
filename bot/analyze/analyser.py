"""Analyses images and videos frame by frame, with the models of a live class.

For videos the detector is that of a live camera. An image may show a whole room with small faces, so its
detector also searches smaller squares of the image.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np

from bot.analyze.copies import VideoCopy, prepare_copy, video_copy, write_image_copy
from bot.analyze.files import IMAGES, AnalyzeError
from bot.frames import RawFrame, rotation_of
from inference.arrays import Image
from inference.batcher import FaceAnalysis
from inference.classifier import EmotionClassifier
from inference.crops import crop_faces
from inference.detector import FaceDetector
from inference.emotions import EMOTIONS
from inference.facing import faces_screen

MAX_FILE_BYTES: Final = 200_000_000
"""Largest image file; the whole file is read into memory."""

MAX_PIXELS: Final = 16384 * 8192
"""Largest frame of a video, pixels."""


@dataclass(frozen=True, slots=True)
class Analyser:
    """The models, with one detector for images and one for videos."""

    still_detector: FaceDetector
    video_detector: FaceDetector
    classifier: EmotionClassifier


@dataclass(frozen=True, slots=True, eq=False)
class FrameRecord:
    """The faces in one frame.

    Attributes:
        source: Name of the file.
        frame: Number, from 0.
        at_s: Time within the file, seconds; 0 for an image.
        analysis: The faces and their probabilities.
        size: Width and height, pixels.
    """

    source: str
    frame: int
    at_s: float
    analysis: FaceAnalysis
    size: tuple[int, int]

    def to_json(self) -> str:
        """One line of JSON; docs/interface.md explains the keys."""
        faces: list[dict[str, Any]] = []
        detected = self.analysis.faces
        rows = zip(
            detected.boxes,
            detected.scores,
            detected.landmarks,
            detected.sides,
            self.analysis.probs,
            strict=True,
        )
        for box, score, landmarks, side, probs in rows:
            faces.append(
                {
                    "box": [round(float(edge), 1) for edge in box],
                    "score": round(float(score), 4),
                    "label": EMOTIONS[int(np.argmax(probs))],
                    "probabilities": {
                        label: round(float(prob), 4) for label, prob in zip(EMOTIONS, probs, strict=True)
                    },
                    "facing": faces_screen(landmarks, float(side)),
                }
            )
        return json.dumps(
            {
                "file": self.source,
                "frame": self.frame,
                "at_s": round(self.at_s, 3),
                "width": self.size[0],
                "height": self.size[1],
                "faces": faces,
            }
        )


def analyse_file(path: Path, analyser: Analyser, copy: Path | None) -> Iterator[FrameRecord]:
    """Analyse a file frame by frame.

    Args:
        path: An image or a video.
        analyser: The models.
        copy: Where to write a copy with boxes (of a video, an .mp4); None for no copy.

    Raises:
        AnalyzeError: the file cannot be read, or the copy cannot be written.
    """
    if not path.is_file():  # reading a pipe or a device may never end
        raise AnalyzeError(f"{path} is not a regular file: give images, videos or folders of them")
    if path.suffix.lower() in IMAGES:
        yield _analyse_image(path, analyser, copy)
    else:
        yield from _analyse_video(path, analyser, copy)


def _analyse_image(path: Path, analyser: Analyser, copy: Path | None) -> FrameRecord:
    image = _read_image(path)
    gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
    faces = analyser.still_detector.detect(gray)
    analysis = FaceAnalysis(faces, analyser.classifier.predict(crop_faces(gray, faces)))
    if copy is not None:
        write_image_copy(copy, path, image, analysis)
    return FrameRecord(path.name, 0, 0.0, analysis, (image.shape[1], image.shape[0]))


def _read_image(path: Path) -> Image:
    """Read an image, (height, width, 3) BGR."""
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise AnalyzeError(f"{path} is too large: give an image file of at most 200 MB")
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as exc:
        raise AnalyzeError(f"make {path} readable: it cannot be read ({exc.strerror})") from exc
    try:
        decoded = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    except cv2.error:  # more pixels than the limit in bot/__init__.py
        decoded = None
    if decoded is None:
        raise AnalyzeError(f"{path} cannot be read as an image: check the file, or make it smaller")
    return np.array(decoded, np.uint8)


def _analyse_video(path: Path, analyser: Analyser, copy: Path | None) -> Iterator[FrameRecord]:
    try:
        with ExitStack() as stack:
            # With "file:", because FFmpeg would take a name with a colon for a URL.
            source = stack.enter_context(av.open(f"file:{path.resolve()}"))
            if not source.streams.video:
                raise AnalyzeError(f"{path} has no video stream: give a file with video")
            stream = source.streams.video[0]
            # None if FFmpeg has no decoder, although the type annotation of PyAV does not say so.
            if getattr(stream, "codec_context", None) is None:
                raise AnalyzeError(f"convert {path} to H264 or VP8 first: its codec is not supported")
            stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
            drawn: VideoCopy | None = None
            number = -1
            for number, frame in enumerate(source.decode(stream)):
                rotation = rotation_of(frame)
                luma = RawFrame(0.0, frame, rotation).luma()
                size = (luma.shape[1], luma.shape[0])
                faces = analyser.video_detector.detect(luma)
                analysis = FaceAnalysis(faces, analyser.classifier.predict(crop_faces(luma, faces)))
                if copy is not None:
                    if drawn is None:
                        prepare_copy(copy, path)
                        drawn = stack.enter_context(video_copy(copy, stream, size))
                    drawn.write(frame, rotation, analysis)
                at_s = float(frame.time) if frame.time is not None else 0.0
                yield FrameRecord(path.name, number, at_s, analysis, size)
            if number < 0:
                raise AnalyzeError(f"{path} has no frame that can be decoded: check the file")
    except (av.FFmpegError, OSError, ValueError, ArithmeticError) as exc:
        reason = " ".join(str(exc).split())
        raise AnalyzeError(f"{path} cannot be read as a video ({reason}): check the file") from exc
