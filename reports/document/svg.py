"""SVG elements that the charts share: escaped text and grid lines.

Colours are also written as attributes, for viewers that load no style sheet. On our own pages the classes
(chart.css, emotions.css) override them, for light and dark mode.
"""

from __future__ import annotations

import re
from typing import Final
from xml.sax.saxutils import escape

FONT: Final = 'font-family="system-ui, sans-serif" font-size="12"'
"""Attributes of the root element."""

LABEL_CHARS: Final = 24
"""Longest text drawn in a chart; longer texts are cut."""

_NOT_XML: Final = re.compile(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def xml_text(text: str, max_chars: int | None = None) -> str:
    """Escape text for XML, drop the characters that XML forbids and cut it to ``max_chars`` characters."""
    cleaned = " ".join(_NOT_XML.sub("", text).split())
    if max_chars is not None and len(cleaned) > max_chars:
        cleaned = cleaned[: max_chars - 1].rstrip() + "…"
    return escape(cleaned, {'"': "&quot;", "'": "&apos;"})


def text_at(
    x: float,
    y: float,
    text: str,
    *,
    anchor: str = "start",
    css_class: str = "tl-text",
    size: float | None = None,
) -> str:
    """A text element; ``y`` is its baseline in pixels."""
    font_size = "" if size is None else f' font-size="{size:g}"'
    return (
        f'<text class="{css_class}" x="{x:g}" y="{y:g}" text-anchor="{anchor}" fill="#4a535b"{font_size}>'
        f"{xml_text(text, LABEL_CHARS)}</text>"
    )


def grid_line(path: str) -> str:
    """A thin line of the grid or an axis along an SVG path."""
    return f'<path class="tl-grid" d="{path}" stroke="#d5d8db" fill="none"/>'
