"""Turns the windows of a class into one word for the host and, seldom, an alert.

The result depends on the windows alone. The live page, a page that is opened late and the report therefore
always agree.

* Faces: tension (angry + disgust + fear + sad) and liveliness (happy + surprise) are each compared with the
  class's own baseline (``reports.summary.change``). If tension has moved, the word is *tenser* or *calmer*;
  otherwise, if liveliness has moved, *livelier* or *quieter*; otherwise *steady*. Without published shares
  the word stays for ``UNSEEN_S`` seconds, then it is *unseen*.
* Votes: what each student tapped last, within ``VOTE_S`` seconds. The verdict is *lost* or *too slow* when at
  least ``max(3, 15 %)`` of the students vote so (all of them, if there are fewer than three) and at least
  half as many as vote *OK*. It is *OK* when that many vote so, and more than twice as many as vote *lost* or
  *too slow*. A verdict holds until its votes fall below half the required number, or until enough students,
  and more of them, vote for the other trouble. The percentage is of the peak attendance within ``VOTE_S``
  seconds, because a vote outlives a student who leaves. While nobody is present there is no verdict.
* Votes outrank faces: *lost* and *too slow* always become the word. *OK* becomes the word when the faces look
  tenser or quieter, or show nothing, and it holds their alert back. ``disagreement`` then says what the faces
  show.
* Sureness is the lowest of three levels: the share of participants who were analysed (high from 2/3, medium
  from 1/3), the deviation (high from 1.5 times the limit), and the age of the baseline (high from 10
  minutes). It is low when the number of analysed participants is less than half or more than twice its
  running mean, because other people are then being compared.
* Alerts: the verdict is *lost* or *too slow*, tension has risen, or liveliness has fallen. There is at most
  one alert in ``ALERT_EVERY_S`` seconds and one for each episode, and none from faces when the sureness is
  low.

Limits: many students who are lost do not tap. A word says that shares have moved by more than their noise,
not why. Students who come or go change the means too.
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
"""Age of the baseline from which the sureness can be high, seconds."""

UNSEEN_S: Final = 20.0
"""How long the word from faces stays without a window that has shares, seconds."""

_MIN_SHARE_OF_VOTES, _MIN_VOTES = 0.15, 3
"""Votes that a verdict needs: as a share of the students, and as a number."""

_LEVELS = (Sureness.LOW, Sureness.MEDIUM, Sureness.HIGH)
_MOVED_WORDS = {
    ("tension", 1): Word.TENSER,
    ("tension", -1): Word.CALMER,
    ("liveliness", 1): Word.LIVELIER,
    ("liveliness", -1): Word.QUIETER,
}
_UNEASY = (Word.TENSER, Word.QUIETER)
_NO_FIGURES = (Word.UNSEEN, Word.SETTLING)


def indicate(windows: Sequence[WindowSummary]) -> Indications:
    """The indicator and all alerts of a class; windows in any order, one counted for each start."""
    indicators = Indicators()
    now, alerts = None, []
    ordered = sorted({window.start_s: window for window in windows}.items())
    for _, window in ordered:
        now, alert = indicators.add(window)
        if alert is not None:
            alerts.append(alert)
    return Indications(now, tuple(alerts))


def pulse_verdict(
    votes: Mapping[str, int], peak_attendance: int, previous: PulseKind | None
) -> PulseKind | None:
    """The verdict of the students' votes; None when there are too few votes or they disagree.

    Args:
        votes: Votes by kind.
        peak_attendance: The most students who were present within the last ``VOTE_S`` seconds.
        previous: The verdict before this window; it needs only half the votes to hold.
    """
    lost, slow, ok = (votes.get(kind, 0) for kind in (PulseKind.LOST, PulseKind.TOO_SLOW, PulseKind.OK))

    def enough(count: int, kind: PulseKind) -> bool:
        share = math.ceil(_MIN_SHARE_OF_VOTES * peak_attendance)
        needed = max(min(_MIN_VOTES, peak_attendance), share, 1)
        return count >= (needed / 2 if previous is kind else needed)

    troubles = [(lost, PulseKind.LOST), (slow, PulseKind.TOO_SLOW)]
    supported = [(count, kind) for count, kind in troubles if enough(count, kind) and 2 * count >= ok]
    if supported:
        return max(supported, key=lambda counted: counted[0])[1]
    return PulseKind.OK if enough(ok, PulseKind.OK) and ok > 2 * (lost + slow) else None


class Indicators:
    """Follows one class, window by window."""

    def __init__(self) -> None:
        """Start without windows."""
        self._changes = {"tension": Change(), "liveliness": Change()}
        self._usual_analysed = 0.0  # running mean of the analysed participants
        self._last_shares_s = -math.inf  # end of the last window that had shares
        self._attendance: deque[tuple[float, int]] = deque()  # end and participants of the last windows
        self._peak_attendance = 0
        self._verdict: PulseKind | None = None
        self._announced: set[AlertKind] = set()  # episodes that last
        self._next_alert_s = 0.0

    def add(self, window: WindowSummary) -> tuple[Indicator, Alert | None]:
        """Add the next window; returns its indicator, and an alert if one is due."""
        shares = window.expressions
        if shares is not None:
            self._last_shares_s = window.end_s
            self._changes["tension"].add(window.start_s, window.length_s, tension(shares))
            self._changes["liveliness"].add(window.start_s, window.length_s, liveliness(shares))
        self._update_verdict(window)
        word, measure = self._faces_word(window.end_s)
        sure = self._sureness(window, word, measure)
        indicator = self._indicator(window, word, measure, sure)
        alert = self._alert(window, sure if measure else Sureness.LOW)
        if shares is not None:
            known_s = max(self._changes["tension"].known_s, window.length_s)
            weight = min(1.0, window.length_s / min(known_s, OLD_BASELINE_S))
            self._usual_analysed += weight * (window.analysed - self._usual_analysed)
        return indicator, alert

    def _update_verdict(self, window: WindowSummary) -> None:
        """Set the peak attendance and the verdict of the window's votes."""
        self._attendance.append((window.end_s, window.participants))
        while self._attendance[0][0] <= window.end_s - VOTE_S:
            self._attendance.popleft()
        self._peak_attendance = max(sum(window.votes.values()), *(count for _, count in self._attendance))
        verdict = pulse_verdict(window.votes, self._peak_attendance, self._verdict)
        self._verdict = verdict if window.participants else None

    def _faces_word(self, end_s: float) -> tuple[Word, str]:
        """The word from the faces, and the measure that has moved (empty when none has)."""
        if end_s - self._last_shares_s > UNSEEN_S:
            return Word.UNSEEN, ""
        for measure, change in self._changes.items():
            if not change.learnt:
                return Word.SETTLING, ""
            if change.moved:
                return _MOVED_WORDS[measure, change.moved], measure
        return Word.STEADY, ""

    def _sureness(self, window: WindowSummary, word: Word, measure: str) -> Sureness:
        if word in _NO_FIGURES:
            return Sureness.LOW
        if not self._usual_analysed / 2 <= window.analysed <= 2 * self._usual_analysed:
            return Sureness.LOW
        coverage = window.analysed / max(window.participants, 1)
        levels = [2 if coverage >= 2 / 3 else 1 if coverage >= 1 / 3 else 0]
        levels.append(2 if self._changes["tension"].known_s >= OLD_BASELINE_S else 1)
        if measure:
            change = self._changes[measure]
            levels.append(2 if abs(change.deviation) >= 1.5 * change.limit else 1)
        else:
            is_near = all(abs(change.deviation) < change.limit / 2 for change in self._changes.values())
            levels.append(2 if is_near else 1)
        return _LEVELS[min(levels)]

    def _indicator(self, window: WindowSummary, word: Word, measure: str, sure: Sureness) -> Indicator:
        detail, arrow = self._detail(window, word, measure), "level"
        if measure:
            arrow = "up" if self._changes[measure].moved > 0 else "down"
        disagreement, from_pulses = "", False
        verdict = self._verdict
        outranks = verdict in (PulseKind.LOST, PulseKind.TOO_SLOW) or (
            verdict is PulseKind.OK and word in (*_UNEASY, *_NO_FIGURES)
        )
        if verdict is not None and outranks:
            if word not in _NO_FIGURES and (verdict is PulseKind.OK or word not in _UNEASY):
                disagreement = f"Faces look {_as_usual(word)}; the taps count."
            share = window.votes.get(verdict, 0) / max(self._peak_attendance, 1)
            sure = Sureness.HIGH if share >= 2 * _MIN_SHARE_OF_VOTES else Sureness.MEDIUM
            word, arrow, from_pulses = Word(verdict.value), "level", True
            detail = self._votes_detail(window, verdict)
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
            return self._moved_detail(measure, window.end_s)
        if word is Word.UNSEEN:
            return "too few faces are analysed for a word"
        if word is Word.SETTLING:
            return "learning what is usual for this class: about three minutes"
        parts = [f"{name} {_points(change.deviation)}" for name, change in self._changes.items()]
        return f"{', '.join(parts)} points from the class's baseline"

    def _moved_detail(self, measure: str, end_s: float) -> str:
        change = self._changes[measure]
        side = "over" if change.moved > 0 else "under"
        lasting_s = end_s - (end_s if change.since_s is None else change.since_s)
        moved = f"{measure} {_points(change.deviation)} points {side} the class's baseline"
        return f"{moved} for {_duration(lasting_s)}"

    def _votes_detail(self, window: WindowSummary, kind: PulseKind) -> str:
        count = window.votes.get(kind, 0)
        nouns, verb = "student" if self._peak_attendance == 1 else "students", "says" if count == 1 else "say"
        vote = f"{count} of {self._peak_attendance} {nouns} {verb} {PULSE_WORDS[kind.value]}"
        return f"{vote}, last {VOTE_S / 60:.0f} min"

    def _alert(self, window: WindowSummary, sure: Sureness) -> Alert | None:
        """The alert that is due; ``sure`` is the sureness of a shift of the faces, low without one."""
        active = {
            AlertKind.LOST: self._verdict is PulseKind.LOST,
            AlertKind.TOO_SLOW: self._verdict is PulseKind.TOO_SLOW,
            AlertKind.TENSION: self._changes["tension"].moved > 0,
            AlertKind.QUIET: self._changes["liveliness"].moved < 0,
        }
        self._announced &= {kind for kind, is_active in active.items() if is_active}
        if window.end_s < self._next_alert_s:
            return None
        faces_allowed = sure is not Sureness.LOW and self._verdict is not PulseKind.OK
        for kind, is_active in active.items():
            by_pulses = kind in (AlertKind.LOST, AlertKind.TOO_SLOW)
            if not is_active or kind in self._announced or not (by_pulses or faces_allowed):
                continue
            self._announced.add(kind)
            self._next_alert_s = window.end_s + ALERT_EVERY_S
            if by_pulses:
                evidence = self._votes_detail(window, PulseKind(kind.value))
            else:
                measure = "tension" if kind is AlertKind.TENSION else "liveliness"
                faces = f"{window.analysed} of {window.participants} face" + "s" * (window.participants != 1)
                evidence = f"{self._moved_detail(measure, window.end_s)}, {faces}"
            return Alert(window.class_id, window.end_s, kind, evidence)
        return None


def _points(share: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    points = round(100 * share)
    return f"{points:+d}".replace("-", "−") if points else "0"


def _as_usual(word: Word) -> str:
    return "as usual" if word is Word.STEADY else word.value


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds < 90 else f"{seconds / 60:.0f} min"
