"""The host's pages: the list of classes, the live page of a class, and its timeline as SVG.

The pages have no inline script or style. They contain no figures: their scripts load those from the API and
the live stream.
"""

from __future__ import annotations

import asyncio
import json
from typing import Final

from aiohttp import web

from reports.document.palette import STACK
from reports.document.timeline import timeline_svg
from reports.summary.classes import FINAL_STATES, analyses_faces
from reports.summary.words import (
    ALERT_WORDS,
    NO_FACES,
    NOT_ANALYSED_WORDS,
    NOT_MEANT,
    NOT_MEANT_WITHOUT_FACES,
    PULSE_WORDS,
    STATE_WORDS,
    SURE_WORDS,
    SYNTHETIC,
    TERMS,
    WORD_MEANINGS,
    WORDS,
    link_limit,
    low_group,
    profile,
    profile_held,
)
from reports.web.api import LABEL_CHARS, ROOM_CHARS, TITLE_CHARS
from reports.web.context import CLASS_ID, CONTEXT, find_class
from reports.web.templating import render

_DEFAULT_WIDTH: Final = 960


async def classes_page(request: web.Request) -> web.Response:
    """GET /: the list of classes, and the form that starts one."""
    jurisdiction = request.app[CONTEXT].jurisdiction
    faces = analyses_faces(jurisdiction)
    return _page(
        "classes.html",
        classes=await request.app[CONTEXT].store.classes(),
        state_words=STATE_WORDS,
        room_chars=ROOM_CHARS,
        title_chars=TITLE_CHARS,
        faces=faces,
        not_meant=NOT_MEANT if faces else NOT_MEANT_WITHOUT_FACES,
        profile=profile(jurisdiction),
    )


async def live_page(request: web.Request) -> web.Response:
    """GET /classes/ID: the live page; ``?view=small`` shows the part that fits a narrow window."""
    info = await find_class(request)
    words = {
        "states": dict(STATE_WORDS),
        "finals": sorted(state.value for state in FINAL_STATES),
        "reasons": dict(NOT_ANALYSED_WORDS),
        "pulses": dict(PULSE_WORDS),
        "words": dict(WORDS),
        "meanings": dict(WORD_MEANINGS),
        "sure": dict(SURE_WORDS),
        "alerts": dict(ALERT_WORDS),
    }
    return _page(
        "class.html",
        info=info,
        small=request.query.get("view") == "small",
        state=STATE_WORDS[info.state.value],
        words=json.dumps(words),
        glossary=[
            (WORDS[word], meaning)
            for word, meaning in WORD_MEANINGS.items()
            if info.analyses_faces or word in PULSE_WORDS
        ],
        terms=TERMS if info.analyses_faces else {"pulses": TERMS["pulses"]},
        faces=info.analyses_faces,
        emotions=STACK,
        pulses=PULSE_WORDS,
        label_chars=LABEL_CHARS,
        not_meant=NOT_MEANT if info.analyses_faces else NOT_MEANT_WITHOUT_FACES,
        synthetic=SYNTHETIC if info.synthetic else None,
        low_group=low_group(info.min_group),
        no_faces=None if info.analyses_faces else NO_FACES,
        link_limit=None if info.student_url is None else link_limit(info.student_url, info.asks_for_cameras),
        profile_held=profile_held(info.analyses_faces),
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
        timeline_svg, windows, markers, pulses, width=int(width), faces=info.analyses_faces
    )
    return web.Response(text=svg, content_type="image/svg+xml")


def _page(template: str, **values: object) -> web.Response:
    return web.Response(text=render(template, **values), content_type="text/html")


ROUTES: Final = (
    web.get("/", classes_page),
    web.get(f"/classes/{CLASS_ID}", live_page),
    web.get(f"/classes/{CLASS_ID}/timeline.svg", timeline),
)
