"""Measures a model on one split of FER-2013.

An exported ``.tflite`` runs through ``inference.classifier``, as it does in a class, without TensorFlow; a
run's ``.keras`` needs TensorFlow.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
from tqdm import tqdm

from inference.arrays import Floats
from inference.classifier import CnnClassifier
from inference.emotions import EMOTIONS
from inference.native_noise import muted
from training.augment import to_floats
from training.calibration import probabilities
from training.dataset import Split, load
from training.errors import RunError
from training.metrics import Metrics, measure
from training.votes import majority

SPLIT_TITLES: Final = {"train": "Training", "validation": "PublicTest", "private": "PrivateTest"}
"""FER-2013's own names of the splits in ``training.dataset.SPLITS``."""

Predict = Callable[[Floats], Floats]
"""(B, 48, 48, 1) in 0..1 to (B, 7), rows summing to 1."""

_BATCH: Final = 64


def evaluate(data: Path, split: str, model: Path | None = None) -> Metrics:
    """Measure a model on a split.

    Args:
        data: Data set, in a layout of ``training.dataset``.
        split: ``train``, ``validation`` or ``private``.
        model: ``.tflite`` with its card, or ``.keras``; None for the shipped model.

    Raises:
        DatasetError: the data cannot be read or lacks the split.
        RunError: the Keras file cannot be read.
        ModelError: the exported file is missing, is damaged or does not match its card.
    """
    predict = (
        keras_predict(model) if model is not None and model.suffix == ".keras" else exported_predict(model)
    )
    return measure_split(predict, load(data, split))


def measure_split(predict: Predict, split: Split) -> Metrics:
    """Run a model over a split, with a progress bar on a terminal."""
    probs = [np.zeros((0, len(EMOTIONS)), np.float32)]
    with tqdm(total=len(split), unit="img", leave=False, disable=None) as progress:
        for start in range(0, len(split), _BATCH):
            probs.append(predict(to_floats(split.images[start : start + _BATCH])))
            progress.update(len(probs[-1]))
    annotators = None if split.votes is None else majority(split.votes)
    return measure(np.concatenate(probs), split.labels, annotators)


def exported_predict(model: Path | None) -> Predict:
    """The prediction function of an exported model; its graph contains the temperature.

    Args:
        model: ``.tflite`` with its card; None for the shipped model.

    Raises:
        ModelError: the file is missing, is damaged or does not match its card.
    """
    with muted():
        return CnnClassifier.load(model).predict


def keras_predict(model: Path) -> Predict:
    """The prediction function of a run's Keras file, not calibrated.

    Raises:
        RunError: TensorFlow is missing, or the file cannot be read.
    """
    try:
        with muted():
            # Imported here: TensorFlow takes 4 s to import and may not be installed.
            from training.keras_file import load_keras
    except ImportError as exc:
        raise RunError(
            f"{model} needs TensorFlow ({exc}): pip install 'classmood[training]', or name a .tflite"
        ) from exc
    network = load_keras(model)

    def predict(crops: Floats) -> Floats:
        return probabilities(np.asarray(network(crops, training=False)))

    return predict


def table(metrics: Metrics, title: str) -> str:
    """The figures as plain text, in percent; a dash for a figure that is undefined."""
    low, high = metrics.accuracy_interval_95
    lines = [
        f"{title}: {metrics.images} images",
        f"accuracy  {_percent(metrics.accuracy)} %  (95 % interval {_percent(low)} to {_percent(high)})",
        f"macro-F1  {_percent(metrics.macro_f1)} %",
        f"ECE       {_percent(metrics.ece)} %",
        "",
        f"{'':<10}{'recall':>8}{'precision':>11}{'images':>8}   predicted"
        + "".join(f"{label:>9}" for label in EMOTIONS),
    ]
    for row, (label, one) in zip(metrics.confusion, metrics.per_class.items(), strict=True):
        lines.append(
            f"{label:<10}{_percent(one.recall):>8}{_percent(one.precision):>11}{one.support:>8}            "
            + "".join(f"{count:>9}" for count in row)
        )
    lines.append("")
    if metrics.ferplus_images is not None:
        share = _percent(metrics.ferplus_accuracy)
        lines.append(
            f"agrees with the majority of FER+ annotators: {share} % of {metrics.ferplus_images} images"
        )
    lines += [
        f"the {_percent(point.coverage)} % with confidence {point.threshold:.2f} or more: "
        f"{_percent(point.risk)} % wrong"
        for point in metrics.risk_coverage[4::2]
    ]
    return "\n".join(lines)


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2f}"
