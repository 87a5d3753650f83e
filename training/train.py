"""One training run: data, augmentation, schedule.

Comes in: ``TrainOptions``. Goes out: a run folder (``training.run``). A run cut off goes on from its
last whole epoch when it is started again with the same folder.
"""

from __future__ import annotations

import io
import math
import os
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

import keras
import numpy as np
import tensorflow as tf

from inference.arrays import Floats
from inference.emotions import CROP_PX, EMOTIONS
from inference.native_noise import muted
from training import atomic
from training.augment import Ranges, augment, to_floats
from training.checkpoint import EpochKeeper, restore
from training.dataset import Split, load
from training.errors import RunError
from training.evaluate import keras_predict
from training.export import load_keras
from training.framing import detector_framings
from training.models import OWN, deepened, resnet50, widened
from training.run import TrainOptions, claim, training_parts
from training.votes import VOTES_NAME, targets

STATISTICS_BATCHES: Final = 32
"""Batches from which the averaged weights' statistics are gathered."""


class AugmentedBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """The training split, shuffled and augmented anew each epoch.

    Batches are (pictures, (B, 7) targets), with (B,) weights besides if expressions are to be balanced.
    """

    def __init__(
        self,
        split: Split,
        options: TrainOptions,
        first_epoch: int = 0,
        teacher: Callable[[Floats], Floats] | None = None,
        framings: Floats | None = None,
    ) -> None:
        super().__init__(workers=2, use_multiprocessing=False, max_queue_size=8)
        self._split, self._options, self._epoch, self._teacher = split, options, first_epoch, teacher
        self._framings = framings
        counts = np.bincount(split.labels, minlength=len(EMOTIONS)).clip(1)
        weights = (len(split) / counts) ** options.balance
        self._weights = (weights / weights[split.labels].mean()).astype(np.float32)
        self._order = self._shuffled()

    def __len__(self) -> int:
        return len(self._split) // self._options.batch

    def __getitem__(self, step: int) -> tuple[Any, ...]:
        options = self._options
        rows = self._order[step * options.batch : (step + 1) * options.batch]
        ranges = options.ranges.eased(options.along(self._epoch, 1.0, options.ease))
        framings = None if self._framings is None else self._framings[rows]

        def changed(ranges: Ranges) -> Floats:
            rng = np.random.default_rng((options.seed, self._epoch, step))
            return augment(self._split.images[rows], rng, ranges, framings)

        pictures = changed(ranges)
        labels, votes = self._split.labels[rows], self._split.votes
        aim = np.eye(len(EMOTIONS), dtype=np.float32)[labels]
        if votes is not None:
            aim = targets(labels, votes[rows], options.along(self._epoch, options.votes, options.votes_end))
        if self._teacher is not None:
            # It sees the same, but as FER-2013 framed it and without a codec: what it knows best.
            clearer = replace(ranges, framed_share=0.0, codec_share=0.0)
            clear = pictures if clearer == ranges else changed(clearer)
            both = self._teacher(np.concatenate([clear, clear[:, :, ::-1]]))  # mirrored: it knows better
            aim = (1 - options.distil) * aim + options.distil * (both[: len(rows)] + both[len(rows) :]) / 2
        return (pictures, aim, self._weights[labels]) if options.balance else (pictures, aim)

    def on_epoch_end(self) -> None:
        """Shuffle for the next epoch."""
        self._epoch += 1
        self._order = self._shuffled()

    def _shuffled(self) -> Any:
        return np.random.default_rng((self._options.seed, self._epoch)).permutation(len(self._split))


class _Deadline(keras.callbacks.Callback):  # type: ignore[misc]
    """Ends the run after the epoch that passes the time bound."""

    def __init__(self, minutes: float) -> None:
        super().__init__()
        self._end_s = time.monotonic() + 60 * minutes

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        if time.monotonic() >= self._end_s:
            self.model.stop_training = True


def train(options: TrainOptions) -> Path:
    """Run or go on with a training run.

    Returns:
        The Keras file with the best weights.

    Raises:
        DatasetError: the data cannot be read.
        RunError: the folder holds a run with other options.
    """
    training, _ = training_parts(options.data, options.seed)
    validation = load(options.data, "validation")
    if options.limit is not None:
        rows = np.random.default_rng(options.seed).permutation(len(training))[: options.limit]
        training = training.part(rows)
    if len(training) < options.batch:
        raise RunError(f"{len(training)} pictures do not fill one batch of {options.batch}: lower --batch")
    if training.votes is None and (options.votes or options.votes_end):
        raise RunError(f"{options.data} has no {VOTES_NAME}, which --votes needs")
    if options.weights and options.arch != "resnet50":
        raise RunError(f"--weights are for --arch resnet50; --arch {options.arch} takes --warm-start")
    if options.side != CROP_PX and options.arch not in OWN:
        raise RunError(f"--arch {options.arch} takes whole pictures: leave --side out")
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

    def shown(epoch: int) -> Iterator[Floats]:
        batches = AugmentedBatches(training, options, epoch, framings=framings)
        return (batches[step][0] for step in range(min(len(batches), STATISTICS_BATCHES)))

    callbacks: list[keras.callbacks.Callback] = [EpochKeeper(options.run, history, shown)]
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
            # Keras would shuffle the steps again, out of a random state no checkpoint holds.
            shuffle=False,
            verbose="auto" if os.isatty(1) else 2,
        )
    return options.run / "best.keras"


def _framings(options: TrainOptions, training: Split) -> Floats:
    """How our detector frames each picture; kept in the run's folder, for it takes minutes."""
    kept = options.run / "framings.npy"
    if not kept.exists():
        found = io.BytesIO()
        np.save(found, detector_framings(training.images, options.seed))
        atomic.write(kept, found.getvalue())
    try:
        return np.asarray(np.load(kept, allow_pickle=False), np.float32).reshape(len(training), 3)
    except ValueError as exc:
        raise RunError(f"{kept} is damaged: delete it, it is made again") from exc


def _compiled(options: TrainOptions, steps: int) -> keras.Model:
    total = steps * options.epochs
    warm = max(1, min(steps * 2, total // 10))
    schedule = keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=options.rate / 20,
        decay_steps=total - warm,
        alpha=1e-3,
        warmup_target=options.rate,
        warmup_steps=warm,
    )
    optimizer = keras.optimizers.SGD(
        schedule, momentum=0.9, nesterov=True, weight_decay=5e-3, use_ema=True,
        ema_momentum=math.exp(-1 / (options.average * steps)),
    )  # fmt: skip
    optimizer.exclude_from_weight_decay(var_names=["gamma", "beta", "bias"])
    model = _network(options)
    if options.warm_start is not None:
        _begin_with(model, options.warm_start, options.seed)
    model.compile(
        optimizer,
        keras.losses.CategoricalCrossentropy(from_logits=True, label_smoothing=options.smoothing),
        metrics=["accuracy"],
        # XLA takes longer over these small convolutions than oneDNN, and knows no bfloat16.
        jit_compile=False,
    )
    return model


def _network(options: TrainOptions) -> keras.Model:
    if options.arch in OWN:
        return OWN[options.arch](options.side)
    try:
        return resnet50(options.weights)
    except Exception as exc:  # Keras raises this very class when it cannot fetch them
        raise RunError(
            f"no weights from {options.weights!r} ({exc}): give Keras' ResNet-50 file without the top"
        ) from exc


def _begin_with(model: keras.Model, file: Path, seed: int) -> None:
    given, fresh = load_keras(file).get_weights(), model.get_weights()
    found = deepened(given, fresh) or widened(given, [one.shape for one in fresh], seed)
    if found is None:
        raise RunError(f"{file} is another kind of network than --arch {model.name}: name one of the same")
    model.set_weights(found)
