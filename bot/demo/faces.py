"""Draws the frames of a student: a parametric cartoon face in front of a plain room.

The parts that never change (room, shoulders, head, hair) are drawn once. For each frame, the movable parts
are painted on the head, the head is rotated and scaled down, and noise is added.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Final

import cv2
import numpy as np

from bot.demo.expressions import Expression
from bot.demo.features import Features, Grid, Pixels
from bot.demo.looks import FaceLook
from bot.demo.portrait import FINE, HEIGHT_PX, WIDTH_PX, draw_head, draw_room

_LEFT, _TOP, _RIGHT, _BOTTOM = -1.75, -2.3, 1.75, 2.5
"""Edges of the patch that holds the head, in eye distances from the point between the eyes."""

_NOISE_SIGMA: Final = 2.0
_NOISE_BIAS: Final = 10
"""Added to the noise so that it is never negative; subtracted again after it is added to the frame."""

_NOISE_SLACK_PX: Final = 32
"""The noise is this much larger than a frame, so that each frame can use another part of it."""


@dataclass(frozen=True, slots=True)
class Pose:
    """Position of the head and the eyes; left and right are those of the frame.

    Attributes:
        x_px: Head moved right, pixels.
        y_px: Head moved down, pixels.
        tilt_deg: Head tilted clockwise, degrees.
        turn: Head turned left (-1) or right (1); this shifts the features.
        blink: Eyes shut, 0..1.
        gaze_x: Eyes directed left (-1) or right (1).
        gaze_y: Eyes directed up (-1) or down (1).
    """

    x_px: float = 0.0
    y_px: float = 0.0
    tilt_deg: float = 0.0
    turn: float = 0.0
    blink: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0


class Painter:
    """Draws the frames of one student."""

    def __init__(self, look: FaceLook, rng: np.random.Generator) -> None:
        """Draw the parts that never change.

        Args:
            look: The student's look.
            rng: Source of the camera noise.
        """
        self._look = look
        self._rng = rng
        unit = look.eye_px * FINE
        self._size = (round((_RIGHT - _LEFT) * look.eye_px), round((_BOTTOM - _TOP) * look.eye_px))
        self._grid = Grid(unit, -_LEFT * unit, -_TOP * unit)
        self._room = draw_room(look)
        self._head = draw_head(look, self._grid, (self._size[0] * FINE, self._size[1] * FINE))
        shape = (HEIGHT_PX + _NOISE_SLACK_PX, WIDTH_PX + _NOISE_SLACK_PX, 3)
        noise = rng.normal(_NOISE_BIAS, _NOISE_SIGMA, shape)
        self._bias = np.full((HEIGHT_PX, WIDTH_PX, 3), _NOISE_BIAS, np.uint8)
        self._noise = np.asarray(noise.clip(0, 2 * _NOISE_BIAS), np.uint8)

    def frame(self, expression: Expression, pose: Pose) -> Pixels:
        """Draw one frame, (180, 320, 3) BGR."""
        patch = self._head.copy()
        unit, shift = self._look.eye_px, 0.1 * pose.turn
        shade = np.zeros((self._size[1], self._size[0]), np.uint8)
        patch_grid = Grid(self._grid.unit_px, self._grid.x_px + shift * self._grid.unit_px, self._grid.y_px)
        shade_grid = Grid(unit, (shift - _LEFT) * unit, -_TOP * unit)
        blinking = replace(expression, eye_open=expression.eye_open * (1 - pose.blink))
        features = Features(self._look.features, patch_grid, shade_grid)
        features.paint(patch, shade, blinking, (pose.gaze_x, pose.gaze_y))
        blurred_shade = np.asarray(cv2.GaussianBlur(shade, (0, 0), 0.05 * unit), np.uint8)
        return self._add_camera_noise(self._compose(patch, blurred_shade, pose))

    def _compose(self, patch: Pixels, shade: Pixels, pose: Pose) -> Pixels:
        """The frame: the head, posed, scaled down and shaded, in front of the room."""
        left = self._look.x_px + _LEFT * self._look.eye_px + pose.x_px
        top = self._look.y_px + _TOP * self._look.eye_px + pose.y_px
        whole_left, whole_top = int(np.floor(left)), int(np.floor(top))
        # The head tilts about the neck.
        pivot = (-_LEFT * self._look.eye_px, (1.9 - _TOP) * self._look.eye_px)
        tilt = cv2.getRotationMatrix2D(pivot, -pose.tilt_deg, 1.0)
        tilt[:, 2] += np.array([left - whole_left, top - whole_top])
        enlarged_tilt = tilt.copy()
        enlarged_tilt[:, 2] *= FINE
        width, height = self._size
        small = cv2.resize(
            cv2.warpAffine(patch, enlarged_tilt, (width * FINE, height * FINE)),
            self._size,
            interpolation=cv2.INTER_AREA,
        )
        brightness = 255 - cv2.warpAffine(shade, tilt, self._size)
        frame = self._room.copy()
        x0, y0 = max(0, whole_left), max(0, whole_top)
        x1, y1 = min(WIDTH_PX, whole_left + width), min(HEIGHT_PX, whole_top + height)
        cut = np.s_[y0 - whole_top : y1 - whole_top, x0 - whole_left : x1 - whole_left]
        head, brightness = small[cut], brightness[cut]
        transparency = cv2.cvtColor(255 - head[:, :, 3], cv2.COLOR_GRAY2BGR)
        shaded = cv2.multiply(head[:, :, :3], cv2.cvtColor(brightness, cv2.COLOR_GRAY2BGR), scale=1 / 255)
        background = cv2.multiply(frame[y0:y1, x0:x1], transparency, scale=1 / 255)
        frame[y0:y1, x0:x1] = cv2.add(background, shaded)
        return frame

    def _add_camera_noise(self, frame: Pixels) -> Pixels:
        """The frame with the slight blur and noise of a cheap camera."""
        blurred = cv2.GaussianBlur(frame, (3, 3), 0.6)
        x, y = (int(offset) for offset in self._rng.integers(_NOISE_SLACK_PX, size=2))
        noise = self._noise[y : y + HEIGHT_PX, x : x + WIDTH_PX]
        return np.asarray(cv2.subtract(cv2.add(blurred, noise), self._bias), np.uint8)
