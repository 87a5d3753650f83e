"""The host's JSON API: classes, windows, markers, and the report's three formats.

Comes in: requests the guard let through. Goes out: the objects of ``reports.summary`` as JSON. Input is
checked here and refused with one line that says what to do.
"""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
import math
import re
from collections.abc import Callable
from typing import Any, Final

from aiohttp import hdrs, web

from reports.document.class_report import ClassReport, load_report
from reports.document.csv_table import to_csv
from reports.document.rendering import to_html, to_json
from reports.summary.indicators import indicate
from reports.summary.words import KIND_PHRASES
from reports.web.context import CLASS_ID, CONTEXT, find_class, no_such_class
from reports.web.controller import RoomRefused

TITLE_CHARS: Final = 200
LABEL_CHARS: Final = 200
ROOM_CHARS: Final = 1000
MAX_MARKERS: Final = 500
"""Markers of one class."""

_BODY_S: Final = 10.0
DEFAULT_ROOM: Final = "companion:"

_REPORT_CSP: Final = (
    "default-src 'none'; style-src {styles}; img-src data:; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'none'"
)
"""The report carries its style in itself, allowed by its hash, and no script."""

_STYLE: Final = re.compile(r"<style>(.*?)</style>", re.DOTALL)


async def start_class(request: web.Request) -> web.Response:
    """POST /api/classes: begin a class."""
    body = await _json_object(request)
    room = _text(body, "room", ROOM_CHARS, DEFAULT_ROOM)
    title = _text(body, "title", TITLE_CHARS, "")
    try:
        info = await request.app[CONTEXT].controller.start(room, title)
    except RoomRefused as exc:
        raise web.HTTPBadRequest(text=str(exc)) from exc
    return web.json_response(info.to_json(), status=201, headers={"Location": f"/api/classes/{info.id}"})


async def list_classes(request: web.Request) -> web.Response:
    """GET /api/classes: all classes, newest first."""
    return web.json_response([info.to_json() for info in await request.app[CONTEXT].store.classes()])


async def show_class(request: web.Request) -> web.Response:
    """GET /api/classes/ID: one class."""
    return web.json_response((await find_class(request)).to_json())


async def end_class(request: web.Request) -> web.Response:
    """POST /api/classes/ID/end: end a class; the same answer when it has ended already."""
    info = await find_class(request)
    ended = await request.app[CONTEXT].controller.end(info.id)
    return web.json_response((ended or await find_class(request)).to_json())


async def delete_class(request: web.Request) -> web.Response:
    """DELETE /api/classes/ID: forget a class and all that was kept of it, ending it first."""
    info = await find_class(request)
    context = request.app[CONTEXT]
    if info.running:
        await context.controller.end(info.id)
    if not await context.store.delete_class(info.id):
        raise no_such_class()
    context.feed.close(info.id)
    return web.Response(status=204)


async def list_windows(request: web.Request) -> web.Response:
    """GET /api/classes/ID/windows?since_s=: windows that begin at ``since_s`` or later, oldest first."""
    since_s = _since_s(request.query.get("since_s"))
    info = await find_class(request)
    windows = await request.app[CONTEXT].store.windows(info.id, since_s)
    return web.json_response([window.to_json() for window in windows])


async def list_markers(request: web.Request) -> web.Response:
    """GET /api/classes/ID/markers: the markers, oldest first."""
    info = await find_class(request)
    markers = await request.app[CONTEXT].store.markers(info.id)
    return web.json_response([marker.to_json() for marker in markers])


async def show_indicators(request: web.Request) -> web.Response:
    """GET /api/classes/ID/indicators: the word for the class now and every alert so far."""
    info = await find_class(request)
    context = request.app[CONTEXT]
    windows = await context.store.windows(info.id)
    found = await asyncio.to_thread(indicate, windows)
    return web.json_response(found.to_json())


async def list_check_ins(request: web.Request) -> web.Response:
    """GET /api/classes/ID/check-ins: who may need a word, of those who opted in; by name, no ranking."""
    info = await find_class(request)
    found = await request.app[CONTEXT].store.check_ins(info.id)
    return web.json_response(
        [
            {
                "name": check_in.name,
                "at_s": round(check_in.at_s, 3),
                "reason": check_in.reason,
                "say": KIND_PHRASES[check_in.kind.value],
            }
            for check_in in found
        ]
    )


async def leave_out(request: web.Request) -> web.Response:
    """POST /api/classes/ID/leave-out: at the host's word somebody is looked at no longer."""
    info = await find_class(request)
    who = _text(await _json_object(request), "who", LABEL_CHARS, None)
    count = await request.app[CONTEXT].controller.leave_out(info.id, who)
    if count is None:
        raise web.HTTPConflict(text="the class is not running: nobody is looked at any more")
    if not count:
        raise web.HTTPNotFound(
            text="nobody goes by that here: give the name they have in the call, or the number on their page"
        )
    return web.json_response({"left_out": count})


async def add_marker(request: web.Request) -> web.Response:
    """POST /api/classes/ID/markers: mark this moment."""
    info = await find_class(request)
    label = _text(await _json_object(request), "label", LABEL_CHARS, None)
    if len(await request.app[CONTEXT].store.markers(info.id)) >= MAX_MARKERS:
        raise web.HTTPConflict(text=f"the class has {MAX_MARKERS} markers already: more are not kept")
    marker = await request.app[CONTEXT].controller.mark(info.id, label)
    if marker is None:
        raise web.HTTPConflict(text="the class is not running: markers can only be set while it is")
    return web.json_response(marker.to_json(), status=201)


async def report_html(request: web.Request) -> web.Response:
    """GET /api/classes/ID/report.html: the self-contained report."""
    response = await _report(request, to_html, "text/html", "html")
    styles = (hashlib.sha256(style.encode()).digest() for style in _STYLE.findall(response.text or ""))
    allowed = " ".join(f"'sha256-{base64.b64encode(style).decode()}'" for style in styles)
    response.headers["Content-Security-Policy"] = _REPORT_CSP.format(styles=allowed or "'none'")
    return response


async def report_csv(request: web.Request) -> web.Response:
    """GET /api/classes/ID/report.csv: one row a window."""
    return await _report(request, to_csv, "text/csv", "csv")


async def report_json(request: web.Request) -> web.Response:
    """GET /api/classes/ID/report.json: class, windows, markers, pulses."""
    return await _report(request, to_json, "application/json", "json")


async def make_link(request: web.Request) -> web.Response:
    """POST /api/host-links: a link that lets one more browser in, once."""
    code = await request.app[CONTEXT].keys.make_link()
    return web.json_response({"code": code, "path": f"/?token={code}"}, status=201)


async def _report(
    request: web.Request, renderer: Callable[[ClassReport], str], content_type: str, ending: str
) -> web.Response:
    context = request.app[CONTEXT]
    class_id = request.match_info["class_id"]
    report = await load_report(context.store, class_id, context.model_card)
    if report is None:
        raise no_such_class()
    text = await asyncio.to_thread(renderer, report)
    disposition = "attachment" if ending == "csv" else "inline"
    return web.Response(
        text=text,
        content_type=content_type,
        headers={hdrs.CONTENT_DISPOSITION: f'{disposition}; filename="classmood-{report.info.id}.{ending}"'},
    )


async def _json_object(request: web.Request) -> dict[str, Any]:
    """The body, an object.

    Raises:
        HTTPUnsupportedMediaType: it does not say that it is JSON.
        HTTPRequestTimeout: it does not come.
        HTTPBadRequest: it is none.
    """
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType(text="send JSON with the header Content-Type: application/json")
    try:
        async with asyncio.timeout(_BODY_S):
            text = await request.read()
    except TimeoutError as exc:
        raise web.HTTPRequestTimeout(text="the request took too long to arrive: try again") from exc
    try:
        body = json.loads(text)
    except (ValueError, RecursionError) as exc:
        raise web.HTTPBadRequest(text="the body is no valid JSON: send an object") from exc
    if not isinstance(body, dict):
        raise web.HTTPBadRequest(text="the body must be a JSON object")
    return body


def _text(body: dict[str, Any], key: str, most: int, default: str | None) -> str:
    """A text of 1 to ``most`` characters on one line; blank is the default, if there is one."""
    given = body.get(key)
    if given is None or (isinstance(given, str) and not given.strip()):
        if default is None:
            raise web.HTTPBadRequest(text=f"{key} is missing: give 1 to {most} characters")
        return default
    if not isinstance(given, str):
        raise web.HTTPBadRequest(text=f"{key} must be a text of 1 to {most} characters")
    text = " ".join(given.split())
    if len(text) > most:
        raise web.HTTPBadRequest(text=f"{key} is too long: give at most {most} characters, not {len(text)}")
    if not _is_plain(text):
        raise web.HTTPBadRequest(text=f"{key} holds control characters: leave them out")
    return text


def _is_plain(text: str) -> bool:
    return not any(ord(one) < 32 or 0x7F <= ord(one) < 0xA0 or 0xD800 <= ord(one) < 0xE000 for one in text)


def _since_s(given: str | None) -> float:
    try:
        since_s = 0.0 if given is None else float(given)
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
    web.get(f"{_CLASS}/report.csv", report_csv),
    web.get(f"{_CLASS}/report.json", report_json),
)
