"""The live stream of a class: the events of the live feed as server-sent events.

A client that reconnects with ``Last-Event-ID`` gets the events it missed; any other client first gets the
current ``state``. The stream ends with the class. docs/interface.md lists the events.
"""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from typing import Any, Final

from aiohttp import hdrs, web
from aiohttp_sse import EventSourceResponse

from reports.web.context import CLASS_ID, CONTEXT, find_class
from reports.web.feed import Subscription

MAX_FOLLOWERS: Final = 64
"""Limit of clients that follow one class at the same time."""

_RETRY_MS: Final = 2000
_NO_COMMENTS_S: Final = 1e6
"""Interval of the library's own pings, which are comments: heartbeats take their place."""


async def follow(request: web.Request) -> web.StreamResponse:
    """GET /api/classes/ID/live."""
    context = request.app[CONTEXT]
    info = await find_class(request)
    last_id = _last_id(request)
    if context.feed.followers(info.id) >= MAX_FOLLOWERS:
        raise web.HTTPServiceUnavailable(
            text=f"close another page of this class first: {MAX_FOLLOWERS} are open, which is the limit",
            headers={"Retry-After": "10"},
        )
    # Read the class again: it may have changed between the first read and the subscription.
    with context.feed.subscribe(info.id, last_id) as subscription:
        info = await find_class(request)
        stream = EventSourceResponse(sep="\n", ping_interval=_NO_COMMENTS_S)
        await stream.prepare(request)
        async with stream:
            if last_id is None or not info.running:
                await _send(stream, subscription.since_id, "state", info.to_json(), _RETRY_MS)
            if info.running:
                await _forward(stream, subscription, context.heartbeat_s)
    return stream


async def _forward(stream: EventSourceResponse, subscription: Subscription, heartbeat_s: float) -> None:
    """Send events until the class ends or a heartbeat fails because the client is gone.

    Heartbeats are events, not comments: only events are visible to the page, which shows that the connection
    is lost if none comes.
    """

    async def send_all() -> None:
        with suppress(ConnectionError, TimeoutError):
            async for event in subscription:
                await _send(stream, event.id, event.event, event.data)

    async def send_heartbeats() -> None:
        with suppress(ConnectionError, TimeoutError):
            while True:
                await asyncio.sleep(heartbeat_s)
                await stream.send("{}", event="heartbeat")

    sending = asyncio.create_task(send_all())
    heartbeat = asyncio.create_task(send_heartbeats())
    try:
        await asyncio.wait({sending, heartbeat}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, heartbeat):
            task.cancel()
        await asyncio.gather(sending, heartbeat, return_exceptions=True)
    if not sending.cancelled():
        sending.result()  # raises the error of sending, if there was one


async def _send(
    stream: EventSourceResponse, event_id: int, event: str, data: dict[str, Any], retry_ms: int | None = None
) -> None:
    await stream.send(json.dumps(data), id=str(event_id), event=event, retry=retry_ms)


def _last_id(request: web.Request) -> int | None:
    """Id of the last event that the client received; None for a new client."""
    header = request.headers.get(hdrs.LAST_EVENT_ID)
    if not header:
        return None
    # For an id that it never assigned, such as -1, the feed sends a resync.
    return int(header) if header.isascii() and header.isdigit() and len(header) < 16 else -1


ROUTES: Final = (web.get(f"/api/classes/{CLASS_ID}/live", follow),)
