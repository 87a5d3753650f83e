"""Metrics compared with values calculated by hand."""

import json

import numpy as np
import pytest

from inference.emotions import EMOTIONS
from training.evaluate import table
from training.metrics import (
    abstention,
    expected_calibration_error,
    macro_f1,
    measure,
    risk_coverage,
    wilson_interval,
)


def _predictions(*given: tuple[int, float]) -> np.ndarray:
    """Probabilities with the given confidence for one class, the rest shared equally by the others."""
    rows = np.zeros((len(given), 7), np.float32)
    for row, (predicted, confidence) in zip(rows, given, strict=True):
        row[:] = (1 - confidence) / 6
        row[predicted] = confidence
    return rows


def test_without_images_every_share_is_undefined() -> None:
    metrics = measure(np.zeros((0, 7), np.float32), np.zeros(0, np.int64))
    assert (metrics.images, metrics.accuracy, metrics.macro_f1, metrics.ece) == (0, None, None, None)
    assert metrics.accuracy_interval_95 == (0.0, 1.0)
    assert all(one.recall is None and one.precision is None for one in metrics.per_class.values())
    assert json.loads(json.dumps(metrics.as_json()))["accuracy"] is None
    assert "accuracy  - %" in table(metrics, "PublicTest")


def test_metrics_equal_values_calculated_by_hand() -> None:
    # angry: two right, one predicted as happy; happy: one right; sad: one predicted as angry.
    labels = np.array([0, 0, 0, 3, 4])
    metrics = measure(_predictions((0, 0.9), (0, 0.7), (3, 0.5), (3, 0.8), (0, 0.4)), labels)
    assert metrics.images == 5
    assert metrics.accuracy == pytest.approx(3 / 5)
    angry, happy, sad, fear = (metrics.per_class[name] for name in ("angry", "happy", "sad", "fear"))
    assert (angry.recall, angry.precision, angry.support) == (pytest.approx(2 / 3), pytest.approx(2 / 3), 3)
    assert (happy.recall, happy.precision, happy.support) == (1.0, 0.5, 1)
    assert (sad.recall, sad.precision, sad.support) == (0.0, None, 1)
    assert (fear.recall, fear.precision, fear.support) == (None, None, 0)
    # F1: angry 2*2/(3+3), happy 2*1/(1+2), sad 0; the four that do not occur do not count.
    assert metrics.macro_f1 == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)
    # Each confidence is in its own bin: |.9-1|, |.7-1|, |.5-0|, |.8-1|, |.4-0|.
    assert metrics.ece == pytest.approx((0.1 + 0.3 + 0.5 + 0.2 + 0.4) / 5, abs=1e-6)
    assert metrics.confusion[0] == (2, 0, 0, 1, 0, 0, 0)
    assert metrics.confusion[4] == (1, 0, 0, 0, 0, 0, 0)


def test_per_class_follows_the_order_of_the_labels() -> None:
    assert tuple(measure(_predictions((6, 0.9)), np.array([6])).per_class) == EMOTIONS
    assert measure(_predictions((6, 0.9)), np.array([6])).per_class["neutral"].recall == 1.0


@pytest.mark.parametrize(
    ("hits", "count", "low", "high"),
    # Formula of Wilson 1927; the last counts are those of an early model on PublicTest.
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (50, 100, 0.4038, 0.5962), (2318, 3589, 0.6301, 0.6614)],
)
def test_wilson_interval_equals_known_values(hits: int, count: int, low: float, high: float) -> None:
    assert wilson_interval(hits, count) == (pytest.approx(low, abs=1e-4), pytest.approx(high, abs=1e-4))


def test_macro_f1_of_a_perfect_and_an_empty_confusion_matrix() -> None:
    assert macro_f1(np.diag([3, 1, 0, 2])) == 1.0
    assert macro_f1(np.zeros((7, 7), np.int64)) is None


def test_the_calibration_error_averages_within_a_bin() -> None:
    # Confidence .75 and three of four right: calibrated. Confidence .75 and none right: off by .75.
    probabilities = _predictions(*[(2, 0.75)] * 4)
    assert expected_calibration_error(probabilities, np.array([2, 2, 2, 0])) == pytest.approx(0.0, abs=1e-6)
    assert expected_calibration_error(probabilities, np.array([0, 0, 0, 0])) == pytest.approx(0.75, abs=1e-6)


def test_full_confidence_belongs_to_the_last_bin() -> None:
    assert expected_calibration_error(_predictions((1, 1.0), (1, 1.0)), np.array([1, 0])) == pytest.approx(
        0.5
    )


def test_the_table_contains_every_metric() -> None:
    text = table(measure(_predictions((0, 0.9), (0, 0.7), (3, 0.5)), np.array([0, 0, 0])), "PrivateTest")
    lines = text.splitlines()
    assert lines[0] == "PrivateTest: 3 images"
    assert "66.67 %" in lines[1]
    assert lines[6].split() == ["angry", "66.67", "100.00", "3", "2", "0", "0", "1", "0", "0", "0"]
    assert [line.split()[0] for line in lines[6:13]] == list(EMOTIONS)
    assert lines[-1] == "the 100.00 % with confidence 0.50 or more: 33.33 % wrong"


def _confident(confidences: list[float], right: list[bool]) -> tuple[np.ndarray, np.ndarray]:
    """Predictions of class 0 with these confidences, and labels: 0 if right, 1 if wrong."""
    rest = (1 - np.array(confidences)) / 6
    probabilities = np.repeat(rest[:, np.newaxis], 7, axis=1)
    probabilities[:, 0] = confidences
    return probabilities.astype(np.float32), np.array([0 if one else 1 for one in right])


def test_risk_counts_the_most_confident_predictions_first() -> None:
    probabilities, labels = _confident([0.5, 0.9, 0.7, 0.8], [False, True, False, True])
    points = risk_coverage(probabilities, labels, (0.25, 0.5, 0.75, 1.0))
    assert [point.coverage for point in points] == [0.25, 0.5, 0.75, 1.0]
    assert [point.risk for point in points] == pytest.approx([0, 0, 1 / 3, 0.5])
    assert [point.threshold for point in points] == pytest.approx([0.9, 0.8, 0.7, 0.5])
    assert risk_coverage(probabilities[:0], labels[:0]) == ()


def test_abstention_keeps_as_many_predictions_as_the_risk_allows() -> None:
    probabilities, labels = _confident([0.5, 0.9, 0.7, 0.8], [False, True, False, True])
    point = abstention(probabilities, labels, 0.35)
    assert point is not None
    assert (point.coverage, round(point.threshold, 4)) == (0.75, 0.7)
    assert abstention(probabilities[:1], labels[:1], 0.35) is None


def test_ferplus_accuracy_counts_only_images_with_a_majority() -> None:
    probabilities = np.eye(7, dtype=np.float32)[[0, 1, 2, 3]]
    metrics = measure(probabilities, np.array([0, 0, 0, 0]), np.array([0, 1, -1, 4]))
    assert (metrics.ferplus_images, metrics.ferplus_accuracy) == (3, pytest.approx(2 / 3))
    assert metrics.accuracy == 0.25
