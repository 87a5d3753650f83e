"""From a run's best weights to the model the product runs: calibrated, in LiteRT, with its card.

Comes in: a ``.keras`` file and the data it was trained on. Goes out: ``fer_cnn.tflite``, whose graph is
the network's logits over the fitted temperature and a softmax, ``fer_cnn.json``, its card, and
``fer_cnn.md``, the same for people.
Needs TensorFlow; what it writes does not.
"""

from __future__ import annotations

import hashlib
import json
import math
import shlex
import tempfile
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from inference.arrays import Floats, Labels
from inference.emotions import CROP_PX, EMOTIONS
from inference.native_noise import muted
from training import atomic, models, run
from training.augment import to_floats
from training.calibration import fit_temperature, probabilities
from training.card import markdown
from training.dataset import load
from training.errors import RunError
from training.evaluate import SPLIT_TITLES, Predict, exported_predict, measure_split
from training.metrics import abstention

MODEL_NAME: Final = "fer_cnn.tflite"
CARD_NAME: Final = "fer_cnn.json"
PAGE_NAME: Final = "fer_cnn.md"

_FILES: Final = ("warm_start", "teacher", "weights")
"""Options of a run that name a file."""

_USUAL: Final = {
    one.name: one.default
    for one in fields(run.TrainOptions)
    if one.name
    in {
        "votes", "votes_end", "ease", "smoothing", "average", "distil", "balance", "side", "bfloat16", *_FILES
    }
}  # fmt: skip
"""Options the card's command names only where they are not the usual ones."""

TOLERANCE: Final = 1e-3
"""Largest difference of a probability between the Keras and the exported model."""

HIGHEST_RISK: Final = 0.25
"""Share of wrong answers the abstention threshold of the card leaves, on held-back images."""

_DATA_NAME: Final = "fer2013.zip"
_DATA_NOTE: Final = (
    "made for the ICML 2013 workshop 'Challenges in Representation Learning' (Goodfellow et al. 2013, "
    "arXiv 1307.0414) from pictures found by web search; given out through Kaggle for research, without "
    "an open licence; no picture of it is in this repository"
)


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote.

    Attributes:
        model: The LiteRT file.
        card: What stands in the JSON file beside it.
    """

    model: Path
    card: dict[str, Any]


def export(model: Path, data: Path, out: Path) -> Exported:
    """Calibrate, convert, check, measure on PublicTest, and write model and card.

    Args:
        model: ``.keras`` file; if the ``config.json`` of its run lies beside it, that run's seed decides
            which training images were held back, and the card carries it.
        data: The data set the model was trained on: the same file, for its order decides which are held back.
        out: Folder to write to; made if absent.

    Raises:
        DatasetError: the data cannot be read.
        RunError: the model cannot be read, or the exported file disagrees with it.
    """
    config = run.read_config(model.parent) if (model.parent / "config.json").exists() else None
    network = load_keras(model)
    _, held_back = run.training_parts(data, config["seed"] if config else run.DEFAULT_SEED)
    if not len(held_back):
        raise RunError(f"{data} has too few training images to hold some back for the calibration: give more")
    validation = load(data, "validation")
    crops = to_floats(held_back.images)
    logits = np.asarray(network.predict(crops, batch_size=256, verbose=0), np.float32)
    temperature = round(fit_temperature(logits, held_back.labels), 4)
    content = _converted(network, temperature)
    card: dict[str, Any] = {
        "file": MODEL_NAME,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "labels": list(EMOTIONS),
        "input": f"(B, {CROP_PX}, {CROP_PX}, 1) float32, grayscale 0..1",
        "temperature": temperature,
        "abstention": _abstention(probabilities(logits, temperature), held_back.labels),
        "parameters": network.count_params(),
        "multiply_adds": multiply_adds(network),
        "command": _command(config),
        "run": _run_of(config),
        "data": {"name": "FER-2013", "note": _DATA_NOTE},
    }
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".export-") as staging:
        staged = Path(staging) / MODEL_NAME
        staged.write_bytes(content)
        (Path(staging) / CARD_NAME).write_text(json.dumps(card), encoding="utf-8")
        predict = exported_predict(staged)
        _check_agreement(predict, crops, probabilities(logits, temperature))
        card["metrics"] = {
            "split": SPLIT_TITLES["validation"],
            **measure_split(predict, validation).as_json(),
        }
    atomic.write(out / MODEL_NAME, content)
    atomic.write(out / CARD_NAME, (json.dumps(card, indent=2) + "\n").encode())
    atomic.write(out / PAGE_NAME, markdown(card).encode())
    return Exported(out / MODEL_NAME, card)


def load_keras(model: Path) -> keras.Model:
    """A network of ``training.models`` from its file.

    Raises:
        RunError: the file is missing, is no Keras file, or is another kind of network.
    """
    if not model.is_file():
        raise RunError(f"{model} does not exist: name a .keras file, or a --run with a completed epoch")
    # Referred to here, for importing training.models is what makes its layers known to Keras.
    layers = {f"classmood>{layer.__name__}": layer for layer in (models.Standardise, models.Middle)}
    try:
        with muted():
            network = keras.models.load_model(model, compile=False, custom_objects=layers)
    except (ValueError, TypeError, OSError, KeyError) as exc:
        raise RunError(f"{model} is no Keras file of this project: train it again") from exc
    if network.input_shape != (None, CROP_PX, CROP_PX, 1) or network.output_shape != (None, len(EMOTIONS)):
        raise RunError(
            f"{model} takes {network.input_shape} and gives {network.output_shape}, not "
            f"(None, {CROP_PX}, {CROP_PX}, 1) and (None, {len(EMOTIONS)}): it is another kind of network"
        )
    return network


def multiply_adds(network: keras.Model) -> int:
    """Multiplications of weights for one picture: convolutions and dense layers."""
    total = 0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            _, height, width, _ = layer.output.shape
            total += height * width * math.prod(layer.kernel.shape)
        elif isinstance(layer, keras.layers.Dense):
            total += math.prod(layer.kernel.shape)
    return total


def _abstention(answers: Floats, labels: Labels) -> dict[str, float] | None:
    """Confidence below which an answer is better not given, found on held-back images."""
    found = abstention(answers, labels, HIGHEST_RISK) if len(labels) else None
    return None if found is None else {"highest_risk": HIGHEST_RISK, **found.as_json()}


def _converted(network: keras.Model, temperature: float) -> bytes:
    """The network with temperature and softmax as a LiteRT file, its batch dimension free."""
    pictures = keras.Input((CROP_PX, CROP_PX, 1), name="pictures")
    calibrated = keras.Model(pictures, keras.layers.Softmax()(network(pictures) / temperature))
    with tempfile.TemporaryDirectory() as folder, muted():
        calibrated.export(folder, format="tf_saved_model", verbose=False)
        return bytes(tf.lite.TFLiteConverter.from_saved_model(folder).convert())


def _check_agreement(predict: Predict, crops: Floats, expected: Floats) -> None:
    for start in range(0, len(crops), 256):
        rows = slice(start, start + 256)
        gap = float(np.abs(predict(crops[rows]) - expected[rows]).max())
        if not gap <= TOLERANCE:  # so written that NaN fails
            raise RunError(
                f"the exported model disagrees with the Keras model by {gap:.2g}: nothing was written"
            )


def _run_of(config: dict[str, Any] | None) -> dict[str, Any] | None:
    """The options of the run as the card shows them: without a path, and a revision only if it names one."""
    if config is None:
        return None
    known = len(str(config.get("revision"))) == 40
    shown = config | {"data": _DATA_NAME, "revision": config["revision"] if known else None}
    for option in _FILES:
        if shown.get(option) is not None:
            shown[option] = Path(shown[option]).name
    return shown


def _command(config: dict[str, Any] | None) -> str:
    """What makes this model again, without a path of the machine that made it."""
    if config is None:
        return shlex.join(
            ["python", "-m", "training", "export", "--model", "best.keras", "--data", _DATA_NAME]
        )
    folder = f"runs/{config['arch']}"
    train = ["python", "-m", "training", "train", "--data", _DATA_NAME, "--run", folder]
    for name in ("arch", "epochs", "batch", "rate", "seed", "limit"):
        if config.get(name) is not None:
            train += [f"--{name}", str(config[name])]
    for name, usual in _USUAL.items():
        value = config.get(name, usual)
        if value != usual:
            option = f"--{name.replace('_', '-')}"
            train += [option] if value is True else [option, Path(str(value)).name]
    for option in ("codec", "erase", "framed"):
        if share := config.get("ranges", {}).get(f"{option}_share"):
            train += [f"--{option}", str(share)]
    convert = ["python", "-m", "training", "export", "--run", folder, "--data", _DATA_NAME]
    return f"{shlex.join(train)} && {shlex.join(convert)}"
