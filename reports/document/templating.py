"""The template of the report, and the styles it shares with the host's pages."""

from __future__ import annotations

from functools import cache
from importlib import resources

from jinja2 import Template

from reports.assets import StaticFiles, read_static, read_templates
from reports.document.charts import emotion_css
from reports.document.formatting import FILTERS


@cache
def styles() -> StaticFiles:
    """The style sheets, among them the colours of the expressions. The first call reads."""
    folder = resources.files("reports.document").joinpath("static")
    return read_static("/static", [folder], {"emotions.css": emotion_css()})


@cache
def report_template() -> Template:
    """The report's template, compiled. The first call reads."""
    folder = resources.files("reports.document").joinpath("templates")
    return read_templates(folder, FILTERS, {}).get_template("report.html")
