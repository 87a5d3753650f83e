"""docs/interface.md names every route, CSV column and JSON key."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from reports.document.csv_table import CSV_COLUMNS
from reports.summary.classes import ClassState
from reports.summary.indications import AlertKind, Indicator, Sureness, Word
from reports.web import api, pages, stream
from tests.reports.builders import a_class, a_window

TEXT = (Path(__file__).parents[3] / "docs" / "interface.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("route", [*api.ROUTES, *stream.ROUTES, *pages.ROUTES], ids=str)
def test_every_route_of_the_host_is_documented(route: object) -> None:
    path = re.sub(r"\{class_id:[^}]*\}\}?", "ID", getattr(route, "path"))  # noqa: B009
    ending = re.search(r"/report(\.\w+)$", path)
    assert (ending.group(1) if ending else path) in TEXT


@pytest.mark.parametrize(
    "word",
    [
        *(name for name in CSV_COLUMNS if not name.startswith("not_analysed_")),
        *a_window().to_json(),
        *a_class().to_json(),
        *(field for field in Indicator.__dataclass_fields__),
        *(one.value for kind in (Word, Sureness, AlertKind, ClassState) for one in kind),
    ],
)
def test_every_column_key_and_value_is_documented(word: str) -> None:
    assert f"`{word}`" in TEXT or f'"{word}"' in TEXT
