"""Reads templates and static files once. The URL of a static file changes with the content, for caching."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from importlib.resources.abc import Traversable
from pathlib import PurePath
from types import MappingProxyType
from typing import Any, Final

from jinja2 import Environment, FunctionLoader, StrictUndefined

_CONTENT_TYPES: Final = MappingProxyType(
    {".css": "text/css", ".js": "text/javascript", ".svg": "image/svg+xml"}
)
"""Media types of static files by ending; other files of a folder are not served."""


@dataclass(frozen=True, slots=True)
class StaticFiles:
    """Static files held in memory.

    Attributes:
        prefix: Beginning of their URLs, such as ``/static``.
        version: Hash of all contents, part of every URL; it changes when any file does.
        files: Contents by file name.
    """

    prefix: str
    version: str
    files: Mapping[str, bytes]

    def url(self, name: str) -> str:
        """URL of a file.

        Raises:
            KeyError: there is no file of that name.
        """
        _ = self.files[name]  # raises for an unknown name
        return f"{self.prefix}/{self.version}/{name}"

    def text(self, name: str) -> str:
        """Content of a text file, for a page that carries its style inline."""
        return self.files[name].decode()


def content_type(name: str) -> str:
    """Media type of a static file, by its name; unlike ``mimetypes``, the same on every machine."""
    return _CONTENT_TYPES[PurePath(name).suffix]


def read_static(prefix: str, folders: Iterable[Traversable], generated: Mapping[str, str]) -> StaticFiles:
    """Read the static files of some folders, and add generated ones. Blocks.

    Args:
        prefix: Beginning of their URLs.
        folders: Folders of static files; no name may be in two of them.
        generated: Contents of generated files, by name.
    """
    contents = {
        entry.name: entry.read_bytes()
        for folder in folders
        for entry in folder.iterdir()
        if entry.is_file() and entry.name.endswith(tuple(_CONTENT_TYPES))
    }
    contents.update({name: text.encode() for name, text in generated.items()})
    digest = hashlib.sha256()
    for name in sorted(contents):
        digest.update(name.encode() + b"\0" + contents[name] + b"\0")
    return StaticFiles(prefix, digest.hexdigest()[:12], MappingProxyType(contents))


def read_templates(
    folder: Traversable, filters: Mapping[str, Callable[..., Any]], globals_: Mapping[str, Any]
) -> Environment:
    """Read and compile every template of a folder, so that rendering never reads a file. Blocks."""
    sources = {
        entry.name: entry.read_text(encoding="utf-8")
        for entry in folder.iterdir()
        if entry.name.endswith(".html")
    }
    environment = Environment(
        loader=FunctionLoader(sources.get),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters.update(filters)
    environment.globals.update(globals_)
    for name in sources:
        environment.get_template(name)
    return environment
