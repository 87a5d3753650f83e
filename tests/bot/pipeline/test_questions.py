"""Questions to the class: who answered is held only while they are open, and what is published is counts."""

from __future__ import annotations

import asyncio

import pytest

from bot.pipeline.asking import Asking
from bot.rooms.contract import Answered, Joined, Left, OptedOut, Pulse
from reports.summary.asks import ASK_S, USUAL_ANSWERS, Ask, alert_score
from reports.summary.windows import PulseKind
from tests.bot.pipeline.test_supervisor import RunningPipeline, wait_until


def usual(alert_at_s: float | None = None) -> Asking:
    return Asking("c", 10.0, "", (), alert_at_s)


def test_a_participant_has_one_answer_and_the_others_are_silent() -> None:
    asking = usual()
    assert asking.closes_s == 10 + ASK_S
    assert asking.answer("a", 2, by_chat=False) == "lost"
    assert asking.answer("a", 1, by_chat=False) == "with_me"
    assert asking.answer("b", 2, by_chat=True) == "lost"
    assert asking.answer("b", 5, by_chat=True) is None
    assert asking.answer("b", 0, by_chat=True) is None
    asked = asking.state({"a", "b", "c", "d"})
    assert asked.counts == {"with_me": 1, "lost": 1, "too_fast": 0, "too_slow": 0}
    assert (asked.silent, asked.by_chat, asked.open) == (2, 1, True)
    closed = asking.state({"a", "b", "c", "d"}, 25.0)
    assert (closed.open, closed.closes_s) == (False, 25.0)


def test_an_erased_participant_has_no_answer_and_one_who_left_keeps_it() -> None:
    asking = usual()
    for who in "ab":
        asking.answer(who, 2, by_chat=False)
    asking.erase("a")
    asked = asking.state({"c"})
    assert (asked.counts["lost"], asked.silent) == (1, 0)


def test_answers_from_beside_the_room_count_against_the_silent_ones() -> None:
    """A student of the room who answers on the page of the entrance is not silent."""
    asking = usual()
    asking.answer("on-the-page", 1, by_chat=False)
    assert asking.state({"a", "b", "c"}).silent == 2


def ask(alert_at_s: float | None, with_me: int, lost: int, silent: int, at_s: float = 0.0) -> Ask:
    counts = {"with_me": with_me, "lost": lost}
    return Ask("a", "c", at_s, 30.0, "", tuple(USUAL_ANSWERS), counts, silent, 0, alert_at_s)


@pytest.mark.parametrize(
    ("with_me", "lost", "silent", "confirmed"),
    [(20, 4, 6, True), (21, 3, 6, False), (24, 0, 0, False), (5, 4, 21, None), (0, 1, 0, True)],
)
def test_answers_confirm_or_refute_an_alert_if_enough_students_answer(
    with_me: int, lost: int, silent: int, confirmed: bool | None
) -> None:
    assert ask(5.0, with_me, lost, silent).confirmed is confirmed
    assert ask(None, with_me, lost, silent).confirmed is None


def test_the_last_question_about_an_alert_counts() -> None:
    asks = [ask(5.0, 20, 8, 2), ask(5.0, 28, 0, 2), ask(300.0, 10, 10, 0), ask(700.0, 1, 0, 29)]
    assert alert_score(asks) == (1, 2)


async def test_the_usual_question_ends_earlier_votes_and_its_answers_are_votes() -> None:
    pipeline = RunningPipeline(window_s=2.0)
    pipeline.room.emit(*(Joined(who) for who in "abc"), Pulse("c", PulseKind.LOST))
    await wait_until(lambda: len(pipeline.sink.pulses) == 1)
    asked = await pipeline.questions.ask("", (), None)
    assert (asked.silent, pipeline.room.questions) == (3, [asked])
    pipeline.room.emit(Answered("a", 1), Answered("b", 2), Answered("b", 1), Left("b"))
    await wait_until(lambda: pipeline.sink.asks[-1].answered == 2)
    assert pipeline.sink.asks[-1].counts["with_me"] == 2
    (window, *_) = await pipeline.windows()
    assert (window.votes["ok"], window.votes["lost"], window.pulses["lost"]) == (2, 0, 1)
    pipeline.room.emit(OptedOut("a"))
    await wait_until(lambda: pipeline.sink.asks[-1].answered == 1)
    await pipeline.end()
    assert (pipeline.sink.asks[-1].open, pipeline.room.questions[-1]) == (False, None)
    assert pipeline.questions.open_question() is None


async def test_a_question_of_the_hosts_own_leaves_the_votes_alone() -> None:
    pipeline = RunningPipeline()
    pipeline.room.emit(Joined("a"), Pulse("a", PulseKind.LOST))
    await wait_until(lambda: len(pipeline.sink.pulses) == 1)
    first = await pipeline.questions.ask("Which?", ["this", "that"], None)
    pipeline.room.emit(Answered("a", 2), Answered("a", 3))
    await wait_until(lambda: pipeline.sink.asks[-1].answered == 1)
    assert pipeline.sink.asks[-1].counts == {"this": 0, "that": 1}
    second = await pipeline.questions.ask("", (), 3.0)
    closed = next(asked for asked in pipeline.sink.asks if not asked.open)
    assert (closed.id, second.alert_at_s) == (first.id, 3.0)
    await pipeline.end()
    assert pipeline.sink.windows[0].votes["lost"] in (0, 1)


async def test_a_question_closes_in_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bot.pipeline.asking.ASK_S", 0.3)
    pipeline = RunningPipeline()
    pipeline.room.emit(Joined("a"))
    await asyncio.sleep(0.05)
    await pipeline.questions.ask("", (), None)
    await wait_until(lambda: not pipeline.sink.asks[-1].open)
    pipeline.room.emit(Answered("a", 1))
    await pipeline.end()
    assert pipeline.sink.asks[-1].answered == 0
