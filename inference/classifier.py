"""Classifies expressions with the project's own CNN, trained on FER-2013, on LiteRT.

The exported graph contains the temperature, so the probabilities are already calibrated.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final, Protocol

import numpy as np

from inference.arrays import Floats
from inference.emotions import CROP_PX, EMOTIONS
from inference.engine import MODELS, Engine
from inference.errors import ModelError

DEFAULT_MODEL: Final = MODELS / "fer_cnn.tflite"
"""The shipped CNN; its card lists training data, options and accuracy."""


class EmotionClassifier(Protocol):
    """Classifies expressions."""

    def predict(self, crops: Floats) -> Floats:
        """Probabilities of face crops.

        Args:
            crops: (B, 48, 48, 1), grayscale 0..1.

        Returns:
            (B, 7) in the order of ``EMOTIONS``; rows sum to 1.
        """
        ...


class CnnClassifier:
    """The CNN, for use by one thread."""

    def __init__(self, model: Path = DEFAULT_MODEL) -> None:
        """Load the model.

        Raises:
            ModelError: the model is missing or damaged, or its labels are not ``EMOTIONS``.
        """
        self._engine = Engine(model)
        if tuple(self._engine.card.get("labels", ())) != EMOTIONS:
            raise ModelError(f"export the model {model} again: its labels are not {', '.join(EMOTIONS)}")

    @classmethod
    def load(cls, path: Path | None = None) -> CnnClassifier:
        """The CNN of a file; None for the shipped one."""
        return cls(DEFAULT_MODEL if path is None else path)

    def predict(self, crops: Floats) -> Floats:
        """(B, 48, 48, 1) in 0..1 to (B, 7), rows summing to 1."""
        if not len(crops):
            return np.zeros((0, len(EMOTIONS)), np.float32)
        if crops.shape[1:] != (CROP_PX, CROP_PX, 1):
            raise ValueError(f"crops must be (B, {CROP_PX}, {CROP_PX}, 1), not {crops.shape}")
        return self._engine.run(np.ascontiguousarray(crops, np.float32))[0]
