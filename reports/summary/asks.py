"""Questions that the host asks the class, and what their answers say about the alerts from faces."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from reports.summary.json_object import json_object
from reports.summary.verdict import needed_votes
from reports.summary.windows import PulseKind

ASK_S: Final = 30.0
"""How long students can answer, seconds."""

WITH_ME: Final = "with_me"

USUAL_ANSWERS: Final[Mapping[str, PulseKind]] = MappingProxyType(
    {
        WITH_ME: PulseKind.OK,
        "lost": PulseKind.LOST,
        "too_fast": PulseKind.TOO_FAST,
        "too_slow": PulseKind.TOO_SLOW,
    }
)
"""The answers to the usual question, and the vote that each of them is."""

MIN_ANSWERS, MAX_ANSWERS = 2, 4
"""How many answers a question of the host's own may have."""

_MIN_ANSWERED: Final = 1 / 3
"""Share of the class that must answer before the answers confirm or refute an alert."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A question to the class. Answers are counts: who answered what is held in memory while it is open.

    Attributes:
        id: Random identifier.
        class_id: The class.
        at_s: When it was asked, seconds since the class began.
        closes_s: When the answers were, or will be, closed.
        question: The host's own question; empty for the usual one.
        answers: Two to four answers to choose from: keys of ``USUAL_ANSWERS``, or texts of the host.
        counts: Students by their answer; every answer is a key.
        silent: Students who were present and have not answered.
        by_chat: How many of the answers came by the room's chat. A student who also answers by the link
            cannot be recognised there, and counts twice.
        alert_at_s: The alert from faces that the question is about; None if it is about none.
        open: Whether students can still answer.
    """

    id: str
    class_id: str
    at_s: float
    closes_s: float
    question: str
    answers: tuple[str, ...]
    counts: Mapping[str, int] = field(default_factory=dict)
    silent: int = 0
    by_chat: int = 0
    alert_at_s: float | None = None
    open: bool = False

    @property
    def usual(self) -> bool:
        """Whether this is the usual question, whose answers are votes."""
        return not self.question

    @property
    def answered(self) -> int:
        """Number of answers."""
        return sum(self.counts.values())

    @property
    def confirmed(self) -> bool | None:
        """Whether the answers confirm the alert from faces; None if there is none, or too few answered."""
        if self.alert_at_s is None or not self.usual or self.open:
            return None
        if self.answered < max(1.0, _MIN_ANSWERED * (self.answered + self.silent)):
            return None
        trouble = self.answered - self.counts.get(WITH_ME, 0)
        return trouble >= needed_votes(self.answered)

    def to_json(self) -> dict[str, Any]:
        """The JSON object of the API."""
        return json_object(self) | {"confirmed": self.confirmed}


def alert_score(asks: Sequence[Ask]) -> tuple[int, int]:
    """How many alerts from faces the class confirmed when asked, and how many it confirmed or refuted.

    The last question about an alert counts.
    """
    verdicts = {ask.alert_at_s: ask.confirmed for ask in asks if ask.confirmed is not None}
    return sum(verdict is True for verdict in verdicts.values()), len(verdicts)
