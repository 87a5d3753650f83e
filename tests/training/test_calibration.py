"""Temperature scaling: finds the temperature behind drawn labels, and never changes a prediction."""

import numpy as np
import pytest

from training.calibration import HIGHEST, LOWEST, fit_temperature, probabilities


def _logits_and_drawn_labels(temperature: float, count: int = 20_000) -> tuple[np.ndarray, np.ndarray]:
    """Random logits, and labels drawn from their softmax at this temperature."""
    rng = np.random.default_rng(5)
    logits = rng.normal(0, 3, (count, 7)).astype(np.float32)
    cumulative = probabilities(logits, temperature).cumsum(axis=1)
    labels = (rng.random((count, 1)) > cumulative).sum(axis=1).clip(0, 6)
    return logits, labels.astype(np.int64)


def test_without_images_the_temperature_is_one() -> None:
    assert fit_temperature(np.zeros((0, 7), np.float32), np.zeros(0, np.int64)) == 1.0


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_fit_finds_the_temperature_behind_the_labels(temperature: float) -> None:
    logits, labels = _logits_and_drawn_labels(temperature)
    fitted = fit_temperature(logits, labels)
    assert fitted == pytest.approx(temperature, rel=0.05)
    confidence = probabilities(logits, fitted).max(axis=1).mean()
    assert confidence == pytest.approx((logits.argmax(axis=1) == labels).mean(), abs=1e-3)


def test_the_temperature_stays_in_bounds_if_all_or_no_predictions_are_right() -> None:
    logits = 5 * np.eye(7, dtype=np.float32)
    assert fit_temperature(logits, np.arange(7)) == pytest.approx(LOWEST, rel=1e-3)
    assert fit_temperature(logits, (np.arange(7) + 1) % 7) == pytest.approx(HIGHEST, rel=1e-3)


def test_probabilities_sum_to_one_and_keep_the_prediction() -> None:
    logits = np.array([[1000.0, 0.0, -1000.0], [0.0, 1.0, 2.0]], np.float32)
    for temperature in (0.5, 1.0, 4.0):
        rows = probabilities(logits, temperature)
        assert rows.sum(axis=1) == pytest.approx([1, 1])
        assert rows.argmax(axis=1).tolist() == [0, 2]
    assert probabilities(np.zeros((0, 7), np.float32)).shape == (0, 7)
