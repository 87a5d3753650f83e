"""Formats of figures and times in the report and on the host's pages, as filters for the templates."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, Final


def percent(share: float) -> str:
    """0.314 -> "31 %", with a no-break space."""
    return f"{100 * share:.0f}\u00a0%"


def points(difference: float | None) -> str:
    """A difference of shares in percentage points: 0.084 -> "+8", None -> "–"."""
    if difference is None:
        return "–"
    return f"{round(100 * difference):+d}".replace("-", "\u2212").replace("+0", "0")


def clock(seconds: float) -> str:
    """Seconds since the class began as h:mm:ss, or m:ss in the first hour."""
    whole = max(0, round(seconds))
    minutes, rest = divmod(whole, 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def local(instant: datetime) -> str:
    """An instant to the minute in this machine's time zone, with its offset: "2026-03-02 14:30 UTC+05:30"."""
    return f"{instant.astimezone():%Y-%m-%d %H:%M} {utc_offset(instant)}"


def utc_offset(instant: datetime) -> str:
    """The distance of this machine's time zone from UTC at an instant: "UTC+05:30"."""
    offset = instant.astimezone().strftime("%z")
    return "UTC" if offset == "+0000" else f"UTC{offset[:3]}:{offset[3:5]}"


FILTERS: Final[Mapping[str, Callable[..., Any]]] = MappingProxyType(
    {"percent": percent, "points": points, "clock": clock, "local": local}
)
