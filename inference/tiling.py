"""Detects small faces by running the detector on overlapping square tiles of the image.

BlazeFace scales every image to 128 x 128 pixels: a face of 30 pixels in an image 320 pixels wide shrinks to
12 and is missed. In a tile it stays larger. Tiles also cause false detections, so a face found in a tile
needs a higher score: on 72 images without a face, two tiles raised false detections from 3 to 26 at the
detector's own threshold, and none remained at 0.75 (docs/decisions.md).
"""

from __future__ import annotations

from typing import Final

import numpy as np

from inference.arrays import Floats, Image
from inference.detector import NO_FACES, FaceDetector, Faces, overlap

MIN_TILE_SCORE: Final = 0.75
"""Lowest score of a face found in a tile."""

MAX_TILES: Final = 128
"""With more tiles than this, the image is a long strip, not from a camera: tiles of this size are skipped."""

_STEP: Final = 0.5
"""Largest distance between tiles, in sides: a face up to half a tile wide is whole in at least one."""

_EDGE_SHARE: Final = 0.02
"""A face this close to the edge of a tile, in sides, may be cut off."""

_SAME_FACE_OVERLAP: Final = 0.3
"""From this overlap on, two detections are the same face."""


class TiledDetector:
    """Runs a detector on the whole image and on tiles of it."""

    def __init__(self, detector: FaceDetector, shares: tuple[float, ...], only_if_empty: bool) -> None:
        """Wrap a detector.

        Args:
            detector: Detects the faces of the whole image and of each tile.
            shares: Sides of the tiles, as shares of the image's shorter side.
            only_if_empty: Skip the tiles if a face was found in the whole image.
        """
        self._detector, self._shares, self._only_if_empty = detector, shares, only_if_empty

    def detect(self, image: Image) -> Faces:
        """The faces of a (height, width) image, highest score first."""
        whole = self._detector.detect(image)
        if not image.size or (len(whole) and self._only_if_empty):
            return whole
        found = [whole]
        for share in self._shares:
            side = max(1, round(min(image.shape) * share))
            tops, lefts = _starts(image.shape[0], side), _starts(image.shape[1], side)
            if len(tops) * len(lefts) <= MAX_TILES:
                found += [self._in_tile(image, left, top, side) for top in tops for left in lefts]
        return _without_duplicates(found)

    def _in_tile(self, image: Image, left: int, top: int, side: int) -> Faces:
        height, width = image.shape
        faces = self._detector.detect(image[top : top + side, left : left + side])
        edge = side * _EDGE_SHARE
        x0, y0, x1, y1 = faces.boxes.T
        # Drop faces that the tile cuts off: the next tile contains them whole.
        kept = (
            (faces.scores >= MIN_TILE_SCORE)
            & ((x0 > edge) | (left == 0))
            & ((y0 > edge) | (top == 0))
            & ((x1 < side - edge) | (left + side >= width))
            & ((y1 < side - edge) | (top + side >= height))
        )
        shift = np.array([left, top], np.float32)
        return Faces(
            faces.boxes[kept] + np.tile(shift, 2),
            faces.scores[kept],
            faces.landmarks[kept] + shift,
            faces.sides[kept],
        )


def _starts(length: int, side: int) -> list[int]:
    """Start of each tile along an axis, evenly spaced, at most ``_STEP`` sides apart."""
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side * _STEP))) + 1
    return [round(start) for start in np.linspace(0, length - side, count)]


def _without_duplicates(found: list[Faces]) -> Faces:
    boxes, scores, landmarks, sides = (
        np.concatenate(parts)
        for parts in zip(*((f.boxes, f.scores, f.landmarks, f.sides) for f in found), strict=True)
    )
    kept: list[int] = []
    for index in np.argsort(-scores):
        if not kept or _highest_overlap(boxes[index], boxes[kept]) < _SAME_FACE_OVERLAP:
            kept.append(int(index))
    if not kept:
        return NO_FACES
    return Faces(boxes[kept], scores[kept], landmarks[kept], sides[kept])


def _highest_overlap(box: Floats, boxes: Floats) -> float:
    return float(overlap(box, boxes).max())
