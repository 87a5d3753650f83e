"""From a class's windows to one word for the host, and to the few alerts worth an interruption.

Comes in: ``WindowSummary``, in time order. Goes out: an ``Indicator`` a window and, seldom, an ``Alert``.
A pure function of the windows, which hold what students tapped too: the live page, a page opened late and the
report, worked out from the store, say the same. Shares are taken as they are stored, to four places.

* Faces: tension (angry + disgust + fear + sad) and liveliness (happy + surprise) are each followed by a
  ``Change`` against the class's own baseline; its formulas and limits stand in ``reports.summary.change``.
  Tension moved: *tenser* or *calmer*; else liveliness moved: *livelier* or *quieter*; else *steady*.
  Windows withheld for less than ``UNSEEN_S`` seconds leave the word as it is.
* Votes, what each student tapped last within ``VOTE_S`` seconds: *lost* or *too slow* when at least
  ``max(3, 15 %)`` of those they are among say so (fewer than three: as many as there are) and half as
  many as say OK; *OK* when that many say so and more than twice the others together. A verdict stands
  until half as many are left, or enough and more of them say the other. They are among the most who were
  present in any window of those seconds, for a vote stands when its owner has left; while nobody is
  present they say nothing.
* Votes outrank faces: *lost* and *too slow* are the word whatever the faces show; an *OK* is the word
  when faces look tenser or quieter, and holds their alert back. ``disagreement`` then says so.
* Sureness is the least of: the part of those present that was seen (2/3 high, 1/3 medium), the
  deviation (1.5 x the limit high), the age of the baseline (10 min high); low when the number of faces
  is under half or over twice the baseline's, for then other people are being compared.
* Alerts: votes *lost* or *too slow*, tension risen, liveliness fallen; at most one in ``ALERT_EVERY_S``,
  once an episode, and none from faces when the sureness is low.

Limits: many who are lost do not tap; a word says that shares have moved by more than
their noise, not why; who comes or goes moves the mean as well.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Final

from reports.summary.change import Change
from reports.summary.indications import Alert, AlertKind, Indications, Indicator, Sureness, Word
from reports.summary.shares import liveliness, tension
from reports.summary.windows import VOTE_S, PulseKind, WindowSummary
from reports.summary.words import PULSE_WORDS

ALERT_EVERY_S: Final = 300.0
"""Least time between two alerts, seconds."""

OLD_BASELINE_S: Final = 600.0
"""Seconds of class behind a baseline that may be called sure."""

UNSEEN_S: Final = 20.0
"""How long the word of the faces stands without a window that shows any, seconds."""

_SHARE_OF_VOTES, _FEWEST_VOTES = 0.15, 3
_LEVELS = (Sureness.LOW, Sureness.MEDIUM, Sureness.HIGH)
_MOVED_WORDS = {
    ("tension", 1): Word.TENSER,
    ("tension", -1): Word.CALMER,
    ("liveliness", 1): Word.LIVELIER,
    ("liveliness", -1): Word.QUIETER,
}
_UNEASY = (Word.TENSER, Word.QUIETER)


def indicate(windows: Sequence[WindowSummary]) -> Indications:
    """All that a class's windows say, in any order; two of the same start count once."""
    indicators = Indicators()
    now, alerts = None, []
    ordered = sorted({window.start_s: window for window in windows}.items())
    for _, window in ordered:
        now, alert = indicators.add(window)
        if alert is not None:
            alerts.append(alert)
    return Indications(now, tuple(alerts))


def pulse_verdict(votes: Mapping[str, int], among: int, before: PulseKind | None) -> PulseKind | None:
    """What those say who tapped; None when they are too few or undecided.

    Args:
        votes: Participants by what they said last, of ``VOTE_S`` seconds.
        among: The most who were present within those seconds.
        before: The verdict so far; it stands with half the votes.
    """
    lost, slow, ok = (votes.get(kind, 0) for kind in (PulseKind.LOST, PulseKind.TOO_SLOW, PulseKind.OK))

    def enough(count: int, kind: PulseKind) -> bool:
        needed = max(min(_FEWEST_VOTES, among), math.ceil(_SHARE_OF_VOTES * among), 1)
        return count >= (needed / 2 if before is kind else needed)

    troubles = [(lost, PulseKind.LOST), (slow, PulseKind.TOO_SLOW)]
    standing = [(count, kind) for count, kind in troubles if enough(count, kind) and 2 * count >= ok]
    if standing:
        return max(standing, key=lambda one: one[0])[1]
    return PulseKind.OK if enough(ok, PulseKind.OK) and ok > 2 * (lost + slow) else None


class Indicators:
    """Follows one class, window by window."""

    def __init__(self) -> None:
        """Begin with nothing known."""
        self._changes = {"tension": Change(), "liveliness": Change()}
        self._faces = 0.0
        self._shown_s = -math.inf
        self._present: deque[tuple[float, int]] = deque()
        self._among = 0
        self._verdict: PulseKind | None = None
        self._told: set[AlertKind] = set()
        self._next_alert_s = 0.0

    def add(self, window: WindowSummary) -> tuple[Indicator, Alert | None]:
        """Take in the next window."""
        shares = window.expressions
        if shares is not None:
            self._shown_s = window.end_s
            self._changes["tension"].add(window.start_s, window.length_s, tension(shares))
            self._changes["liveliness"].add(window.start_s, window.length_s, liveliness(shares))
        self._verdict = self._heard(window)
        word, measure = self._faces_word(window.end_s - self._shown_s <= UNSEEN_S)
        sure = self._sureness(window, word, measure)
        indicator = self._indicator(window, word, measure, sure)
        alert = self._alert(window, indicator, sure if measure else Sureness.LOW)
        if shares is not None:
            known_s = max(self._changes["tension"].known_s, window.length_s)
            weight = min(1.0, window.length_s / min(known_s, OLD_BASELINE_S))
            self._faces += weight * (window.analysed - self._faces)
        return indicator, alert

    def _heard(self, window: WindowSummary) -> PulseKind | None:
        """What the votes say, and how many they are among."""
        self._present.append((window.end_s, window.participants))
        while self._present[0][0] <= window.end_s - VOTE_S:
            self._present.popleft()
        self._among = max(sum(window.votes.values()), *(count for _, count in self._present))
        return pulse_verdict(window.votes, self._among, self._verdict) if window.participants else None

    def _faces_word(self, shown: bool) -> tuple[Word, str]:
        """What the faces say, and the share that says it (empty when none does)."""
        if not shown:
            return Word.UNSEEN, ""
        for measure, change in self._changes.items():
            if not change.learnt:
                return Word.SETTLING, ""
            if change.moved:
                return _MOVED_WORDS[measure, change.moved], measure
        return Word.STEADY, ""

    def _sureness(self, window: WindowSummary, word: Word, measure: str) -> Sureness:
        if word in (Word.UNSEEN, Word.SETTLING):
            return Sureness.LOW
        if not self._faces / 2 <= window.analysed <= 2 * self._faces:
            return Sureness.LOW
        seen = window.analysed / max(window.participants, 1)
        levels = [2 if seen >= 2 / 3 else 1 if seen >= 1 / 3 else 0]
        levels.append(2 if self._changes["tension"].known_s >= OLD_BASELINE_S else 1)
        if measure:
            change = self._changes[measure]
            levels.append(2 if abs(change.deviation) >= 1.5 * change.limit else 1)
        else:
            near = all(abs(one.deviation) < one.limit / 2 for one in self._changes.values())
            levels.append(2 if near else 1)
        return _LEVELS[min(levels)]

    def _indicator(self, window: WindowSummary, word: Word, measure: str, sure: Sureness) -> Indicator:
        detail, arrow = self._detail(window, word, measure), "level"
        if measure:
            arrow = "up" if self._changes[measure].moved > 0 else "down"
        disagreement, from_pulses = "", False
        verdict = self._verdict
        outranked = verdict in (PulseKind.LOST, PulseKind.TOO_SLOW) or (
            verdict is PulseKind.OK and word in (*_UNEASY, Word.UNSEEN, Word.SETTLING)
        )
        if verdict is not None and outranked:
            if word not in (Word.UNSEEN, Word.SETTLING) and (verdict is PulseKind.OK or word not in _UNEASY):
                disagreement = f"Faces look {_as_usual(word)}; the taps count."
            part = window.votes.get(verdict, 0) / max(self._among, 1)
            sure = Sureness.HIGH if part >= 2 * _SHARE_OF_VOTES else Sureness.MEDIUM
            word, arrow, from_pulses = Word(verdict.value), "level", True
            detail = self._votes_said(window, verdict)
        return Indicator(
            class_id=window.class_id,
            at_s=window.end_s,
            word=word,
            arrow=arrow,
            sure=sure,
            from_pulses=from_pulses,
            detail=detail,
            disagreement=disagreement,
            analysed=window.analysed,
            participants=window.participants,
        )

    def _detail(self, window: WindowSummary, word: Word, measure: str) -> str:
        if measure:
            return self._moved_said(measure, window.end_s)
        if word is Word.UNSEEN:
            return "too few faces are analysed to say anything"
        if word is Word.SETTLING:
            return "learning what is usual for this class: about three minutes"
        parts = [f"{name} {_points(one.deviation)}" for name, one in self._changes.items()]
        return f"{', '.join(parts)} points against the class's baseline"

    def _moved_said(self, measure: str, end_s: float) -> str:
        change = self._changes[measure]
        side = "over" if change.moved > 0 else "against"
        lasting_s = end_s - (end_s if change.since_s is None else change.since_s)
        moved = f"{measure} {_points(change.deviation)} points {side} the class's baseline"
        return f"{moved} for {_duration(lasting_s)}"

    def _votes_said(self, window: WindowSummary, kind: PulseKind) -> str:
        count = window.votes.get(kind, 0)
        nouns, verb = "student" if self._among == 1 else "students", "says" if count == 1 else "say"
        lately = f"last {VOTE_S / 60:.0f} min"
        return f"{count} of {self._among} {nouns} {verb} {PULSE_WORDS[kind.value]}, {lately}"

    def _alert(self, window: WindowSummary, indicator: Indicator, sure: Sureness) -> Alert | None:
        tense, quiet = self._changes["tension"].moved > 0, self._changes["liveliness"].moved < 0
        standing = {
            AlertKind.LOST: self._verdict is PulseKind.LOST,
            AlertKind.TOO_SLOW: self._verdict is PulseKind.TOO_SLOW,
            AlertKind.TENSION: tense,
            AlertKind.QUIET: quiet,
        }
        self._told &= {kind for kind, stands in standing.items() if stands}
        if window.end_s < self._next_alert_s:
            return None
        heard = sure is not Sureness.LOW and self._verdict is not PulseKind.OK
        for kind, stands in standing.items():
            by_pulses = kind in (AlertKind.LOST, AlertKind.TOO_SLOW)
            if not stands or kind in self._told or not (by_pulses or heard):
                continue
            self._told.add(kind)
            self._next_alert_s = window.end_s + ALERT_EVERY_S
            if by_pulses:
                evidence = self._votes_said(window, PulseKind(kind.value))
            else:
                measure = "tension" if kind is AlertKind.TENSION else "liveliness"
                faces = f"{window.analysed} of {window.participants} face" + "s" * (window.participants != 1)
                evidence = f"{self._moved_said(measure, window.end_s)}, {faces}"
            return Alert(window.class_id, window.end_s, kind, evidence)
        return None


def _points(share: float) -> str:
    """A difference of shares in points, with its sign."""
    points = round(100 * share)
    return f"{points:+d}".replace("-", "−") if points else "0"


def _as_usual(word: Word) -> str:
    return "as usual" if word is Word.STEADY else word.value


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
