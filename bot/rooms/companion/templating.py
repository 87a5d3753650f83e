"""Templates and static files of the student page."""

from __future__ import annotations

from functools import cache
from importlib import resources

from jinja2 import Environment

from reports.assets import StaticFiles, read_static, read_templates


@cache
def static_files() -> StaticFiles:
    """The static files. The first call reads files."""
    return read_static("/companion-static", [resources.files(__package__).joinpath("static")], {})


@cache
def environment() -> Environment:
    """The templates, all compiled. The first call reads files; ``render`` then reads none."""
    folder = resources.files(__package__).joinpath("templates")
    return read_templates(folder, {}, {"static": static_files().url})


def render(template: str, **values: object) -> str:
    """Fill in a template."""
    return environment().get_template(template).render(**values)
