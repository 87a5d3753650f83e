"""The interface through which the host's pages start and control classes.

``bot.sessions.lifecycle`` implements it. It is defined here so that ``reports`` does not depend on ``bot``.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from reports.summary.asks import Ask
from reports.summary.classes import ClassInfo
from reports.summary.records import Marker


class RoomRefused(Exception):
    """The class cannot be started; the text is one line that says what to do."""


class ClassController(Protocol):
    """Starts, marks and ends classes."""

    async def start(self, room: str, title: str) -> ClassInfo:
        """Start a class, and return without waiting until the room is joined.

        Args:
            room: Room URL.
            title: Title; if empty, the date. Reports compare classes of the same title, so untitled classes
                must not share one.

        Raises:
            RoomRefused: the room URL is wrong, or the room already has a class.
        """
        ...

    async def end(self, class_id: str) -> ClassInfo | None:
        """End a class and wait until its data is stored; None if there is no such class. Idempotent."""
        ...

    async def ask(
        self, class_id: str, question: str, answers: Sequence[str], alert_at_s: float | None
    ) -> Ask | None:
        """Ask a class, in place of an open question; the usual question ends all earlier votes.

        Args:
            class_id: The class.
            question: The host's own question; empty for the usual one.
            answers: The answers to an own question.
            alert_at_s: The alert that the question is about; None if it is about none.

        Returns:
            The question; None if the class is not live.
        """
        ...

    def open_question(self, class_id: str) -> Ask | None:
        """The open question with its answers so far; None without one."""
        ...

    async def calm(self, class_id: str) -> Marker | None:
        """The host dealt with what the word says: votes end, and a marker is set; None if it is not live."""
        ...

    async def leave_out(self, class_id: str, who: str) -> int | None:
        """Opt a student out of the analysis at the host's request.

        Args:
            class_id: The class.
            who: The student's name in the call, or the number on their page. It is neither stored nor logged.

        Returns:
            How many participants were opted out; None if the class is not running.
        """
        ...

    async def mark(self, class_id: str, label: str) -> Marker | None:
        """Set a marker at the present time; None if the class is not running."""
        ...
