"""The question that the pages of an embedded room show, and a way to wait for the next one."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from typing import Any, Final

from bot.rooms.companion.presence import now_s
from reports.summary.asks import Ask

WAIT_S: Final = 20.0
"""Longest wait for a change, seconds: proxies close connections that are silent for longer."""


class Bulletin:
    """The open question of one room."""

    def __init__(self) -> None:
        """Start without a question."""
        self._question: Ask | None = None
        self._closes_s = 0.0  # on the event loop's clock
        self._changed = asyncio.Event()

    @property
    def question(self) -> Ask | None:
        """The open question; None without one."""
        return self._question

    def post(self, question: Ask | None) -> None:
        """Show a question, or (None) that there is none, to every page that waits."""
        self._question = question
        if question is not None:
            self._closes_s = now_s() + question.closes_s - question.at_s
        self.wake()

    def wake(self) -> None:
        """Answer every page that waits."""
        self._changed.set()
        self._changed = asyncio.Event()

    async def wait(self, known: str) -> dict[str, Any] | None:
        """Wait until the question is another one than ``known``, at most ``WAIT_S`` seconds.

        Args:
            known: Identifier of the question that the page shows; empty for none.

        Returns:
            The question as the page needs it; None if there is none.
        """
        if known == (self._question.id if self._question else ""):
            with suppress(TimeoutError):
                async with asyncio.timeout(WAIT_S):
                    await self._changed.wait()
        question = self._question
        if question is None:
            return None
        return {
            "id": question.id,
            "question": question.question,
            "answers": list(question.answers),
            "closes_in_s": round(max(0.0, self._closes_s - now_s()), 1),
        }
