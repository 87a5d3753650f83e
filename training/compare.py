"""Compares two exported models: accuracy, time and size, as a table or as a self-contained HTML page."""

from __future__ import annotations

import time
from dataclasses import dataclass
from html import escape
from pathlib import Path
from typing import Any, Final

import numpy as np

from inference.emotions import CROP_PX, EMOTIONS
from inference.engine import read_card
from training.charts import confusion_svg, risk_svg
from training.dataset import Split, load
from training.evaluate import SPLIT_TITLES, Predict, exported_predict, measure_split
from training.metrics import Metrics

_ROUNDS: Final = 60
_STYLE: Final = (
    "body{font:15px sans-serif;margin:2em;max-width:75em}td,th{padding:.2em 1em;text-align:right}"
    "th:first-child{text-align:left}table{border-collapse:collapse}tr{border-bottom:1px solid #ddd}"
    "svg{max-width:100%;height:auto}"
)


@dataclass(frozen=True, slots=True)
class Compared:
    """One of the two models.

    Attributes:
        name: File name with its folder, because both files may have the same name.
        card: The JSON card.
        metrics: Figures on the split.
        face_ms: Median time per face, milliseconds, on one thread, one face at a time.
    """

    name: str
    card: dict[str, Any]
    metrics: Metrics
    face_ms: float


def compare(data: Path, split: str, models: tuple[Path, Path]) -> tuple[Compared, Compared]:
    """Measure two models on the same images.

    Raises:
        DatasetError: the data cannot be read or lacks the split.
        ModelError: a model is missing, is damaged or does not match its card.
    """
    samples = load(data, split)
    predicts = [exported_predict(model) for model in models]
    times = _face_ms(predicts)
    first, second = (
        _compared(model, predict, samples, face_ms)
        for model, predict, face_ms in zip(models, predicts, times, strict=True)
    )
    return first, second


def rows(first: Compared, second: Compared) -> list[tuple[str, str, str, str]]:
    """Rows of the table: figure, first, second, second minus first."""
    figures: list[tuple[str, float | None, float | None]] = [
        ("accuracy, %", first.metrics.accuracy, second.metrics.accuracy),
        ("macro-F1, %", first.metrics.macro_f1, second.metrics.macro_f1),
        ("calibration error, %", first.metrics.ece, second.metrics.ece),
        ("agrees with FER+, %", first.metrics.ferplus_accuracy, second.metrics.ferplus_accuracy),
    ]
    for emotion in EMOTIONS:
        one, other = first.metrics.per_class[emotion], second.metrics.per_class[emotion]
        figures.append((f"recall {emotion}, %", one.recall, other.recall))
    lines = [(name, _percent(before), _percent(after)) for name, before, after in figures]
    lines += [
        ("ms per face", first.face_ms, second.face_ms),
        ("megabytes", _megabytes(first.card), _megabytes(second.card)),
    ]
    return [
        (name, _figure(before), _figure(after), _difference(before, after)) for name, before, after in lines
    ]


def text(first: Compared, second: Compared, split: str) -> str:
    """The table as plain text."""
    head = (f"{SPLIT_TITLES[split]}, {first.metrics.images} images", "first", "second", "second - first")
    table = [head, *rows(first, second)]
    lines = [f"first: {first.name}", f"second: {second.name}", ""]
    return "\n".join(lines + [f"{row[0]:<28}" + "".join(f"{cell:>16}" for cell in row[1:]) for row in table])


def page(first: Compared, second: Compared, split: str) -> str:
    """The table as an HTML page, with both confusion matrices and risk over coverage."""
    title = f"Two models on {SPLIT_TITLES[split]}"
    models = {f"first: {first.name}": first.metrics, f"second: {second.name}": second.metrics}
    body = "".join(
        f"<tr><th scope=row>{escape(name)}</th>{''.join(f'<td>{escape(cell)}</td>' for cell in cells)}</tr>"
        for name, *cells in rows(first, second)
    )
    charts = "".join(confusion_svg(metrics, name) for name, metrics in models.items())
    return (
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{title}</title><style>{_STYLE}</style>"
        f"<h1>{title}</h1><p>{first.metrics.images} images. First: {escape(first.name)}. "
        f"Second: {escape(second.name)}.</p><table><thead><tr><th>Figure</th><th>first</th><th>second</th>"
        f"<th>second - first</th></tr></thead><tbody>{body}</tbody></table>"
        f"{risk_svg(models, 'Wrong predictions over coverage')}{charts}</html>\n"
    )


def _compared(model: Path, predict: Predict, samples: Split, face_ms: float) -> Compared:
    name = f"{model.resolve().parent.name}/{model.name}"
    return Compared(name, read_card(model), measure_split(predict, samples), face_ms)


def _face_ms(predicts: list[Predict]) -> list[float]:
    crop = np.random.default_rng(1).random((1, CROP_PX, CROP_PX, 1)).astype(np.float32)
    times: list[list[float]] = [[] for _ in predicts]
    for _ in range(_ROUNDS):
        # The models take turns, so that other load on the machine slows both down alike.
        for index, predict in enumerate(predicts):
            start_s = time.perf_counter()
            predict(crop)
            times[index].append(1000 * (time.perf_counter() - start_s))
    return [float(np.median(one)) for one in times]


def _megabytes(card: dict[str, Any]) -> float | None:
    return card["bytes"] / 1e6 if "bytes" in card else None


def _percent(share: float | None) -> float | None:
    return None if share is None else 100 * share


def _figure(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _difference(before: float | None, after: float | None) -> str:
    return "-" if before is None or after is None else f"{after - before:+.2f}"
