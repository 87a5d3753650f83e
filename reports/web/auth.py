"""Who may see the host's pages: whoever has the host token, by header, by link or by cookie.

Comes in: every request before its handler. Goes out: the request, or 401 (no token, or a link opened
before) or 403 (a page of another origin tries to act with the host's cookie). Some routes are open by
their nature: health, static files and what a room adapter serves to students; figures for a collector are
open to programs on this machine. Everything else is closed.
"""

from __future__ import annotations

from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from reports.web.host_keys import COOKIE_S, HostKeys
from reports.web.templating import render

COOKIE: Final = "classmood_host"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_PROXY_HEADERS: Final = (hdrs.X_FORWARDED_FOR, hdrs.X_FORWARDED_HOST, hdrs.FORWARDED, "X-Real-IP")
_HOW_TO_GET_IN: Final = (
    "the host token is missing or wrong: open the host link the command printed (classmood token prints "
    "a new one), or send the header Authorization: Bearer TOKEN"
)
_LINK_SPENT: Final = (
    "this host link does not work any more: each lets one browser in, once, and for a day at most; "
    "classmood token prints a new one"
)


class LinkSpent(web.HTTPUnauthorized):
    """A link that was opened before, is too old, or never was one."""

    def __init__(self) -> None:
        super().__init__(text=_LINK_SPENT, headers={hdrs.WWW_AUTHENTICATE: "Bearer"})


def auth_middleware(
    keys: HostKeys, open_routes: Collection[web.AbstractRoute], local_routes: Collection[web.AbstractRoute]
) -> Middleware:
    """The guard before every route.

    Args:
        keys: What lets in.
        open_routes: Left open.
        local_routes: Left open to programs on this machine that no proxy stands before.
    """

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        route = request.match_info.route
        if route in open_routes or request.match_info.http_exception is not None:
            return await handler(request)
        if route in local_routes and _is_local(request):
            return await handler(request)
        given = request.headers.get(hdrs.AUTHORIZATION)
        if given is not None:
            scheme, _, credentials = given.partition(" ")
            if scheme.lower() != "bearer" or not await keys.token_fits(credentials.strip()):
                raise unauthorized()
            return await handler(request)
        linked = request.query.get("token")
        if linked is not None and request.method == "GET" and not request.path.startswith("/api/"):
            return await _let_in(keys, request, linked)
        if not await _is_in(keys, request):
            raise unauthorized()
        if request.method not in _SAFE_METHODS and not _same_origin(request):
            raise web.HTTPForbidden(
                text="refused: the request does not come from this site's own page; "
                "programs send the header Authorization: Bearer TOKEN"
            )
        return await handler(request)

    return guard


def _is_local(request: web.Request) -> bool:
    if any(name in request.headers for name in _PROXY_HEADERS):
        return False
    try:
        return ip_address(request.remote or "").is_loopback
    except ValueError:
        return False


def unauthorized() -> web.HTTPUnauthorized:
    """The error for a missing or wrong token."""
    return web.HTTPUnauthorized(text=_HOW_TO_GET_IN, headers={hdrs.WWW_AUTHENTICATE: "Bearer"})


async def _let_in(keys: HostKeys, request: web.Request, code: str) -> web.Response:
    # A redirect would still count as coming from the mail or chat the link was clicked in, and a Strict
    # cookie would stay away from it; this page's own refresh counts as ours.
    response = web.Response(
        text=render("welcome.html", target=target_without_token(request)), content_type="text/html"
    )
    if await _is_in(keys, request):
        return response
    cookie = await keys.open_link(code)
    if cookie is None:
        raise LinkSpent
    https = request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"
    response.set_cookie(
        COOKIE, cookie, max_age=int(COOKIE_S), path="/", httponly=True, samesite="Strict", secure=https
    )
    return response


def target_without_token(request: web.Request) -> str:
    """Where a link leads."""
    query = [(key, value) for key, value in request.query.items() if key != "token"]
    return request.rel_url.with_query(query).raw_path_qs


async def _is_in(keys: HostKeys, request: web.Request) -> bool:
    """Whether the request brings the cookie of a browser that was let in."""
    # request.cookies drops everything behind one odd cookie of another program on this host.
    for pair in request.headers.get(hdrs.COOKIE, "").split(";"):
        try:
            morsel = SimpleCookie(pair.strip()).get(COOKIE)
        except CookieError:
            continue
        if morsel is not None and await keys.cookie_fits(morsel.value):
            return True
    return False


def _same_origin(request: web.Request) -> bool:
    fetch_site = request.headers.get("Sec-Fetch-Site")
    if fetch_site is not None:
        return fetch_site == "same-origin"
    origin = request.headers.get(hdrs.ORIGIN)
    # Host only: behind a proxy that speaks TLS the scheme differs.
    return origin is not None and urlsplit(origin).netloc.lower() == request.host.lower()
