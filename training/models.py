"""The networks that can be trained, by name.

Every network takes (B, 48, 48, 1) floats in 0..1, standardises each picture by its own mean and
deviation (webcam exposure then matters little) and gives (B, 7) logits.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import keras
import numpy as np
from keras import layers

from inference.arrays import Floats
from inference.emotions import CROP_PX, EMOTIONS


@keras.saving.register_keras_serializable("classmood")
class Standardise(layers.Layer):  # type: ignore[misc]
    """(B, H, W, 1) to the same shape, each picture with mean 0 and deviation 1."""

    def call(self, pictures: Any) -> Any:
        """Standardise each picture of the batch by itself."""
        mean = keras.ops.mean(pictures, axis=(1, 2, 3), keepdims=True)
        centred = pictures - mean
        variance = keras.ops.mean(keras.ops.square(centred), axis=(1, 2, 3), keepdims=True)
        return centred * keras.ops.rsqrt(variance + 1e-4)


@keras.saving.register_keras_serializable("classmood")
class Middle(layers.Layer):  # type: ignore[misc]
    """(B, 48, 48, 1) to its middle (B, side, side, 1): fewer pixels cost less, in training and in use.

    Not in training only: trained on 40 pixels and used on 48, the network lost 3 to 5 points.
    """

    def __init__(self, side_px: int, **others: Any) -> None:
        super().__init__(**others)
        self._side_px = side_px

    def call(self, pictures: Any) -> Any:
        """Crop."""
        first = (CROP_PX - self._side_px) // 2
        rows = slice(first, first + self._side_px)
        return pictures[:, rows, rows]

    def get_config(self) -> dict[str, Any]:
        """What Keras saves of it."""
        return {**super().get_config(), "side_px": self._side_px}


def cnn(side_px: int = CROP_PX) -> keras.Model:
    """A residual CNN of 46 million multiply-adds and 1.5 million parameters (He et al. 2015, narrowed).

    A stride-2 stem keeps the costly high resolution out; four stages of 32, 64, 128 and 256 channels.

    Args:
        side_px: How much of the middle is looked at, pixels of 48.
    """
    return _residual_network(side_px, (1, 1, 2, 1), width=1, dropout=0.3, name="cnn")


def deep(side_px: int = CROP_PX) -> keras.Model:
    """The same with two residual blocks in every stage: 78 million multiply-adds and 2.8 million parameters.

    Args:
        side_px: How much of the middle is looked at, pixels of 48.
    """
    return _residual_network(side_px, (2, 2, 2, 2), width=1, dropout=0.3, name="deep")


def teacher(side_px: int = CROP_PX) -> keras.Model:
    """``cnn`` of twice the width, for a student to learn from: 184 million multiply-adds.

    Args:
        side_px: How much of the middle is looked at, pixels of 48.
    """
    return _residual_network(side_px, (1, 1, 2, 1), width=2, dropout=0.4, name="teacher")


def resnet50(weights: str | None = None) -> keras.Model:
    """ResNet-50 (He et al. 2015), at the 48 pixels there are, gray in each of its three channels.

    Args:
        weights: ``imagenet`` (Keras fetches them) or a file of Keras' weights without the top.
    """
    pictures = keras.Input((CROP_PX, CROP_PX, 1), name="pictures")
    # ImageNet's pictures deviate by about 60 of 255 levels.
    levels = layers.Rescaling(60.0 if weights else 1.0)(Standardise()(pictures))
    body = keras.applications.ResNet50(
        include_top=False, weights=weights, input_tensor=layers.Concatenate()([levels] * 3), pooling="avg"
    )
    x = layers.Dropout(0.3)(body.output)
    return keras.Model(pictures, layers.Dense(len(EMOTIONS), name="logits")(x), name="resnet50")


OWN: Final = {"cnn": cnn, "deep": deep, "teacher": teacher}
"""Builders of our own networks."""

ARCHITECTURES: Final = {**OWN, "resnet50": resnet50}
"""Builder by the name ``--arch`` takes."""


def widened(given: Sequence[Floats], shapes: Sequence[tuple[int, ...]], seed: int) -> list[Floats] | None:
    """Weights of a network for one of a multiple of its width (Net2WiderNet, Chen et al. 2015).

    Every channel is repeated and what comes in divided by the number of its copies, so that the answers are
    nearly the same; kernels are changed by 5 % at random, or the copies would stay copies.

    Args:
        given: The narrow network's weights, in order.
        shapes: Those of the wide network's weights.
        seed: Of the changes.

    Returns:
        The wide network's weights; the given ones if the shapes are theirs; None where they do not fit.
    """
    if len(given) != len(shapes):
        return None
    rng, found = np.random.default_rng(seed), []
    for weight, shape in zip(given, shapes, strict=True):
        if weight.shape == tuple(shape):
            found.append(weight)
            continue
        if weight.ndim != len(shape) or any(
            wide % narrow for wide, narrow in zip(shape, weight.shape, strict=True)
        ):
            return None
        times = [wide // narrow for wide, narrow in zip(shape, weight.shape, strict=True)]
        wide = np.tile(weight, times)
        if weight.ndim > 1:  # a kernel: (..., channels in, channels out)
            wide = wide / times[-2] * (1 + 0.05 * rng.standard_normal(shape))
        found.append(wide.astype(np.float32))
    return found


def deepened(given: Sequence[Floats], fresh: Sequence[Floats]) -> list[Floats] | None:
    """Weights of a network for one with more residual blocks (after Net2DeeperNet, Chen et al. 2015).

    A block that is new begins by adding nothing to what comes in, so that the answers stay the same.

    Args:
        given: The shallow network's weights, in order.
        fresh: The deep network's weights as they are before training.

    Returns:
        The deep network's weights; None where the given ones do not fit.
    """
    found: list[Floats] = []
    rest = list(given)
    while len(found) < len(fresh):
        block = list(fresh[len(found) : len(found) + _BLOCK])
        if _is_block(block) and [one.shape for one in block] != [one.shape for one in rest[:_BLOCK]]:
            block[_LAST_SCALE] = np.zeros_like(block[_LAST_SCALE])
            found += block
        elif rest and rest[0].shape == fresh[len(found)].shape:
            taken = _BLOCK if _is_block(block) else 1
            found += rest[:taken]
            del rest[:taken]
        else:
            return None
    return None if rest else found


_BLOCK: Final = 10
"""Weights of a residual block that changes no size: twice a kernel, scale, shift, mean and variance."""

_LAST_SCALE: Final = 6


def _is_block(weights: Sequence[Floats]) -> bool:
    shapes = [one.shape for one in weights]
    channels = shapes[0][-1]
    return shapes == 2 * [(3, 3, channels, channels), *4 * [(channels,)]]


def _residual_network(
    side_px: int, blocks: tuple[int, int, int, int], width: int, dropout: float, name: str
) -> keras.Model:
    pictures = keras.Input((CROP_PX, CROP_PX, 1), name="pictures")
    x = _convolution(Middle(side_px)(Standardise()(pictures)), 32 * width, stride=2)
    for stage, (count, channels) in enumerate(zip(blocks, (32, 64, 128, 256), strict=True)):
        for block in range(count):
            x = _residual(x, channels * width, stride=2 if stage and not block else 1)
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(pictures, layers.Dense(len(EMOTIONS), name="logits")(x), name=name)


def _convolution(x: Any, channels: int, stride: int = 1, size: int = 3, activate: bool = True) -> Any:
    x = layers.Conv2D(
        channels, size, strides=stride, padding="same", use_bias=False, kernel_initializer="he_normal"
    )(x)
    x = layers.BatchNormalization(momentum=0.95)(x)
    return layers.ReLU()(x) if activate else x


def _residual(x: Any, channels: int, stride: int) -> Any:
    inner = _convolution(_convolution(x, channels, stride), channels, activate=False)
    if stride != 1 or x.shape[-1] != channels:
        x = _convolution(x, channels, stride, size=1, activate=False)
    return layers.ReLU()(layers.Add()([x, inner]))
