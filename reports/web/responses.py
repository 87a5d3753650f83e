"""Answers that the host's pages and the student page have in common: JSON, errors, static files."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import hdrs, web

from reports.assets import StaticFiles, content_type


def no_store() -> dict[str, str]:
    """The header that forbids browsers and proxies to store an answer."""
    return {hdrs.CACHE_CONTROL: "no-store"}


def json_answer(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON answer that no browser or proxy stores."""
    return web.json_response(content, status=status, headers=no_store() | dict(headers or {}))


def json_error(message: str, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error as JSON; the message is one line that says what to do."""
    return json_answer({"error": message}, status, headers)


def retry_after(seconds: int) -> dict[str, str]:
    """The header that says how long to wait before the next try."""
    return {hdrs.RETRY_AFTER: str(seconds)}


def static_answer(files: StaticFiles, request: web.Request) -> web.Response:
    """The static file that an address with the parts ``version`` and ``name`` names.

    Every version gets the current content. Only under the current version may a browser store it for good:
    scripts import each other by relative addresses, so all scripts of one page then have one version.

    Raises:
        HTTPNotFound: there is no file of that name.
    """
    name = request.match_info["name"]
    content = files.files.get(name)
    if content is None:
        raise web.HTTPNotFound
    current = request.match_info["version"] == files.version
    return web.Response(
        body=content,
        content_type=content_type(name),
        charset="utf-8",
        headers={hdrs.CACHE_CONTROL: "public, max-age=31536000, immutable" if current else "no-cache"},
    )
