"""The host's JSON API: classes, windows, markers, check-ins, and the report in three formats.

The access middleware runs before these handlers. Wrong input gets a 4xx status and one line that says what
to do.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import math
import re
from collections.abc import Callable
from typing import Any, Final

from aiohttp import hdrs, web

from reports.document.class_report import ClassReport, load_report
from reports.document.csv_table import to_csv
from reports.document.rendering import to_html, to_json
from reports.summary.indicators import indicate
from reports.summary.records import calms_s
from reports.summary.words import KIND_PHRASES
from reports.web.context import CLASS_ID, CONTEXT, find_class, no_such_class
from reports.web.controller import RoomRefused
from reports.web.requests import parse_json_object, read_body
from reports.web.responses import json_answer

TITLE_CHARS: Final = 200
LABEL_CHARS: Final = 200
ROOM_CHARS: Final = 1000
MAX_MARKERS: Final = 500
"""Limit of markers for one class."""

DEFAULT_ROOM: Final = "companion:"

_REPORT_CSP: Final = (
    "default-src 'none'; style-src {styles}; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The report has an inline style sheet, allowed by its hash, and no script."""

_STYLE: Final = re.compile(r"<style>(.*?)</style>", re.DOTALL)


async def start_class(request: web.Request) -> web.Response:
    """POST /api/classes: start a class."""
    body = await json_body(request)
    room = text_field(body, "room", ROOM_CHARS, DEFAULT_ROOM)
    title = text_field(body, "title", TITLE_CHARS, "")
    try:
        info = await request.app[CONTEXT].controller.start(room, title)
    except RoomRefused as exc:
        raise web.HTTPBadRequest(text=str(exc)) from exc
    return json_answer(info.to_json(), status=201, headers={"Location": f"/api/classes/{info.id}"})


async def list_classes(request: web.Request) -> web.Response:
    """GET /api/classes: all classes, newest first."""
    return json_answer([info.to_json() for info in await request.app[CONTEXT].store.classes()])


async def show_class(request: web.Request) -> web.Response:
    """GET /api/classes/ID: one class."""
    return json_answer((await find_class(request)).to_json())


async def end_class(request: web.Request) -> web.Response:
    """POST /api/classes/ID/end: end a class; the response is the same if it has already ended."""
    info = await find_class(request)
    ended = await request.app[CONTEXT].controller.end(info.id)
    return json_answer((ended or await find_class(request)).to_json())


async def delete_class(request: web.Request) -> web.Response:
    """DELETE /api/classes/ID: delete a class and its data; a running class is ended first."""
    info = await find_class(request)
    context = request.app[CONTEXT]
    if info.running:
        await context.controller.end(info.id)
    if not await context.store.delete_class(info.id):
        raise no_such_class()
    context.feed.close(info.id)
    return web.Response(status=204)


async def list_windows(request: web.Request) -> web.Response:
    """GET /api/classes/ID/windows?since_s=: windows that start at ``since_s`` or later, oldest first."""
    since_s = _since_s(request.query.get("since_s"))
    info = await find_class(request)
    windows = await request.app[CONTEXT].store.windows(info.id, since_s)
    return json_answer([window.to_json() for window in windows])


async def list_markers(request: web.Request) -> web.Response:
    """GET /api/classes/ID/markers: the markers, oldest first."""
    info = await find_class(request)
    markers = await request.app[CONTEXT].store.markers(info.id)
    return json_answer([marker.to_json() for marker in markers])


async def show_indicators(request: web.Request) -> web.Response:
    """GET /api/classes/ID/indicators: the current indicator and all alerts so far."""
    info = await find_class(request)
    context = request.app[CONTEXT]
    windows, markers = await context.store.windows(info.id), await context.store.markers(info.id)
    indications = await asyncio.to_thread(indicate, windows, calms_s(markers), context.language.gettext)
    return json_answer(indications.to_json())


async def list_check_ins(request: web.Request) -> web.Response:
    """GET /api/classes/ID/check-ins: students who may need a word and agreed to check-ins; not ranked."""
    info = await find_class(request)
    check_ins = await request.app[CONTEXT].store.check_ins(info.id)
    return json_answer(
        [
            {
                "name": check_in.name,
                "at_s": round(check_in.at_s, 3),
                "reason": check_in.reason,
                "say": KIND_PHRASES[check_in.kind.value],
            }
            for check_in in check_ins
        ]
    )


async def leave_out(request: web.Request) -> web.Response:
    """POST /api/classes/ID/leave-out: opt a student out of the analysis at the host's request."""
    info = await find_class(request)
    who = text_field(await json_body(request), "who", LABEL_CHARS, None)
    count = await request.app[CONTEXT].controller.leave_out(info.id, who)
    if count is None:
        raise web.HTTPConflict(text="the class is not running: nobody is analysed any more")
    if not count:
        raise web.HTTPNotFound(
            text="nobody here has that name or number: give the name in the call, or the number on their page"
        )
    return json_answer({"left_out": count})


async def add_marker(request: web.Request) -> web.Response:
    """POST /api/classes/ID/markers: set a marker at the present time."""
    info = await find_class(request)
    label = text_field(await json_body(request), "label", LABEL_CHARS, None)
    if len(await request.app[CONTEXT].store.markers(info.id)) >= MAX_MARKERS:
        raise web.HTTPConflict(text=f"the class already has {MAX_MARKERS} markers, the most a class can have")
    marker = await request.app[CONTEXT].controller.mark(info.id, label)
    if marker is None:
        raise web.HTTPConflict(text="the class is not running: set markers while it runs")
    return json_answer(marker.to_json(), status=201)


async def report_html(request: web.Request) -> web.Response:
    """GET /api/classes/ID/report.html: the self-contained report."""
    language = request.app[CONTEXT].language
    return _with_styles(await _report(request, lambda report: to_html(report, language), "text/html", "html"))


def _with_styles(response: web.Response) -> web.Response:
    """Allow the style sheets in the page by their hashes."""
    styles = (hashlib.sha256(style.encode()).digest() for style in _STYLE.findall(response.text or ""))
    allowed = " ".join(f"'sha256-{base64.b64encode(style).decode()}'" for style in styles)
    response.headers["Content-Security-Policy"] = _REPORT_CSP.format(styles=allowed or "'none'")
    return response


async def report_to_share(request: web.Request) -> web.Response:
    """GET /api/classes/ID/report-to-share.html: a copy of the report without the room and small counts."""
    language = request.app[CONTEXT].language
    return _with_styles(
        await _report(
            request, lambda report: to_html(report, language, shared=True), "text/html", "share.html"
        )
    )


async def report_csv(request: web.Request) -> web.Response:
    """GET /api/classes/ID/report.csv: one row for each window."""
    return await _report(request, to_csv, "text/csv", "csv")


async def report_json(request: web.Request) -> web.Response:
    """GET /api/classes/ID/report.json: class, windows, markers, pulses, alerts."""
    return await _report(request, to_json, "application/json", "json")


async def make_link(request: web.Request) -> web.Response:
    """POST /api/host-links: create a host link for one more browser."""
    code = await request.app[CONTEXT].keys.make_link()
    return json_answer({"code": code, "path": f"/?token={code}"}, status=201)


async def _report(
    request: web.Request, renderer: Callable[[ClassReport], str], content_type: str, ending: str
) -> web.Response:
    context = request.app[CONTEXT]
    class_id = request.match_info["class_id"]
    report = await load_report(context.store, class_id, context.model_card, context.language.gettext)
    if report is None:
        raise no_such_class()
    text = await asyncio.to_thread(renderer, report)
    disposition = "inline" if ending in ("html", "json") else "attachment"
    return web.Response(
        text=text,
        content_type=content_type,
        headers={hdrs.CONTENT_DISPOSITION: f'{disposition}; filename="classmood-{report.info.id}.{ending}"'},
    )


async def json_body(request: web.Request) -> dict[str, Any]:
    """Read the body, which must be a JSON object.

    Raises:
        HTTPUnsupportedMediaType: its type is not JSON, the only type that forms on other sites cannot send.
        RequestRefused: it is too large, too slow, or not a JSON object.
    """
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="send JSON with the header Content-Type: application/json")
    return parse_json_object(await read_body(request))


def text_field(body: dict[str, Any], key: str, max_chars: int, default: str | None) -> str:
    """A text field of 1 to ``max_chars`` characters, on one line.

    Args:
        body: The request's JSON object.
        key: Name of the field.
        max_chars: Longest text allowed.
        default: Used when the field is missing or blank; None if it is required.

    Raises:
        HTTPBadRequest: the field is missing, too long or not a text, or contains control characters.
    """
    value = body.get(key)
    if value is None or (isinstance(value, str) and not value.strip()):
        if default is None:
            raise web.HTTPBadRequest(text=f"{key} is missing: give 1 to {max_chars} characters")
        return default
    if not isinstance(value, str):
        raise web.HTTPBadRequest(text=f"{key} must be a text of 1 to {max_chars} characters")
    text = " ".join(value.split())
    if len(text) > max_chars:
        raise web.HTTPBadRequest(
            text=f"{key} is too long: give at most {max_chars} characters, not {len(text)}"
        )
    if not _is_plain(text):
        raise web.HTTPBadRequest(text=f"{key} contains control characters: leave them out")
    return text


def _is_plain(text: str) -> bool:
    """Whether a text has no control characters (C0, DEL, C1) and no surrogates, which UTF-8 cannot encode."""
    return not any(code < 0x20 or 0x7F <= code < 0xA0 or 0xD800 <= code < 0xE000 for code in map(ord, text))


def _since_s(query: str | None) -> float:
    try:
        since_s = 0.0 if query is None else float(query)
    except ValueError:
        since_s = math.nan
    if not math.isfinite(since_s) or since_s < 0:
        raise web.HTTPBadRequest(text="since_s must be a number of seconds, 0 or more")
    return since_s


_CLASS: Final = f"/api/classes/{CLASS_ID}"

ROUTES: Final = (
    web.post("/api/classes", start_class),
    web.get("/api/classes", list_classes),
    web.get(_CLASS, show_class),
    web.delete(_CLASS, delete_class),
    web.post(f"{_CLASS}/end", end_class),
    web.get(f"{_CLASS}/windows", list_windows),
    web.get(f"{_CLASS}/markers", list_markers),
    web.get(f"{_CLASS}/indicators", show_indicators),
    web.get(f"{_CLASS}/check-ins", list_check_ins),
    web.post(f"{_CLASS}/markers", add_marker),
    web.post("/api/host-links", make_link),
    web.post(f"{_CLASS}/leave-out", leave_out),
    web.get(f"{_CLASS}/report.html", report_html),
    web.get(f"{_CLASS}/report-to-share.html", report_to_share),
    web.get(f"{_CLASS}/report.csv", report_csv),
    web.get(f"{_CLASS}/report.json", report_json),
)
