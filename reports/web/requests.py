"""Checks requests, and reads bodies of limited size and duration, for the host's API and the students' API.

RequestRefused
+-- MalformedHost  400   the Host header is malformed
+-- NotJson        400   the body is not a JSON object
+-- BodyTooSlow    408   the body did not arrive in time
+-- BodyTooLarge   413   the body has too many bytes
+-- CompressedBody 415   the body is compressed
"""

from __future__ import annotations

import asyncio
import json
from typing import Any, ClassVar, Final

from aiohttp import hdrs, web

MAX_BODY_BYTES: Final = 64 * 1024
BODY_TIMEOUT_S: Final = 10.0


class RequestRefused(Exception):
    """The server refuses a request; the text is one line that says what to do.

    Attributes:
        status: HTTP status of the response.
    """

    status: ClassVar[int] = 400


class MalformedHost(RequestRefused):
    """The Host header is malformed."""


class NotJson(RequestRefused):
    """The body is not a JSON object."""


class BodyTooSlow(RequestRefused):
    """The body did not arrive within ``BODY_TIMEOUT_S``."""

    status = 408


class BodyTooLarge(RequestRefused):
    """The body has more than ``MAX_BODY_BYTES``."""

    status = 413


class CompressedBody(RequestRefused):
    """The body is compressed."""

    status = 415


def check_host(request: web.Request) -> None:
    """Refuse a Host header from which no URL can be made, so that no page raises an error over it.

    Raises:
        MalformedHost: there is no such URL.
    """
    try:
        request.url.origin()
    except ValueError as exc:
        raise MalformedHost("send the name and port of this server as Host") from exc


def check_encoding(request: web.Request) -> None:
    """Refuse compressed bodies: decompressing them costs strangers little and the server much.

    Raises:
        CompressedBody: the request has a Content-Encoding other than ``identity``.
    """
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").strip().lower() != "identity":
        raise CompressedBody("send the body uncompressed, without Content-Encoding")


async def read_body(request: web.Request) -> bytes:
    """Read the body of a request.

    Raises:
        BodyTooLarge: it has more than ``MAX_BODY_BYTES``.
        BodyTooSlow: it did not arrive within ``BODY_TIMEOUT_S``.
    """
    _check_size(request.content_length or 0)
    body = bytearray()
    try:
        async with asyncio.timeout(BODY_TIMEOUT_S):
            async for chunk in request.content.iter_any():
                body += chunk
                _check_size(len(body))  # a chunked body has no Content-Length
    except TimeoutError as exc:
        raise BodyTooSlow("the request took too long to arrive: try again") from exc
    return bytes(body)


def parse_json_object(body: bytes) -> dict[str, Any]:
    """Parse a body that must be a JSON object.

    Raises:
        NotJson: it is not a JSON object.
    """
    try:
        fields = json.loads(body)
    except (ValueError, RecursionError) as exc:  # RecursionError: thousands of nested brackets
        raise NotJson("the body is not valid JSON: send a JSON object") from exc
    if not isinstance(fields, dict):
        raise NotJson("the body must be a JSON object")
    return fields


def _check_size(size: int) -> None:
    if size > MAX_BODY_BYTES:
        raise BodyTooLarge(f"the request is too large: send at most {MAX_BODY_BYTES // 1024} KiB")
