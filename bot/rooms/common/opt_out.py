"""Opting out in a chat: the commands, and what the bot says about it."""

from __future__ import annotations

from typing import Final

OPT_OUT_COMMANDS: Final = frozenset({"stop", "/stop", "/optout"})
HOW_TO_OPT_OUT: Final = "To opt out, write /optout here."
OPTED_OUT: Final = (
    "You have opted out: your camera is no longer received, and your data in the current window is discarded."
)


def is_opt_out(text: str) -> bool:
    """Whether a chat message is a command to opt out."""
    return text.strip().casefold() in OPT_OUT_COMMANDS
