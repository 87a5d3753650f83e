"""Who may see the host's pages: whoever has the host token, by header, by link or by cookie.

Comes in: every request before its handler. Goes out: the request, or 401 (no token) or 403 (a page of
another origin tries to act with the host's cookie). Some routes are open by their nature: health, static
files and what a room adapter serves to students; everything else is closed unless named open.
"""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from typing import Final
from urllib.parse import urlsplit

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from reports.templating import render

COOKIE: Final = "classmood_host"
_COOKIE_DAYS: Final = 30
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_HOW_TO_GET_IN: Final = (
    "the host token is missing or wrong: open the host link the command printed, "
    "or send the header Authorization: Bearer TOKEN"
)


class HostAuth:
    """Checks the host token in its three forms.

    Args:
        token: The host token, not empty.

    Raises:
        ValueError: the token is empty.
    """

    def __init__(self, token: str) -> None:
        if not token:
            raise ValueError("the host token is empty: set web.token or remove the key")
        self._token = token.encode()
        # What a browser keeps is of no use as a token, and changes with it.
        self._cookie = hmac.new(self._token, b"classmood host cookie 1", hashlib.sha256).hexdigest()

    def token_fits(self, given: str) -> bool:
        """Whether this is the host token; takes the same time for any wrong one."""
        return hmac.compare_digest(given.encode(errors="replace"), self._token)

    def cookie_fits(self, request: web.Request) -> bool:
        """Whether the request brings the host's cookie."""
        # request.cookies drops everything behind one odd cookie of another program on this host.
        for pair in request.headers.get(hdrs.COOKIE, "").split(";"):
            try:
                morsel = SimpleCookie(pair.strip()).get(COOKIE)
            except CookieError:
                continue
            if morsel is not None and hmac.compare_digest(morsel.value.encode(), self._cookie.encode()):
                return True
        return False

    def give_cookie(self, request: web.Request, response: web.StreamResponse) -> None:
        """Let the browser in from now on."""
        https = request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"
        response.set_cookie(
            COOKIE,
            self._cookie,
            max_age=_COOKIE_DAYS * 86400,
            path="/",
            httponly=True,
            samesite="Strict",
            secure=https,
        )


def auth_middleware(auth: HostAuth, open_routes: Collection[web.AbstractRoute]) -> Middleware:
    """The guard before every route not in ``open_routes``."""

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        route = request.match_info.route
        if route in open_routes or request.match_info.http_exception is not None:
            return await handler(request)
        given = request.headers.get(hdrs.AUTHORIZATION)
        if given is not None:
            scheme, _, credentials = given.partition(" ")
            if scheme.lower() != "bearer" or not auth.token_fits(credentials.strip()):
                raise unauthorized()
            return await handler(request)
        linked = request.query.get("token")
        if linked is not None and request.method == "GET" and not request.path.startswith("/api/"):
            if not auth.token_fits(linked):
                raise unauthorized()
            return _welcome(auth, request)
        if not auth.cookie_fits(request):
            raise unauthorized()
        if request.method not in _SAFE_METHODS and not _same_origin(request):
            raise web.HTTPForbidden(
                text="refused: the request does not come from this site's own page; "
                "programs send the header Authorization: Bearer TOKEN"
            )
        return await handler(request)

    return guard


def unauthorized() -> web.HTTPUnauthorized:
    """The error for a missing or wrong token."""
    return web.HTTPUnauthorized(text=_HOW_TO_GET_IN, headers={hdrs.WWW_AUTHENTICATE: "Bearer"})


def _welcome(auth: HostAuth, request: web.Request) -> web.Response:
    # A redirect would still count as coming from the mail or chat the link was clicked in, and a Strict
    # cookie would stay away from it; this page's own refresh counts as ours.
    query = {key: value for key, value in request.query.items() if key != "token"}
    target = request.rel_url.with_query(query).raw_path_qs
    response = web.Response(text=render("welcome.html", target=target), content_type="text/html")
    auth.give_cookie(request, response)
    return response


def _same_origin(request: web.Request) -> bool:
    fetch_site = request.headers.get("Sec-Fetch-Site")
    if fetch_site is not None:
        return fetch_site == "same-origin"
    origin = request.headers.get(hdrs.ORIGIN)
    # Host only: behind a proxy that speaks TLS the scheme differs.
    return origin is not None and urlsplit(origin).netloc.lower() == request.host.lower()
