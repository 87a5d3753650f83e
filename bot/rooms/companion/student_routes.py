"""The routes for students: their page, its static files, and its JSON API."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Collection, Iterable, Mapping
from typing import Final
from urllib.parse import quote

from aiohttp import hdrs, web

from bot.config import Settings
from bot.ice_servers import parse_ice_server
from bot.rooms.companion import templating
from bot.rooms.companion.client_address import client_address
from bot.rooms.companion.qr_code import qr_svg
from bot.rooms.companion.rate_limiter import RateLimiter
from bot.rooms.companion.requests import (
    RoomEnded,
    TooFast,
    UnknownToken,
    parse_answer,
    parse_camera,
    parse_join,
    parse_pulse,
    parse_token,
    parse_wait,
    parse_withdrawal,
    token_in,
)
from bot.rooms.companion.room import CompanionRoom
from bot.rooms.companion.student import participant_id_of
from bot.rooms.contract import Erasure
from reports.languages import choose
from reports.web.requests import RequestRefused, read_body
from reports.web.responses import json_answer, json_error, no_store, retry_after, static_answer

_JOINS: Final = (120, 4.0)
"""Limit for joins of one client address: burst, and requests a second. A school may share one address."""

_REQUESTS: Final = (600, 120.0)
"""Limit for other requests of one client address. Each page sends a report every five seconds."""

_UNKNOWN_CODES: Final = (120, 1.0)
"""Limit for requests of one client address with unknown codes, so that codes cannot be guessed."""

_RETRY_AFTER_S: Final = 2
_MAX_CODE_CHARS: Final = 32

_Handler = Callable[[CompanionRoom, bytes], Awaitable[web.Response]]


class StudentRoutes:
    """Handles the requests of students for all embedded rooms."""

    def __init__(
        self,
        settings: Settings,
        open_rooms: Mapping[str, CompanionRoom],
        used_codes: Collection[str],
        wanted_fps: float,
        erase_stored: Callable[[str], Awaitable[Erasure]],
    ) -> None:
        """Set up the rate limiters.

        Args:
            settings: The settings.
            open_rooms: The rooms of running classes by code in lower case; the adapter keeps it up to date.
            used_codes: Codes of recent classes in lower case; the adapter keeps it up to date.
            wanted_fps: Frames a second that pages should send.
            erase_stored: Deletes what is stored about a participant after the class.
        """
        self._settings, self._wanted_fps = settings, wanted_fps
        self._open_rooms, self._used_codes = open_rooms, used_codes
        self._erase_stored = erase_stored
        self._joins, self._requests = RateLimiter(*_JOINS), RateLimiter(*_REQUESTS)
        self._unknown_codes = RateLimiter(*_UNKNOWN_CODES)

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """All routes."""
        api = "/api/companion/{code}"
        return (
            web.get("/c/{code}", self._show_page),
            web.get("/c/{code}/qr.svg", self._show_qr_code),
            web.post(f"{api}/offer", self._handle(_offer, self._joins)),
            web.post(f"{api}/pulse", self._handle(_pulse, self._requests)),
            web.post(f"{api}/answer", self._handle(_answer, self._requests)),
            web.post(f"{api}/wait", self._handle(_wait, self._requests)),
            web.post(f"{api}/camera", self._handle(_camera, self._requests)),
            web.post(f"{api}/individual", self._handle(_individual, self._requests)),
            web.post(f"{api}/leave", self._handle(_leave, None)),
            web.delete(f"{api}/me", self._erase),
            web.get("/companion-static/{version}/{name}", _show_file),
        )

    async def _show_page(self, request: web.Request) -> web.Response:
        await asyncio.to_thread(templating.environment)  # the first call reads files
        language = choose(request.query.get("lang"), request.headers.get(hdrs.ACCEPT_LANGUAGE, ""))
        try:
            room = self._find_room(request)
        except TooFast as refusal:
            raise web.HTTPTooManyRequests(text=str(refusal), headers=_headers(refusal)) from refusal
        except RoomEnded:
            page = templating.render("no_class.html", language, code=request.match_info["code"])
            return web.Response(status=404, text=page, content_type="text/html")
        privacy = self._settings.privacy
        page = templating.render(
            "student.html",
            language,
            code=room.code,
            synthetic=room.synthetic,
            faces=room.receives,
            analyses_faces=privacy.analyses_faces,
            entrance=room.entrance,
            min_group=privacy.min_group,
            fps=f"{self._wanted_fps:g}",
            retention_days=privacy.retention_days,
            individual_hours=privacy.individual_hours,
            ice_servers=json.dumps(self._ice_servers() if room.receives else []),
        )
        response = web.Response(text=page, content_type="text/html", headers=no_store())
        response.enable_compression()  # a phone may load it over a slow network
        return response

    async def _show_qr_code(self, request: web.Request) -> web.Response:
        """The QR code of the student link; also for unknown codes, so that it tells nothing about them."""
        origin = self._settings.web.public_url or str(request.url.origin())
        code = request.match_info["code"][:_MAX_CODE_CHARS]
        svg = await asyncio.to_thread(qr_svg, f"{origin.rstrip('/')}/c/{quote(code, safe='')}")
        return web.Response(body=svg, content_type="image/svg+xml", headers=no_store())

    def _ice_servers(self) -> list[dict[str, str]]:
        return [parse_ice_server(url).for_browsers() for url in self._settings.webrtc.ice_servers]

    def _find_room(self, request: web.Request, body: bytes = b"") -> CompanionRoom:
        """The room whose code is in the URL.

        After too many unknown codes a client gets 429, whether or not the code exists: otherwise guessing
        could go on. Students of the class are not affected, since their token proves that they did not guess.
        Codes of recent classes do not count as unknown, as pages keep sending requests after their class.

        Raises:
            RoomEnded: there is no such room.
            TooFast: the client sent too many unknown codes.
        """
        client, code = self._client(request), request.match_info["code"].lower()
        room = self._open_rooms.get(code)
        if self._unknown_codes.remaining(client) < 1:
            proven = room is not None and room.has_student(token_in(body) or "")
            if not proven:
                raise TooFast(
                    "too many unknown class codes came from your network: wait a minute and try again"
                )
        if room is None:
            if code not in self._used_codes:
                self._unknown_codes.allow(client)
            raise RoomEnded("there is no such class, or it has ended: ask the teacher for the link")
        return room

    def _client(self, request: web.Request) -> str:
        forwarded = request.headers.getall("X-Forwarded-For", [])
        return client_address(request.remote or "", forwarded, self._settings.web.trusted_proxies)

    def _check_rate(self, request: web.Request, limiter: RateLimiter) -> None:
        if not limiter.allow(self._client(request)):
            raise TooFast("too many requests come from your network: wait a moment and try again")

    def _handle(
        self, handler: _Handler, limiter: RateLimiter | None
    ) -> Callable[[web.Request], Awaitable[web.Response]]:
        """Wrap a handler: read the body, find the room, apply the rate limit, answer refusals as JSON.

        Args:
            handler: Answers the request; called with the room and the body.
            limiter: The rate limiter; None for leaving, which is never rate-limited.
        """

        async def handle(request: web.Request) -> web.Response:
            try:
                body = await _read_body(request)
                room = self._find_room(request, body)
                if limiter is not None:
                    self._check_rate(request, limiter)
                return await handler(room, body)
            except RequestRefused as refusal:
                return _refused(refusal)

        return handle

    async def _erase(self, request: web.Request) -> web.Response:
        """Erase a student from a running class, without a rate limit, or after it from the store.

        The token decides, not the code in the address: a student may have taken part under another code.
        """
        try:
            body = await _read_body(request)
            token = parse_token(body)
            room = next((room for room in self._open_rooms.values() if room.has_student(token)), None)
            try:
                erasure = await (room or self._find_room(request, body)).erase(token)
            except (RoomEnded, UnknownToken, TooFast):
                # TooFast too: guesses from the same network must not prevent erasing after the class.
                self._check_rate(request, self._requests)
                erasure = await self._erase_stored(participant_id_of(token))
                if erasure is Erasure.NOTHING:
                    raise
        except RequestRefused as refusal:
            return _refused(refusal)
        pending = erasure is Erasure.PENDING
        return json_answer({"ok": True, "erased": not pending}, 202 if pending else 200)


async def _show_file(request: web.Request) -> web.Response:
    return static_answer(await asyncio.to_thread(templating.static_files), request)


async def _offer(room: CompanionRoom, body: bytes) -> web.Response:
    admission = await room.join(parse_join(body))
    answer: dict[str, object] = {
        "sdp": admission.sdp,
        "type": None if admission.sdp is None else "answer",
        "participant_id": admission.participant_id,
        "token": admission.token,
    }
    if admission.trouble is not None:
        return json_answer({**answer, "error": admission.trouble}, 422)
    return json_answer(answer)


async def _pulse(room: CompanionRoom, body: bytes) -> web.Response:
    room.pulse(*parse_pulse(body))
    return json_answer({"ok": True})


async def _answer(room: CompanionRoom, body: bytes) -> web.Response:
    room.answer(*parse_answer(body))
    return json_answer({"ok": True})


async def _wait(room: CompanionRoom, body: bytes) -> web.Response:
    return json_answer({"question": await room.wait(*parse_wait(body))})


async def _camera(room: CompanionRoom, body: bytes) -> web.Response:
    receiving, sight = room.report_camera(*parse_camera(body))
    return json_answer({"ok": True, "receiving": receiving, "sight": sight})


async def _individual(room: CompanionRoom, body: bytes) -> web.Response:
    room.withdraw(parse_withdrawal(body))
    return json_answer({"ok": True})


async def _leave(room: CompanionRoom, body: bytes) -> web.Response:
    await room.leave(parse_token(body))
    return json_answer({"ok": True})


async def _read_body(request: web.Request) -> bytes:
    """The body; a request without one may send its token as ``Authorization: Bearer TOKEN``."""
    body = await read_body(request)
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if not body and scheme.lower() == "bearer":
        return json.dumps({"token": token.strip()}).encode()
    return body


def _refused(refusal: RequestRefused) -> web.Response:
    return json_error(str(refusal), refusal.status, _headers(refusal))


def _headers(refusal: RequestRefused) -> dict[str, str]:
    """Headers of a refusal; a temporary one gets ``Retry-After``."""
    return no_store() | (retry_after(_RETRY_AFTER_S) if refusal.status in (429, 503) else {})
