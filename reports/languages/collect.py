"""Finds the texts to translate in the code, and brings the catalogues up to date: ``make texts``.

In Python they are marked with ``N_`` and ``say``, in templates with ``_``, in scripts with ``t``.
"""

from __future__ import annotations

import io
from pathlib import Path
from typing import Final

from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.pofile import read_po, write_po

from reports.languages import LANGUAGES

ROOT: Final = Path(__file__).parents[2]
_FOLDERS: Final = ("bot/rooms", "bot/sessions", "reports")
_METHODS: Final = [("**.py", "python"), ("**/templates/**.html", "jinja2"), ("**/static/**.js", "javascript")]
_KEYWORDS: Final = dict.fromkeys(("_", "N_", "say", "_say", "t"))
_HEADER: Final = 'msgid ""\nmsgstr ""\n"Language: {}\\n"\n"Content-Type: text/plain; charset=utf-8\\n"\n\n'


def collect(root: Path = ROOT) -> dict[str, tuple[str, ...]]:
    """The texts to translate, each with the files that contain it. Reads the code: call it from a tool."""
    found: dict[str, set[str]] = {}
    for folder in _FOLDERS:
        for file, _line, text, _comments, _context in extract_from_dir(
            root / folder, method_map=_METHODS, keywords=_KEYWORDS
        ):
            if isinstance(text, str) and text:
                found.setdefault(text, set()).add(f"{folder}/{file}")
    return {text: tuple(sorted(files)) for text, files in sorted(found.items())}


def catalogue(code: str) -> Catalog:
    """The catalogue of a language, as it is."""
    with (Path(__file__).parent / f"{code}.po").open("rb") as file:
        return read_po(file, locale=code)


def update(code: str) -> int:
    """Add new texts without a translation to a catalogue, and drop those that are no longer in the code.

    Returns:
        How many texts have no translation.
    """
    before, after = catalogue(code), Catalog(locale=code)
    missing = 0
    for text, files in collect().items():
        old = before.get(text)
        translation = "" if old is None else old.string
        missing += not translation
        after.add(text, translation, [(file, 1) for file in files])
    out = io.BytesIO()
    write_po(out, after, width=100, include_lineno=False, sort_output=True, omit_header=True)
    (Path(__file__).parent / f"{code}.po").write_bytes(_HEADER.format(code).encode() + out.getvalue())
    return missing


def main() -> None:
    """Update all catalogues and say what is missing."""
    for code in LANGUAGES:
        if code != "en":
            print(f"{code}: {update(code)} texts to translate")  # noqa: T201


if __name__ == "__main__":
    main()
