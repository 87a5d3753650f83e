"""The part of the host's API about asking the class, and about dealing with what it says."""

from __future__ import annotations

import math
from typing import Final

from aiohttp import web

from reports.summary.asks import MAX_ANSWERS, MIN_ANSWERS
from reports.web.api import MAX_MARKERS, json_body, text_field
from reports.web.context import CLASS_ID, CONTEXT, find_class
from reports.web.responses import json_answer

QUESTION_CHARS: Final = 200
ANSWER_CHARS: Final = 40
MAX_ASKS: Final = 200
"""Limit of questions to one class."""


async def ask_class(request: web.Request) -> web.Response:
    """POST /api/classes/ID/asks: ask the class."""
    info = await find_class(request)
    body = await json_body(request)
    question = text_field(body, "question", QUESTION_CHARS, "")
    answers = _answers(body.get("answers"))
    if bool(question) is not bool(answers):
        raise web.HTTPBadRequest(text="give a question and its answers, or neither for the usual question")
    alert_at_s = _seconds(body.get("alert_at_s"))
    if len(await request.app[CONTEXT].store.asks(info.id)) >= MAX_ASKS:
        raise web.HTTPConflict(text=f"the class was already asked {MAX_ASKS} times, the most possible")
    ask = await request.app[CONTEXT].controller.ask(info.id, question, answers, alert_at_s)
    if ask is None:
        raise web.HTTPConflict(text="the class is not running: ask while it runs")
    return json_answer(ask.to_json(), status=201)


async def list_asks(request: web.Request) -> web.Response:
    """GET /api/classes/ID/asks: the questions to the class with their answers, oldest first."""
    info = await find_class(request)
    context = request.app[CONTEXT]
    asks = await context.store.asks(info.id)
    opened = context.controller.open_question(info.id)
    return json_answer([ask.to_json() for ask in (*asks, *([opened] if opened else []))])


async def calm(request: web.Request) -> web.Response:
    """POST /api/classes/ID/calm: the host dealt with what the word says."""
    info = await find_class(request)
    if len(await request.app[CONTEXT].store.markers(info.id)) >= MAX_MARKERS:
        raise web.HTTPConflict(text=f"the class already has {MAX_MARKERS} markers, the most a class can have")
    marker = await request.app[CONTEXT].controller.calm(info.id)
    if marker is None:
        raise web.HTTPConflict(text="the class is not running: there is nothing to deal with")
    return json_answer(marker.to_json(), status=201)


def _answers(value: object) -> list[str]:
    """The answers to a question of the host's own; empty when there are none.

    Raises:
        HTTPBadRequest: they are not two to four different short texts.
    """
    if value is None or value == []:
        return []
    texts = value if isinstance(value, list) else []
    answers = [text_field({"answer": text}, "answer", ANSWER_CHARS, None) for text in texts]
    if not MIN_ANSWERS <= len(answers) <= MAX_ANSWERS or len(set(answers)) < len(answers):
        raise web.HTTPBadRequest(text=f"answers must be {MIN_ANSWERS} to {MAX_ANSWERS} different texts")
    return answers


def _seconds(value: object) -> float | None:
    """The time of an alert; None if the question is about none.

    Raises:
        HTTPBadRequest: it is not a number of seconds.
    """
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
        raise web.HTTPBadRequest(text="alert_at_s must be at_s of an alert, or be left out")
    return min(float(value), _MAX_CLASS_S)


_MAX_CLASS_S: Final = 1e6

_CLASS: Final = f"/api/classes/{CLASS_ID}"

ROUTES: Final = (
    web.get(f"{_CLASS}/asks", list_asks),
    web.post(f"{_CLASS}/asks", ask_class),
    web.post(f"{_CLASS}/calm", calm),
)
