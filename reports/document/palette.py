"""The colours of the charts, and the order in which the expressions are stacked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

COLOURS: Final[Mapping[str, str]] = MappingProxyType(
    {
        "angry": "#b6411b",
        "disgust": "#1d8565",
        "fear": "#814e88",
        "happy": "#eab830",
        "sad": "#2344ac",
        "surprise": "#67c0f5",
        "neutral": "#b4b8bc",
    }
)
"""One colour for each expression. They differ for colour-blind readers too; a test checks the distances."""

STACK: Final = ("happy", "surprise", "neutral", "sad", "fear", "disgust", "angry")
"""Order from the bottom up: pleasant expressions at the floor, tense ones at the ceiling."""

PRESENT, CAMERAS, ANALYSED = "#d3d9de", "#98a6b0", "#3f6f87"
"""Colours of the counts: participants present, with the camera on, analysed."""


def emotion_css() -> str:
    """CSS rules: one class for each expression, which fills SVG shapes and colours swatches and bars."""
    return "".join(
        f".emo-{label}{{fill:{colour};background-color:{colour}}}\n" for label, colour in COLOURS.items()
    )
