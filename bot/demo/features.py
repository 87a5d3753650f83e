"""Paints the movable parts of a drawn face: eyes, brows, nose, mouth, and the folds around them.

Lines and areas are painted on the patch of the head, shadows on a separate shade; ``faces`` blurs the shade
and darkens the patch by it. Coordinates are in eye distances from the point between the eyes; x points right,
y down.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import cv2
import numpy as np
import numpy.typing as npt

from bot.demo.expressions import Expression

Bgr = tuple[int, int, int]
Pixels = npt.NDArray[np.uint8]
Points = npt.NDArray[np.float64]
"""(N, 2) x and y."""

Row = npt.NDArray[np.float64]
"""(N,)"""

SHIFT: Final = 4
"""Fractional bits of the pixel coordinates that OpenCV gets."""

_ALONG: Final = np.linspace(0.0, 1.0, 13)
_ACROSS: Final = np.linspace(-1.0, 1.0, 17)
_MOUTH_Y: Final = 1.22
_MOUTH_HALF: Final = 0.43
_EYE_HALF: Final = 0.25
_WHITE: Final = (208, 212, 214)
_TEETH: Final = (228, 236, 238)
_CAVITY: Final = (38, 30, 58)
_TONGUE: Final = (88, 84, 150)


@dataclass(frozen=True, slots=True)
class Grid:
    """Converts coordinates of the face to pixels of an image.

    Attributes:
        unit_px: Pixels per eye distance.
        x_px: Pixel column of the point between the eyes.
        y_px: Pixel row of the point between the eyes.
    """

    unit_px: float
    x_px: float
    y_px: float

    def to_fixed_point(self, points: Points) -> npt.NDArray[np.int32]:
        """Convert (N, 2) points to (N, 2) pixels with ``SHIFT`` fractional bits, as OpenCV expects them."""
        pixels = points * self.unit_px + (self.x_px, self.y_px)
        return np.asarray(np.rint(pixels * (1 << SHIFT)), np.int32)

    def line_px(self, width: float) -> int:
        """Convert the width of a line from eye distances to pixels, at least one."""
        return max(1, round(width * self.unit_px))


@dataclass(frozen=True, slots=True)
class FeatureLook:
    """Colours and proportions of the movable parts.

    Attributes:
        skin, lips, brows, iris: Colours, BGR.
        brow_width: Thickness of the brows, eye distances.
        lip_full: Fullness of the lips, about 1.
        nose_length: Length of the nose, about 1.
        glasses: Colour of the rims, BGR; None without glasses.
    """

    skin: Bgr
    lips: Bgr
    brows: Bgr
    iris: Bgr
    brow_width: float
    lip_full: float
    nose_length: float
    glasses: Bgr | None


class Features:
    """Paints one face's movable parts."""

    def __init__(self, look: FeatureLook, patch_grid: Grid, shade_grid: Grid) -> None:
        """Set the look, and the position of the face in the patch and in the shade."""
        self._look = look
        self._patch_grid = patch_grid
        self._shade_grid = shade_grid

    def paint(self, patch: Pixels, shade: Pixels, expression: Expression, gaze: tuple[float, float]) -> None:
        """Paint the features.

        Args:
            patch: (H, W, 4) the head without features; modified.
            shade: (h, w) darkness, 0..255; modified. The caller blurs it.
            expression: Positions of the parts.
            gaze: Direction of the eyes, x and y, each -1..1.
        """
        self._folds(shade, expression)
        self._nose(patch, shade, expression)
        for side in (-1.0, 1.0):
            self._eye(patch, expression, side, gaze)
            self._brow(patch, expression, side)
        self._mouth(patch, shade, expression)
        if self._look.glasses is not None:
            self._glasses(patch, self._look.glasses)

    # -- eyes -----------------------------------------------------------------------------------------

    def _eye(self, patch: Pixels, expression: Expression, side: float, gaze: tuple[float, float]) -> None:
        arch = np.sqrt(np.clip(1 - _ACROSS**2, 0, 1))
        xs = side * 0.5 + _EYE_HALF * _ACROSS
        closed_y = 0.07 - 0.03 * expression.squint
        top = closed_y - (0.02 + 0.135 * expression.eye_open * (1 - 0.2 * expression.squint)) * arch
        # A worried brow pulls the inner half of the lid up, an angry one presses it down.
        top = top + 0.045 * expression.brow_inner * side * _ACROSS * arch
        low = closed_y + 0.06 * arch * min(1.0, expression.eye_open) * (1 - 1.1 * expression.squint)
        low = np.maximum(low, top)
        upper, lower = np.stack([xs, top], 1), np.stack([xs, low], 1)
        # Iris and glint are drawn on a white rectangle; only the opening of the eye is copied to the patch.
        outline = self._patch_grid.to_fixed_point(np.concatenate([upper, lower[::-1]]))
        x, y, width, height = cv2.boundingRect(outline >> SHIFT)
        x, y, width, height = x - 2, y - 2, width + 4, height + 4
        target = patch[y : y + height, x : x + width]
        mask = np.zeros((height, width), np.uint8)
        offset = np.array([x << SHIFT, y << SHIFT], np.int32)
        cv2.fillPoly(mask, [outline - offset], 255, cv2.LINE_8, SHIFT)
        eyeball = np.empty_like(target)
        eyeball[:] = (*_WHITE, 255)
        centre = np.array([[side * 0.5 + 0.07 * gaze[0], 0.0 + 0.05 * gaze[1]]])
        spot = self._patch_grid.to_fixed_point(centre)[0] - offset
        unit = self._patch_grid.unit_px * (1 << SHIFT)
        for radius, colour in ((0.125, self._look.iris), (0.06, (16, 14, 12))):
            cv2.circle(eyeball, spot.tolist(), round(radius * unit), (*colour, 255), -1, cv2.LINE_AA, SHIFT)
        glint = spot + np.array([-0.045 * unit, -0.05 * unit], np.int32)
        cv2.circle(eyeball, glint.tolist(), round(0.026 * unit), (250, 250, 250, 255), -1, cv2.LINE_AA, SHIFT)
        cv2.copyTo(eyeball, mask, target)
        self._line(patch, upper, (34, 28, 30), 0.045)
        self._line(patch, lower, darker(self._look.skin, 0.62), 0.02)

    def _brow(self, patch: Pixels, expression: Expression, side: float) -> None:
        along = _ALONG
        inner_x = 0.2 - 0.07 * expression.furrow
        xs = inner_x + (0.82 - inner_x) * along
        ys = -0.33 - 0.2 * expression.brow_raise - 0.1 * np.sin(np.pi * (0.15 + 0.75 * along))
        ys -= (0.17 * expression.brow_inner - 0.06 * expression.furrow) * (1 - along) ** 1.5
        half = self._look.brow_width * (0.32 + 0.68 * np.sin(np.pi * np.clip(0.2 + 0.8 * along, 0, 1)))
        upper = np.stack([side * xs, ys - half], 1)
        lower = np.stack([side * xs, ys + half], 1)
        self._fill(patch, np.concatenate([upper, lower[::-1]]), self._look.brows)

    def _glasses(self, patch: Pixels, colour: Bgr) -> None:
        angle = np.linspace(0, 2 * np.pi, 25)
        for side in (-1.0, 1.0):
            xs = side * 0.51 + 0.4 * np.sign(np.cos(angle)) * np.abs(np.cos(angle)) ** 0.7
            ys = 0.08 + 0.31 * np.sign(np.sin(angle)) * np.abs(np.sin(angle)) ** 0.7
            self._line(patch, np.stack([xs, ys], 1), colour, 0.024)
            self._line(patch, np.array([[side * 0.91, 0.0], [side * 1.12, -0.06]]), colour, 0.024)
        self._line(patch, np.array([[-0.11, 0.0], [0.0, -0.04], [0.11, 0.0]]), colour, 0.024)

    # -- nose and folds -------------------------------------------------------------------------------

    def _nose(self, patch: Pixels, shade: Pixels, expression: Expression) -> None:
        base = 0.78 * self._look.nose_length - 0.05 * expression.nose_wrinkle
        dark = darker(self._look.skin, 0.45)
        for side in (-1.0, 1.0):
            nostril = self._patch_grid.to_fixed_point(np.array([[side * 0.105, base + 0.02]]))[0]
            axes = [round(a * self._patch_grid.unit_px * (1 << SHIFT)) for a in (0.055, 0.026)]
            cv2.ellipse(
                patch, nostril.tolist(), axes, -side * 14, 0, 360, (*dark, 255), -1, cv2.LINE_AA, SHIFT
            )
            wing = np.array(
                [[side * 0.2, base - 0.13], [side * 0.25, base - 0.03], [side * 0.2, base + 0.05]]
            )
            self._shadow(shade, wing, 0.05, 110)
        self._shadow(shade, np.array([[0.13, -0.1], [0.11, 0.25], [0.15, base - 0.15]]), 0.12, 46)
        self._shadow(
            shade, np.array([[-0.14, base + 0.08], [0.0, base + 0.1], [0.14, base + 0.08]]), 0.09, 80
        )

    def _folds(self, shade: Pixels, expression: Expression) -> None:
        corner_x, corner_y = _MOUTH_HALF * expression.mouth_width, _corner_y(expression)
        cheek, wrinkle = expression.cheek, expression.nose_wrinkle
        for side in (-1.0, 1.0):

            def shadow(
                points: list[tuple[float, float]], width: float, darkness: float, side: float = side
            ) -> None:
                self._shadow(shade, np.array(points) * (side, 1.0), width, darkness)

            beside = [(corner_x + 0.14, corner_y - 0.05), (corner_x + 0.15, corner_y + 0.1)]
            shadow([(0.27, 0.7), (0.38, 0.82), *beside], 0.045, 30 + 100 * cheek + 60 * wrinkle)
            pouch = [(0.28, 0.2), (0.5, 0.27 - 0.03 * cheek), (0.76, 0.17)]
            shadow(pouch, 0.045, 45 + 70 * max(cheek, expression.squint))
            lid = [(0.24, -0.06), (0.5, -0.2 - 0.05 * expression.brow_raise), (0.8, -0.03)]
            shadow(lid, 0.07, 70 + 30 * expression.furrow)
            shadow([(0.07, -0.42), (0.085, -0.15)], 0.04, 150 * expression.furrow)
            sulk = [(corner_x + 0.02, corner_y + 0.03), (corner_x + 0.1, corner_y + 0.28)]
            shadow(sulk, 0.06, 120 * expression.droop)
            shadow([(0.02, -0.02), (0.14, 0.08)], 0.04, 110 * wrinkle)
        for height in (0.72, 0.86, 1.0):
            bend = 0.03 * _ACROSS**2 - 0.07 * expression.brow_inner * (1 - _ACROSS**2)
            line = np.stack([0.62 * _ACROSS, bend - height - 0.1 * expression.brow_raise], 1)
            self._shadow(shade, line, 0.035, 110 * expression.forehead)
        chin = np.array([[-0.2, 1.62], [0.0, 1.58], [0.2, 1.62]])
        self._shadow(shade, chin, 0.08, 40 + 90 * expression.droop)

    # -- mouth ----------------------------------------------------------------------------------------

    def _mouth(self, patch: Pixels, shade: Pixels, expression: Expression) -> None:
        half = _MOUTH_HALF * expression.mouth_width
        bow = 1 - _ACROSS**2
        corner_y = _corner_y(expression)
        middle_y = _MOUTH_Y + 0.1 * expression.mouth_curve
        seam = corner_y + (middle_y - corner_y) * bow
        # When the mouth opens, the lower lip moves further than the upper one.
        inner_top = seam - 0.14 * expression.mouth_open * bow**0.7
        inner_low = seam + 0.52 * expression.mouth_open * bow**0.7
        full = self._look.lip_full * (1 - 0.75 * expression.lip_press)
        thin = 1 - 0.35 * max(0.0, expression.mouth_curve)
        cupid = bow**0.8 * (1 - 0.25 * np.exp(-((_ACROSS / 0.16) ** 2)))
        outer_top = inner_top - 0.085 * full * thin * cupid
        outer_low = inner_low + 0.125 * full * thin * bow**0.75
        xs = half * _ACROSS
        self._fill(patch, _area_between(xs, outer_top, outer_low), self._look.lips)
        if expression.mouth_open > 0.03:
            gap = inner_low - inner_top
            self._fill(patch, _area_between(0.94 * xs, inner_top, inner_low), _CAVITY)
            if expression.mouth_open > 0.35:
                tongue = _area_between(0.6 * xs, inner_low - 0.3 * gap * bow, inner_low - 0.02)
                self._fill(patch, tongue, _TONGUE)
            if expression.teeth > 0.03:
                teeth = _area_between(0.865 * xs, inner_top, inner_top + gap * expression.teeth)
                self._fill(patch, teeth, _TEETH)
        else:
            self._line(patch, np.stack([xs, seam], 1), darker(self._look.lips, 0.45), 0.035)
        for side in (-1.0, 1.0):
            end_y = corner_y - 0.05 * expression.mouth_curve
            self._shadow(shade, np.array([[side * half, corner_y], [side * (half + 0.05), end_y]]), 0.05, 130)
        below = float(outer_low[len(outer_low) // 2]) + 0.07
        hollow = np.array([[-0.2, below - 0.01], [0.0, below + 0.02], [0.2, below - 0.01]])
        self._shadow(shade, hollow, 0.08, 75)

    # -- strokes --------------------------------------------------------------------------------------

    def _fill(self, patch: Pixels, points: Points, colour: Bgr) -> None:
        cv2.fillPoly(patch, [self._patch_grid.to_fixed_point(points)], (*colour, 255), cv2.LINE_AA, SHIFT)

    def _line(self, patch: Pixels, points: Points, colour: Bgr, width: float) -> None:
        cv2.polylines(
            patch,
            [self._patch_grid.to_fixed_point(points)],
            False,
            (*colour, 255),
            self._patch_grid.line_px(width),
            cv2.LINE_AA,
            SHIFT,
        )

    def _shadow(self, shade: Pixels, points: Points, width: float, darkness: float) -> None:
        """Paint a shadow along a line; it replaces darker shadows below it, which the blur hides."""
        if darkness < 1:
            return
        fixed = self._shade_grid.to_fixed_point(points)
        cv2.polylines(
            shade, [fixed], False, min(255.0, darkness), self._shade_grid.line_px(width), cv2.LINE_AA, SHIFT
        )


def darker(colour: Bgr, share: float) -> Bgr:
    """The colour, each channel multiplied by a share; above 1 it gets lighter."""
    blue, green, red = (min(255, round(value * share)) for value in colour)
    return blue, green, red


def _area_between(xs: Row, top: Row, low: Row) -> Points:
    """The outline of the area between an upper and a lower line with the same x coordinates."""
    return np.concatenate([np.stack([xs, top], 1), np.stack([xs, low], 1)[::-1]])


def _corner_y(expression: Expression) -> float:
    """The y coordinate of the corners of the mouth."""
    return _MOUTH_Y - 0.16 * expression.mouth_curve
