"""Encoded VP8 clips of a student, which are played in a loop.

Each frame has a strip of eight dark or light blocks at its top that encodes the student's identity
(``read_identity``). In a numbered clip, a second strip encodes the number of the frame (``read_number``).
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Final

import av
import cv2
import numpy as np
from av.video.frame import PictureType

from bot.demo.faces import Painter
from bot.demo.looks import FaceLook
from bot.demo.story import tell_story
from inference.arrays import Image

LAYER_PATTERN: Final = (0, 2, 1, 2)
"""Temporal layers of an L1T3 stream, repeated every four frames, as browsers send it."""

_SYNC_PATTERN: Final = (False, True, True, False)
"""Which of these frames depend on layer 0 only; found by decoding without the others."""

NUMBERS: Final = 256
"""How many different frame numbers a strip can encode; a numbered clip has this length."""

_BLOCKS: Final = 8
_DARK: Final = 40
_LIGHT: Final = 215
_POSES: Final = 12
"""Different drawings of a face in a clip; each is held for several frames."""

_NUMBERED_KEY_INTERVAL: Final = 8
"""Frames from one key frame of a numbered clip to the next; a multiple of the layer pattern. This is half a
second, about as long as a browser takes to send a requested key frame."""


@dataclass(frozen=True, slots=True)
class ClipFrame:
    """An encoded frame.

    Attributes:
        data: The frame, encoded as VP8.
        layer: Temporal layer.
        sync: Whether it depends on layer 0 only.
        key: Whether it is a key frame.
    """

    data: bytes
    layer: int
    sync: bool
    key: bool


@dataclass(frozen=True, slots=True)
class Clip:
    """The frames of a clip, to be played in a loop.

    Attributes:
        frames: In order. The first is a key frame; only a numbered clip has more of them.
        fps: Frames a second.
        layers: Temporal layers, 1 or 3.
    """

    frames: tuple[ClipFrame, ...]
    fps: int
    layers: int


@dataclass(frozen=True, slots=True)
class ClipSpec:
    """Describes a clip.

    Attributes:
        identity: The student's identity, 0..255.
        width: Pixels.
        height: Pixels.
        fps: Frames a second.
        seconds: Length of the clip.
        layers: Temporal layers, 1 or 3.
        face: Whether it shows a drawn face; else it shows a moving pattern.
        numbered: Whether each frame has its number drawn in and every eighth is a key frame, for senders
            that cannot be asked for key frames.
        noise: Standard deviation of the camera's noise, grey levels. It makes encoding several times slower.
    """

    identity: int
    width: int = 320
    height: int = 180
    fps: int = 15
    seconds: float = 4.0
    layers: int = 3
    face: bool = False
    numbered: bool = False
    noise: float = 4.0


def make_clip(spec: ClipSpec) -> Clip:
    """Draw and encode a clip."""
    count = max(4, round(spec.fps * spec.seconds / 4) * 4)  # a multiple of the layer pattern
    encoder = _encoder(spec)
    encoded: list[bytes] = []
    for number, luma in enumerate(draw_scenes(spec, count)):
        draw_strip(luma, spec.identity, 0)
        if spec.numbered:
            draw_strip(luma, number % NUMBERS, 1)
        planes = np.full((spec.height * 3 // 2, spec.width), 128, np.uint8)
        planes[: spec.height] = luma
        frame = av.VideoFrame.from_ndarray(planes, format="yuv420p")
        frame.pts = number
        if spec.numbered and number % _NUMBERED_KEY_INTERVAL == 0:
            frame.pict_type = PictureType.I
        encoded += [bytes(packet) for packet in encoder.encode(frame)]
    if len(encoded) != count:
        raise RuntimeError(f"the encoder returned only {len(encoded)} of {count} frames")
    layered = spec.layers == 3
    frames = tuple(
        ClipFrame(
            data,
            LAYER_PATTERN[number % 4] if layered else 0,
            layered and _SYNC_PATTERN[number % 4],
            not data[0] & 1,
        )
        for number, data in enumerate(encoded)
    )
    return Clip(frames, spec.fps, spec.layers)


def read_identity(luma: Image) -> int:
    """The identity drawn into a frame (height, width); -1 if a block is neither dark nor light."""
    return _read_strip(luma, 0)


def read_number(luma: Image) -> int:
    """The number drawn into a frame of a numbered clip; -1 if it cannot be read."""
    return _read_strip(luma, 1)


def _read_strip(luma: Image, strip: int) -> int:
    height, width = luma.shape
    row = (2 * strip + 1) * height // 24
    levels = luma[row, width // (2 * _BLOCKS) :: width // _BLOCKS].tolist()[:_BLOCKS]
    if any(90 < level < 165 for level in levels):
        return -1
    return sum((level > 128) << block for block, level in enumerate(levels))


def draw_strip(luma: Image, value: int, strip: int) -> None:
    """Draw a value, 0..255, into a frame (height, width): strip 0 is the identity, strip 1 the number."""
    height, width = luma.shape
    top, bottom = strip * height // 12, (strip + 1) * height // 12
    for block in range(_BLOCKS):
        left, right = block * width // _BLOCKS, (block + 1) * width // _BLOCKS
        luma[top:bottom, left:right] = _LIGHT if value >> block & 1 else _DARK


def _encoder(spec: ClipSpec) -> av.VideoCodecContext:
    encoder = av.VideoCodecContext.create("libvpx", "w")
    encoder.width, encoder.height, encoder.pix_fmt = spec.width, spec.height, "yuv420p"
    encoder.framerate, encoder.time_base = Fraction(spec.fps), Fraction(1, spec.fps)
    # As much as browsers use for a thumbnail: about 200 kbit/s at 320 x 180 and 15 frames a second.
    kbits = max(50, round(spec.width * spec.height * spec.fps * 0.23 / (spec.width / 320) ** 0.7 / 1000))
    encoder.bit_rate, encoder.gop_size, encoder.thread_count = kbits * 1000, 100_000, 1
    options = {
        "deadline": "realtime",
        "cpu-used": "8",
        "lag-in-frames": "0",
        "auto-alt-ref": "0",
        "error-resilient": "1",
        "noise-sensitivity": "0",
    }
    if spec.layers == 3:
        rates = f"{kbits * 4 // 10},{kbits * 6 // 10},{kbits}"
        options["ts-parameters"] = (
            f"ts_number_layers=3:ts_target_bitrate={rates}:ts_rate_decimator=4,2,1:"
            "ts_periodicity=4:ts_layer_id=0,2,1,2:ts_layering_mode=3"
        )
    encoder.options = options
    return encoder


def draw_scenes(spec: ClipSpec, count: int) -> list[Image]:
    """Draw the frames of a clip, (height, width) each, without strips."""
    rng = np.random.default_rng([spec.identity, spec.width])
    size = (spec.width, spec.height)
    if spec.face:
        painter = Painter(FaceLook.random(rng), rng)
        (story,) = tell_story(spec.identity, 1)
        frames_per_pose = max(1, count // _POSES)
        drawn = [
            painter.frame(story.expression(at_s), story.pose(at_s))
            for at_s in np.arange(0, count, frames_per_pose) / spec.fps
        ]
        scenes = [cv2.resize(cv2.cvtColor(frame, cv2.COLOR_BGR2GRAY), size) for frame in drawn]
        shown = [np.asarray(scenes[number // frames_per_pose], np.int16) for number in range(count)]
    else:
        coarse = rng.integers(30, 220, (10, 16)).astype(np.uint8)
        scene = np.asarray(cv2.resize(coarse, size, interpolation=cv2.INTER_CUBIC), np.int16)
        shown = [np.roll(scene, number * 2, axis=1) for number in range(count)]
    noise = rng.normal(0, spec.noise, (spec.height, spec.width)).astype(np.int16)
    return [
        np.clip(frame + np.roll(noise, number * 7, axis=0), 0, 255).astype(np.uint8)
        for number, frame in enumerate(shown)
    ]
