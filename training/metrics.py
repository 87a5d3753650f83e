"""Figures of merit of a classifier: pure functions of probabilities and labels.

Comes in: (N, 7) probabilities and (N,) labels. Goes out: ``Metrics``, for the table of
``training.evaluate`` and the card of ``training.export``. A figure that nothing defines (the recall of
a class without a picture) is None, never a made-up 0.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, Final

import numpy as np

from inference.arrays import Floats, Labels
from inference.emotions import EMOTIONS

ECE_BINS: Final = 15
"""Bins of confidence, as Guo et al. 2017 (arXiv 1706.04599) have them."""

COVERAGES: Final = tuple(step / 10 for step in range(1, 11))
"""Shares of answered pictures at which the risk is stated."""

_Z_95: Final = 1.959964
"""Standard normal quantile of a two-sided 95 % interval."""


@dataclass(frozen=True, slots=True)
class ClassMetrics:
    """How one expression fares; shares 0..1.

    Attributes:
        recall: Share of its pictures that were recognised; None without a picture.
        precision: Share of the answers naming it that were right; None if it was never named.
        support: Its pictures.
    """

    recall: float | None
    precision: float | None
    support: int


@dataclass(frozen=True, slots=True)
class RiskAt:
    """What abstaining below a confidence leaves.

    Attributes:
        threshold: Least confidence that is answered.
        coverage: Share of pictures answered.
        risk: Share of the answers that are wrong.
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
    """How a model fares on one split; shares 0..1, None where there is nothing to count.

    Attributes:
        images: Number of pictures.
        accuracy: Share recognised.
        accuracy_interval_95: Wilson interval of it.
        macro_f1: Mean F1 over the expressions that occur as label or answer.
        per_class: By label, in the order of ``EMOTIONS``.
        ece: Expected calibration error, ``ECE_BINS`` bins.
        confusion: (7, 7) counts; row: label, column: answer.
        risk_coverage: At ``COVERAGES``, the most confident answered first; empty without a picture.
        ferplus_images: Pictures on whose expression most FER+ annotators agree; None without votes.
        ferplus_accuracy: Share of those recognised as the annotators do.
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
    """All figures of one split.

    Args:
        probabilities: (N, 7), rows summing to 1.
        labels: (N,).
        annotators: (N,) what most FER+ annotators saw, -1 where they do not agree; None without votes.
    """
    answers = probabilities.argmax(axis=1)
    counts = np.zeros((len(EMOTIONS), len(EMOTIONS)), dtype=np.int64)
    np.add.at(counts, (labels, answers), 1)
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
        else _share(int((answers == annotators)[agreed].sum()), int(agreed.sum())),
    )


def risk_coverage(
    probabilities: Floats, labels: Labels, coverages: tuple[float, ...] = COVERAGES
) -> tuple[RiskAt, ...]:
    """How often answers are wrong when only the most confident are given (Geifman & El-Yaniv 2017).

    Args:
        probabilities: (N, C).
        labels: (N,).
        coverages: Shares answered, 0..1; at least one picture is, and all of one confidence together.

    Returns:
        One point a coverage; none without a picture.
    """
    if not len(labels):
        return ()
    confidence = probabilities.max(axis=1).astype(np.float64)
    wrong = probabilities.argmax(axis=1) != labels
    falling = np.sort(confidence)[::-1]
    points = []
    for coverage in coverages:
        threshold = float(falling[max(1, round(coverage * len(labels))) - 1])
        answered = confidence >= threshold
        points.append(RiskAt(threshold, float(answered.mean()), float(wrong[answered].mean())))
    return tuple(points)


def abstention(probabilities: Floats, labels: Labels, highest_risk: float) -> RiskAt | None:
    """The point of most coverage whose risk is not above a bound; None if there is none.

    Args:
        probabilities: (N, C) of held-back pictures.
        labels: (N,).
        highest_risk: Share of the answers that may be wrong, 0..1.
    """
    steps = tuple((count + 1) / len(labels) for count in range(len(labels)))
    fit = [point for point in risk_coverage(probabilities, labels, steps) if point.risk <= highest_risk]
    return max(fit, key=lambda point: point.coverage, default=None)


def wilson_interval(hits: int, count: int) -> tuple[float, float]:
    """95 % interval of a share (Wilson 1927); (0, 1) where nothing was counted."""
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
        confusion: (C, C) counts; row: label, column: answer.

    Returns:
        None if no class occurs.
    """
    named = confusion.sum(axis=0) + confusion.sum(axis=1)
    occurs = named > 0
    if not occurs.any():
        return None
    return float(np.mean(2 * np.diagonal(confusion)[occurs] / named[occurs]))


def expected_calibration_error(probabilities: Floats, labels: Labels, bins: int = ECE_BINS) -> float | None:
    """How far confidence and accuracy lie apart, on average over pictures (Naeini et al. 2015).

    Args:
        probabilities: (N, C).
        labels: (N,).
        bins: Number of equal bins of confidence; a confidence on an edge belongs to the bin below.

    Returns:
        0..1, or None without a picture.
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
