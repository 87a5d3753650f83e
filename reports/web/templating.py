"""Templates and static files of the host's pages."""

from __future__ import annotations

from functools import cache
from importlib import resources

from jinja2 import Environment

from reports.assets import StaticFiles, read_static, read_templates
from reports.document.formatting import FILTERS
from reports.document.templating import styles
from reports.languages import Language, load_all


@cache
def static_files() -> StaticFiles:
    """The static files of the host's pages and the report's styles. The first call reads files."""
    folder = resources.files("reports.web").joinpath("static")
    shared = {name: styles().text(name) for name in styles().files}
    return read_static("/static", [folder], shared)


@cache
def environment() -> Environment:
    """The templates, all compiled. The first call reads files; ``render`` then reads none."""
    load_all()
    folder = resources.files("reports.web").joinpath("templates")
    return read_templates(folder, FILTERS, {"static": static_files().url})


def render(template: str, language: Language, **values: object) -> str:
    """Fill in a template in a language."""
    return (
        environment()
        .get_template(template)
        .render(_=language.gettext, language=language.code, direction=language.direction, **values)
    )
