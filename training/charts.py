"""SVG charts without a library: confusion matrix, risk over coverage, accuracy by epoch.

Each function returns one ``<svg>`` element, for a file of its own or for a page.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from typing import Final

from inference.emotions import EMOTIONS
from training.metrics import Metrics

_CELL: Final = 58
_LEFT: Final = 90
_TOP: Final = 64
_COLOURS: Final = ("#1f5fa8", "#b4531a", "#4a7d2c", "#7a3f98")

Line = Sequence[tuple[float, float]]
"""Points (x, y)."""


def confusion_svg(metrics: Metrics, title: str) -> str:
    """The confusion matrix: a row per label, a column per prediction, each cell with share and count.

    The larger a cell's share of its row, the darker it is.
    """
    width, height = _LEFT + _CELL * len(EMOTIONS) + 10, _TOP + _CELL * len(EMOTIONS) + 10
    parts = [_text(10, 20, title, size=14), _text(10, 36, "rows: label; columns: prediction", size=11)]
    for index, emotion in enumerate(EMOTIONS):
        middle = index * _CELL + _CELL / 2
        parts.append(_text(_LEFT + middle, _TOP - 8, emotion, anchor="middle"))
        parts.append(_text(_LEFT - 8, _TOP + middle + 4, emotion, anchor="end"))
    for row, counts in enumerate(metrics.confusion):
        total = sum(counts)
        for column, count in enumerate(counts):
            share = count / total if total else 0.0
            x, y = _LEFT + column * _CELL, _TOP + row * _CELL
            ink = "#fff" if share > 0.5 else "#111"
            parts.append(
                f'<rect x="{x}" y="{y}" width="{_CELL}" height="{_CELL}" fill="#1f5fa8" '
                f'fill-opacity="{share:.3f}" stroke="#999"/>'
            )
            if total:
                parts.append(_text(x + _CELL / 2, y + 26, f"{100 * share:.0f} %", "middle", ink, 13))
                parts.append(_text(x + _CELL / 2, y + 42, str(count), "middle", ink, 10))
    return _svg(width, height, title, parts)


def lines_svg(lines: Mapping[str, Line], title: str, x_title: str, y_title: str) -> str:
    """A line chart whose axes cover all points.

    Args:
        lines: Lines by name, with at least one point each.
        title: Title above the chart.
        x_title: Title of the x axis.
        y_title: Title of the y axis.
    """
    points = [point for line in lines.values() for point in line]
    xs, ys = [x for x, _ in points] or [0.0], [y for _, y in points] or [0.0]
    low_x, low_y = min(xs), min(ys)
    wide, high = (max(xs) - low_x) or 1.0, (max(ys) - low_y) or 1.0

    def place(x: float, y: float) -> tuple[float, float]:
        return 70 + 400 * (x - low_x) / wide, 260 - 200 * (y - low_y) / high

    parts = [_text(10, 20, title, size=14), '<path d="M70 60 V260 H470" fill="none" stroke="#666"/>']
    for share in (0.0, 0.5, 1.0):
        x, y = low_x + share * wide, low_y + share * high
        parts.append(_text(place(x, low_y)[0], 276, f"{x:.4g}", anchor="middle", size=10))
        parts.append(_text(64, place(low_x, y)[1] + 4, f"{y:.3g}", anchor="end", size=10))
    parts += [_text(270, 294, x_title, anchor="middle"), _text(70, 52, y_title, size=11)]
    for index, (name, line) in enumerate(lines.items()):
        colour = _COLOURS[index % len(_COLOURS)]
        path = " ".join(f"{x:.1f},{y:.1f}" for x, y in (place(*point) for point in line))
        parts.append(f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="2"/>')
        parts.append(_text(480, 70 + 18 * index, name, colour=colour))
    return _svg(640, 304, title, parts)


def risk_svg(models: Mapping[str, Metrics], title: str) -> str:
    """Share of wrong predictions over coverage, one line per model."""
    lines = {
        name: [(100 * point.coverage, 100 * point.risk) for point in metrics.risk_coverage]
        for name, metrics in models.items()
    }
    return lines_svg(lines, title, "coverage, %", "wrong, %")


def curves_svg(history: Sequence[Mapping[str, float]]) -> str:
    """Accuracy of a run by epoch: on augmented training images, and on PublicTest with averaged weights."""
    lines = {
        name: [(row["epoch"] + 1, 100 * row[key]) for row in history]
        for name, key in (("PublicTest", "val_accuracy"), ("training", "accuracy"))
    }
    return lines_svg(lines, "Accuracy by epoch", "epoch", "%")


def _text(x: float, y: float, text: str, anchor: str = "start", colour: str = "#111", size: int = 12) -> str:
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}" fill="{colour}" font-size="{size}">'
        f"{escape(text)}</text>"
    )


def _svg(width: int, height: int, title: str, parts: Sequence[str]) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" '
        f'height="{height}" role="img" aria-label="{escape(title)}" font-family="sans-serif">'
        f'<rect width="100%" height="100%" fill="#fff"/>{"".join(parts)}</svg>\n'
    )
