"""The looks of the demo's students: colours and proportions, chosen at random."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import numpy as np

from bot.demo.features import Bgr, FeatureLook, darker

_SKINS: Final[tuple[Bgr, ...]] = (
    (180, 205, 240), (165, 192, 232), (150, 180, 224), (128, 162, 212), (110, 144, 196), (95, 128, 180),
)  # fmt: skip
_HAIRS: Final[tuple[Bgr, ...]] = (
    (28, 24, 26), (32, 40, 58), (40, 58, 92), (50, 86, 140), (96, 140, 178), (44, 52, 110),
)  # fmt: skip
_SHIRTS: Final[tuple[Bgr, ...]] = (
    (120, 84, 60), (70, 110, 70), (70, 70, 150), (96, 96, 100), (150, 130, 90), (90, 60, 100),
)  # fmt: skip
_WALLS: Final[tuple[Bgr, ...]] = (
    (196, 200, 204), (186, 196, 190), (204, 196, 184), (178, 186, 198), (168, 172, 170),
)  # fmt: skip
_IRISES: Final[tuple[Bgr, ...]] = ((40, 52, 74), (84, 72, 50), (56, 80, 66), (30, 36, 50))


@dataclass(frozen=True, slots=True)
class FaceLook:
    """The look of one student and the position of the face in the frame.

    Attributes:
        features: The look of the movable parts.
        hair: Colour of the hair, BGR.
        hair_style: 0 short, 1 side parting, 2 long, 3 bun.
        shirt: Colour of the shirt, BGR.
        wall: Colour of the wall behind the student, BGR.
        jaw: Width of the jaw, about 1.
        face_width: Half the width of the face, eye distances.
        eye_px: Distance between the eyes, pixels of the frame.
        x_px: Pixel column of the point between the eyes.
        y_px: Pixel row of the point between the eyes.
        light: Where the light comes from: the left (-1) to the right (1).
    """

    features: FeatureLook
    hair: Bgr
    hair_style: int
    shirt: Bgr
    wall: Bgr
    jaw: float
    face_width: float
    eye_px: float
    x_px: float
    y_px: float
    light: float

    @classmethod
    def random(cls, rng: np.random.Generator) -> FaceLook:
        """Choose a look at random."""
        skin = _tinted(_pick(rng, _SKINS), rng)
        hair = _tinted(_pick(rng, _HAIRS), rng)
        features = FeatureLook(
            skin=skin,
            lips=(round(skin[0] * 0.66), round(skin[1] * 0.6), round(skin[2] * 0.84)),
            brows=(round(hair[0] * 0.75), round(hair[1] * 0.75), round(hair[2] * 0.75)),
            iris=_pick(rng, _IRISES),
            brow_width=float(rng.uniform(0.045, 0.06)),
            lip_full=float(rng.uniform(0.85, 1.2)),
            nose_length=float(rng.uniform(0.95, 1.05)),
            glasses=darker(skin, 0.5) if rng.random() < 0.2 else None,
        )
        return cls(
            features=features,
            hair=hair,
            hair_style=int(rng.integers(4)),
            shirt=_pick(rng, _SHIRTS),
            wall=_pick(rng, _WALLS),
            jaw=float(rng.uniform(0.9, 1.08)),
            face_width=float(rng.uniform(1.1, 1.2)),
            eye_px=float(rng.uniform(30.0, 34.0)),
            x_px=float(rng.uniform(145.0, 175.0)),
            y_px=float(rng.uniform(84.0, 92.0)),
            light=float(rng.uniform(-1.0, 1.0)),
        )


def _pick(rng: np.random.Generator, colours: tuple[Bgr, ...]) -> Bgr:
    return colours[int(rng.integers(len(colours)))]


def _tinted(colour: Bgr, rng: np.random.Generator) -> Bgr:
    """The colour, a little lighter or darker."""
    return darker(colour, float(rng.uniform(0.93, 1.06)))
