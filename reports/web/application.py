"""Everything the host sees, as one aiohttp application: pages, API, live stream, health, metrics.

Comes in: the store, the class controller and the live feed, handed over by the composition root, and the
routes room adapters serve to students. Goes out: an application to be run. Here stands what holds for
every request: who may come in, how errors look, which headers go with every answer.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

import structlog
from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, generate_latest

from reports.assets import content_type
from reports.store import Store, StoreError
from reports.web import api, pages, stream
from reports.web.auth import LinkSpent, auth_middleware, target_without_token
from reports.web.context import CONTEXT, HostContext
from reports.web.controller import ClassController
from reports.web.feed import LiveFeed
from reports.web.host_keys import HostKeys, HostKeysError
from reports.web.templating import environment, render, static_files

MAX_BODY: Final = 64 * 1024
"""Largest request body, bytes."""

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
    "Cache-Control": "no-store",
}
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
    heartbeat_s: float = 15.0,
    registry: CollectorRegistry = REGISTRY,
) -> web.Application:
    """The host's application.

    Args:
        store: Open; it stays the caller's to close.
        controller: Starts, marks and ends classes.
        feed: What the controller's sessions publish to; all its followers are let go at shutdown.
        keys: What lets the host in.
        extra_routes: Served without the token: what room adapters show to students.
        ready: Says why classes cannot be run, None when they can.
        model_card: What the report says of the model.
        jurisdiction: The privacy profile that is on.
        heartbeat_s: Seconds between signs of life on a quiet stream.
        registry: What /metrics serves.
    """
    open_routes: set[web.AbstractRoute] = set()
    local_routes: set[web.AbstractRoute] = set()
    guard = auth_middleware(keys, open_routes, local_routes)
    app = web.Application(client_max_size=MAX_BODY, middlewares=[_errors, guard])
    app[CONTEXT] = HostContext(
        store, controller, feed, keys, ready, model_card, jurisdiction, heartbeat_s, registry
    )
    open_routes.update(app.router.add_routes(_OPEN))
    open_routes.update(app.router.add_routes(extra_routes))
    local_routes.update(app.router.add_routes([web.get("/metrics", _metrics)]))
    app.router.add_routes([*api.ROUTES, *stream.ROUTES, *pages.ROUTES])
    app.on_startup.append(_read_files)
    app.on_response_prepare.append(_add_headers)
    app.on_shutdown.append(_let_go)
    return app


async def _read_files(_app: web.Application) -> None:
    await asyncio.to_thread(environment)


async def _let_go(app: web.Application) -> None:
    app[CONTEXT].feed.close_all()


async def _add_headers(_request: web.Request, response: web.StreamResponse) -> None:
    for name, value in _HEADERS.items():
        response.headers.setdefault(name, value)
    response.headers[hdrs.SERVER] = "ClassMood"  # aiohttp's own names its version


@web.middleware
async def _errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Every error as JSON to programs and as a page to people, in one line that says what to do."""
    target: str | None = None
    try:
        return await handler(request)
    except web.HTTPException as exc:
        if exc.status < 400:
            raise
        status, said = exc.status, _one_line(exc)
        if isinstance(exc, LinkSpent):
            target = target_without_token(request)
        headers = {
            name: exc.headers[name]
            for name in (hdrs.WWW_AUTHENTICATE, hdrs.ALLOW, hdrs.RETRY_AFTER)
            if name in exc.headers
        }
    except StoreError as exc:
        _log.error("store_failed", address=_address(request), error=str(exc))
        status, said, headers = 503, str(exc), {}
    except HostKeysError as exc:
        _log.error("host_keys_failed", error=str(exc))
        status, said, headers = 503, str(exc), {}
    except Exception:  # noqa: BLE001  # a fault of ours is logged and told like any other error
        _log.exception("request_failed", address=_address(request))
        status, said, headers = 500, "an error of the program: see its log", {}
    if _is_page(request):
        text = render("error.html", status=status, said=said, target=target)
        return web.Response(text=text, content_type="text/html", status=status, headers=headers)
    return web.json_response({"error": said}, status=status, headers=headers)


def _address(request: web.Request) -> str | None:
    """The kind of address that was asked for, without what varies in it."""
    resource = request.match_info.route.resource
    return None if resource is None else resource.canonical


def _is_page(request: web.Request) -> bool:
    # Also under /api/: a report is opened from a link.
    return "text/html" in request.headers.get(hdrs.ACCEPT, "")


def _one_line(exc: web.HTTPException) -> str:
    match exc.status:
        case 404 if exc.text == f"404: {exc.reason}":
            return "nothing is here: check the address"
        case 405:
            return f"{exc.reason}: use {exc.headers.get(hdrs.ALLOW, 'another method')}"
        case 413:
            return f"the request is too large: send at most {MAX_BODY // 1024} KiB"
    return " ".join((exc.text or exc.reason).split())


async def _healthz(_request: web.Request) -> web.Response:
    return web.json_response({"alive": True})


async def _readyz(request: web.Request) -> web.Response:
    reason = request.app[CONTEXT].ready()
    if reason is not None:
        return web.json_response({"error": reason}, status=503)
    return web.json_response({"ready": True})


async def _static(request: web.Request) -> web.Response:
    found = static_files()
    name = request.match_info["name"]
    content = found.files.get(name)
    if content is None or request.match_info["version"] != found.version:
        raise web.HTTPNotFound
    return web.Response(
        body=content,
        content_type=content_type(name),
        charset="utf-8",
        headers={hdrs.CACHE_CONTROL: "public, max-age=31536000, immutable"},
    )


async def _metrics(request: web.Request) -> web.Response:
    # In a thread: the process collector reads /proc.
    body = await asyncio.to_thread(generate_latest, request.app[CONTEXT].registry)
    return web.Response(body=body, headers={hdrs.CONTENT_TYPE: CONTENT_TYPE_LATEST})


_OPEN: Final = (
    web.get("/healthz", _healthz),
    web.get("/readyz", _readyz),
    web.get("/static/{version}/{name}", _static),
)
