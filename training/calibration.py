"""Temperature scaling: calibrates the probabilities (Guo et al. 2017, arXiv 1706.04599).

The temperature is fitted on images that the network was not trained on. ``training.export`` divides the
logits by it inside the exported graph. This changes the confidence, but never the predicted expression.
"""

from __future__ import annotations

import math
from typing import Final

import numpy as np

from inference.arrays import Floats, Labels

LOWEST: Final = 0.05
HIGHEST: Final = 20.0
"""Bounds of the search for a temperature."""


def probabilities(logits: Floats, temperature: float = 1.0) -> Floats:
    """Softmax of (N, C) logits over a temperature: (N, C), rows summing to 1."""
    scaled = logits.astype(np.float64) / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def fit_temperature(logits: Floats, labels: Labels) -> float:
    """The temperature at which mean confidence equals accuracy (Clarté et al. 2023, arXiv 2303.02644).

    With the temperature of least negative log-likelihood this network, trained on soft targets, stayed
    overconfident: the gap between confidence and accuracy on PublicTest was larger in each of three training
    steps (docs/model.md).

    Args:
        logits: (N, C).
        labels: (N,).

    Returns:
        ``LOWEST`` to ``HIGHEST``; 1 without images.
    """
    if not len(labels):
        return 1.0
    accuracy = float((logits.argmax(axis=1) == labels).mean())
    low, high = math.log(LOWEST), math.log(HIGHEST)
    while high - low > 1e-4:
        middle = (low + high) / 2
        # Confidence falls as the temperature rises, so there is one solution.
        if probabilities(logits, math.exp(middle)).max(axis=1).mean(dtype=np.float64) > accuracy:
            low = middle
        else:
            high = middle
    return math.exp((low + high) / 2)
