"""``classmood analyze``: images and videos read as the live class reads them, drawn and listed.

Comes in: paths. Goes out: copies with boxes and labels, and one ``FrameRecord`` a frame. Videos go
through the detector as a live camera does; still pictures, which may show a whole room, are searched
in squares as well.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain, count
from pathlib import Path
from typing import Any, Final

import av
import cv2
import numpy as np
import numpy.typing as npt
from av.container import OutputContainer

from bot.frames import RawFrame, turns_of, upright
from inference.batcher import FaceAnalysis
from inference.classifier import EmotionClassifier
from inference.crops import crop_faces
from inference.detector import FaceDetector
from inference.emotions import EMOTIONS
from inference.facing import faces_screen

Picture = npt.NDArray[np.uint8]
"""(height, width, 3) BGR."""

IMAGES: Final = frozenset({".jpg", ".jpeg", ".png", ".bmp", ".webp"})
VIDEOS: Final = frozenset({".mp4", ".mkv", ".webm", ".mov", ".avi", ".m4v", ".mjpeg"})

MAX_FILE_BYTES: Final = 200_000_000
"""Of a still picture, which is read into memory whole."""

MAX_PIXELS: Final = 16384 * 8192
"""Of a video's frames."""


class AnalyzeError(Exception):
    """A path cannot be analysed; the text is one line that says what to do."""


@dataclass(frozen=True, slots=True)
class Analyser:
    """The models, for still pictures and for video."""

    still_detector: FaceDetector
    video_detector: FaceDetector
    classifier: EmotionClassifier


@dataclass(frozen=True, slots=True, eq=False)
class FrameRecord:
    """What one frame showed.

    Attributes:
        source: File it is from.
        frame: Number, from 0.
        at_s: Time within the file, seconds; 0 for a picture.
        reading: Its faces and their probabilities.
        size: Width and height, pixels.
    """

    source: str
    frame: int
    at_s: float
    reading: FaceAnalysis
    size: tuple[int, int]

    def to_json(self) -> str:
        """One JSON line: file, frame, time, size, and per face box, score, label, probabilities, facing."""
        faces: list[dict[str, Any]] = []
        found = self.reading.faces
        rows = zip(found.boxes, found.scores, found.landmarks, found.sides, self.reading.probs, strict=True)
        for box, score, landmarks, side, probs in rows:
            faces.append(
                {
                    "box": [round(float(edge), 1) for edge in box],
                    "score": round(float(score), 4),
                    "label": EMOTIONS[int(np.argmax(probs))],
                    "probabilities": {
                        label: round(float(share), 4) for label, share in zip(EMOTIONS, probs, strict=True)
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


def find_media(paths: tuple[Path, ...]) -> list[Path]:
    """The files to look at: those given, and those directly inside folders given.

    Raises:
        AnalyzeError: a path does not exist or is of no known kind, or there is nothing to look at.
    """
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += _inside(path)
        elif not path.exists():
            raise AnalyzeError(f"{path} does not exist: give images, videos or folders of them")
        elif path.suffix.lower() not in IMAGES | VIDEOS:
            known = " ".join(sorted(IMAGES | VIDEOS))
            raise AnalyzeError(f"{path} is of no known kind: give one of {known}")
        else:
            found.append(path)
    if not found:
        raise AnalyzeError("there is no image or video in what was given: give one, or a folder of them")
    return found


def _inside(folder: Path) -> list[Path]:
    """The files of a known kind directly inside a folder."""
    try:
        known = [file for file in folder.iterdir() if file.suffix.lower() in IMAGES | VIDEOS]
        return sorted(file for file in known if file.is_file())
    except OSError as exc:
        raise AnalyzeError(f"{folder} cannot be read ({exc.strerror}): make the folder readable") from exc


def with_copies(files: Iterable[Path], out: Path) -> list[tuple[Path, Path]]:
    """Each file once, and where in the folder ``out`` its copy goes: no two copies to one place."""
    found: dict[Path, Path] = {}
    taken: set[str] = set()
    for file in files:
        suffix = ".mp4" if file.suffix.lower() in VIDEOS else file.suffix
        names = (f"{file.stem}{mark}{suffix}" for mark in chain([""], (f"-{number}" for number in count(2))))
        if file not in found:
            name = next(name for name in names if name.casefold() not in taken)
            taken.add(name.casefold())
            found[file] = out / name
    return list(found.items())


def analyse_file(path: Path, analyser: Analyser, copy: Path | None) -> Iterator[FrameRecord]:
    """Read a file frame by frame; with ``copy``, one with boxes is written there (of a video, an .mp4).

    Raises:
        AnalyzeError: the file cannot be read, or the copy cannot be written.
    """
    if not path.is_file():  # a pipe or a device may never end
        raise AnalyzeError(f"{path} is no file: give images, videos or folders of them")
    if path.suffix.lower() in IMAGES:
        yield _analyse_image(path, analyser, copy)
    else:
        yield from _analyse_video(path, analyser, copy)


def draw(picture: Picture, reading: FaceAnalysis) -> None:
    """Draw boxes, labels and shares into a (height, width, 3) BGR picture."""
    scale = max(0.4, picture.shape[0] / 900)
    thick = max(1, round(scale * 2))
    for box, probs in zip(reading.faces.boxes, reading.probs, strict=True):
        x0, y0, x1, y1 = (int(edge) for edge in box)
        best = int(np.argmax(probs))
        label = f"{EMOTIONS[best]} {probs[best]:.0%}"
        (width, height), base = cv2.getTextSize(label, cv2.FONT_HERSHEY_SIMPLEX, scale, thick)
        top = y0 - height - base if y0 > height + base else y1
        cv2.rectangle(picture, (x0, y0), (x1, y1), (60, 200, 60), thick)
        cv2.rectangle(picture, (x0, top), (x0 + width, top + height + base), (60, 200, 60), cv2.FILLED)
        cv2.putText(
            picture, label, (x0, top + height), cv2.FONT_HERSHEY_SIMPLEX, scale, (0, 0, 0), thick, cv2.LINE_AA
        )


def _analyse_image(path: Path, analyser: Analyser, copy: Path | None) -> FrameRecord:
    picture = _read_picture(path)
    gray = np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY), np.uint8)
    faces = analyser.still_detector.detect(gray)
    reading = FaceAnalysis(faces, analyser.classifier.predict(crop_faces(gray, faces)))
    if copy is not None:
        draw(picture, reading)
        _prepare(copy, path)
        try:
            coded, content = cv2.imencode(path.suffix.lower(), picture)
        except cv2.error:
            coded = False
        if not coded:
            raise AnalyzeError(f"{path} cannot be written back as {path.suffix}: turn it into a .png first")
        try:
            copy.write_bytes(content.tobytes())
        except OSError as exc:
            raise AnalyzeError(f"cannot write {copy} ({exc.strerror}): give another --out") from exc
    return FrameRecord(path.name, 0, 0.0, reading, (picture.shape[1], picture.shape[0]))


def _read_picture(path: Path) -> Picture:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise AnalyzeError(f"{path} is too large for a picture: give one of at most 200 MB")
        content = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as exc:
        raise AnalyzeError(f"{path} cannot be read ({exc.strerror}): make the file readable") from exc
    try:
        decoded = cv2.imdecode(content, cv2.IMREAD_COLOR) if content.size else None
    except cv2.error:  # of more pixels than bot/__init__.py lets OpenCV take
        decoded = None
    if decoded is None:
        raise AnalyzeError(f"{path} cannot be read as a picture: check the file, or make it smaller")
    return np.array(decoded, np.uint8)


def _analyse_video(path: Path, analyser: Analyser, copy: Path | None) -> Iterator[FrameRecord]:
    try:
        with ExitStack() as stack:
            # By its full name: a name with a colon would be taken for the address of another protocol.
            source = stack.enter_context(av.open(f"file:{path.resolve()}"))
            if not source.streams.video:
                raise AnalyzeError(f"{path} holds no video: give a file with pictures")
            stream = source.streams.video[0]
            # None, whatever its type says, where no decoder knows the stream.
            if getattr(stream, "codec_context", None) is None:
                raise AnalyzeError(f"{path} is of a codec unknown here: convert it to H264 or VP8 first")
            stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
            drawn: _VideoCopy | None = None
            number = -1
            for number, frame in enumerate(source.decode(stream)):
                turns = turns_of(frame)
                luma = RawFrame(0.0, frame, turns).luma()
                size = (luma.shape[1], luma.shape[0])
                faces = analyser.video_detector.detect(luma)
                reading = FaceAnalysis(faces, analyser.classifier.predict(crop_faces(luma, faces)))
                if copy is not None:
                    if drawn is None:
                        _prepare(copy, path)
                        drawn = stack.enter_context(_video_copy(copy, stream, size))
                    drawn.write(frame, turns, reading)
                at_s = float(frame.time) if frame.time is not None else 0.0
                yield FrameRecord(path.name, number, at_s, reading, size)
            if number < 0:
                raise AnalyzeError(f"{path} holds no picture: check the file")
    except (av.FFmpegError, OSError, ValueError, ArithmeticError) as exc:
        said = " ".join(str(exc).split())
        raise AnalyzeError(f"{path} cannot be read as a video ({said}): check the file") from exc


class _VideoCopy:
    """An H.264 file that gets the frames upright, with boxes drawn in, at their own times."""

    def __init__(self, container: OutputContainer, source: av.VideoStream, size: tuple[int, int]) -> None:
        self._container = container
        self._stream = container.add_stream("libx264", rate=source.average_rate or 25)
        # What a browser or a telephone records has no steady rate.
        self._stream.codec_context.time_base = source.time_base or Fraction(1, 25)
        # An even number of pixels, and not none.
        self._stream.width, self._stream.height = max(2, size[0] // 2 * 2), max(2, size[1] // 2 * 2)
        self._stream.pix_fmt = "yuv420p"
        self._first: int | None = None
        self._next = 0

    def write(self, frame: av.VideoFrame, turns: int, reading: FaceAnalysis) -> None:
        """Add a frame, to be turned clockwise by so many quarters."""
        picture = np.array(upright(np.asarray(frame.to_ndarray(format="bgr24"), np.uint8), turns))
        draw(picture, reading)
        width, height = self._stream.width, self._stream.height
        if picture.shape[0] < height or picture.shape[1] < width:  # changed its size in the middle
            picture = np.asarray(cv2.resize(picture, (width, height)), np.uint8)
        drawn = av.VideoFrame.from_ndarray(np.ascontiguousarray(picture[:height, :width]), format="bgr24")
        if self._first is None:
            self._first = frame.pts or 0
        drawn.pts = max(self._next, (frame.pts or 0) - self._first)
        drawn.time_base = self._stream.codec_context.time_base
        self._next = drawn.pts + 1
        for packet in self._stream.encode(drawn):
            self._container.mux(packet)

    def flush(self) -> None:
        """Add what the encoder holds back."""
        for packet in self._stream.encode(None):
            self._container.mux(packet)


@contextmanager
def _video_copy(path: Path, source: av.VideoStream, size: tuple[int, int]) -> Iterator[_VideoCopy]:
    """A copy to write to; its file is closed whatever happens, and what was written before is kept."""
    with av.open(str(path), "w") as container:
        copy = _VideoCopy(container, source, size)
        try:
            yield copy
        finally:
            copy.flush()


def _prepare(copy: Path, source: Path) -> None:
    """Make the copy's folder.

    Raises:
        AnalyzeError: nothing can be written there, or the copy would be the source.
    """
    try:
        copy.parent.mkdir(parents=True, exist_ok=True)
        if copy.exists() and copy.samefile(source):
            raise AnalyzeError(f"the copy would take the place of {source} itself: give another --out")
    except OSError as exc:
        raise AnalyzeError(f"cannot write into {copy.parent} ({exc.strerror}): give another --out") from exc
