"""Faces too small for one look: the picture again in overlapping squares.

BlazeFace looks at 128 x 128 pixels, so a face of 30 pixels in a 320-pixel picture is 12 to it and is
missed. Squares show it larger, but show more of what is no face as well; what they find needs a
higher score. Measured on 72 face-free pictures at the plain threshold, two squares raise false
hits from 3 to 26 (docs/decisions.md); at 0.75 none of ours are left.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from inference.arrays import Floats, Image
from inference.detector import NO_FACES, FaceDetector, Faces, overlap

MIN_TILE_SCORE: Final = 0.75
"""Least score of a face found in a square."""

MAX_TILES: Final = 128
"""A picture that falls into more is a strip and no camera's: it gets one look."""

_STEP: Final = 0.5  # what one square cuts through stands whole in the next, up to half a side
_EDGE_SHARE: Final = 0.02
_SAME: Final = 0.3
"""Overlap from which two finds are one face."""


class TiledDetector:
    """A detector that looks closer, either only where the whole picture shows nothing, or always."""

    def __init__(self, detector: FaceDetector, shares: tuple[float, ...], only_if_empty: bool) -> None:
        """Wrap a detector.

        Args:
            detector: Looks at the whole picture and at each square.
            shares: Side of the squares over the picture's shorter side.
            only_if_empty: Leave the squares out where the whole picture has a face.
        """
        self._detector, self._shares, self._only_if_empty = detector, shares, only_if_empty

    def detect(self, image: Image) -> Faces:
        """The faces of a (height, width) picture, best first."""
        whole = self._detector.detect(image)
        if not image.size or (len(whole) and self._only_if_empty):
            return whole
        found = [whole]
        for share in self._shares:
            side = max(1, round(min(image.shape) * share))
            tops, lefts = _starts(image.shape[0], side), _starts(image.shape[1], side)
            if len(tops) * len(lefts) <= MAX_TILES:
                found += [self._in_square(image, left, top, side) for top in tops for left in lefts]
        return _without_repeats(found)

    def _in_square(self, image: Image, left: int, top: int, side: int) -> Faces:
        height, width = image.shape
        faces = self._detector.detect(image[top : top + side, left : left + side])
        edge = side * _EDGE_SHARE
        x0, y0, x1, y1 = faces.boxes.T
        # A face the square cuts through is seen whole by the next square.
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
    """Where squares begin along an axis, evenly, at most ``_STEP`` of a side apart."""
    if length <= side:
        return [0]
    count = int(np.ceil((length - side) / (side * _STEP))) + 1
    return [round(start) for start in np.linspace(0, length - side, count)]


def _without_repeats(found: list[Faces]) -> Faces:
    boxes, scores, landmarks, sides = (
        np.concatenate(parts)
        for parts in zip(*((f.boxes, f.scores, f.landmarks, f.sides) for f in found), strict=True)
    )
    kept: list[int] = []
    for index in np.argsort(-scores):
        if not kept or _highest_overlap(boxes[index], boxes[kept]) < _SAME:
            kept.append(int(index))
    if not kept:
        return NO_FACES
    return Faces(boxes[kept], scores[kept], landmarks[kept], sides[kept])


def _highest_overlap(box: Floats, boxes: Floats) -> float:
    return float(overlap(box, boxes).max())
