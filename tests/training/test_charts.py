"""Charts: well-formed SVG with every value in its place."""

from xml.etree import ElementTree

import numpy as np

from inference.emotions import EMOTIONS
from training.charts import confusion_svg, curves_svg, lines_svg, risk_svg
from training.metrics import measure

SVG = "{http://www.w3.org/2000/svg}"


def _predictions(labels: list[int]) -> np.ndarray:
    return np.eye(7, dtype=np.float32)[labels] * 0.9 + 0.1 / 7


def test_the_confusion_matrix_has_a_row_per_label_and_a_column_per_prediction() -> None:
    metrics = measure(_predictions([4, 4, 0]), np.array([0, 0, 0]))
    root = ElementTree.fromstring(confusion_svg(metrics, "a & b"))
    cells = [
        (float(one.get("x", 0)), float(one.get("y", 0)), float(one.get("fill-opacity", 0)))
        for one in root.findall(f"{SVG}rect")[1:]
    ]
    assert len(cells) == 49
    xs, ys = sorted({x for x, _, _ in cells}), sorted({y for _, y, _ in cells})
    filled = {(ys.index(y), xs.index(x)): share for x, y, share in cells if share}
    assert filled == {(0, 0): 0.333, (0, 4): 0.667}
    texts = [one.text for one in root.findall(f"{SVG}text")]
    assert texts[0] == "a & b"
    assert [texts.count(emotion) for emotion in EMOTIONS] == [2] * 7


def test_a_line_is_scaled_to_the_axes() -> None:
    root = ElementTree.fromstring(lines_svg({"one": [(0, 5), (1, 6), (4, 9)]}, "t", "x", "y"))
    line = root.find(f"{SVG}polyline")
    assert line is not None
    points = [tuple(map(float, point.split(","))) for point in line.get("points", "").split()]
    assert points == [(70, 260), (170, 210), (470, 60)]


def test_each_series_becomes_one_line() -> None:
    history = [
        {"epoch": 0.0, "accuracy": 0.2, "val_accuracy": 0.3},
        {"epoch": 1.0, "accuracy": 0.4, "val_accuracy": 0.5},
    ]
    metrics = measure(_predictions([0, 1, 2]), np.array([0, 1, 1]))
    for svg in (curves_svg(history), risk_svg({"a": metrics, "b": metrics}, "risk")):
        assert len(ElementTree.fromstring(svg).findall(f"{SVG}polyline")) == 2
