"""The live stream of a class as server-sent events; docs/interface.md lists them.

Comes in: a subscription to the live feed. Goes out: one event a message with its ``id``; a follower that
comes back with ``Last-Event-ID`` gets what it missed, any other one the current ``state`` first. The
stream ends with the class.
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
"""Pages that follow one class at a time."""

_RETRY_MS: Final = 2000


async def follow(request: web.Request) -> web.StreamResponse:
    """GET /api/classes/ID/live."""
    context = request.app[CONTEXT]
    info = await find_class(request)
    last_id = _last_id(request)
    if context.feed.followers(info.id) >= MAX_FOLLOWERS:
        raise web.HTTPServiceUnavailable(
            text=f"{MAX_FOLLOWERS} pages follow this class already: close some", headers={"Retry-After": "10"}
        )
    # Subscribed before the class is read again, so that no change falls between the two.
    with context.feed.subscribe(info.id, last_id) as subscription:
        info = await find_class(request)
        stream = EventSourceResponse(sep="\n", ping_interval=context.heartbeat_s)
        await stream.prepare(request)
        async with stream:
            if last_id is None or not info.running:
                await _send(stream, subscription.since_id, "state", info.to_json(), _RETRY_MS)
            if info.running:
                await _pass_on(stream, subscription)
    return stream


async def _pass_on(stream: EventSourceResponse, subscription: Subscription) -> None:
    """Send events until the class ends or the follower is gone, which a failed heartbeat tells."""

    async def send_all() -> None:
        with suppress(ConnectionError, TimeoutError):
            async for event in subscription:
                await _send(stream, event.id, event.event, event.data)

    sending = asyncio.create_task(send_all())
    gone = asyncio.create_task(stream.wait())
    try:
        await asyncio.wait({sending, gone}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        for task in (sending, gone):
            task.cancel()
        await asyncio.gather(sending, gone, return_exceptions=True)
    if not sending.cancelled():
        sending.result()


async def _send(
    stream: EventSourceResponse, event_id: int, event: str, data: dict[str, Any], retry_ms: int | None = None
) -> None:
    await stream.send(json.dumps(data), id=str(event_id), event=event, retry=retry_ms)


def _last_id(request: web.Request) -> int | None:
    given = request.headers.get(hdrs.LAST_EVENT_ID)
    if not given:
        return None
    # An id this feed never gave makes the feed answer with a resync.
    return int(given) if given.isascii() and given.isdigit() and len(given) < 16 else -1


ROUTES: Final = (web.get(f"/api/classes/{CLASS_ID}/live", follow),)
