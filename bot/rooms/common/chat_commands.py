"""What a chat message can mean to the bot: opting out, or the answer to a question."""

from __future__ import annotations

from typing import Final

from reports.summary.asks import MAX_ANSWERS
from reports.summary.words import N_

OPT_OUT_COMMANDS: Final = frozenset({"stop", "/stop", "/optout"})
HOW_TO_OPT_OUT: Final = N_("To opt out, write /optout here.")
OPTED_OUT: Final = N_(
    "You have opted out: your camera is no longer received, and your data in the current window is discarded."
)

_ANSWER_DIGITS: Final = {str(number): number for number in range(1, MAX_ANSWERS + 1)}


def is_opt_out(text: str) -> bool:
    """Whether a chat message is a command to opt out."""
    return text.strip().casefold() in OPT_OUT_COMMANDS


def answer_in(text: str) -> int | None:
    """The number of the answer that a chat message gives; None if it is no single digit of an answer."""
    return _ANSWER_DIGITS.get(text.strip())
