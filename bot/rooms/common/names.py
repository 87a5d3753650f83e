"""Compares and checks display names, the bot's and the students'. Pure."""

from __future__ import annotations

import unicodedata
from typing import Final

BOT_NAME: Final = "ClassMood (looks at expressions)"
MAX_NAME_CHARS: Final = 64

_JOINERS: Final = "\u200c\u200d"
"""Invisible characters that Persian, Hindi and compound emoji need."""


def simplified(name: str) -> str:
    """Reduce a name so that capitals, character widths and spacing make no difference."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def bot_name(text: str) -> str:
    """Return a name for the bot with single spaces.

    Raises:
        ValueError: it is empty, too long, or has characters that cannot be printed.
    """
    name = " ".join(text.split())
    if not 0 < len(name) <= MAX_NAME_CHARS or not all(
        char.isprintable() or char in _JOINERS for char in name
    ):
        raise ValueError(f"the name must have 1 to {MAX_NAME_CHARS} printable characters")
    return name
