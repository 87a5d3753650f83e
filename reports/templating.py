"""Templates and static files of the host's pages and of the report, read once and kept.

Comes in: the files of ``templates/`` and ``static/``. Goes out: a Jinja environment that escapes
everything, and the static files under a version made from their content.
"""

from __future__ import annotations

import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from types import MappingProxyType

from jinja2 import Environment, FunctionLoader, StrictUndefined

from reports.charts import emotion_css


@dataclass(frozen=True, slots=True)
class StaticFile:
    """A file as it is served."""

    content: bytes
    content_type: str


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """All of them.

    Attributes:
        version: Made from the content of all, part of their addresses; changes when one does.
        files: By name.
    """

    version: str
    files: Mapping[str, StaticFile]

    def url(self, name: str) -> str:
        """Address of a file; KeyError if there is none of that name."""
        _ = self.files[name]
        return f"/static/{self.version}/{name}"

    def text(self, name: str) -> str:
        """A file's text, for the report, which carries its style in itself."""
        return self.files[name].content.decode()


@cache
def static_files() -> StaticFiles:
    """The files of ``static/`` and the style sheet of the expressions' colours. The first call reads."""
    contents = {
        entry.name: entry.read_bytes()
        for entry in resources.files("reports").joinpath("static").iterdir()
        if entry.is_file() and entry.name.endswith((".css", ".js", ".svg"))
    }
    contents["emotions.css"] = emotion_css().encode()
    digest = hashlib.sha256()
    for name in sorted(contents):
        digest.update(name.encode() + b"\0" + contents[name] + b"\0")
    files = {
        name: StaticFile(content, mimetypes.guess_type(name)[0] or "application/octet-stream")
        for name, content in contents.items()
    }
    return StaticFiles(digest.hexdigest()[:12], MappingProxyType(files))


@cache
def environment() -> Environment:
    """The templates, all compiled. The first call reads; ``render`` never does."""
    folder = resources.files("reports").joinpath("templates")
    sources = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".html")
    }
    made = Environment(
        loader=FunctionLoader(sources.get),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    made.filters.update(percent=percent, points=points, clock=clock, local=local)
    made.globals["static"] = static_files().url
    for name in sources:
        made.get_template(name)
    return made


def render(template: str, **values: object) -> str:
    """A template filled in."""
    return environment().get_template(template).render(**values)


def percent(share: float) -> str:
    """0.314 -> "31 %", with a space that does not break."""
    return f"{100 * share:.0f}\u00a0%"


def points(difference: float | None) -> str:
    """0.084 -> "+8", None -> "–": a difference of shares in points."""
    if difference is None:
        return "–"
    return f"{round(100 * difference):+d}".replace("-", "\u2212").replace("+0", "0")


def clock(seconds: float) -> str:
    """Seconds since the class began as h:mm:ss or m:ss."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def local(moment: datetime) -> str:
    """A moment to the minute in this machine's time zone, with its offset: "2026-03-02 14:30 UTC+05:30"."""
    here = moment.astimezone()
    hours, minutes = here.strftime("%z")[:3], here.strftime("%z")[3:5]
    offset = f"{hours}:{minutes}" if here.utcoffset() else ""
    return f"{here:%Y-%m-%d %H:%M} UTC{offset}"
