"""The languages of the pages: which there are, which one a browser wants, and the translated texts.

The English text is the key of each message. ``CODE.po`` in this folder has its translations; ``make texts``
finds new messages in the code. ``ar-XB`` is a pseudo-language, written from right to left: it marks every
translated text, so that untranslated ones and left-to-right layout stand out.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from importlib import resources
from types import MappingProxyType
from typing import Final

from babel.core import Locale, negotiate_locale
from babel.dates import format_date, format_time
from babel.messages.pofile import read_po
from babel.numbers import format_decimal

LANGUAGES: Final[Mapping[str, str]] = MappingProxyType(
    {"en": "English", "hi": "हिन्दी", "es": "Español", "de": "Deutsch", "fr": "Français"}
)
"""The languages by their code, each named in itself."""

PSEUDO: Final = "ar-XB"
"""The pseudo-language."""

_RIGHT_TO_LEFT, _END = "\u2067", "\u2069"


@dataclass(frozen=True, slots=True)
class Language:
    """One language.

    Attributes:
        code: Such as ``de``.
        direction: ``ltr`` or ``rtl``.
        texts: Translations by English text; empty for English and the pseudo-language.
        files: By English text, the files that contain it.
    """

    code: str
    direction: str
    texts: Mapping[str, str]
    files: Mapping[str, tuple[str, ...]]

    def gettext(self, text: str) -> str:
        """The translation of an English text, or the text itself if there is none."""
        if self.code == PSEUDO:
            return f"{_RIGHT_TO_LEFT}[{text}]{_END}"
        return self.texts.get(text, text)

    def number(self, value: float) -> str:
        """A number with one decimal place."""
        return format_decimal(value, format="0.0", locale=self._locale)

    def day(self, instant: datetime) -> str:
        """The date of an instant, in this machine's time zone."""
        return format_date(instant.astimezone(), format="long", locale=self._locale)

    def hour(self, instant: datetime) -> str:
        """The time of an instant to the minute, in this machine's time zone."""
        return format_time(instant.astimezone(), format="short", locale=self._locale)

    @property
    def _locale(self) -> str:
        return self.code.partition("-")[0]

    def of_files(self, folder: str, *endings: str) -> dict[str, str]:
        """The translations of the texts in some files of a folder, for scripts that translate themselves."""
        return {
            text: self.gettext(text)
            for text, files in self.files.items()
            if self.code != "en" and any(file.startswith(folder) and file.endswith(endings) for file in files)
        }


@cache
def language(code: str) -> Language:
    """A language by its code. The first call for each but English reads files.

    Raises:
        KeyError: there is no such language.
    """
    if code not in (*LANGUAGES, PSEUDO):
        raise KeyError(code)
    if code == "en":
        return Language(code, "ltr", {}, {})
    direction = Locale.parse(code.partition("-")[0]).text_direction
    # The pseudo-language has the messages of any other language.
    name = "de" if code == PSEUDO else code
    with resources.files(__package__).joinpath(f"{name}.po").open("rb") as file:
        messages = [message for message in read_po(file, locale=name) if message.id]
    texts = {str(message.id): str(message.string) for message in messages if message.string}
    files = {str(message.id): tuple(path for path, _ in message.locations) for message in messages}
    return Language(code, direction, {} if code == PSEUDO else texts, files)


def load_all() -> None:
    """Read all languages, so that ``language`` reads no file later. Blocks."""
    for code in (*LANGUAGES, PSEUDO):
        language(code)


def choose(wanted: str | None, accept_language: str, default: str = "en") -> Language:
    """The language for a page.

    Args:
        wanted: What the reader chose; None or unknown to go by the browser.
        accept_language: The browser's header.
        default: For browsers that want none of the languages.
    """
    if wanted in (*LANGUAGES, PSEUDO):
        return language(wanted or default)
    preferred = [part.partition(";") for part in accept_language.split(",")]
    by_quality = sorted(preferred, key=lambda part: -_quality(part[2]))
    codes = [tag.strip() for tag, _, rest in by_quality if _quality(rest) > 0]
    return language(negotiate_locale(codes, list(LANGUAGES), sep="-") or default)


def _quality(parameters: str) -> float:
    """The quality of a part of Accept-Language: "q=0.8" -> 0.8; 1 without one."""
    name, _, value = parameters.strip().partition("=")
    try:
        return float(value) if name == "q" else 1.0
    except ValueError:
        return 0.0
