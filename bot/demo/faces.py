"""Draws the demo's students: a parametric cartoon face in front of a plain room.

Comes in: a ``FaceLook`` (drawn from a seeded generator), an ``Expression`` and a ``Pose``. Goes out:
pictures for the students' cameras. What stands still (room, shoulders, head, hair) is drawn once; each
picture costs the movable parts, a warp, a shrink and some noise.
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
"""The head's patch, in eye distances around the point between the eyes."""

_NOISE_SIGMA: Final = 2.0
_NOISE_BIAS: Final = 10
_NOISE_SLACK_PX: Final = 32


@dataclass(frozen=True, slots=True)
class Pose:
    """How the head is held.

    Attributes:
        x_px: Head moved right, pixels.
        y_px: Head moved down, pixels.
        tilt_deg: Head tilted clockwise as seen, degrees.
        turn: Head turned to the picture's left (-1) or right (1); the features move by it.
        blink: Eyes shut, 0..1.
        gaze_x: Eyes to the picture's left (-1) or right (1).
        gaze_y: Eyes up (-1) or down (1).
    """

    x_px: float = 0.0
    y_px: float = 0.0
    tilt_deg: float = 0.0
    turn: float = 0.0
    blink: float = 0.0
    gaze_x: float = 0.0
    gaze_y: float = 0.0


class Painter:
    """Draws one student, picture after picture."""

    def __init__(self, look: FaceLook, rng: np.random.Generator) -> None:
        """Draw what stands still.

        Args:
            look: The student.
            rng: For the camera's noise.
        """
        self._look = look
        self._rng = rng
        unit = look.eye_px * FINE
        self._size = (round((_RIGHT - _LEFT) * look.eye_px), round((_BOTTOM - _TOP) * look.eye_px))
        self._ink = Grid(unit, -_LEFT * unit, -_TOP * unit)
        self._room = draw_room(look)
        self._head = draw_head(look, self._ink, (self._size[0] * FINE, self._size[1] * FINE))
        shape = (HEIGHT_PX + _NOISE_SLACK_PX, WIDTH_PX + _NOISE_SLACK_PX, 3)
        noise = rng.normal(_NOISE_BIAS, _NOISE_SIGMA, shape)
        self._bias = np.full((HEIGHT_PX, WIDTH_PX, 3), _NOISE_BIAS, np.uint8)
        self._noise = np.asarray(noise.clip(0, 2 * _NOISE_BIAS), np.uint8)

    def picture(self, expression: Expression, pose: Pose) -> Pixels:
        """One picture.

        Returns:
            (180, 320, 3) BGR.
        """
        patch = self._head.copy()
        unit, shift = self._look.eye_px, 0.1 * pose.turn
        shade = np.zeros((self._size[1], self._size[0]), np.uint8)
        turned = Grid(self._ink.unit_px, self._ink.x_px + shift * self._ink.unit_px, self._ink.y_px)
        soft = Grid(unit, (shift - _LEFT) * unit, -_TOP * unit)
        shut = replace(expression, eye_open=expression.eye_open * (1 - pose.blink))
        Features(self._look.features, turned, soft).paint(patch, shade, shut, (pose.gaze_x, pose.gaze_y))
        soft_shade = np.asarray(cv2.GaussianBlur(shade, (0, 0), 0.05 * unit), np.uint8)
        return self._finish(self._place(patch, soft_shade, pose))

    def _place(self, patch: Pixels, shade: Pixels, pose: Pose) -> Pixels:
        """The head, shrunk and shaded, held as posed, in front of the room."""
        left = self._look.x_px + _LEFT * self._look.eye_px + pose.x_px
        top = self._look.y_px + _TOP * self._look.eye_px + pose.y_px
        whole_left, whole_top = int(np.floor(left)), int(np.floor(top))
        # The head turns about the neck.
        pivot = (-_LEFT * self._look.eye_px, (1.9 - _TOP) * self._look.eye_px)
        turn = cv2.getRotationMatrix2D(pivot, -pose.tilt_deg, 1.0)
        turn[:, 2] += np.array([left - whole_left, top - whole_top])
        fine = turn.copy()
        fine[:, 2] *= FINE
        width, height = self._size
        small = cv2.resize(
            cv2.warpAffine(patch, fine, (width * FINE, height * FINE)),
            self._size,
            interpolation=cv2.INTER_AREA,
        )
        dark = 255 - cv2.warpAffine(shade, turn, self._size)
        frame = self._room.copy()
        x0, y0 = max(0, whole_left), max(0, whole_top)
        x1, y1 = min(WIDTH_PX, whole_left + width), min(HEIGHT_PX, whole_top + height)
        cut = np.s_[y0 - whole_top : y1 - whole_top, x0 - whole_left : x1 - whole_left]
        head, dark = small[cut], dark[cut]
        behind = cv2.cvtColor(255 - head[:, :, 3], cv2.COLOR_GRAY2BGR)
        front = cv2.multiply(head[:, :, :3], cv2.cvtColor(dark, cv2.COLOR_GRAY2BGR), scale=1 / 255)
        frame[y0:y1, x0:x1] = cv2.add(cv2.multiply(frame[y0:y1, x0:x1], behind, scale=1 / 255), front)
        return frame

    def _finish(self, frame: Pixels) -> Pixels:
        """A cheap camera: a little blur and noise."""
        blurred = cv2.GaussianBlur(frame, (3, 3), 0.6)
        x, y = (int(offset) for offset in self._rng.integers(_NOISE_SLACK_PX, size=2))
        noise = self._noise[y : y + HEIGHT_PX, x : x + WIDTH_PX]
        return np.asarray(cv2.subtract(cv2.add(blurred, noise), self._bias), np.uint8)
