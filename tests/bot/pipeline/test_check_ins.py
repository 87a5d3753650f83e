"""Check-ins: only about participants who agreed, relative to their own baseline, and discarded on request."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest

from bot.pipeline.check_ins import LASTING_S, REPEAT_S, CheckIns
from bot.pipeline.observation import Observation
from inference.emotions import EMOTIONS
from reports.summary.records import CheckIn, CheckInKind
from reports.summary.windows import NotAnalysed, PulseKind


def observation(participant_id: str, at_s: float, tense: float) -> Observation:
    probs = np.zeros(len(EMOTIONS), np.float32)
    probs[EMOTIONS.index("sad")], probs[EMOTIONS.index("neutral")] = tense, 1 - tense
    return Observation(participant_id, at_s, 1, probs, None)


def observe_windows(
    check_ins: CheckIns, from_s: float, seconds: float, tense: float, *who: str
) -> list[CheckIn]:
    """Add ten noisy observations to each window of five seconds; return the check-ins of all windows."""
    rng = np.random.default_rng(round(from_s))
    found = []
    for start_s in np.arange(from_s, from_s + seconds, 5.0):
        for participant_id in who:
            for share in np.clip(rng.normal(tense, 0.1, 10), 0, 1):
                check_ins.add(observation(participant_id, float(start_s), float(share)))
        found += check_ins.close(float(start_s), 5.0)
    return found


def test_only_participants_who_agreed_get_a_check_in() -> None:
    check_ins = CheckIns("c1")
    check_ins.set_consent("anna", True)
    check_ins.set_consent("ben", False)
    assert observe_windows(check_ins, 0, 600, 0.2, "anna", "ben") == []
    found = observe_windows(check_ins, 600, 400, 0.7, "anna", "ben")
    assert [(one.participant_id, one.kind, one.name) for one in found] == [
        ("anna", CheckInKind.TENSION, None)
    ]
    assert found[0].at_s - 600 >= LASTING_S
    assert found[0].reason.startswith("tension +")
    assert found[0].reason.endswith("points over their own baseline for 3 min")


def test_a_short_rise_usual_tension_and_absence_are_no_reason_for_a_check_in() -> None:
    check_ins = CheckIns("c1")
    check_ins.set_consent("anna", True)
    assert observe_windows(check_ins, 0, 600, 0.2, "anna") == []
    assert observe_windows(check_ins, 600, 120, 0.7, "anna") == []
    assert observe_windows(check_ins, 720, 1800, 0.2, "anna") == []
    check_ins.add(Observation("anna", 2520, 0, None, NotAnalysed.NO_FACE))
    assert observe_windows(check_ins, 2520, 3600, 0.2) == []


@pytest.mark.parametrize(
    ("taps_s", "expected"),
    [((10, 100, 200), True), ((10, 12, 14), False), ((10, 200), False), ((10, 400, 800), False)],
)
def test_three_taps_of_lost_in_ten_minutes_give_a_check_in_unless_they_are_one_burst(
    taps_s: tuple[float, ...], expected: bool
) -> None:
    check_ins = CheckIns("c1")
    check_ins.set_consent("anna", True)
    found = []
    for start_s in range(0, 900, 5):
        for at_s in taps_s:
            if start_s <= at_s < start_s + 5:
                check_ins.pulse("anna", PulseKind.LOST, at_s)
                check_ins.pulse("anna", PulseKind.OK, at_s)
                check_ins.pulse("ben", PulseKind.LOST, at_s)
        found += check_ins.close(start_s, 5)
    assert [one.reason for one in found] == (["tapped lost 3 times in 10 min"] if expected else [])


def test_a_participant_gets_at_most_one_check_in_in_twenty_minutes() -> None:
    check_ins = CheckIns("c1")
    check_ins.set_consent("anna", True)
    found = []
    for start_s in range(0, 3600, 5):
        if start_s % 60 == 0:
            check_ins.pulse("anna", PulseKind.LOST, start_s)
        found += check_ins.close(start_s, 5)
    times = [one.at_s for one in found]
    assert len(times) == 3
    assert all(later - earlier >= REPEAT_S for earlier, later in pairwise(times))


def test_a_withdrawn_consent_discards_the_baseline() -> None:
    check_ins = CheckIns("c1")
    check_ins.set_consent("anna", True)
    observe_windows(check_ins, 0, 600, 0.2, "anna")
    check_ins.set_consent("anna", False)
    assert observe_windows(check_ins, 600, 400, 0.7, "anna") == []
    check_ins.set_consent("anna", True)
    assert observe_windows(check_ins, 1000, 300, 0.7, "anna") == [], "the baseline is learned again"
