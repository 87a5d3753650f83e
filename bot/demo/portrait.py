"""Draws the parts of a student that never change: the room, the shoulders, the head and the hair.

``faces`` draws them once and adds the movable features for each frame.
"""

from __future__ import annotations

from typing import Final

import cv2
import numpy as np

from bot.demo.features import SHIFT, Bgr, Grid, Pixels, Points, darker
from bot.demo.looks import FaceLook
from inference.arrays import Floats

WIDTH_PX: Final = 320
HEIGHT_PX: Final = 180

FINE: Final = 3
"""Everything is drawn this many times larger and then scaled down, for smooth edges."""

_NECK: Final = np.array([[-0.72, 1.0], [0.72, 1.0], [0.76, 2.1], [1.0, 2.8], [-1.0, 2.8], [-0.76, 2.1]])
_COLLAR: Final = np.array([[0.76, 2.1], [0.0, 2.5], [-0.76, 2.1]])
_TRUNK: Final = np.array([[-1.7, 2.36], [-2.5, 2.8], [-2.9, 6.0], [2.9, 6.0], [2.5, 2.8], [1.7, 2.36]])


def draw_room(look: FaceLook) -> Pixels:
    """The wall, a shelf, and the student's shoulders and neck, (180, 320, 3) BGR."""
    width, height = WIDTH_PX * FINE, HEIGHT_PX * FINE
    fine = np.empty((height, width, 3), np.uint8)
    fine[:] = look.wall
    shelf = 0 if look.light > 0 else width - 150
    cv2.rectangle(fine, (shelf, 0), (shelf + 150, 250), darker(look.wall, 0.82), -1)
    cv2.rectangle(fine, (shelf, 250), (shelf + 150, 262), darker(look.wall, 0.6), -1)
    slope = 1 + 0.06 * np.sign(look.light) * np.linspace(-1, 1, width)
    fine = np.asarray((fine * slope[None, :, None]).clip(0, 255), np.uint8)
    fine = np.asarray(cv2.GaussianBlur(fine, (0, 0), 4), np.uint8)
    grid = Grid(look.eye_px * FINE, look.x_px * FINE, look.y_px * FINE)
    if look.hair_style == 2:
        _fill(fine, grid, _ellipse(0.0, 0.9, 1.5, 1.9), darker(look.hair, 0.8))
    _fill(fine, grid, _NECK, darker(look.features.skin, 0.74))
    _fill(fine, grid, np.concatenate([_TRUNK, _COLLAR]), look.shirt)
    return np.asarray(cv2.resize(fine, (WIDTH_PX, HEIGHT_PX), interpolation=cv2.INTER_AREA), np.uint8)


def draw_head(look: FaceLook, grid: Grid, size: tuple[int, int]) -> Pixels:
    """Head, ears and hair, without features.

    Args:
        look: The student's look.
        grid: Position of the face in the patch.
        size: Width and height of the patch, pixels.

    Returns:
        (height, width, 4) BGR and opacity, 0..255; black where it is transparent.
    """
    width, height = size
    skin = look.features.skin
    patch = np.zeros((height, width, 4), np.uint8)
    if look.hair_style == 2:
        _fill(patch, grid, _ellipse(0.0, 0.35, look.face_width + 0.3, 2.1), darker(look.hair, 0.85))
    if look.hair_style == 3:
        _fill(patch, grid, _ellipse(0.0, -1.85, 0.45, 0.35), darker(look.hair, 0.9))
    _fill(patch, grid, _ellipse(0.0, -0.55, look.face_width + 0.1, 1.45), darker(look.hair, 0.8))
    for side in (-1.0, 1.0):
        _fill(patch, grid, _ellipse(side * look.face_width, 0.25, 0.16, 0.33), darker(skin, 0.82))
    # The face is egg-shaped: it narrows towards the chin, depending on the jaw.
    angle = np.linspace(0, 2 * np.pi, 73)
    down = np.sin(angle)
    narrow = 1 - (0.3 - 0.8 * (look.jaw - 1)) * np.clip(down, 0, 1) ** 2.2
    xs = look.face_width * np.cos(angle) * narrow
    ys = 0.15 + np.where(down > 0, 1.75, 1.8) * down
    egg = np.stack([xs, ys], 1)
    face = np.zeros((height, width), np.uint8)
    cv2.fillPoly(face, [grid.to_fixed_point(egg)], 255, cv2.LINE_AA, SHIFT)
    light = _lighting(look, grid, size)
    colour = np.asarray((np.array(skin, np.float32) * light[:, :, None]).clip(0, 255), np.uint8)
    share = face[:, :, None].astype(np.float32) / 255
    patch[:, :, :3] = patch[:, :, :3] * (1 - share) + colour * share
    patch[:, :, 3] = np.maximum(patch[:, :, 3], face)
    _fill(patch, grid, _hair(look), look.hair)
    return patch


def _lighting(look: FaceLook, grid: Grid, size: tuple[int, int]) -> Floats:
    """(H, W) brightness of the skin, about 1: darker sides and eye sockets, brighter nose and cheeks."""
    width, height = size
    x = (np.arange(width)[None, :] - grid.x_px) / grid.unit_px
    y = (np.arange(height)[:, None] - grid.y_px) / grid.unit_px

    def glow(centre_x: float, centre_y: float, wide: float, high: float) -> Floats:
        return np.asarray(np.exp(-(((x - centre_x) / wide) ** 2) - ((y - centre_y) / high) ** 2), np.float32)

    roundness = 1.08 - 0.26 * ((x / look.face_width) ** 4) - 0.16 * np.clip((y - 0.9) / 1.0, 0, 1) ** 2
    side = 1 + 0.07 * look.light * x
    glows = 0.08 * glow(0, -0.8, 0.7, 0.4) + 0.1 * glow(0, 0.5, 0.13, 0.4) + 0.06 * glow(0, 1.7, 0.3, 0.15)
    for sign in (-1.0, 1.0):
        glows = glows + 0.07 * glow(sign * 0.65, 0.55, 0.3, 0.25) - 0.13 * glow(sign * 0.5, -0.08, 0.38, 0.2)
    return np.asarray(roundness * side + glows, np.float32)


def _hair(look: FaceLook) -> Points:
    """Outline of the hair over the forehead: a cap with a hairline that depends on the style."""
    wide = look.face_width + 0.1
    over = np.linspace(np.pi, 2 * np.pi, 25)
    cap = np.stack([wide * np.cos(over), -0.15 + 1.85 * np.sin(over)], 1)
    back = np.linspace(1, -1, 17)
    temple = np.where(np.abs(back) > 0.86, (np.abs(back) - 0.86) * 5.5, 0)
    if look.hair_style == 1:
        hairline = -1.12 - 0.22 * np.cos(2.2 * (back - 0.5)) + temple
    elif look.hair_style == 3:
        hairline = -1.22 + 0.2 * back**2 + temple
    else:
        hairline = -1.08 - 0.1 * np.cos(6 * back) + temple
    return np.concatenate([cap, np.stack([wide * 0.97 * back, np.minimum(hairline, 0.1)], 1)])


def _ellipse(x: float, y: float, wide: float, high: float) -> Points:
    angle = np.linspace(0, 2 * np.pi, 49)
    return np.stack([x + wide * np.cos(angle), y + high * np.sin(angle)], 1)


def _fill(patch: Pixels, grid: Grid, points: Points, colour: Bgr) -> None:
    cv2.fillPoly(patch, [grid.to_fixed_point(points)], (*colour, 255), cv2.LINE_AA, SHIFT)
