"""Templates and static files of the student page."""

from __future__ import annotations

import json
from functools import cache
from importlib import resources
from typing import Final

from jinja2 import Environment

from reports.assets import StaticFiles, read_static, read_templates
from reports.languages import LANGUAGES, Language, load_all

_FOLDER: Final = "bot/rooms/companion/"
"""Where the texts of the page's scripts are, and those of the answers that the scripts show."""


@cache
def static_files() -> StaticFiles:
    """The static files. The first call reads files."""
    return read_static("/companion-static", [resources.files(__package__).joinpath("static")], {})


@cache
def environment() -> Environment:
    """The templates, all compiled. The first call reads files; ``render`` then reads none."""
    load_all()
    folder = resources.files(__package__).joinpath("templates")
    return read_templates(folder, {}, {"static": static_files().url})


def render(template: str, language: Language, **values: object) -> str:
    """Fill in a template in a language."""
    texts = language.of_files(_FOLDER, ".js", ".py")
    return (
        environment()
        .get_template(template)
        .render(
            _=language.gettext,
            language=language.code,
            direction=language.direction,
            languages=LANGUAGES,
            texts=json.dumps(texts, ensure_ascii=False),
            **values,
        )
    )
