"""The networks that can be trained, by name.

Every network takes (B, 48, 48, 1) floats in 0..1, standardises each image by its own mean and standard
deviation (webcam exposure then matters little) and returns (B, 7) logits.
"""

from __future__ import annotations

from typing import Any, Final

import keras
from keras import layers

from inference.emotions import CROP_PX, EMOTIONS


@keras.saving.register_keras_serializable("classmood")
class Standardise(layers.Layer):  # type: ignore[misc]
    """(B, H, W, 1) to the same shape, each image with mean 0 and standard deviation 1."""

    def call(self, images: Any) -> Any:
        """Standardise each image of the batch by itself."""
        mean = keras.ops.mean(images, axis=(1, 2, 3), keepdims=True)
        centred = images - mean
        variance = keras.ops.mean(keras.ops.square(centred), axis=(1, 2, 3), keepdims=True)
        return centred * keras.ops.rsqrt(variance + 1e-4)


# Saved networks name this layer "Middle", so it stays registered under that name.
@keras.saving.register_keras_serializable("classmood", name="Middle")
class CentreCrop(layers.Layer):  # type: ignore[misc]
    """(B, 48, 48, 1) to its central square (B, side, side, 1): fewer pixels cost less.

    The layer is part of the network, so training and inference crop alike: trained on 40 pixels and used
    on 48, the network lost 3 to 5 points.
    """

    def __init__(self, side_px: int, **others: Any) -> None:
        super().__init__(**others)
        self._side_px = side_px

    def call(self, images: Any) -> Any:
        """Crop every image of the batch."""
        first = (CROP_PX - self._side_px) // 2
        rows = slice(first, first + self._side_px)
        return images[:, rows, rows]

    def get_config(self) -> dict[str, Any]:
        """The arguments that Keras saves with a network."""
        return {**super().get_config(), "side_px": self._side_px}


CUSTOM_LAYERS: Final = {"classmood>Standardise": Standardise, "classmood>Middle": CentreCrop}
"""Layer by the name in a saved network."""


def cnn(side_px: int = CROP_PX) -> keras.Model:
    """A residual CNN of 46 million multiply-adds and 1.5 million parameters (He et al. 2015, narrowed).

    The first convolution has stride 2, so no block works at the costly full resolution. Four stages have 32,
    64, 128 and 256 channels.

    Args:
        side_px: Side of the central square that the network uses, pixels of 48.
    """
    return _residual_network(side_px, (1, 1, 2, 1), width=1, dropout=0.3, name="cnn")


def deep(side_px: int = CROP_PX) -> keras.Model:
    """``cnn`` with two residual blocks in every stage: 78 million multiply-adds, 2.8 million parameters.

    Args:
        side_px: Side of the central square that the network uses, pixels of 48.
    """
    return _residual_network(side_px, (2, 2, 2, 2), width=1, dropout=0.3, name="deep")


def teacher(side_px: int = CROP_PX) -> keras.Model:
    """``cnn`` with twice the channels, as a teacher for distillation: 184 million multiply-adds.

    Args:
        side_px: Side of the central square that the network uses, pixels of 48.
    """
    return _residual_network(side_px, (1, 1, 2, 1), width=2, dropout=0.4, name="teacher")


def resnet50(weights: str | None = None) -> keras.Model:
    """ResNet-50 (He et al. 2015) on 48 x 48 pixels; its three colour channels all get the gray image.

    Args:
        weights: ``imagenet`` (Keras downloads them) or a file of Keras weights without the top layer.
    """
    images = keras.Input((CROP_PX, CROP_PX, 1), name="images")
    # The standard deviation of ImageNet's images is about 60 of 255 levels.
    levels = layers.Rescaling(60.0 if weights else 1.0)(Standardise()(images))
    body = keras.applications.ResNet50(
        include_top=False, weights=weights, input_tensor=layers.Concatenate()([levels] * 3), pooling="avg"
    )
    x = layers.Dropout(0.3)(body.output)
    return keras.Model(images, layers.Dense(len(EMOTIONS), name="logits")(x), name="resnet50")


OWN_NETWORKS: Final = {"cnn": cnn, "deep": deep, "teacher": teacher}
"""Builders of the networks designed in this project; each takes the side of the central square."""

ARCHITECTURES: Final = {**OWN_NETWORKS, "resnet50": resnet50}
"""Builder by the name that ``--arch`` takes."""


def _residual_network(
    side_px: int, blocks: tuple[int, int, int, int], width: int, dropout: float, name: str
) -> keras.Model:
    images = keras.Input((CROP_PX, CROP_PX, 1), name="images")
    x = _convolution(CentreCrop(side_px)(Standardise()(images)), 32 * width, stride=2)
    for stage, (count, channels) in enumerate(zip(blocks, (32, 64, 128, 256), strict=True)):
        for block in range(count):
            x = _residual(x, channels * width, stride=2 if stage and not block else 1)
    x = layers.Dropout(dropout)(layers.GlobalAveragePooling2D()(x))
    return keras.Model(images, layers.Dense(len(EMOTIONS), name="logits")(x), name=name)


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
