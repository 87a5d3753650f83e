"""The report as CSV: columns, encoding, clock times, and what spreadsheets make of its texts."""

from __future__ import annotations

import codecs
import csv
import io
import re
import time
from dataclasses import replace
from datetime import timedelta

import pytest

from inference.emotions import EMOTIONS
from reports.document import csv_table
from reports.document.class_report import ClassReport, build_report
from reports.document.csv_table import CSV_COLUMNS, text_cell, to_csv
from reports.summary.records import Marker
from tests.reports.builders import START, a_class, a_window


def rows(report: ClassReport) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(to_csv(report).removeprefix("\ufeff"))))


def test_csv_has_one_row_for_each_window_and_its_counts_add_up() -> None:
    windows = [replace(a_window(0, happy=0.25), facing=0.88), a_window(5, analysed=2, happy=None)]
    markers = [Marker("c1", 0.5, "Warm-up"), Marker("c1", 4, "Quiz, part 2"), Marker("c1", 7, "End")]
    first, second = rows(build_report(a_class(), windows, markers, [], None))
    assert tuple(first) == CSV_COLUMNS
    assert (first["happy"], first["neutral"], first["suppressed"]) == ("0.25", "0.75", "false")
    assert (second["happy"], second["suppressed"]) == ("", "true")
    assert (first["facing"], second["facing"]) == ("0.88", "")
    assert (first["markers"], second["markers"]) == ("Warm-up | Quiz, part 2", "End")
    for row in (first, second):
        reasons = sum(int(row[name]) for name in CSV_COLUMNS if name.startswith("not_analysed_"))
        assert int(row["analysed"]) + reasons == int(row["participants"])


def test_csv_columns_are_documented() -> None:
    documented = re.findall(r"^([a-z_, ]+?)  ", csv_table.__doc__ or "", re.MULTILINE)
    named = {name.strip() for line in documented for name in line.split(",")}
    families = ("not_analysed_", "pulses_", "voices_")
    plain = {name for name in CSV_COLUMNS if not name.startswith(families) and name not in EMOTIONS}
    assert plain <= named
    for family in ("not_analysed_REASON", "angry ... neutral", "pulses_KIND", "voices_KIND"):
        assert family in (csv_table.__doc__ or "")


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "  =1", "＝1"])
def test_spreadsheets_do_not_read_text_as_a_formula(text: str) -> None:
    assert text_cell(text) == "'" + text
    report = build_report(a_class(title=text), [a_window()], [Marker("c1", 1, text)], [], None)
    (row,) = rows(report)
    assert (row["title"], row["markers"]) == ("'" + text, "'" + text)
    assert text_cell("Algebra = fun") == "Algebra = fun"


def test_csv_says_its_encoding_and_the_clock_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TZ", "Asia/Kolkata")
    time.tzset()
    try:
        report = build_report(a_class(title="Été"), [a_window(65)], [], [], None)
        text = to_csv(report)
        assert text.encode().startswith(codecs.BOM_UTF8)
        (row,) = rows(report)
        began = START + timedelta(seconds=65)
        assert row["clock_time"] == (began + timedelta(hours=5.5)).strftime("%Y-%m-%d %H:%M:%S")
        assert row["utc_offset"] == "UTC+05:30"
    finally:
        monkeypatch.undo()
        time.tzset()


@pytest.mark.parametrize("title", ["Math;=1+1", "a; @x", "a\t-1", 'a;"=1"', "a\n+1", "=1", " =1"])
def test_no_cell_is_a_formula_whatever_separates_the_cells(title: str) -> None:
    cell = text_cell(title)
    for separator in (";", "\t", "\n"):
        for part in cell.split(separator):
            assert not part.strip(' "').startswith(("=", "+", "-", "@"))
