"""The aiohttp application: the host's pages, API and live stream, health, metrics, and the adapters' routes.

This module has what all routes share: access control, the form of errors, and the security headers.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

import structlog
from aiohttp import hdrs, web, web_response
from aiohttp.typedefs import Handler
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from reports.languages import language as find_language
from reports.store import Store, StoreError
from reports.web import api, asks, pages, stream
from reports.web.auth import InvalidLink, auth_middleware, target_without_token
from reports.web.context import CONTEXT, HostContext
from reports.web.controller import ClassController
from reports.web.feed import LiveFeed
from reports.web.host_keys import HostKeys, HostKeysError
from reports.web.requests import MAX_BODY_BYTES, RequestRefused, check_encoding, check_host
from reports.web.responses import json_answer, json_error, no_store, static_answer
from reports.web.templating import environment, render, static_files

_HEADERS: Final = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; "
        "connect-src 'self'; media-src 'self' blob:; form-action 'self'; base-uri 'none'; "
        "frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Permissions-Policy": "camera=(self), microphone=(), geolocation=(), display-capture=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    **no_store(),
}
"""Headers of every response, unless its handler has set them."""

_KEPT_HEADERS: Final = (hdrs.WWW_AUTHENTICATE, hdrs.ALLOW, hdrs.RETRY_AFTER)
"""Headers of an ``HTTPException`` that are copied into the response."""

# Responses to requests that cannot be parsed pass no handler: aiohttp adds this header to all responses.
setattr(web_response, "SERVER_SOFTWARE", "ClassMood")  # noqa: B010  # not its own name and version

_log = structlog.get_logger()


def build_app(
    *,
    store: Store,
    controller: ClassController,
    feed: LiveFeed,
    keys: HostKeys,
    extra_routes: Iterable[web.AbstractRouteDef] = (),
    ready: Callable[[], str | None] = lambda: None,
    model_card: Mapping[str, Any] | None = None,
    jurisdiction: str = "none",
    language: str = "en",
    heartbeat_s: float = 4.0,
    registry: CollectorRegistry = REGISTRY,
) -> web.Application:
    """Build the application.

    Args:
        store: The open store; the caller closes it.
        controller: Starts, marks and ends classes.
        feed: Carries the events of running classes; shutdown ends all its subscriptions.
        keys: The host's tokens, links and cookies.
        extra_routes: Routes served without the host token, such as those of room adapters for students.
        ready: Returns why no class can be started; None if one can.
        model_card: What the report says about the model.
        jurisdiction: The privacy profile in use.
        language: The language of the host's pages and of the report.
        heartbeat_s: Seconds between heartbeats on a live stream.
        registry: The metrics that /metrics serves.
    """
    open_routes: set[web.AbstractRoute] = set()
    local_routes: set[web.AbstractRoute] = set()
    guard = auth_middleware(keys, open_routes, local_routes)
    app = web.Application(client_max_size=MAX_BODY_BYTES, middlewares=[_answer_errors, guard])
    app[CONTEXT] = HostContext(
        store,
        controller,
        feed,
        keys,
        ready,
        model_card,
        jurisdiction,
        find_language(language),
        heartbeat_s,
        registry,
    )
    open_routes.update(app.router.add_routes(_OPEN_ROUTES))
    open_routes.update(app.router.add_routes(extra_routes))
    local_routes.update(app.router.add_routes([web.get("/metrics", _metrics)]))
    app.router.add_routes([*api.ROUTES, *asks.ROUTES, *stream.ROUTES, *pages.ROUTES])
    app.on_startup.append(_read_files)
    app.on_response_prepare.append(_add_headers)
    app.on_shutdown.append(_close_feed)
    return app


async def _read_files(_app: web.Application) -> None:
    await asyncio.to_thread(environment)


async def _close_feed(app: web.Application) -> None:
    app[CONTEXT].feed.close_all()


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)


@dataclass(frozen=True, slots=True)
class _Failure:
    """The response to a failed request.

    Attributes:
        status: HTTP status.
        message: One line that says what to do.
        headers: Headers that belong to the status.
        target: For an invalid link, the address without its code: the browser may be signed in already.
    """

    status: int
    message: str
    headers: Mapping[str, str] = field(default_factory=dict)
    target: str | None = None


@web.middleware
async def _answer_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every error into one line that says what to do: JSON for programs, a page for browsers."""
    try:
        check_host(request)
        check_encoding(request)
        return await handler(request)
    except web.HTTPException as exc:
        if exc.status < 400:
            raise
        failure = _failure_from_http(request, exc)
    except RequestRefused as exc:
        failure = _Failure(exc.status, str(exc))
    except (StoreError, HostKeysError) as exc:
        event = "store_failed" if isinstance(exc, StoreError) else "host_keys_failed"
        _log.error(event, address=_address(request), error=str(exc))
        failure = _Failure(503, str(exc))
    except Exception:  # noqa: BLE001  # a bug: log it, and respond as to any other error
        _log.exception("request_failed", address=_address(request))
        failure = _Failure(500, "internal error: see the server log")
    if not _wants_page(request):
        return json_error(failure.message, failure.status, failure.headers)
    page = render(
        "error.html",
        request.app[CONTEXT].language,
        status=failure.status,
        said=failure.message,
        target=failure.target,
    )
    return web.Response(text=page, content_type="text/html", status=failure.status, headers=failure.headers)


def _failure_from_http(request: web.Request, exc: web.HTTPException) -> _Failure:
    headers = {str(name): exc.headers[name] for name in _KEPT_HEADERS if name in exc.headers}
    target = target_without_token(request) if isinstance(exc, InvalidLink) else None
    return _Failure(exc.status, _one_line(exc), headers, target)


def _address(request: web.Request) -> str | None:
    """The pattern of the route. It may be logged, because it contains no identifiers."""
    resource = request.match_info.route.resource
    return None if resource is None else resource.canonical


def _wants_page(request: web.Request) -> bool:
    # Also for paths under /api/: people open reports by a link.
    return "text/html" in request.headers.get(hdrs.ACCEPT, "")


def _one_line(exc: web.HTTPException) -> str:
    match exc.status:
        case 404 if exc.text == f"404: {exc.reason}":  # aiohttp's own text
            return "check the address: nothing exists there"
        case 405:
            return f"{exc.reason}: use {exc.headers.get(hdrs.ALLOW, 'another method')}"
    return " ".join((exc.text or exc.reason).split())


async def _healthz(_request: web.Request) -> web.Response:
    return json_answer({"alive": True})


async def _readyz(request: web.Request) -> web.Response:
    reason = request.app[CONTEXT].ready()
    if reason is not None:
        return json_error(reason, 503)
    return json_answer({"ready": True})


async def _static(request: web.Request) -> web.Response:
    return static_answer(static_files(), request)


async def _metrics(request: web.Request) -> web.Response:
    # In a thread: the collector of process metrics reads files in /proc.
    body = await asyncio.to_thread(generate_latest, request.app[CONTEXT].registry)
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})


_OPEN_ROUTES: Final = (
    web.get("/healthz", _healthz),
    web.get("/readyz", _readyz),
    web.get("/static/{version}/{name}", _static),
)
