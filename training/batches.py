"""Batches of augmented training images with their targets."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import keras
import numpy as np

from inference.arrays import Floats
from inference.emotions import EMOTIONS
from training.augment import Ranges, augment
from training.dataset import Split
from training.run import TrainOptions
from training.votes import targets


class AugmentedBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """The training split, shuffled and augmented differently in each epoch.

    A batch is (images (B, 48, 48, 1), targets (B, 7)), and weights (B,) as a third part if expressions are
    balanced. Seed, epoch and step alone decide a batch, so a continued run sees the same batches.
    """

    def __init__(
        self,
        split: Split,
        options: TrainOptions,
        first_epoch: int = 0,
        teacher: Callable[[Floats], Floats] | None = None,
        framings: Floats | None = None,
    ) -> None:
        """Prepare the batches of a run.

        Args:
            split: Training images, N.
            options: Options of the run.
            first_epoch: Epoch of the first batches, from 0.
            teacher: Maps images (B, 48, 48, 1) to probabilities (B, 7); None for no distillation.
            framings: (N, 3) from ``training.framing``; None to use FER-2013's crops only.
        """
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

        def augmented(ranges: Ranges) -> Floats:
            rng = np.random.default_rng((options.seed, self._epoch, step))
            return augment(self._split.images[rows], rng, ranges, framings)

        images = augmented(ranges)
        labels, votes = self._split.labels[rows], self._split.votes
        target = np.eye(len(EMOTIONS), dtype=np.float32)[labels]
        if votes is not None:
            target = targets(
                labels, votes[rows], options.along(self._epoch, options.votes, options.votes_end)
            )
        if self._teacher is not None:
            # The teacher gets the same images, but in FER-2013's framing and not compressed: it was trained
            # on those and predicts them best.
            teacher_ranges = replace(ranges, framed_share=0.0, codec_share=0.0)
            teacher_images = images if teacher_ranges == ranges else augmented(teacher_ranges)
            # The mean over an image and its mirror image is more accurate than either prediction.
            probs = self._teacher(np.concatenate([teacher_images, teacher_images[:, :, ::-1]]))
            mean_probs = (probs[: len(rows)] + probs[len(rows) :]) / 2
            target = (1 - options.distil) * target + options.distil * mean_probs
        return (images, target, self._weights[labels]) if options.balance else (images, target)

    def on_epoch_end(self) -> None:
        """Shuffle for the next epoch."""
        self._epoch += 1
        self._order = self._shuffled()

    def _shuffled(self) -> Any:
        return np.random.default_rng((self._options.seed, self._epoch)).permutation(len(self._split))
