"""What the host's pages ask of whoever runs the classes.

Implemented by ``bot.sessions.lifecycle``; named here so that ``reports`` need not know the bot.
"""

from __future__ import annotations

from typing import Protocol

from reports.summary.classes import ClassInfo
from reports.summary.records import Marker


class RoomRefused(Exception):
    """A class cannot be started as asked; the text is one line that says what to do."""


class ClassController(Protocol):
    """Starts, marks and ends classes."""

    async def start(self, room: str, title: str) -> ClassInfo:
        """Begin a class and return at once, in the state ``joining`` or beyond.

        Args:
            room: Room URL.
            title: Title; empty for one made of the date, so that no two untitled classes are compared.

        Raises:
            RoomRefused: the room URL is wrong or the room is taken.
        """
        ...

    async def end(self, class_id: str) -> ClassInfo | None:
        """End a class and wait until all is kept; None if there is no such class. Idempotent."""
        ...

    async def leave_out(self, class_id: str, who: str) -> int | None:
        """Leave out, at the host's word, whoever goes by ``who`` in the class; the class goes on.

        Args:
            class_id: The class.
            who: What the host knows of a student: the name they go by in the call, or the number on their
                page. It is neither kept nor logged.

        Returns:
            How many were left out; None if the class is not running.
        """
        ...

    async def mark(self, class_id: str, label: str) -> Marker | None:
        """Set a marker at this moment; None if the class is not running."""
        ...
