"""Metrics of a classifier: pure functions of probabilities and labels.

A metric that is undefined (such as the recall of a class without images) is None, never 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from inference.arrays import Floats, Labels
from inference.emotions import EMOTIONS

ECE_BINS: Final = 15
"""Number of confidence bins, as in Guo et al. 2017 (arXiv 1706.04599)."""

COVERAGES: Final = tuple(step / 10 for step in range(1, 11))
"""Coverages at which the risk is reported."""

_Z_95: Final = 1.959964
"""Standard normal quantile of a two-sided 95 % interval."""


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """Metrics of one expression; shares are 0..1.

    Attributes:
        recall: Share of the expression's images that were classified correctly; None without images.
        precision: Share of the predictions of this expression that are correct; None if it was never
            predicted.
        support: Number of images with this label.
    """

    recall: float | None
    precision: float | None
    support: int


@dataclass(frozen=True, slots=True)
class RiskAt:
    """Coverage and risk if predictions below a confidence are ignored.

    Attributes:
        threshold: Lowest confidence of a prediction that counts.
        coverage: Share of images whose prediction counts.
        risk: Share of these predictions that are wrong.
    """

    threshold: float
    coverage: float
    risk: float

    def as_json(self) -> dict[str, float]:
        """The same as JSON types, rounded to 4 places."""
        return {
            "threshold": round(self.threshold, 4),
            "coverage": round(self.coverage, 4),
            "risk": round(self.risk, 4),
        }


@dataclass(frozen=True, slots=True)
class Metrics:
    """Metrics of a model on one split; shares are 0..1, None if undefined.

    Attributes:
        images: Number of images.
        accuracy: Share of images classified correctly.
        accuracy_interval_95: Wilson interval of the accuracy.
        macro_f1: Mean F1 over the expressions that occur as label or prediction.
        per_class: Metrics by label, in the order of ``EMOTIONS``.
        ece: Expected calibration error, ``ECE_BINS`` bins.
        confusion: (7, 7) counts; row: label, column: prediction.
        risk_coverage: Risk at ``COVERAGES``, counting the most confident predictions first; empty without
            images.
        ferplus_images: Number of images with a majority expression among FER+ votes; None without votes.
        ferplus_accuracy: Share of those images whose prediction is the majority expression.
    """

    images: int
    accuracy: float | None
    accuracy_interval_95: tuple[float, float]
    macro_f1: float | None
    per_class: dict[str, ClassMetrics]
    ece: float | None
    confusion: tuple[tuple[int, ...], ...]
    risk_coverage: tuple[RiskAt, ...] = ()
    ferplus_images: int | None = None
    ferplus_accuracy: float | None = None

    def as_json(self) -> dict[str, Any]:
        """The same as JSON types, shares rounded to 4 places."""
        return {
            "images": self.images,
            "accuracy": _rounded(self.accuracy),
            "accuracy_interval_95": [round(bound, 4) for bound in self.accuracy_interval_95],
            "macro_f1": _rounded(self.macro_f1),
            "per_class": {
                label: {
                    "recall": _rounded(one.recall),
                    "precision": _rounded(one.precision),
                    "support": one.support,
                }
                for label, one in self.per_class.items()
            },
            "ece": _rounded(self.ece),
            "confusion": [list(row) for row in self.confusion],
            "risk_coverage": [point.as_json() for point in self.risk_coverage],
            "ferplus_images": self.ferplus_images,
            "ferplus_accuracy": _rounded(self.ferplus_accuracy),
        }


def measure(probabilities: Floats, labels: Labels, annotators: Labels | None = None) -> Metrics:
    """All metrics of one split.

    Args:
        probabilities: (N, 7), rows summing to 1.
        labels: (N,).
        annotators: (N,) majority expression among FER+ votes, -1 without a majority; None without votes.
    """
    predictions = probabilities.argmax(axis=1)
    counts = np.zeros((len(EMOTIONS), len(EMOTIONS)), dtype=np.int64)
    np.add.at(counts, (labels, predictions), 1)
    hits = int(np.trace(counts))
    agreed = None if annotators is None else annotators >= 0
    return Metrics(
        images=len(labels),
        accuracy=_share(hits, len(labels)),
        accuracy_interval_95=wilson_interval(hits, len(labels)),
        macro_f1=macro_f1(counts),
        per_class={
            label: ClassMetrics(
                recall=_share(int(counts[index, index]), int(counts[index].sum())),
                precision=_share(int(counts[index, index]), int(counts[:, index].sum())),
                support=int(counts[index].sum()),
            )
            for index, label in enumerate(EMOTIONS)
        },
        ece=expected_calibration_error(probabilities, labels),
        confusion=tuple(tuple(row) for row in counts.tolist()),
        risk_coverage=risk_coverage(probabilities, labels),
        ferplus_images=None if agreed is None else int(agreed.sum()),
        ferplus_accuracy=None
        if agreed is None
        else _share(int((predictions == annotators)[agreed].sum()), int(agreed.sum())),
    )


def risk_coverage(
    probabilities: Floats, labels: Labels, coverages: tuple[float, ...] = COVERAGES
) -> tuple[RiskAt, ...]:
    """The risk when only the most confident predictions count (Geifman & El-Yaniv 2017).

    Args:
        probabilities: (N, C).
        labels: (N,).
        coverages: Shares of predictions that count, 0..1. At least one counts, and predictions of equal
            confidence count together.

    Returns:
        One point per coverage; none without images.
    """
    if not len(labels):
        return ()
    confidence = probabilities.max(axis=1).astype(np.float64)
    wrong = probabilities.argmax(axis=1) != labels
    descending = np.sort(confidence)[::-1]
    points = []
    for coverage in coverages:
        threshold = float(descending[max(1, round(coverage * len(labels))) - 1])
        covered = confidence >= threshold
        points.append(RiskAt(threshold, float(covered.mean()), float(wrong[covered].mean())))
    return tuple(points)


def abstention(probabilities: Floats, labels: Labels, highest_risk: float) -> RiskAt | None:
    """The point with the largest coverage whose risk is at most ``highest_risk``; None if there is none.

    Args:
        probabilities: (N, C) for held-back images.
        labels: (N,).
        highest_risk: Share of the predictions that may be wrong, 0..1.
    """
    coverages = tuple((count + 1) / len(labels) for count in range(len(labels)))
    points = risk_coverage(probabilities, labels, coverages)
    acceptable = [point for point in points if point.risk <= highest_risk]
    return max(acceptable, key=lambda point: point.coverage, default=None)


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of the share hits / count (Wilson 1927); (0, 1) if count is 0."""
    if not count:
        return 0.0, 1.0
    share, z2 = hits / count, _Z_95**2
    centre = share + z2 / (2 * count)
    spread = _Z_95 * math.sqrt(share * (1 - share) / count + z2 / (4 * count**2))
    scale = 1 + z2 / count
    return max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale)


def macro_f1(confusion: Labels) -> float | None:
    """Mean F1 over the classes that occur.

    Args:
        confusion: (C, C) counts; row: label, column: prediction.

    Returns:
        None if no class occurs.
    """
    totals = confusion.sum(axis=0) + confusion.sum(axis=1)
    occurs = totals > 0
    if not occurs.any():
        return None
    return float(np.mean(2 * np.diagonal(confusion)[occurs] / totals[occurs]))


def expected_calibration_error(probabilities: Floats, labels: Labels, bins: int = ECE_BINS) -> float | None:
    """Mean distance between confidence and accuracy, weighted by images (Naeini et al. 2015).

    Args:
        probabilities: (N, C).
        labels: (N,).
        bins: Number of equal confidence bins; a confidence on an edge belongs to the lower bin.

    Returns:
        0..1, or None without images.
    """
    if not len(labels):
        return None
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = probabilities.argmax(axis=1) == labels
    bin_of = np.clip(np.ceil(confidence * bins).astype(int) - 1, 0, bins - 1)
    gaps = np.bincount(bin_of, weights=confidence - right, minlength=bins)
    return float(np.abs(gaps).sum() / len(labels))


def _share(part: int, whole: int) -> float | None:
    return part / whole if whole else None


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
