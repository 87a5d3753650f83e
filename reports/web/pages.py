"""The host's pages: the list of classes, the live page of a class, and its timeline as SVG.

The pages have no inline script or style. They contain no figures: their scripts load those from the API and
the live stream.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Final

from aiohttp import web

from reports.document.palette import STACK
from reports.document.timeline import timeline_svg
from reports.languages import Language
from reports.summary.classes import FINAL_STATES, analyses_faces
from reports.summary.words import (
    ALERT_WORDS,
    ANSWER_WORDS,
    EMOTION_WORDS,
    FACES,
    NO_FACES,
    NOT_ANALYSED_WORDS,
    NOT_MEANT,
    NOT_MEANT_SHORT,
    NOT_MEANT_SHORT_WITHOUT_FACES,
    NOT_MEANT_WITHOUT_FACES,
    PULSE_WORDS,
    STATE_WORDS,
    SURE_WORDS,
    SYNTHETIC,
    TERM_WORDS,
    TERMS,
    WORD_MEANINGS,
    WORDS,
    link_limit,
    low_group,
    profile_held,
)
from reports.web.api import LABEL_CHARS, ROOM_CHARS, TITLE_CHARS
from reports.web.asks import ANSWER_CHARS, QUESTION_CHARS
from reports.web.context import CLASS_ID, CONTEXT, find_class
from reports.web.templating import render

_DEFAULT_WIDTH: Final = 960


async def classes_page(request: web.Request) -> web.Response:
    """GET /: the list of classes, and the form that starts one."""
    language, jurisdiction = request.app[CONTEXT].language, request.app[CONTEXT].jurisdiction
    faces, say = analyses_faces(jurisdiction), language.gettext
    return _page(
        "classes.html",
        language,
        classes=await request.app[CONTEXT].store.classes(),
        state_words=_said(STATE_WORDS, language),
        room_chars=ROOM_CHARS,
        title_chars=TITLE_CHARS,
        faces=faces,
        not_meant=say(NOT_MEANT if faces else NOT_MEANT_WITHOUT_FACES),
        profile=say(FACES if faces else NO_FACES),
    )


async def live_page(request: web.Request) -> web.Response:
    """GET /classes/ID: the live page; ``?view=small`` shows the part that fits a narrow window."""
    info, language = await find_class(request), request.app[CONTEXT].language
    say, faces = language.gettext, info.analyses_faces
    limit = None if info.student_url is None else link_limit(info.student_url, info.asks_for_cameras)
    few = low_group(info.min_group, say)
    words = {
        "states": _said(STATE_WORDS, language),
        "finals": sorted(state.value for state in FINAL_STATES),
        "reasons": _said(NOT_ANALYSED_WORDS, language),
        "words": _said(WORDS, language),
        "meanings": _said(WORD_MEANINGS, language),
        "sure": _said(SURE_WORDS, language),
        "alerts": _said(ALERT_WORDS, language),
        "answers": _said(ANSWER_WORDS, language),
        "texts": language.of_files("reports/web/static/", ".js"),
    }
    terms = TERMS if faces else {"now": TERMS["now"]}
    return _page(
        "class.html",
        language,
        info=info,
        small=request.query.get("view") == "small",
        joined=any(window.participants for window in await request.app[CONTEXT].store.windows(info.id)),
        state=say(STATE_WORDS[info.state.value]),
        words=json.dumps(words),
        glossary=[
            (say(WORDS[word]), say(meaning))
            for word, meaning in WORD_MEANINGS.items()
            if faces or word in PULSE_WORDS
        ],
        terms={say(TERM_WORDS[term]): say(meaning) for term, meaning in terms.items()},
        faces=faces,
        emotions=STACK,
        emotion_words=_said(EMOTION_WORDS, language),
        pulses=_said(PULSE_WORDS, language),
        label_chars=LABEL_CHARS,
        question_chars=QUESTION_CHARS,
        answer_chars=ANSWER_CHARS,
        not_meant=say(NOT_MEANT if faces else NOT_MEANT_WITHOUT_FACES),
        not_meant_short=say(NOT_MEANT_SHORT if faces else NOT_MEANT_SHORT_WITHOUT_FACES),
        synthetic=say(SYNTHETIC) if info.synthetic else None,
        low_group=few,
        no_faces=None if faces else say(NO_FACES),
        link_limit=None if limit is None else say(limit),
        profile_held=say(profile_held(faces)),
    )


async def timeline(request: web.Request) -> web.Response:
    """GET /classes/ID/timeline.svg?width=: the timeline of the class so far; the width is in pixels."""
    width = request.query.get("width", str(_DEFAULT_WIDTH))
    if not (width.isascii() and width.isdigit() and len(width) <= 5):
        raise web.HTTPBadRequest(text="width must be a whole number of pixels")
    info = await find_class(request)
    store = request.app[CONTEXT].store
    windows, markers, pulses = (
        await store.windows(info.id),
        await store.markers(info.id),
        await store.pulses(info.id),
    )
    svg = await asyncio.to_thread(
        timeline_svg,
        windows,
        markers,
        pulses,
        width=int(width),
        faces=info.analyses_faces,
        say=request.app[CONTEXT].language.gettext,
    )
    return web.Response(text=svg, content_type="image/svg+xml")


def _page(template: str, language: Language, **values: object) -> web.Response:
    return web.Response(text=render(template, language, **values), content_type="text/html")


def _said(words: Mapping[str, str], language: Language) -> dict[str, str]:
    """Texts by key, translated."""
    return {key: language.gettext(text) for key, text in words.items()}


ROUTES: Final = (
    web.get("/", classes_page),
    web.get(f"/classes/{CLASS_ID}", live_page),
    web.get(f"/classes/{CLASS_ID}/timeline.svg", timeline),
)
