"""Reads the Keras files that training writes. Importing this module imports TensorFlow, about 4 s."""

from __future__ import annotations

from pathlib import Path

import keras

from inference.emotions import CROP_PX, EMOTIONS
from inference.native_noise import muted
from training import models
from training.errors import RunError


def load_keras(path: Path) -> keras.Model:
    """Load a network of ``training.models`` from its ``.keras`` file.

    Raises:
        RunError: the file is missing, is not a Keras file, or holds another kind of network.
    """
    if not path.is_file():
        raise RunError(f"{path} does not exist: name a .keras file, or a --run with a completed epoch")
    try:
        with muted():
            network = keras.models.load_model(path, compile=False, custom_objects=models.CUSTOM_LAYERS)
    except (ValueError, TypeError, OSError, KeyError) as exc:
        raise RunError(f"{path} is not a Keras file of this project: train the model again") from exc
    if network.input_shape != (None, CROP_PX, CROP_PX, 1) or network.output_shape != (None, len(EMOTIONS)):
        raise RunError(
            f"{path} holds another kind of network: it maps {network.input_shape} to {network.output_shape}, "
            f"not (None, {CROP_PX}, {CROP_PX}, 1) to (None, {len(EMOTIONS)})"
        )
    return network
