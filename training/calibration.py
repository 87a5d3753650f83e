"""Temperature scaling: makes a stated probability mean what it says (Guo et al. 2017, arXiv 1706.04599).

Comes in: logits and labels of pictures the network was not trained on. Goes out: one number by which
``training.export`` divides the logits inside the exported graph. Answers do not change, confidence does.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from inference.arrays import Floats, Labels

LOWEST: Final = 0.05
HIGHEST: Final = 20.0
"""Where a temperature is looked for."""


def probabilities(logits: Floats, temperature: float = 1.0) -> Floats:
    """Softmax of (N, C) logits over a temperature: (N, C), rows summing to 1."""
    scaled = logits.astype(np.float64) / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def fit_temperature(logits: Floats, labels: Labels) -> float:
    """The temperature at which the mean confidence is the accuracy (Clarté et al. 2023, arXiv 2303.02644).

    The temperature of least negative log-likelihood left this network, taught by soft targets, too sure: the
    gap between confidence and accuracy on PublicTest was larger for each of three steps (docs/model.md).

    Args:
        logits: (N, C).
        labels: (N,).

    Returns:
        ``LOWEST`` to ``HIGHEST``; 1 without a picture.
    """
    if not len(labels):
        return 1.0
    accuracy = float((logits.argmax(axis=1) == labels).mean())
    low, high = math.log(LOWEST), math.log(HIGHEST)
    while high - low > 1e-4:
        middle = (low + high) / 2
        # The hotter, the less sure: one crossing.
        if probabilities(logits, math.exp(middle)).max(axis=1).mean(dtype=np.float64) > accuracy:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)
