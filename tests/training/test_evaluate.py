"""Measuring a known classifier on artificial images, and the shipped model on the real PublicTest."""

import hashlib
import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.arrays import Floats
from inference.classifier import DEFAULT_MODEL, CnnClassifier
from inference.emotions import EMOTIONS
from inference.errors import ModelError
from training.dataset import load
from training.errors import RunError
from training.evaluate import evaluate, exported_predict, keras_predict, measure_split

from . import fer_layouts


def _classify_brightness(crops: Floats) -> Floats:
    """Classifies the images of ``fer_layouts`` without error: (B, 48, 48, 1) to (B, 7)."""
    levels = (crops.reshape(len(crops), -1).mean(axis=1) * 255).round().astype(int)
    return np.eye(7, dtype=np.float32)[levels // 30]


@pytest.fixture(scope="module")
def card() -> dict[str, Any]:
    content: dict[str, Any] = json.loads(DEFAULT_MODEL.with_suffix(".json").read_text(encoding="utf-8"))
    return content


@pytest.mark.parametrize("split", ["train", "validation", "private"])
def test_a_perfect_classifier_has_full_accuracy(split: str, tmp_path: Path) -> None:
    metrics = measure_split(_classify_brightness, load(fer_layouts.write_csv(tmp_path), split))
    assert metrics.accuracy == 1.0
    assert metrics.images == sum(fer_layouts.image_count(label, split) for label in range(7))
    assert [one.support for one in metrics.per_class.values()] == [
        fer_layouts.image_count(n, split) for n in range(7)
    ]


def test_a_classifier_that_swaps_two_labels_has_no_recall_for_them(tmp_path: Path) -> None:
    swapped = np.array([0, 1, 2, 4, 3, 5, 6])
    metrics = measure_split(
        lambda crops: _classify_brightness(crops)[:, swapped],
        load(fer_layouts.write_csv(tmp_path), "validation"),
    )
    assert [name for name, one in metrics.per_class.items() if one.recall == 0.0] == ["happy", "sad"]
    assert metrics.confusion[3][4] == fer_layouts.image_count(3, "validation")


def test_images_of_several_batches_keep_their_order(tmp_path: Path) -> None:
    for label in range(7):
        for number in range(30):
            fer_layouts.write_image(
                tmp_path / "train" / EMOTIONS[label] / f"{number}.png",
                fer_layouts.uniform_image(label, "train"),
            )
    metrics = measure_split(_classify_brightness, load(tmp_path, "train"))
    assert (metrics.images, metrics.accuracy) == (210, 1.0)


def test_evaluating_an_exported_model_needs_no_tensorflow() -> None:
    code = "import sys, training.__main__; print({'keras', 'tensorflow'} & set(sys.modules))"
    completed = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert completed.stdout.strip() == "set()"


def test_the_shipped_model_classifies_every_image_of_a_split(tmp_path: Path) -> None:
    metrics = evaluate(fer_layouts.write_prefixed(tmp_path), "private")
    assert metrics.images == sum(fer_layouts.image_count(label, "private") for label in range(7))
    assert sum(map(sum, metrics.confusion)) == metrics.images


def test_a_model_that_does_not_match_its_card_is_refused(tmp_path: Path) -> None:
    model = tmp_path / "fer_cnn.tflite"
    with pytest.raises(ModelError):
        exported_predict(model)
    model.write_bytes(DEFAULT_MODEL.read_bytes() + b"\x00")
    model.with_suffix(".json").write_bytes(DEFAULT_MODEL.with_suffix(".json").read_bytes())
    with pytest.raises(ModelError, match="SHA-256"):
        exported_predict(model)


def test_a_missing_keras_file_is_reported(tmp_path: Path) -> None:
    with pytest.raises(RunError, match=r"best\.keras"):
        keras_predict(tmp_path / "best.keras")


def test_the_shipped_card_describes_the_shipped_model(card: dict[str, Any]) -> None:
    content = DEFAULT_MODEL.read_bytes()
    assert card["sha256"] == hashlib.sha256(content).hexdigest()
    assert card["bytes"] == len(content)
    assert tuple(card["labels"]) == EMOTIONS
    assert card["metrics"]["split"] == "PublicTest"
    assert sum(map(sum, card["metrics"]["confusion"])) == card["metrics"]["images"] == 3589
    assert "/work" not in json.dumps(card)
    assert "/tmp" not in json.dumps(card)
    assert "/home" not in json.dumps(card)


def test_the_shipped_model_beats_the_student_project_it_replaced(card: dict[str, Any]) -> None:
    assert card["metrics"]["accuracy"] > 0.6243


def test_the_documentation_has_the_figures_of_the_card(card: dict[str, Any]) -> None:
    metrics = card["metrics"]
    low, high = metrics["accuracy_interval_95"]
    page = (Path(__file__).parents[2] / "docs" / "model.md").read_text(encoding="utf-8")
    assert f"{100 * metrics['accuracy']:.2f} % on PublicTest" in page
    assert f"interval {100 * low:.2f} to {100 * high:.2f} %" in page
    assert f"macro-F1 {100 * metrics['macro_f1']:.2f} %" in page
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    assert f"{100 * metrics['accuracy']:.1f} % (95 % interval {100 * low:.1f} to {100 * high:.1f})" in readme


@pytest.mark.slow
def test_the_shipped_model_reaches_the_figures_of_its_card(card: dict[str, Any], fer2013: Path) -> None:
    measured = evaluate(fer2013, "validation").as_json()
    for figure in ("accuracy", "macro_f1", "ece", "ferplus_accuracy"):
        # 8-bit kernels round differently on other processors.
        assert measured[figure] == pytest.approx(card["metrics"][figure], abs=0.004), figure


@pytest.mark.slow
def test_the_splits_of_fer2013_have_the_published_counts(fer2013: Path) -> None:
    # The counts of Goodfellow et al. 2013, by label.
    expected = {
        "train": [3995, 436, 4097, 7215, 4830, 3171, 4965],
        "validation": [467, 56, 496, 895, 653, 415, 607],
    }
    for split, counts in expected.items():
        assert np.bincount(load(fer2013, split).labels).tolist() == counts


def test_classifier_and_evaluate_predict_the_same(tmp_path: Path) -> None:
    crops = np.random.default_rng(1).random((5, 48, 48, 1)).astype(np.float32)
    together = exported_predict(None)(crops)
    alone = np.concatenate([CnnClassifier.load().predict(crops[n : n + 1]) for n in range(5)])
    assert together.sum(axis=1) == pytest.approx(np.ones(5), abs=1e-5)
    assert np.abs(together - alone).max() < 1e-5
