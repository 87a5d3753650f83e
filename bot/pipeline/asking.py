"""The open question of a class and who answered what, which is held in memory only until it closes.

Pure: no clock, no I/O. Times are seconds since the class began.
"""

from __future__ import annotations

import secrets
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from reports.summary.asks import ASK_S, USUAL_ANSWERS, Ask


class Asking:
    """Counts the answers to one question.

    A participant has one answer, the latest. The answer of a participant who leaves still counts; that of one
    who is erased does not.
    """

    def __init__(
        self, class_id: str, at_s: float, question: str, answers: Sequence[str], alert_at_s: float | None
    ) -> None:
        """Open a question; an empty ``question`` is the usual one, which has its own answers."""
        self._answers: dict[str, tuple[int, bool]] = {}  # number of the answer, and whether it came by chat
        self._ask = Ask(
            id=secrets.token_hex(6),
            class_id=class_id,
            at_s=at_s,
            closes_s=at_s + ASK_S,
            question=question,
            answers=tuple(answers) if question else tuple(USUAL_ANSWERS),
            alert_at_s=alert_at_s,
            open=True,
        )

    @property
    def usual(self) -> bool:
        """Whether this is the usual question, whose answers are votes."""
        return self._ask.usual

    @property
    def closes_s(self) -> float:
        """When the question closes."""
        return self._ask.closes_s

    def answer(self, participant_id: str, number: int, *, by_chat: bool) -> str | None:
        """Count an answer, ``number`` from 1; returns it, or None if the question has no such answer."""
        if not 1 <= number <= len(self._ask.answers):
            return None
        self._answers[participant_id] = (number, by_chat)
        return self._ask.answers[number - 1]

    def erase(self, participant_id: str) -> None:
        """Discard the answer of a participant."""
        self._answers.pop(participant_id, None)

    def state(self, present: Collection[str], at_s: float | None = None) -> Ask:
        """The question with the answers so far.

        Args:
            present: Who is present. Answers of others, from a page beside the room, count against the silent.
            at_s: When it was closed; None while it is open.
        """
        counted = Counter(self._ask.answers[number - 1] for number, _ in self._answers.values())
        beside = sum(one not in present for one in self._answers)
        silent = max(0, sum(one not in self._answers for one in present) - beside)
        return replace(
            self._ask,
            counts={answer: counted[answer] for answer in self._ask.answers},
            silent=silent,
            by_chat=sum(by_chat for _, by_chat in self._answers.values()),
            open=at_s is None,
            closes_s=self._ask.closes_s if at_s is None else min(at_s, self._ask.closes_s),
        )
