"""HTTP responses of the host's pages and of the student's page: JSON, errors, static files."""

from __future__ import annotations

from collections.abc import Mapping

from aiohttp import hdrs, web

from reports.assets import StaticFiles, content_type


def no_store() -> dict[str, str]:
    """The header that forbids browsers and proxies to store a response."""
    return {hdrs.CACHE_CONTROL: "no-store"}


def json_answer(content: object, status: int = 200, headers: Mapping[str, str] | None = None) -> web.Response:
    """A JSON response that browsers and proxies must not store."""
    return web.json_response(content, status=status, headers=no_store() | dict(headers or {}))


def json_error(message: str, status: int, headers: Mapping[str, str] | None = None) -> web.Response:
    """An error as JSON. The message is one line that says what to do."""
    return json_answer({"error": message}, status, headers)


def retry_after(seconds: int) -> dict[str, str]:
    """The header that says when the client may try again."""
    return {hdrs.RETRY_AFTER: str(seconds)}


def static_answer(files: StaticFiles, request: web.Request) -> web.Response:
    """Serve a static file for a route with the parts ``version`` and ``name``.

    Any version returns the current content, but only the current version may be cached for good. Scripts
    import each other by relative addresses, so all scripts of a page have the same version.

    Raises:
        HTTPNotFound: there is no such file.
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
