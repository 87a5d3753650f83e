"""One training run: data, targets, schedule and callbacks.

A run writes to its folder (``training.run``). An interrupted run continues after its last complete epoch
when it is started again with the same folder.
"""

from __future__ import annotations

import io
import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import keras
import numpy as np
import tensorflow as tf

from inference.arrays import Floats
from inference.emotions import CROP_PX, EMOTIONS
from inference.native_noise import muted
from training import atomic
from training.augment import to_floats
from training.batches import AugmentedBatches
from training.checkpoint import CheckpointCallback, restore
from training.dataset import Split, load
from training.errors import RunError
from training.evaluate import keras_predict
from training.framing import detector_framings
from training.keras_file import load_keras
from training.models import OWN_NETWORKS, resnet50
from training.net2net import deepen_weights, widen_weights
from training.run import TrainOptions, claim, training_parts
from training.votes import VOTES_NAME

STATISTICS_BATCHES: Final = 32
"""Batches from which the batch-normalisation statistics of the averaged weights are computed."""


class _Deadline(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends the run after the first epoch that ends past the time limit."""

    def __init__(self, minutes: float) -> None:
        super().__init__()
        self._end_s = time.monotonic() + 60 * minutes

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if time.monotonic() >= self._end_s:
            self.model.stop_training = True


def train(options: TrainOptions) -> Path:
    """Start a run, or continue the run in its folder.

    Returns:
        The Keras file with the best weights.

    Raises:
        DatasetError: the data cannot be read.
        RunError: an option does not fit, or the folder holds a run with other options.
    """
    training, _ = training_parts(options.data, options.seed)
    validation = load(options.data, "validation")
    if options.limit is not None:
        rows = np.random.default_rng(options.seed).permutation(len(training))[: options.limit]
        training = training.part(rows)
    if len(training) < options.batch:
        raise RunError(f"{len(training)} images do not fill one batch of {options.batch}: lower --batch")
    if training.votes is None and (options.votes or options.votes_end):
        raise RunError(f"leave --votes out, or add {VOTES_NAME} to {options.data}: it has none")
    if options.weights and options.arch != "resnet50":
        raise RunError(f"use --warm-start with --arch {options.arch}: --weights is for --arch resnet50 only")
    if options.side != CROP_PX and options.arch not in OWN_NETWORKS:
        raise RunError(f"leave --side out: --arch {options.arch} always uses the whole image")
    for file in (options.warm_start, options.teacher):
        if file is not None and not file.is_file():
            raise RunError(f"{file} does not exist: name a .keras file")
    teacher = None if options.teacher is None else keras_predict(options.teacher)
    claim(options)
    framings = _framings(options, training) if options.ranges.framed_share else None
    with muted():
        tf.config.optimizer.set_experimental_options(
            {"auto_mixed_precision_onednn_bfloat16": options.bfloat16}
        )
        keras.utils.set_random_seed(options.seed)
        model = _compiled(options, steps=len(training) // options.batch)
    history = restore(model, options.run)

    def statistics_batches(epoch: int) -> Iterator[Floats]:
        batches = AugmentedBatches(training, options, epoch, framings=framings)
        return (batches[step][0] for step in range(min(len(batches), STATISTICS_BATCHES)))

    callbacks: list[keras.callbacks.Callback] = [CheckpointCallback(options.run, history, statistics_batches)]
    if options.minutes is not None:
        callbacks.append(_Deadline(options.minutes))
    if len(history) < options.epochs:
        model.fit(
            AugmentedBatches(training, options, len(history), teacher, framings),
            validation_data=(
                to_floats(validation.images),
                np.eye(len(EMOTIONS), dtype=np.float32)[validation.labels],
            ),
            validation_batch_size=512,
            initial_epoch=len(history),
            epochs=options.epochs,
            callbacks=callbacks,
            # Keras would shuffle the batches again, from a random state that no checkpoint contains.
            shuffle=False,
            verbose="auto" if os.isatty(1) else 2,
        )
    return options.run / "best.keras"


def _framings(options: TrainOptions, training: Split) -> Floats:
    """The framing of each image, (N, 3); cached in the run's folder, for computing it takes minutes."""
    cache = options.run / "framings.npy"
    if not cache.exists():
        buffer = io.BytesIO()
        np.save(buffer, detector_framings(training.images, options.seed))
        atomic.write(cache, buffer.getvalue())
    try:
        return np.asarray(np.load(cache, allow_pickle=False), np.float32).reshape(len(training), 3)
    except ValueError as exc:
        raise RunError(f"delete {cache}: it is damaged and will be computed again") from exc


def _compiled(options: TrainOptions, steps: int) -> keras.Model:
    total_steps = steps * options.epochs
    warmup_steps = max(1, min(steps * 2, total_steps // 10))
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=options.rate / 20,
        decay_steps=total_steps - warmup_steps,
        alpha=1e-3,
        warmup_target=options.rate,
        warmup_steps=warmup_steps,
    )
    optimizer = keras.optimizers.SGD(
        schedule, momentum=0.9, nesterov=True, weight_decay=5e-3, use_ema=True,
        ema_momentum=math.exp(-1 / (options.average * steps)),
    )  # fmt: skip
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    model = _network(options)
    if options.warm_start is not None:
        _warm_start(model, options.warm_start, options.seed)
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=options.smoothing),
        metrics=["accuracy"],
        # XLA is slower than oneDNN on these small convolutions and does not support bfloat16.
        jit_compile=False,
    )
    return model


def _network(options: TrainOptions) -> keras.Model:
    if options.arch in OWN_NETWORKS:
        return OWN_NETWORKS[options.arch](options.side)
    try:
        return resnet50(options.weights)
    except Exception as exc:  # Keras raises a plain Exception when a download fails
        raise RunError(
            f"name Keras' ResNet-50 weights without the top layer: cannot load {options.weights!r} ({exc})"
        ) from exc


def _warm_start(model: keras.Model, file: Path, seed: int) -> None:
    weights, initial = load_keras(file).get_weights(), model.get_weights()
    fitted = deepen_weights(weights, initial) or widen_weights(weights, [one.shape for one in initial], seed)
    if fitted is None:
        raise RunError(
            f"name a file with weights for --arch {model.name}: {file} holds another kind of network"
        )
    model.set_weights(fitted)
