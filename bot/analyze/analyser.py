"""Analyses images and videos frame by frame, with the models of a live class.

An image may show a whole room with small faces, so smaller squares of it are searched too. A video is
searched like a live camera, unless its first seconds show several people: see ``_choose_detector``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np

from bot.analyze.copies import VideoCopy, draw, prepare_copy, video_copy, write_images
from bot.analyze.files import AnalyzeError
from bot.analyze.turned import detect_turned, turn_back
from bot.frames import upright
from bot.media.films import open_film
from bot.media.kinds import IMAGES, MediaError
from bot.media.stills import read_images
from inference.arrays import Image
from inference.batcher import FaceAnalysis
from inference.classifier import EmotionClassifier
from inference.crops import crop_faces
from inference.detector import FaceDetector, Faces
from inference.emotions import EMOTIONS
from inference.facing import faces_screen

_DAMAGED: Final = (av.FFmpegError, OSError, ValueError, ArithmeticError)
"""What PyAV raises for damaged videos."""

_SAMPLES: Final = 6
"""Frames by which the detector of a video is chosen."""

_SAMPLE_INTERVAL_S: Final = 0.5

_AS_MANY: Final = 0.95
"""A detector that finds this share of the faces that the most thorough one finds is thorough enough."""


@dataclass(frozen=True, slots=True)
class Analyser:
    """The models.

    Attributes:
        detectors: Of a live camera first, then ever more thorough and slower ones. The last is for images.
        classifier: Classifies expressions.
    """

    detectors: tuple[FaceDetector, ...]
    classifier: EmotionClassifier


@dataclass(frozen=True, slots=True, eq=False)
class FrameRecord:
    """The faces in one frame.

    Attributes:
        source: The file, as it was given.
        frame: Number, from 0.
        at_s: Seconds since the first frame; 0 for an image.
        analysis: The faces and their probabilities.
        facing: For each face whether it faces the screen; None if that cannot be told.
        size: Width and height, pixels.
    """

    source: str
    frame: int
    at_s: float
    analysis: FaceAnalysis
    facing: list[bool | None]
    size: tuple[int, int]

    def to_json(self) -> str:
        """One line of JSON; docs/interface.md explains the keys."""
        faces: list[dict[str, Any]] = []
        detected = self.analysis.faces
        rows = zip(
            detected.boxes,
            detected.scores,
            self.analysis.probs,
            self.facing,
            strict=True,
        )
        for box, score, probs, facing in rows:
            faces.append(
                {
                    "box": [round(float(edge), 1) for edge in box],
                    "score": round(float(score), 4),
                    "label": EMOTIONS[int(np.argmax(probs))],
                    "probabilities": {
                        label: round(float(prob), 4) for label, prob in zip(EMOTIONS, probs, strict=True)
                    },
                    "facing": facing,
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
    try:
        if path.suffix.lower() in IMAGES:
            yield from _analyse_images(path, analyser, copy)
        else:
            yield from _analyse_video(path, analyser, copy)
    except MediaError as exc:
        raise AnalyzeError(str(exc)) from exc


def _analyse_images(path: Path, analyser: Analyser, copy: Path | None) -> Iterator[FrameRecord]:
    images = read_images(path)
    for number, (at_s, image) in enumerate(images):
        gray = np.asarray(cv2.cvtColor(image, cv2.COLOR_BGR2GRAY), np.uint8)
        size = (image.shape[1], image.shape[0])
        turns, turned = detect_turned(analyser.detectors[-1], gray)
        probs = analyser.classifier.predict(crop_faces(upright(gray, turns), turned))
        analysis = FaceAnalysis(turn_back(turned, turns, size), probs)
        draw(image, analysis)
        yield FrameRecord(str(path), number, at_s, analysis, _facing(turned), size)
    if copy is not None:
        prepare_copy(copy, path)
        write_images(copy, path, images)


def _facing(faces: Faces) -> list[bool | None]:
    return [
        faces_screen(landmarks, float(side))
        for landmarks, side in zip(faces.landmarks, faces.sides, strict=True)
    ]


def _analyse_video(path: Path, analyser: Analyser, copy: Path | None) -> Iterator[FrameRecord]:
    try:
        detector = _choose_detector(path, analyser.detectors)
        with ExitStack() as stack:
            film = stack.enter_context(open_film(path))
            drawn: VideoCopy | None = None
            number = -1
            for number, frame in enumerate(film.frames()):
                luma = frame.luma()
                size = (luma.shape[1], luma.shape[0])
                faces = detector.detect(luma)
                analysis = FaceAnalysis(faces, analyser.classifier.predict(crop_faces(luma, faces)))
                if copy is not None:
                    if drawn is None:
                        prepare_copy(copy, path)
                        drawn = stack.enter_context(video_copy(copy, film.stream, size))
                    drawn.write(frame, analysis)
                yield FrameRecord(str(path), number, frame.at_s, analysis, _facing(faces), size)
            if number < 0:
                raise AnalyzeError(f"{path} has no frame that can be decoded: check the file")
    except _DAMAGED as exc:
        reason = " ".join(str(exc).split())
        raise AnalyzeError(f"{path} cannot be read as a video ({reason}): check the file") from exc


def _choose_detector(path: Path, detectors: tuple[FaceDetector, ...]) -> FaceDetector:
    """Choose the detector of a video by the faces in its first three seconds.

    A recorded gallery or room has many small faces, which the detector of a live camera misses; the one for
    images takes up to fifty times as long.

    Returns:
        The detector of a live camera if at most one person is seen; else the fastest one that finds as many
        faces as the most thorough one.
    """
    samples = _sample(path)
    most = sum(len(detectors[-1].detect(luma)) for luma in samples)
    if most < 2 * len(samples):
        return detectors[0]
    for detector in detectors[:-1]:
        if sum(len(detector.detect(luma)) for luma in samples) >= _AS_MANY * most:
            return detector
    return detectors[-1]


def _sample(path: Path) -> list[Image]:
    samples: list[Image] = []
    # A damaged video is analysed up to the damage, and reported there.
    with suppress(*_DAMAGED), open_film(path) as film:
        for frame in film.frames():
            if frame.at_s >= len(samples) * _SAMPLE_INTERVAL_S:
                samples.append(np.array(frame.luma()))
            if len(samples) == _SAMPLES:
                break
    return samples
