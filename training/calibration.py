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

_GOLDEN: Final = (math.sqrt(5) - 1) / 2


def probabilities(logits: Floats, temperature: float = 1.0) -> Floats:
    """Softmax of (N, C) logits over a temperature: (N, C), rows summing to 1."""
    scaled = logits.astype(np.float64) / temperature
    weights = np.exp(scaled - scaled.max(axis=1, keepdims=True))
    return np.asarray(weights / weights.sum(axis=1, keepdims=True), np.float32)


def negative_log_likelihood(logits: Floats, labels: Labels, temperature: float) -> float:
    """Mean over N pictures, in nats.

    Args:
        logits: (N, C).
        labels: (N,).
        temperature: Above 0.
    """
    scaled = logits.astype(np.float64) / temperature
    highest = scaled.max(axis=1)
    log_sum = highest + np.log(np.exp(scaled - highest[:, np.newaxis]).sum(axis=1))
    return float(np.mean(log_sum - scaled[np.arange(len(labels)), labels]))


def fit_temperature(logits: Floats, labels: Labels) -> float:
    """The temperature of least negative log-likelihood.

    The likelihood has one minimum in 1/T (it is convex there), so it has one in log T: golden section.

    Args:
        logits: (N, C).
        labels: (N,).

    Returns:
        ``LOWEST`` to ``HIGHEST``; 1 without a picture.
    """
    if not len(labels):
        return 1.0
    low, high = math.log(LOWEST), math.log(HIGHEST)
    while high - low > 1e-4:
        left, right = high - _GOLDEN * (high - low), low + _GOLDEN * (high - low)
        left_loss = negative_log_likelihood(logits, labels, math.exp(left))
        if left_loss <= negative_log_likelihood(logits, labels, math.exp(right)):
            high = right
        else:
            low = left
    return math.exp((low + high) / 2)
