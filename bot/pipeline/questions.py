"""Asks the class: opens the host's question, counts and publishes the answers, and closes it in time."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from typing import Final

from bot.pipeline.aggregator import WindowAggregator
from bot.pipeline.asking import Asking
from bot.pipeline.check_ins import CheckIns
from bot.rooms import contract
from reports.summary.asks import USUAL_ANSWERS, Ask

_PAUSE_S: Final = 0.2
"""Least time between two events about the answers to a question, seconds."""


class Questions:
    """The questions to one class; at most one is open."""

    def __init__(
        self,
        class_id: str,
        room: contract.Room,
        aggregator: WindowAggregator,
        check_ins: CheckIns,
        publish: Callable[[Ask], Awaitable[None]],
        now_s: Callable[[], float],
    ) -> None:
        """Set up without a question.

        Args:
            class_id: The class.
            room: Where the questions are asked.
            aggregator: Gets the answers to the usual question as votes.
            check_ins: Gets them too, for students who agreed to check-ins.
            publish: Called with a question that was opened, got answers, or was closed.
            now_s: Seconds since the class began.
        """
        self._class_id, self._room, self._publish, self._now_s = class_id, room, publish, now_s
        self._aggregator, self._check_ins = aggregator, check_ins
        self._asking: Asking | None = None
        self._changed = asyncio.Event()

    async def ask(self, question: str, answers: Sequence[str], alert_at_s: float | None) -> Ask:
        """Ask the class, in place of an open question; the usual question ends all earlier votes.

        Args:
            question: The host's own question; empty for the usual one.
            answers: The answers to an own question.
            alert_at_s: The alert that the question is about; None if it is about none.
        """
        await self.close()
        self._asking = Asking(self._class_id, self._now_s(), question, answers, alert_at_s)
        asked = self._asking.state(self._aggregator.present)
        if asked.usual:
            self._aggregator.clear_votes()
        await self._publish(asked)
        await self._room.ask(asked)
        self._changed.set()
        return asked

    def open_question(self) -> Ask | None:
        """The open question with its answers so far; None without one."""
        return None if self._asking is None else self._asking.state(self._aggregator.present)

    async def follow(self) -> None:
        """Publish new answers, and close each question in time; runs until cancelled."""
        while True:
            await self._changed.wait()
            self._changed.clear()
            while self._asking is not None:
                with suppress(TimeoutError):
                    async with asyncio.timeout(max(0.0, self._asking.closes_s - self._now_s())):
                        await self._changed.wait()
                self._changed.clear()
                if self._asking is None or self._now_s() >= self._asking.closes_s:
                    await self.close()
                    break
                await self._publish(self._asking.state(self._aggregator.present))
                await asyncio.sleep(_PAUSE_S)

    async def close(self) -> None:
        """Close the open question, if there is one."""
        asking, self._asking = self._asking, None
        if asking is not None:
            await self._publish(asking.state(self._aggregator.present, self._now_s()))
            await self._room.ask(None)

    def answer(self, event: contract.Answered, at_s: float) -> None:
        """Count an answer; the answer to the usual question is also the participant's vote."""
        asking = self._asking
        if asking is None:
            return
        answer = asking.answer(event.participant_id, event.number, by_chat=event.by_chat)
        if answer is None:
            return
        self._changed.set()
        if asking.usual:
            kind = USUAL_ANSWERS[answer]
            self._aggregator.vote(event.participant_id, kind, at_s)
            self._check_ins.pulse(event.participant_id, kind, at_s)

    def erase(self, participant_id: str) -> None:
        """Discard the answer of a participant to the open question."""
        if self._asking is not None:
            self._asking.erase(participant_id)
            self._changed.set()
