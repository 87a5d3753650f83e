"""Loads the template of the report and the style sheets that it shares with the host's pages."""

from __future__ import annotations

from functools import cache
from importlib import resources

from jinja2 import Template

from reports.assets import StaticFiles, read_static, read_templates
from reports.document.formatting import FILTERS
from reports.document.palette import emotion_css


@cache
def styles() -> StaticFiles:
    """The style sheets, with a generated one for the colours of the expressions. The first call blocks."""
    folder = resources.files("reports.document").joinpath("static")
    return read_static("/static", [folder], {"emotions.css": emotion_css()})


@cache
def report_template() -> Template:
    """The report's template, compiled. The first call blocks."""
    folder = resources.files("reports.document").joinpath("templates")
    return read_templates(folder, FILTERS, {}).get_template("report.html")
