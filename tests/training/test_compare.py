"""The comparison of two models: each model's figures in its own column, as table and as page."""

import json
from pathlib import Path

import numpy as np
from click.testing import CliRunner

from inference.classifier import DEFAULT_MODEL
from training.__main__ import main
from training.compare import Compared, page, rows
from training.metrics import measure

from . import fer_layouts


def _model(name: str, predictions: list[int], face_ms: float) -> Compared:
    probabilities = np.eye(7, dtype=np.float32)[predictions]
    return Compared(name, {"bytes": 2_000_000}, measure(probabilities, np.array([0, 1, 2, 2])), face_ms)


def test_the_difference_is_the_second_minus_the_first() -> None:
    first, second = _model("a", [0, 1, 3, 3], 2.0), _model("b", [0, 1, 2, 3], 1.5)
    table = {name: cells for name, *cells in rows(first, second)}
    assert table["accuracy, %"] == ["50.00", "75.00", "+25.00"]
    assert table["recall fear, %"] == ["0.00", "50.00", "+50.00"]
    assert table["recall sad, %"] == ["-", "-", "-"]
    assert table["agrees with FER+, %"] == ["-", "-", "-"]
    assert table["ms per face"] == ["2.00", "1.50", "-0.50"]
    html = page(first, second, "validation")
    assert html.index("first: a") < html.index("second: b")
    assert html.count("<svg") == 3
    assert "http" not in html.replace("http://www.w3.org/2000/svg", "")


def test_compare_writes_table_and_page_and_evaluate_writes_json_and_chart(tmp_path: Path) -> None:
    data = fer_layouts.write_csv(tmp_path)
    html, svg = tmp_path / "compare.html", tmp_path / "confusion.svg"
    arguments = [str(DEFAULT_MODEL), "--data", str(data), "--html", str(html)]
    result = CliRunner().invoke(main, ["compare", *arguments])
    assert result.exit_code == 0
    assert "accuracy, %" in result.output
    assert "PublicTest, 28 images" in result.output
    assert "+0.00" in html.read_text()
    arguments = ["--data", str(data), "--json", "--svg", str(svg)]
    figures = json.loads(CliRunner().invoke(main, ["evaluate", *arguments]).output)
    assert figures["ferplus_images"] is None
    assert [round(point["coverage"], 1) for point in figures["risk_coverage"]][-1] == 1.0
    assert svg.read_text().startswith("<svg")
