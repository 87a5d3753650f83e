"""The embedded room: students open a page beside whatever call they are in and send a small picture.

Room URL: ``companion:`` for a fresh code, ``companion:CODE`` for a given one, ``?synthetic=1`` where the
students are drawn. Comes in: the students' requests. Goes out: rooms for the classes, the page, JSON.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import re
import secrets
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs

import jinja2
from aiohttp import web

from bot.ice_servers import parse_ice_server
from bot.rooms.companion.rate_limiter import RateLimiter, client_address
from bot.rooms.companion.requests import (
    MAX_BODY_BYTES,
    BodyTooLarge,
    BodyTooSlow,
    Refusal,
    RoomEnded,
    TooFast,
    UnknownToken,
    parse_camera,
    parse_join,
    parse_pulse,
    parse_token,
    parse_withdrawal,
    token_in,
)
from bot.rooms.companion.room import CompanionRoom
from bot.rooms.companion.student import participant_of
from bot.rooms.contract import Room, RoomUrlError
from bot.rooms.registry import RoomContext

_HERE: Final = Path(__file__).parent
_CODE: Final = re.compile(r"[A-Za-z0-9-]{4,32}")
_ALPHABET: Final = "abcdefghjkmnpqrstuvwxyz23456789"
"""Letters and digits that are not mistaken for one another; ten of them are 49 bits."""

_JOINS: Final = (120, 4.0)
"""Joins of one client address, at once and a second: a whole school may share one."""

_REQUESTS: Final = (600, 120.0)
"""Requests of one client address: every page reports every five seconds."""

_MISSES: Final = (120, 1.0)
"""Requests of one client address for classes that are not there: guessing ends here."""

_MOST_OPENED: Final = 1000
"""Codes remembered of classes that ended."""

_BODY_S: Final = 10.0

_CONTENT_TYPES: Final = {".css": "text/css", ".js": "text/javascript"}

_Handler = Callable[[CompanionRoom, bytes], Awaitable[web.Response]]


@dataclass(frozen=True, slots=True)
class _Assets:
    """What the page is made of.

    Attributes:
        page: Template of the page.
        gone: Template of what is shown for an unknown code.
        files: Content of the static files, by name.
        version: Changes with the files; part of their addresses.
    """

    page: jinja2.Template
    gone: jinja2.Template
    files: Mapping[str, bytes]
    version: str


@cache
def _assets() -> _Assets:
    """Read them once; blocks, so call it in a thread."""
    templates = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_HERE / "templates"), autoescape=True, trim_blocks=True
    )
    files = {
        file.name: file.read_bytes()
        for file in sorted((_HERE / "static").iterdir())
        if file.suffix in _CONTENT_TYPES and file.name.startswith("companion")
    }
    version = hashlib.sha256(b"".join(files.values())).hexdigest()[:12]
    page, gone = templates.get_template("companion.html"), templates.get_template("companion_gone.html")
    return _Assets(page, gone, files, version)


class Adapter:
    """Makes embedded rooms and serves their page."""

    scheme = "companion"
    example = "companion:"

    def __init__(self, context: RoomContext) -> None:
        """No room yet."""
        self._settings, self._on_dropped = context.settings, context.on_dropped
        self._erase_kept = context.erase_kept
        self._joins, self._requests = RateLimiter(*_JOINS), RateLimiter(*_REQUESTS)
        self._misses = RateLimiter(*_MISSES)
        self._entered: dict[str, CompanionRoom] = {}
        self._opened: OrderedDict[str, None] = OrderedDict()  # codes of classes, also of those that ended

    def open(self, url: str) -> Room:
        """A room for ``companion:`` or ``companion:CODE``.

        Raises:
            RoomUrlError: another form, or a code that is in use.
        """
        code, _, query = url.partition(":")[2].partition("?")
        options = parse_qs(query, keep_blank_values=True)
        synthetic = options.pop("synthetic", ["0"])
        if options or synthetic not in (["0"], ["1"]):
            raise RoomUrlError(f"{url!r}: the only option of an embedded room is ?synthetic=1")
        if code and not _CODE.fullmatch(code):
            raise RoomUrlError(f"{url!r}: a code is 4 to 32 letters, digits and dashes: companion:CODE")
        if code.lower() in self._entered:
            raise RoomUrlError(f"{url!r}: the code is in use: end that class first, or take another")
        code = code or _fresh_code()
        self._opened[code.lower()] = None
        if len(self._opened) > _MOST_OPENED:
            self._opened.popitem(last=False)
        return CompanionRoom(
            code,
            self._settings.webrtc,
            self._entered,
            synthetic=synthetic == ["1"],
            receives=self._settings.privacy.analyses_faces,
            wanted_fps=self._wanted_fps,
            on_dropped=self._on_dropped,
        )

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """The page, its files and its API."""
        api = "/api/companion/{code}"
        return (
            web.get("/c/{code}", self._show_page),
            web.post(f"{api}/offer", self._serve(_offer, self._joins)),
            web.post(f"{api}/pulse", self._serve(_pulse, self._requests)),
            web.post(f"{api}/camera", self._serve(_camera, self._requests)),
            web.post(f"{api}/individual", self._serve(_individual, self._requests)),
            web.post(f"{api}/leave", self._serve(_leave, None)),
            web.delete(f"{api}/me", self._erase),
            web.get("/companion-static/{version}/{name}", self._show_file),
        )

    @property
    def _wanted_fps(self) -> float:
        """Twice what is looked at: the newest picture is then never old when its turn comes."""
        return 2 * self._settings.analysis.samples_per_s

    async def _show_page(self, request: web.Request) -> web.Response:
        assets = await asyncio.to_thread(_assets)
        try:
            room = self._find(request)
        except TooFast as refusal:
            raise web.HTTPTooManyRequests(text=str(refusal), headers=_headers(refusal)) from refusal
        except RoomEnded:
            text = assets.gone.render(version=assets.version, code=request.match_info["code"])
            return web.Response(status=404, text=text, content_type="text/html")
        privacy = self._settings.privacy
        page = assets.page.render(
            version=assets.version,
            code=room.code,
            synthetic=room.synthetic,
            faces=privacy.analyses_faces,
            min_group=privacy.min_group,
            fps=f"{self._wanted_fps:g}",
            retention_days=privacy.retention_days,
            individual_hours=privacy.individual_hours,
            ice_servers=json.dumps(self._ice_servers() if privacy.analyses_faces else []),
        )
        return web.Response(text=page, content_type="text/html", headers={"Cache-Control": "no-store"})

    def _ice_servers(self) -> list[dict[str, str]]:
        return [parse_ice_server(one).for_browsers() for one in self._settings.webrtc.ice_servers]

    async def _show_file(self, request: web.Request) -> web.Response:
        assets = await asyncio.to_thread(_assets)
        name = request.match_info["name"]
        if name not in assets.files:
            raise web.HTTPNotFound
        current = request.match_info["version"] == assets.version  # the modules import each other under it
        return web.Response(
            body=assets.files[name],
            content_type=_CONTENT_TYPES[Path(name).suffix],
            charset="utf-8",
            headers={"Cache-Control": "public, max-age=86400, immutable" if current else "no-cache"},
        )

    def _find(self, request: web.Request, body: bytes = b"") -> CompanionRoom:
        """The room the address names.

        Whoever has asked for many that are not there is not told which are, or were. It does not concern who
        is in one and says so by the token; and pages of classes that ended are not taken for guesses.

        Raises:
            RoomEnded: there is none.
            TooFast: the client has asked for many that are not there.
        """
        client, code = self._client(request), request.match_info["code"].lower()
        room = self._entered.get(code)
        if self._misses.left(client) < 1 and (room is None or not room.knows(token_in(body) or "")):
            raise TooFast("too many classes were asked for that are not there: wait a minute")
        if room is None:
            if code not in self._opened:
                self._misses.take(client)
            raise RoomEnded("there is no such class, or it has ended: ask the teacher for the link")
        return room

    def _client(self, request: web.Request) -> str:
        forwarded = request.headers.getall("X-Forwarded-For", [])
        return client_address(request.remote or "", forwarded, self._settings.web.trusted_proxies)

    def _count(self, request: web.Request, allowance: RateLimiter) -> None:
        if not allowance.take(self._client(request)):
            raise TooFast("too many requests come from your network: wait a moment and try again")

    def _serve(
        self, handler: _Handler, allowance: RateLimiter | None
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Find the room, count the request, read the body within its limits, turn refusals into JSON.

        Leaving and being erased are never refused for asking too often.
        """

        async def serve(request: web.Request) -> web.Response:
            try:
                body = await _body(request)
                room = self._find(request, body)
                if allowance is not None:
                    self._count(request, allowance)
                return await handler(room, body)
            except Refusal as refusal:
                return _refused(refusal)

        return serve

    async def _erase(self, request: web.Request) -> web.Response:
        """During the class from what is being counted, too; after it from what is kept."""
        try:
            body = await _body(request)
            token = parse_token(body)
            try:
                await self._find(request, body).erase(token)
            except (RoomEnded, UnknownToken, TooFast):  # a neighbour's guesses stand in nobody's way
                self._count(request, self._requests)
                if not await self._erase_kept(participant_of(token)):
                    raise
        except Refusal as refusal:
            return _refused(refusal)
        return _json({"ok": True})


async def _offer(room: CompanionRoom, body: bytes) -> web.Response:
    admission = await room.join(parse_join(body))
    answer: dict[str, object] = {
        "sdp": admission.sdp,
        "type": None if admission.sdp is None else "answer",
        "participant_id": admission.participant_id,
        "token": admission.token,
    }
    if admission.trouble is not None:
        return _json({**answer, "error": admission.trouble}, 422)
    return _json(answer)


async def _pulse(room: CompanionRoom, body: bytes) -> web.Response:
    room.pulse(*parse_pulse(body))
    return _json({"ok": True})


async def _camera(room: CompanionRoom, body: bytes) -> web.Response:
    receiving = room.report_camera(*parse_camera(body))
    return _json({"ok": True, "receiving": receiving})


async def _individual(room: CompanionRoom, body: bytes) -> web.Response:
    room.withdraw(parse_withdrawal(body))
    return _json({"ok": True})


async def _leave(room: CompanionRoom, body: bytes) -> web.Response:
    await room.leave(parse_token(body))
    return _json({"ok": True})


async def _body(request: web.Request) -> bytes:
    """The body; a token may also come as ``Authorization: Bearer TOKEN`` with no body at all."""
    if (request.content_length or 0) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    try:
        async with asyncio.timeout(_BODY_S):
            async for chunk in request.content.iter_any():
                body += chunk
                if len(body) > MAX_BODY_BYTES:
                    raise _too_large()
    except TimeoutError as exc:
        raise BodyTooSlow("the request took too long to arrive: try again") from exc
    kind, _, token = request.headers.get("Authorization", "").partition(" ")
    if not body and kind.lower() == "bearer":
        return json.dumps({"token": token.strip()}).encode()
    return bytes(body)


def _too_large() -> BodyTooLarge:
    return BodyTooLarge(f"the request is too large: send at most {MAX_BODY_BYTES // 1024} KiB")


def _refused(refusal: Refusal) -> web.Response:
    return web.json_response({"error": str(refusal)}, status=refusal.status, headers=_headers(refusal))


def _headers(refusal: Refusal) -> dict[str, str]:
    return {"Cache-Control": "no-store", **({"Retry-After": "2"} if refusal.status in (429, 503) else {})}


def _json(fields: dict[str, object], status: int = 200) -> web.Response:
    return web.json_response(fields, status=status, headers={"Cache-Control": "no-store"})


def _fresh_code() -> str:
    letters = "".join(secrets.choice(_ALPHABET) for _ in range(10))
    return f"{letters[:5]}-{letters[5:]}"
