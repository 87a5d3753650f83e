"""Exports a run's best weights as the calibrated LiteRT model that ships, with its card.

The graph of ``fer_cnn.tflite`` is softmax(logits / temperature), where the logits are the mean over the crop
and its mirror image. Its weights have 8 bits, and its activations are quantised as they come (dynamic range):
that takes a fifth of the time and a quarter of the bytes of 32 bits. ``fer_cnn.json`` is its card,
``fer_cnn.md`` the same card for people. The export needs TensorFlow; the exported model does not.
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
from ai_edge_litert.interpreter import Interpreter

from inference.arrays import Floats, Labels
from inference.emotions import CROP_PX, EMOTIONS
from inference.native_noise import muted
from training import atomic, run
from training.augment import to_floats
from training.calibration import fit_temperature, probabilities
from training.card import markdown
from training.dataset import load
from training.errors import RunError
from training.evaluate import SPLIT_TITLES, exported_predict, measure_split
from training.keras_file import load_keras
from training.metrics import abstention

MODEL_NAME: Final = "fer_cnn.tflite"
CARD_NAME: Final = "fer_cnn.json"
PAGE_NAME: Final = "fer_cnn.md"

_FILE_OPTIONS: Final = ("warm_start", "teacher", "weights")
"""Options of a run that name a file."""

_OPTION_DEFAULTS: Final = {
    one.name: one.default
    for one in fields(run.TrainOptions)
    if one.name
    in {
        "votes", "votes_end", "ease", "smoothing", "average", "distil", "balance", "side", "bfloat16",
        *_FILE_OPTIONS,
    }
}  # fmt: skip
"""Options that the card's command names only if they differ from the default."""

MIN_AGREEMENT: Final = 0.98
"""Lowest share of held-back images to which the exported model and the Keras model give the same answer."""

MAX_LOSS: Final = 0.003
"""Largest loss of accuracy on held-back images by the conversion."""

_BATCH: Final = 64

HIGHEST_RISK: Final = 0.25
"""Highest share of wrong predictions at the card's abstention threshold, on held-back images."""

_DATA_NAME: Final = "fer2013.zip"
_DATA_NOTE: Final = (
    "made for the ICML 2013 workshop 'Challenges in Representation Learning' (Goodfellow et al. 2013, "
    "arXiv 1307.0414) from images found by web search; distributed through Kaggle for research, without "
    "an open licence; this repository contains no image of it"
)


@dataclass(frozen=True, slots=True)
class Exported:
    """What an export wrote.

    Attributes:
        model: The LiteRT file.
        card: Content of the JSON file beside it.
    """

    model: Path
    card: dict[str, Any]


def export(model: Path, data: Path, out: Path) -> Exported:
    """Calibrate, convert, check, measure on PublicTest, and write model and card.

    Args:
        model: ``.keras`` file. If the ``config.json`` of its run lies beside it, that run's seed decides
            which training images were held back, and the card contains that config.
        data: The file the model was trained on: the order of its images decides which were held back.
        out: Folder to write to; created if missing.

    Raises:
        DatasetError: the data cannot be read.
        RunError: the model cannot be read, too few images can be held back, or the predictions of the
            exported file differ from the model's.
    """
    config = run.read_config(model.parent) if (model.parent / "config.json").exists() else None
    network = load_keras(model)
    _, held_back = run.training_parts(data, config["seed"] if config else run.DEFAULT_SEED)
    if not len(held_back):
        raise RunError(f"{data} has too few training images for the calibration: use the full data set")
    validation = load(data, "validation")
    crops = to_floats(held_back.images)
    logits = _mirrored_logits(network, crops)
    # Fitted to the converted network: quantisation and mirroring change the confidence, too.
    converted = np.log(_probabilities(_converted(network, 1.0), crops))
    temperature = round(fit_temperature(converted, held_back.labels), 4)
    _check(probabilities(converted, temperature), logits, held_back.labels)
    content = _converted(network, temperature)
    card: dict[str, Any] = {
        "file": MODEL_NAME,
        "sha256": hashlib.sha256(content).hexdigest(),
        "bytes": len(content),
        "labels": list(EMOTIONS),
        "input": f"(B, {CROP_PX}, {CROP_PX}, 1) float32, grayscale 0..1",
        "temperature": temperature,
        "abstention": _abstention(probabilities(converted, temperature), held_back.labels),
        "parameters": network.count_params(),
        "multiply_adds": 2 * multiply_adds(network),  # of the crop and of its mirror image
        "command": _command(config),
        "run": _run_options(config),
        "data": {"name": "FER-2013", "note": _DATA_NOTE},
    }
    out.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out, prefix=".export-") as staging:
        staged = Path(staging) / MODEL_NAME
        staged.write_bytes(content)
        (Path(staging) / CARD_NAME).write_text(json.dumps(card), encoding="utf-8")
        predict = exported_predict(staged)
        card["metrics"] = {
            "split": SPLIT_TITLES["validation"],
            **measure_split(predict, validation).as_json(),
        }
    atomic.write(out / MODEL_NAME, content)
    atomic.write(out / CARD_NAME, (json.dumps(card, indent=2) + "\n").encode())
    atomic.write(out / PAGE_NAME, markdown(card).encode())
    return Exported(out / MODEL_NAME, card)


def multiply_adds(network: keras.Model) -> int:
    """Multiply-adds for one image: convolutions and dense layers."""
    total = 0
    for layer in network.layers:
        if isinstance(layer, keras.layers.Conv2D):
            _, height, width, _ = layer.output.shape
            total += height * width * math.prod(layer.kernel.shape)
        elif isinstance(layer, keras.layers.Dense):
            total += math.prod(layer.kernel.shape)
    return total


def _abstention(probs: Floats, labels: Labels) -> dict[str, float] | None:
    """The confidence below which a prediction is better ignored, measured on held-back images."""
    point = abstention(probs, labels, HIGHEST_RISK) if len(labels) else None
    return None if point is None else {"highest_risk": HIGHEST_RISK, **point.as_json()}


def _mirrored(network: keras.Model, images: Any) -> Any:
    """The mean logits of images and their mirror images: 0.8 points more accurate for twice the time."""
    return (network(images) + network(keras.ops.flip(images, axis=2))) / 2


def _mirrored_logits(network: keras.Model, crops: Floats) -> Floats:
    images = keras.Input((CROP_PX, CROP_PX, 1))
    both = keras.Model(images, _mirrored(network, images))
    return np.asarray(both.predict(crops, batch_size=256, verbose=0), np.float32)


def _converted(network: keras.Model, temperature: float) -> bytes:
    """The calibrated network as a LiteRT file that takes batches of any size."""
    # "pictures" is the name of the input in every exported file; it stays.
    images = keras.Input((CROP_PX, CROP_PX, 1), name="pictures")
    calibrated = keras.Model(images, keras.layers.Softmax()(_mirrored(network, images) / temperature))
    with tempfile.TemporaryDirectory() as folder, muted():
        calibrated.export(folder, format="tf_saved_model", verbose=False)
        converter = tf.lite.TFLiteConverter.from_saved_model(folder)
        converter.optimizations = [tf.lite.Optimize.DEFAULT]  # 8 bits, dynamic range
        return bytes(converter.convert())


def _probabilities(content: bytes, crops: Floats) -> Floats:
    """What a LiteRT file answers, (N, 7); never exactly 0."""
    interpreter: Any = Interpreter(model_content=content, num_threads=1)
    (image,), (output,) = interpreter.get_input_details(), interpreter.get_output_details()
    rows = []
    for start in range(0, len(crops), _BATCH):
        batch = crops[start : start + _BATCH]
        interpreter.resize_tensor_input(image["index"], batch.shape)
        interpreter.allocate_tensors()
        interpreter.set_tensor(image["index"], batch)
        interpreter.invoke()
        rows.append(interpreter.get_tensor(output["index"]).copy())
    return np.asarray(np.maximum(np.concatenate(rows), np.finfo(np.float32).tiny), np.float32)


def _check(exported: Floats, logits: Floats, labels: Labels) -> None:
    """Compare the exported model with the Keras model on held-back images.

    Raises:
        RunError: a figure is not finite, or the answers or the accuracy differ too much.
    """
    if not (np.isfinite(exported).all() and np.isfinite(logits).all()):
        raise RunError("nothing was written: the network returns figures that are not finite")
    answers, expected = exported.argmax(axis=1), logits.argmax(axis=1)
    agreement = float((answers == expected).mean())
    loss = float((expected == labels).mean() - (answers == labels).mean())
    if agreement < MIN_AGREEMENT or loss > MAX_LOSS:
        raise RunError(
            f"nothing was written: the exported model agrees with the Keras model on {agreement:.1%} of the "
            f"held-back images and loses {100 * loss:.1f} points of accuracy"
        )


def _run_options(config: dict[str, Any] | None) -> dict[str, Any] | None:
    """The run's options for the card: file names without folders, the revision only if it is a commit."""
    if config is None:
        return None
    is_commit = len(str(config.get("revision"))) == 40
    shown = config | {"data": _DATA_NAME, "revision": config["revision"] if is_commit else None}
    for option in _FILE_OPTIONS:
        if shown.get(option) is not None:
            shown[option] = Path(shown[option]).name
    return shown


def _command(config: dict[str, Any] | None) -> str:
    """The commands that reproduce this model, with file names only: no path of this machine."""
    if config is None:
        return shlex.join(
            ["python", "-m", "training", "export", "--model", "best.keras", "--data", _DATA_NAME]
        )
    folder = f"runs/{config['arch']}"
    train = ["python", "-m", "training", "train", "--data", _DATA_NAME, "--run", folder]
    for name in ("arch", "epochs", "batch", "rate", "seed", "limit"):
        if config.get(name) is not None:
            train += [f"--{name}", str(config[name])]
    for name, default in _OPTION_DEFAULTS.items():
        value = config.get(name, default)
        if value != default:
            option = f"--{name.replace('_', '-')}"
            train += [option] if value is True else [option, Path(str(value)).name]
    for option in ("codec", "erase", "framed"):
        if share := config.get("ranges", {}).get(f"{option}_share"):
            train += [f"--{option}", str(share)]
    convert = ["python", "-m", "training", "export", "--run", folder, "--data", _DATA_NAME]
    return f"{shlex.join(train)} && {shlex.join(convert)}"
