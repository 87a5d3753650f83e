"""Detects faces with BlazeFace (short range) on LiteRT.

The model reads a square of 128 x 128 pixels and returns a score and offsets for each of 896 anchors. They are
decoded here, and overlapping detections are averaged, weighted by score, as in the paper: Bazarevsky et al.
2019, "BlazeFace: Sub-millisecond Neural Face Detection on Mobile GPUs" (arXiv 1907.05047).
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

import cv2
import numpy as np

from inference.arrays import Floats, Image
from inference.engine import MODELS, Engine

LANDMARKS: Final = ("right_eye", "left_eye", "nose_tip", "mouth", "right_ear", "left_ear")
"""Order of the landmarks; right and left as seen by the person."""

_SIDE_PX: Final = 128
_OVERLAP: Final = 0.3
_MODEL: Final = MODELS / "blazeface_short.tflite"


@dataclass(frozen=True, slots=True, eq=False)
class Faces:
    """The faces of one image, highest score first.

    Attributes:
        boxes: (N, 4) x0 y0 x1 y1 in pixels, clipped to the image.
        scores: (N,) 0..1.
        landmarks: (N, 6, 2) x y in pixels, in the order of ``LANDMARKS``; may lie outside the image.
        sides: (N,) side of each face's square box before clipping, pixels.
    """

    boxes: Floats
    scores: Floats
    landmarks: Floats
    sides: Floats

    def __len__(self) -> int:
        return len(self.scores)


NO_FACES: Final = Faces(
    np.zeros((0, 4), np.float32),
    np.zeros(0, np.float32),
    np.zeros((0, len(LANDMARKS), 2), np.float32),
    np.zeros(0, np.float32),
)
"""The result for an image without faces."""


class FaceDetector(Protocol):
    """Detects faces."""

    def detect(self, image: Image) -> Faces:
        """The faces of a (height, width) image, highest score first."""
        ...


class BlazeFace:
    """BlazeFace (short range), for use by one thread."""

    def __init__(self, threshold: float = 0.5, model: Path = _MODEL) -> None:
        """Load the model.

        Args:
            threshold: Lowest score of a face, 0..1.
            model: The LiteRT file.

        Raises:
            ModelError: the model is missing or damaged.
        """
        self._engine = Engine(model)
        self._lowest_logit = float(np.log(threshold / (1 - threshold)))
        self._anchors = _anchors()

    def detect(self, image: Image) -> Faces:
        """The faces of a (height, width) image, highest score first."""
        height, width = image.shape
        if not height or not width:
            return NO_FACES
        scale = _SIDE_PX / max(height, width)
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        small = cv2.resize(image, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
        left, top = (_SIDE_PX - size[0]) // 2, (_SIDE_PX - size[1]) // 2
        square = np.zeros((_SIDE_PX, _SIDE_PX), np.float32)
        square[top : top + size[1], left : left + size[0]] = small.astype(np.float32) / 127.5 - 1.0
        regressors, logits = self._engine.run(np.repeat(square[None, :, :, None], 3, axis=3))
        kept = np.flatnonzero(logits[0, :, 0] >= self._lowest_logit)
        if not len(kept):
            return NO_FACES
        scores = 1 / (1 + np.exp(-logits[0, kept, 0]))
        raw = regressors[0, kept].reshape(-1, 8, 2)
        points = raw.copy()
        points[:, 0] += self._anchors[kept]
        points[:, 2:] += self._anchors[kept, None]
        points, scores = _blend(points, scores)
        points[:, [0, *range(2, 8)]] -= (left, top)
        points /= scale
        return _faces(points, scores, width, height)


def _anchors() -> Floats:
    """(896, 2) x y of 128 pixels: two per cell of a 16 x 16 grid, then six per cell of an 8 x 8 grid."""
    rows = []
    for cells, repeats in ((16, 2), (8, 6)):
        centres = (np.arange(cells, dtype=np.float32) + 0.5) * (_SIDE_PX / cells)
        grid = np.stack(np.meshgrid(centres, centres), axis=-1).reshape(-1, 2)
        rows.append(np.repeat(grid, repeats, axis=0))
    return np.concatenate(rows).astype(np.float32)


def _blend(points: Floats, scores: Floats) -> tuple[Floats, Floats]:
    """Non-maximum suppression that averages overlapping detections, weighted by score.

    Args:
        points: (N, 8, 2) x y of centre, size and six landmarks.
        scores: (N,).

    Returns:
        The same for the remaining faces, highest score first.
    """
    order = np.argsort(-scores)
    points, scores = points[order], scores[order]
    corners = np.concatenate([points[:, 0] - points[:, 1] / 2, points[:, 0] + points[:, 1] / 2], axis=1)
    blended, best = [], []
    remaining = np.arange(len(scores))
    while len(remaining):
        first = remaining[0]
        near = overlap(corners[first], corners[remaining]) > _OVERLAP
        near[0] = True  # a box without area does not overlap itself
        group = remaining[near]
        weights = scores[group] / scores[group].sum()
        blended.append(np.tensordot(weights, points[group], axes=1))
        best.append(scores[first])
        remaining = remaining[~near]
    return np.stack(blended).astype(np.float32), np.asarray(best, np.float32)


def overlap(box: Floats, boxes: Floats) -> Floats:
    """Intersection over union of (4,) with (N, 4): (N,)."""
    sides = np.minimum(box[2:], boxes[:, 2:]) - np.maximum(box[:2], boxes[:, :2])
    common = np.prod(np.clip(sides, 0, None), axis=1)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    area = np.prod(box[2:] - box[:2])
    union: Floats = np.maximum(areas + area - common, 1e-6)
    return np.asarray(common / union, np.float32)


def _faces(points: Floats, scores: Floats, width: int, height: int) -> Faces:
    boxes = np.concatenate([points[:, 0] - points[:, 1] / 2, points[:, 0] + points[:, 1] / 2], axis=1)
    boxes[:, 0::2] = boxes[:, 0::2].clip(0, width)
    boxes[:, 1::2] = boxes[:, 1::2].clip(0, height)
    return Faces(boxes, scores, points[:, 2:], points[:, 1].max(axis=1))
