"""Access control for the host's pages and API: a middleware that runs before every handler.

Programs send the host token in a header. A browser opens a host link, which works once, and then sends the
cookie that it got. Errors are 401 (no token, or an invalid link) and 403 (a page of another site tries to
change something with the host's cookie). Health, static files and the routes for students need no token.
Metrics need none from programs on this machine.
"""

from __future__ import annotations

from collections.abc import Collection
from http.cookies import CookieError, SimpleCookie
from ipaddress import ip_address
from typing import Final

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler, Middleware

from reports.web.context import CONTEXT
from reports.web.host_keys import COOKIE_S, HostKeys
from reports.web.templating import render

COOKIE: Final = "classmood_host"
_SAFE_METHODS: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_PROXY_HEADERS: Final = (hdrs.X_FORWARDED_FOR, hdrs.X_FORWARDED_HOST, hdrs.FORWARDED, "X-Real-IP")
_TOKEN_NEEDED: Final = (
    "open the host link that the command printed (classmood token prints a new one), or send the header "
    "Authorization: Bearer TOKEN: the host token is missing or wrong"
)
_LINK_INVALID: Final = (
    "run classmood token, which prints a new host link: this link no longer works, because a link lets one "
    "browser in, once, within a day"
)


class InvalidLink(web.HTTPUnauthorized):
    """The host link is unknown or expired, or another browser has opened it."""

    def __init__(self) -> None:
        super().__init__(text=_LINK_INVALID, headers={hdrs.WWW_AUTHENTICATE: "Bearer"})


def auth_middleware(
    keys: HostKeys, open_routes: Collection[web.AbstractRoute], local_routes: Collection[web.AbstractRoute]
) -> Middleware:
    """The middleware that checks every request.

    Args:
        keys: The host's tokens, links and cookies.
        open_routes: Routes that need no token.
        local_routes: Routes that need no token for requests from this machine that come through no proxy.
    """

    @web.middleware
    async def guard(request: web.Request, handler: Handler) -> web.StreamResponse:
        route = request.match_info.route
        if route in open_routes or request.match_info.http_exception is not None:
            return await handler(request)
        if route in local_routes and _is_local(request):
            return await handler(request)
        authorization = request.headers.get(hdrs.AUTHORIZATION)
        if authorization is not None:
            scheme, _, credentials = authorization.partition(" ")
            if scheme.lower() != "bearer" or not await keys.is_valid_token(credentials.strip()):
                raise _unauthorized()
            return await handler(request)
        code = request.query.get("token")
        if code is not None and request.method == "GET" and not request.path.startswith("/api/"):
            return await _sign_in(keys, request, code)
        if not await _is_signed_in(keys, request):
            raise _unauthorized()
        if request.method not in _SAFE_METHODS and not _same_origin(request):
            raise web.HTTPForbidden(
                text="do this on ClassMood's own page, or send the header Authorization: Bearer TOKEN: the "
                "request comes from another site"
            )
        return await handler(request)

    return guard


def _is_local(request: web.Request) -> bool:
    """Whether the request comes from this machine, and not through a proxy on it.

    The Host header must name this machine too. Otherwise a page of another site could read the response in a
    browser on this machine, after its host name was made to lead here (DNS rebinding).
    """
    if any(name in request.headers for name in _PROXY_HEADERS):
        return False
    host, user = request.url.host or "", request.url.user
    named = user is None and (host == "localhost" or _is_loopback(host))
    return named and _is_loopback(request.remote or "")


def _is_loopback(address: str) -> bool:
    try:
        return ip_address(address).is_loopback
    except ValueError:
        return False


def _unauthorized() -> web.HTTPUnauthorized:
    return web.HTTPUnauthorized(text=_TOKEN_NEEDED, headers={hdrs.WWW_AUTHENTICATE: "Bearer"})


async def _sign_in(keys: HostKeys, request: web.Request, code: str) -> web.Response:
    """Exchange the code of a link for a cookie; a browser that is already signed in spends no link."""
    # A page that refreshes itself, not a redirect: browsers do not send a SameSite=Strict cookie when they
    # follow a redirect from another site, such as the web mail in which the link was clicked.
    response = web.Response(
        text=render("welcome.html", request.app[CONTEXT].language, target=target_without_token(request)),
        content_type="text/html",
    )
    if await _is_signed_in(keys, request):
        return response
    cookie = await keys.open_link(code)
    if cookie is None:
        raise InvalidLink
    https = request.secure or request.headers.get("X-Forwarded-Proto", "").lower() == "https"
    response.set_cookie(
        COOKIE, cookie, max_age=int(COOKIE_S), path="/", httponly=True, samesite="Strict", secure=https
    )
    return response


def target_without_token(request: web.Request) -> str:
    """The address of the request without the code of the link."""
    query = [(key, value) for key, value in request.query.items() if key != "token"]
    return request.rel_url.with_query(query).raw_path_qs


async def _is_signed_in(keys: HostKeys, request: web.Request) -> bool:
    """Whether the request has the cookie of a signed-in browser."""
    # Not request.cookies: it drops all cookies after a malformed one, which another program on the same
    # host name may have set.
    for pair in request.headers.get(hdrs.COOKIE, "").split(";"):
        try:
            morsel = SimpleCookie(pair.strip()).get(COOKIE)
        except CookieError:
            continue
        if morsel is not None and await keys.is_valid_cookie(morsel.value):
            return True
    return False


def _same_origin(request: web.Request) -> bool:
    fetch_site = request.headers.get("Sec-Fetch-Site")
    if fetch_site is not None:
        return fetch_site == "same-origin"
    origin = request.headers.get(hdrs.ORIGIN)
    # Compare the host only: behind a TLS proxy, the scheme of the request differs.
    return origin is not None and origin.partition("://")[2].lower() == request.host.lower()
