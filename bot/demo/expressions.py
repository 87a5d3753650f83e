"""The movable parts of a drawn face, and their positions for happy, sad and so on.

The positions were found by trying drawings on the project's own CNN, within bounds that keep the faces
plausible. The CNN was not trained on drawings.
"""

from __future__ import annotations

from dataclasses import astuple, dataclass
from types import MappingProxyType
from typing import Final

import numpy as np


@dataclass(frozen=True, slots=True)
class Expression:
    """Positions of a face's movable parts; 0 is at rest unless stated otherwise.

    Attributes:
        brow_raise: Both brows up (1) or down (-1).
        brow_inner: Inner ends of the brows up (1, worried) or down (-1, angry).
        furrow: Brows drawn together, 0..1, with vertical lines between them.
        forehead: Lines across the forehead, 0..1.
        eye_open: Opening of the eyes: 0 closed, 1 at rest, 1.7 wide.
        squint: Lower lids pushed up by the cheeks, 0..1.
        cheek: Cheeks raised, with folds from nose to mouth, 0..1.
        mouth_curve: Corners of the mouth up (1) or down (-1).
        mouth_width: Width of the mouth as a multiple of its width at rest, 0.5..1.4.
        mouth_open: Gap between the lips, 0..1.
        teeth: Share of the gap that is filled by the upper teeth, 0..1.
        lip_press: Lips pressed thin, 0..1.
        nose_wrinkle: Nose wrinkled, nostrils raised, 0..1.
        droop: Folds below the corners of the mouth and a bunched chin, 0..1.
    """

    brow_raise: float = 0.0
    brow_inner: float = 0.0
    furrow: float = 0.0
    forehead: float = 0.0
    eye_open: float = 1.0
    squint: float = 0.0
    cheek: float = 0.0
    mouth_curve: float = 0.0
    mouth_width: float = 1.0
    mouth_open: float = 0.0
    teeth: float = 0.0
    lip_press: float = 0.0
    nose_wrinkle: float = 0.0
    droop: float = 0.0

    def towards(self, other: Expression, share: float) -> Expression:
        """Blend with another expression: 0 gives this one, 1 the other."""
        own, others = np.asarray(astuple(self)), np.asarray(astuple(other))
        return Expression(*(own + (others - own) * share).tolist())


EXPRESSIONS: Final = MappingProxyType(
    {
        "neutral": Expression(
            brow_raise=0.05, brow_inner=-0.3, eye_open=0.82, squint=0.2, lip_press=0.2, mouth_curve=0.06,
            mouth_width=0.9,
        ),
        "happy": Expression(
            brow_raise=0.25, squint=0.65, cheek=0.9, mouth_curve=0.9, mouth_width=1.3, mouth_open=0.33,
            teeth=0.92, eye_open=0.95,
        ),
        "surprise": Expression(
            brow_raise=1.0, forehead=0.6, eye_open=1.9, mouth_width=0.75, mouth_open=0.75,
        ),
        "sad": Expression(
            brow_raise=-0.34, brow_inner=1.0, furrow=0.1, forehead=0.64, eye_open=0.68, squint=0.14,
            cheek=0.68, mouth_curve=-0.48, mouth_width=0.84, lip_press=0.34, nose_wrinkle=0.7, droop=0.46,
        ),
        "angry": Expression(
            brow_raise=-0.9, brow_inner=-0.93, furrow=1.0, forehead=0.2, eye_open=1.2, squint=0.4,
            mouth_curve=-0.85, mouth_width=1.05, lip_press=0.3, nose_wrinkle=0.4, droop=0.65,
        ),
    }
)  # fmt: skip
"""Expressions by the label that the CNN predicts for them."""
