"""Training batches: images keep their labels; votes, teacher and balance make the targets they should."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

keras = pytest.importorskip("keras")
pytestmark = pytest.mark.training

from training.augment import Ranges  # noqa: E402
from training.batches import AugmentedBatches  # noqa: E402
from training.dataset import Split  # noqa: E402
from training.run import TrainOptions  # noqa: E402

UNCHANGED = Ranges(scale=(1.0, 1.0), shift_px=0.0, tilt_deg=0.0, gamma=(1.0, 1.0), thumbnail_share=0.0)
"""No augmentation except mirroring."""


def test_an_epoch_contains_every_image_once_with_its_own_label(tmp_path: Path) -> None:
    labels = np.arange(64) % 7
    images = np.repeat(np.arange(64, dtype=np.uint8), 48 * 48).reshape(64, 48, 48)
    options = TrainOptions(data=tmp_path, run=tmp_path, batch=16, ranges=UNCHANGED)
    batches = AugmentedBatches(Split(images, labels), options)

    def epoch_order() -> list[int]:
        numbers: list[int] = []
        for step in range(len(batches)):
            batch, one_hot = batches[step]
            batch_numbers = (batch[:, 0, 0, 0] * 255).round().astype(int)
            assert one_hot.argmax(axis=1).tolist() == labels[batch_numbers].tolist()
            assert one_hot.sum(axis=1).tolist() == [1] * 16
            numbers += batch_numbers.tolist()
        return numbers

    first = epoch_order()
    batches.on_epoch_end()
    second = epoch_order()
    assert sorted(first) == sorted(second) == list(range(64))
    assert first != second
    batches = AugmentedBatches(Split(images, labels), options, first_epoch=1)
    assert epoch_order() == second


def _first_batch(options: TrainOptions, split: Split, epoch: int, teacher: object = None) -> tuple:
    return AugmentedBatches(split, options, epoch, teacher)[0]  # type: ignore[arg-type]


def test_the_weight_of_the_votes_falls_linearly_to_its_last_value(tmp_path: Path) -> None:
    votes = np.zeros((8, 7), np.float32)
    votes[:, 4] = 10
    split = Split(np.zeros((8, 48, 48), np.uint8), np.zeros(8, np.int64), votes)
    options = TrainOptions(data=tmp_path, run=tmp_path, batch=8, epochs=3, votes=0.6, votes_end=0.2)
    for epoch, weight in enumerate((0.6, 0.4, 0.2)):
        target = _first_batch(options, split, epoch)[1]
        assert target[:, 4] == pytest.approx(weight)
        assert target[:, 0] == pytest.approx(1 - weight)


def test_a_teacher_predicts_the_batch_and_its_mirror_images(tmp_path: Path) -> None:
    images = np.repeat(np.arange(8, dtype=np.uint8), 48 * 48).reshape(8, 48, 48)
    images[:, :, -1] += 1
    split = Split(images, np.zeros(8, np.int64))
    options = TrainOptions(data=tmp_path, run=tmp_path, batch=8, distil=0.25, ranges=UNCHANGED)

    def teacher(crops: np.ndarray) -> np.ndarray:
        return np.eye(7, dtype=np.float32)[(crops[:, 0, 0, 0] * 255).round().astype(int) % 7]

    batch, target = _first_batch(options, split, 0, teacher)
    mean = (teacher(batch) + teacher(batch[:, :, ::-1])) / 2
    assert (mean.max(axis=1) == 0.5).all()
    assert target == pytest.approx(0.75 * np.eye(7)[[0] * 8] + 0.25 * mean)


def test_a_teacher_gets_images_framed_as_in_fer_2013_and_not_compressed(tmp_path: Path) -> None:
    images = np.zeros((8, 48, 48), np.uint8)
    images[:, 20:28, 20:28] = 255
    split = Split(images, np.zeros(8, np.int64))
    ranges = replace(UNCHANGED, framed_share=1.0, codec_share=1.0)
    options = TrainOptions(data=tmp_path, run=tmp_path, batch=8, ranges=ranges)
    teacher_inputs: list[np.ndarray] = []

    def teacher(crops: np.ndarray) -> np.ndarray:
        teacher_inputs.append(crops)
        return np.full((len(crops), 7), 1 / 7, np.float32)

    framings = np.tile(np.array([0.5, 0, 0], np.float32), (8, 1))
    batch, _ = AugmentedBatches(split, options, 0, teacher, framings)[0]
    assert (teacher_inputs[0] > 0.5).sum(axis=(1, 2, 3)).tolist() == [64] * 16
    assert ((batch > 0.5).sum(axis=(1, 2, 3)) > 150).all()


def test_balance_gives_each_expression_the_same_total_weight(tmp_path: Path) -> None:
    split = Split(np.zeros((8, 48, 48), np.uint8), np.array([0, 0, 0, 0, 0, 0, 1, 1]))
    options = TrainOptions(data=tmp_path, run=tmp_path, batch=8, balance=1.0)
    _, target, weights = _first_batch(options, split, 0)
    labels = target.argmax(axis=1)
    assert weights[labels == 0].sum() == pytest.approx(weights[labels == 1].sum())
    assert weights.mean() == pytest.approx(1)
    assert len(_first_batch(replace(options, balance=0.0), split, 0)) == 2
