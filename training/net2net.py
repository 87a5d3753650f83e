"""Turns the weights of a trained network into initial weights of a wider or deeper one.

Source: Chen et al. 2015, "Net2Net: Accelerating Learning via Knowledge Transfer" (arXiv 1511.05641).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np

from inference.arrays import Floats

_BLOCK_WEIGHTS: Final = 10
"""Weights of a residual block that keeps the size: twice a kernel, scale, shift, mean and variance."""

_SECOND_SCALE: Final = 6
"""Index of the scale of a block's second batch normalisation."""


def widen_weights(
    weights: Sequence[Floats], wide_shapes: Sequence[tuple[int, ...]], seed: int
) -> list[Floats] | None:
    """Weights for a network whose width is a multiple (Net2WiderNet).

    Every channel is repeated, and the weights of its inputs are divided by the number of copies, so the
    predictions stay nearly the same. Kernels get 5 % of noise: without it the copies would stay identical
    through training.

    Args:
        weights: The narrow network's weights, in order.
        wide_shapes: Shapes of the wide network's weights.
        seed: Seed of the noise.

    Returns:
        The wide network's weights; unchanged weights if all shapes are equal already; None if the two
        networks do not fit.
    """
    if len(weights) != len(wide_shapes):
        return None
    rng, widened = np.random.default_rng(seed), []
    for weight, shape in zip(weights, wide_shapes, strict=True):
        if weight.shape == tuple(shape):
            widened.append(weight)
            continue
        if weight.ndim != len(shape) or any(
            wide % narrow for wide, narrow in zip(shape, weight.shape, strict=True)
        ):
            return None
        copies = [wide // narrow for wide, narrow in zip(shape, weight.shape, strict=True)]
        tiled = np.tile(weight, copies)
        if weight.ndim > 1:  # a kernel: (..., channels in, channels out)
            tiled = tiled / copies[-2] * (1 + 0.05 * rng.standard_normal(shape))
        widened.append(tiled.astype(np.float32))
    return widened


def deepen_weights(weights: Sequence[Floats], initial: Sequence[Floats]) -> list[Floats] | None:
    """Weights for a network with more residual blocks (after Net2DeeperNet).

    An added block starts with a zero scale and so adds nothing to its input: the predictions stay the same.

    Args:
        weights: The shallow network's weights, in order.
        initial: The deep network's weights before training.

    Returns:
        The deep network's weights; None if the two networks do not fit.
    """
    deepened: list[Floats] = []
    rest = list(weights)
    while len(deepened) < len(initial):
        block = list(initial[len(deepened) : len(deepened) + _BLOCK_WEIGHTS])
        if _is_block(block) and [one.shape for one in block] != [one.shape for one in rest[:_BLOCK_WEIGHTS]]:
            block[_SECOND_SCALE] = np.zeros_like(block[_SECOND_SCALE])
            deepened += block
        elif rest and rest[0].shape == initial[len(deepened)].shape:
            count = _BLOCK_WEIGHTS if _is_block(block) else 1
            deepened += rest[:count]
            del rest[:count]
        else:
            return None
    return None if rest else deepened


def _is_block(weights: Sequence[Floats]) -> bool:
    shapes = [one.shape for one in weights]
    channels = shapes[0][-1]
    return shapes == 2 * [(3, 3, channels, channels), *4 * [(channels,)]]
