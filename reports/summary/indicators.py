"""Turns the windows of a class into one word for the host and, seldom, an alert.

The result depends on the windows alone. The live page, a page that is opened late and the report therefore
always agree.

* Faces: tension (angry + disgust + fear + sad) and liveliness (happy + surprise) are each compared with the
  class's own baseline (``reports.summary.change``). If tension has moved, the word is *tenser* or *calmer*;
  otherwise, if liveliness has moved, *livelier* or *quieter*; otherwise *steady*. Without published shares
  the word stays for ``UNSEEN_S`` seconds, then it is *unseen*.
* Votes: what each student said last, within ``VOTE_S`` seconds, see ``reports.summary.verdict``. Shares are
  of the peak attendance within ``VOTE_S`` seconds, because a vote outlives a student who leaves. While nobody
  is present there is no verdict.
* Votes outrank faces: a trouble that is the verdict always becomes the word. *OK* becomes the word when the
  faces look tenser or quieter, or show nothing, and it holds their alert back. ``disagreement`` then says
  what the faces show. Where faces show nothing, the first *lost* becomes the word too.
* Level: *act* for a trouble that is the verdict; *caution* when a recent vote is *lost*, when another trouble
  has half the needed votes, or when the faces look tenser or quieter and the sureness is not low; otherwise
  *calm*. *None* without figures.
* The host can say "I dealt with it" (``calm``). Votes until then no longer count, alerts end, and the fast
  means of the faces start again at their baselines.
* Sureness is the lowest of three levels: the share of participants who were analysed (high from 2/3, medium
  from 1/3), the deviation (high from 1.5 times the limit), and the age of the baseline (high from 10
  minutes). It is low when the number of analysed participants is less than half or more than twice its
  running mean, because other people are then being compared.
* Alerts: the verdict is a trouble, tension has risen, or liveliness has fallen. There is at most one alert in
  ``ALERT_EVERY_S`` seconds and one for each episode, and none from faces when the sureness is low. An alert
  ends with the episode.

Limits: many students who are lost do not tap. A word says that shares have moved by more than their noise,
not why. Students who come or go change the means too.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from typing import Final

from reports.summary.change import Change
from reports.summary.indications import Alert, AlertKind, Indications, Indicator, Level, Sureness, Word
from reports.summary.shares import liveliness, tension
from reports.summary.verdict import TROUBLES, is_clear, needed_votes, verdict
from reports.summary.windows import VOTE_S, PulseKind, WindowSummary
from reports.summary.words import N_, PULSE_WORDS

ALERT_EVERY_S: Final = 300.0
"""Least time between two alerts, seconds."""

OLD_BASELINE_S: Final = 600.0
"""Age of the baseline from which the sureness can be high, seconds."""

UNSEEN_S: Final = 20.0
"""How long the word from faces stays without a window that has shares, seconds."""

_LEVELS = (Sureness.LOW, Sureness.MEDIUM, Sureness.HIGH)
_MOVED_WORDS = {
    ("tension", 1): Word.TENSER,
    ("tension", -1): Word.CALMER,
    ("liveliness", 1): Word.LIVELIER,
    ("liveliness", -1): Word.QUIETER,
}
_UNEASY = (Word.TENSER, Word.QUIETER)
_DISAGREEMENTS: Final = {
    Word.STEADY: N_("Faces look as usual; what students say counts."),
    Word.LIVELIER: N_("Faces look livelier; what students say counts."),
    Word.QUIETER: N_("Faces look quieter; what students say counts."),
    Word.TENSER: N_("Faces look tenser; what students say counts."),
    Word.CALMER: N_("Faces look calmer; what students say counts."),
}
_MOVED_DETAILS: Final = {
    ("tension", 1): N_("tension %(points)s points over the class's baseline for %(time)s"),
    ("tension", -1): N_("tension %(points)s points under the class's baseline for %(time)s"),
    ("liveliness", 1): N_("liveliness %(points)s points over the class's baseline for %(time)s"),
    ("liveliness", -1): N_("liveliness %(points)s points under the class's baseline for %(time)s"),
}

_RECENT: Final = 0.5
"""Weight from which a single vote is recent."""

_NO_FIGURES = (Word.UNSEEN, Word.SETTLING)
_ALERTS_BY_VOTES = (AlertKind.LOST, AlertKind.TOO_FAST, AlertKind.TOO_SLOW)


def indicate(
    windows: Sequence[WindowSummary], calms_s: Iterable[float] = (), say: Callable[[str], str] = str
) -> Indications:
    """The indicator and all alerts of a class.

    Args:
        windows: In any order; one is counted for each start.
        calms_s: When the host dealt with what the word said, seconds since the class began.
        say: Translates the figures in words.
    """
    indicators = Indicators(say)
    now, alerts = None, dict[float, Alert]()
    for calm_s in sorted(calms_s):
        indicators.calm(calm_s)
    for _, window in sorted({window.start_s: window for window in windows}.items()):
        now, changed = indicators.add(window)
        alerts |= {alert.at_s: alert for alert in changed}
    calmed, ended = indicators.settle()
    alerts |= {alert.at_s: alert for alert in ended}
    return Indications(calmed or now, tuple(alerts.values()))


class Indicators:
    """Follows one class, window by window."""

    def __init__(self, say: Callable[[str], str] = str) -> None:
        """Start without windows; ``say`` translates the figures in words."""
        self._say = say
        self._changes = {"tension": Change(), "liveliness": Change()}
        self._usual_analysed = 0.0  # running mean of the analysed participants
        self._last_shares_s = -math.inf  # end of the last window that had shares
        self._attendance: deque[tuple[float, int]] = deque()  # end and participants of the last windows
        self._peak_attendance = 0
        self._verdict: PulseKind | None = None
        self._active: dict[AlertKind, Alert] = {}  # alerts whose episode lasts
        self._next_alert_s = 0.0
        self._calms_s: list[float] = []  # after the last window, in order
        self._last: WindowSummary | None = None
        self._shown: tuple[Word, Level, float] | None = None  # word, level, and since when

    def add(self, window: WindowSummary) -> tuple[Indicator, tuple[Alert, ...]]:
        """Add the next window; returns its indicator, and the alerts that began or ended in it."""
        ended = self._apply_calms(window.end_s)
        shares = window.expressions
        if shares is not None:
            self._last_shares_s = window.end_s
            self._changes["tension"].add(window.start_s, window.length_s, tension(shares))
            self._changes["liveliness"].add(window.start_s, window.length_s, liveliness(shares))
        self._last = window
        self._update_verdict(window)
        word, measure = self._faces_word(window.end_s)
        sure = self._sureness(window, word, measure)
        indicator = self._indicator(window, word, measure, sure)
        changed = self._alerts(window, sure if measure else Sureness.LOW)
        if shares is not None:
            known_s = max(self._changes["tension"].known_s, window.length_s)
            weight = min(1.0, window.length_s / min(known_s, OLD_BASELINE_S))
            self._usual_analysed += weight * (window.analysed - self._usual_analysed)
        return indicator, (*ended, *changed)

    def calm(self, at_s: float) -> None:
        """The host dealt with what the word says; applied with the next window, or by ``settle``."""
        self._calms_s.append(at_s)

    def settle(self) -> tuple[Indicator | None, tuple[Alert, ...]]:
        """Apply ``calm`` without waiting for a window.

        Returns:
            The indicator, None without windows or when nothing was waiting; and the alerts that ended.
        """
        if self._last is None or not self._calms_s:
            return None, ()
        at_s = self._calms_s[-1]
        ended = self._apply_calms(math.inf)
        window = replace(self._last, votes={}, weights={})
        word, measure = self._faces_word(window.end_s)
        indicator = self._indicator(window, word, measure, self._sureness(window, word, measure))
        self._shown = (indicator.word, indicator.level, at_s)
        return replace(indicator, at_s=max(at_s, indicator.at_s), since_s=at_s), ended

    def _apply_calms(self, before_s: float) -> tuple[Alert, ...]:
        """Reset verdict and faces for every ``calm`` before a time; returns the alerts that ended by it."""
        ended: list[Alert] = []
        while self._calms_s and self._calms_s[0] < before_s:
            at_s = self._calms_s.pop(0)
            self._verdict = None
            for change in self._changes.values():
                change.restart()
            ended += [replace(alert, ended_s=at_s) for alert in self._active.values()]
            self._active.clear()
        return tuple(ended)

    def _update_verdict(self, window: WindowSummary) -> None:
        """Set the peak attendance and the verdict of the window's votes."""
        self._attendance.append((window.end_s, window.participants))
        while self._attendance[0][0] <= window.end_s - VOTE_S:
            self._attendance.popleft()
        self._peak_attendance = max(sum(window.votes.values()), *(count for _, count in self._attendance))
        found = verdict(window, self._peak_attendance, self._verdict)
        self._verdict = found if window.participants else None

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
        said = self._said(window, word)
        if said is not None:
            if word not in _NO_FIGURES and (said is PulseKind.OK or word not in _UNEASY):
                disagreement = self._say(_DISAGREEMENTS[word])
            share = window.votes.get(said, 0) / max(self._peak_attendance, 1)
            sure = Sureness.HIGH if is_clear(share) else Sureness.MEDIUM
            word, arrow, from_pulses = Word(said.value), "level", True
            detail = self._votes_detail(window, said)
        elif window.votes.get(PulseKind.LOST, 0):
            detail = f"{self._votes_detail(window, PulseKind.LOST)}; {detail}"
        level = self._level(window, word, sure)
        if self._shown is None or self._shown[:2] != (word, level):
            self._shown = (word, level, window.end_s)
        return Indicator(
            class_id=window.class_id,
            at_s=window.end_s,
            word=word,
            level=level,
            since_s=self._shown[2],
            arrow=arrow,
            sure=sure,
            from_pulses=from_pulses,
            detail=detail,
            disagreement=disagreement,
            analysed=window.analysed,
            participants=window.participants,
        )

    def _said(self, window: WindowSummary, faces: Word) -> PulseKind | None:
        """What the students say that becomes the word instead of what the faces show."""
        if self._verdict in TROUBLES:
            return self._verdict
        if self._verdict is PulseKind.OK:
            return PulseKind.OK if faces in (*_UNEASY, *_NO_FIGURES) else None
        if faces in _NO_FIGURES and window.votes.get(PulseKind.LOST, 0) and window.participants:
            return PulseKind.LOST
        return None

    def _level(self, window: WindowSummary, word: Word, sure: Sureness) -> Level:
        if self._verdict in TROUBLES:
            return Level.ACT
        needed = needed_votes(self._peak_attendance)
        troubled = window.weight(PulseKind.LOST) >= _RECENT or any(
            window.weight(kind) >= needed / 2 for kind in TROUBLES
        )
        if (troubled and window.participants) or (word in _UNEASY and sure is not Sureness.LOW):
            return Level.CAUTION
        return Level.NONE if word in _NO_FIGURES else Level.CALM

    def _detail(self, window: WindowSummary, word: Word, measure: str) -> str:
        if measure:
            return self._moved_detail(measure, window.end_s)
        if word is Word.UNSEEN:
            return self._say(N_("too few faces are analysed for a word"))
        if word is Word.SETTLING:
            return self._say(N_("learning what is usual for this class: about three minutes"))
        steady = N_("tension %(tension)s, liveliness %(liveliness)s points from the class's baseline")
        return self._say(steady) % {name: _points(one.deviation) for name, one in self._changes.items()}

    def _moved_detail(self, measure: str, end_s: float) -> str:
        change = self._changes[measure]
        lasting_s = end_s - (end_s if change.since_s is None else change.since_s)
        moved = self._say(_MOVED_DETAILS[measure, change.moved])
        return moved % {"points": _points(change.deviation), "time": self._duration(lasting_s)}

    def _duration(self, seconds: float) -> str:
        if seconds < 90:
            return self._say(N_("%(count)s s")) % {"count": f"{seconds:.0f}"}
        return self._say(N_("%(count)s min")) % {"count": f"{seconds / 60:.0f}"}

    def _votes_detail(self, window: WindowSummary, kind: PulseKind) -> str:
        count = window.votes.get(kind, 0)
        if self._peak_attendance == 1:
            text = N_("1 of 1 student says %(word)s, last %(minutes)s min")
        elif count == 1:
            text = N_("1 of %(all)s students says %(word)s, last %(minutes)s min")
        else:
            text = N_("%(count)s of %(all)s students say %(word)s, last %(minutes)s min")
        return self._say(text) % {
            "count": count,
            "all": self._peak_attendance,
            "word": self._say(PULSE_WORDS[kind.value]),
            "minutes": f"{VOTE_S / 60:.0f}",
        }

    def _faces_detail(self, window: WindowSummary) -> str:
        text = N_("1 of 1 face") if window.participants == 1 else N_("%(seen)s of %(all)s faces")
        return self._say(text) % {"seen": window.analysed, "all": window.participants}

    def _alerts(self, window: WindowSummary, sure: Sureness) -> tuple[Alert, ...]:
        """The alerts that end, and the one that is due; ``sure`` is the sureness of a shift of the faces."""
        lasting = {kind: self._verdict is PulseKind(kind.value) for kind in _ALERTS_BY_VOTES}
        lasting[AlertKind.TENSION] = self._changes["tension"].moved > 0
        lasting[AlertKind.QUIET] = self._changes["liveliness"].moved < 0
        ended = [
            replace(self._active.pop(kind), ended_s=window.end_s)
            for kind in tuple(self._active)
            if not lasting[kind]
        ]
        due = self._due(window, [kind for kind, lasts in lasting.items() if lasts], sure)
        return (*ended, *due)

    def _due(self, window: WindowSummary, kinds: Sequence[AlertKind], sure: Sureness) -> tuple[Alert, ...]:
        """The alert to raise now for one of the ``kinds`` whose cause lasts; at most one."""
        if window.end_s < self._next_alert_s:
            return ()
        faces_allowed = sure is not Sureness.LOW and self._verdict is not PulseKind.OK
        for kind in kinds:
            by_votes = kind in _ALERTS_BY_VOTES
            if kind in self._active or not (by_votes or faces_allowed):
                continue
            self._next_alert_s = window.end_s + ALERT_EVERY_S
            if by_votes:
                evidence = self._votes_detail(window, PulseKind(kind.value))
            else:
                measure = "tension" if kind is AlertKind.TENSION else "liveliness"
                evidence = f"{self._moved_detail(measure, window.end_s)}, {self._faces_detail(window)}"
            alert = Alert(window.class_id, window.end_s, kind, evidence)
            self._active[kind] = alert
            return (alert,)
        return ()


def _points(share: float) -> str:
    """A difference of shares in percentage points, with its sign."""
    points = round(100 * share)
    return f"{points:+d}".replace("-", "−") if points else "0"
