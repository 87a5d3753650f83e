"""The live feed: what happens in a class, passed on to every page that follows it.

Comes in: events the sessions publish (``summary``, ``pulse``, ``marker``, ``state``, ...). Goes out: one
``Subscription`` a follower, each with its own bounded queue. Ids grow by one per class; the last events
are kept so that a follower who lost the connection can go on where it stopped. Whoever cannot be served
every event gets a ``resync`` instead of the lost ones: read the class and its windows anew. Pure asyncio:
no I/O, no clock; everything runs on the event loop's thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

RESYNC: Final = "resync"
"""Name of the event that stands for lost ones."""


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One event of a class.

    Attributes:
        id: Grows by one per class, from 1; a ``resync`` carries the id of the newest event it stands for.
        event: Name, as in the server-sent events.
        data: JSON object; not to be changed after publishing.
    """

    id: int
    event: str
    data: dict[str, Any]


@dataclass(slots=True)
class _Channel:
    """What is kept of one class while it runs."""

    ring: deque[FeedEvent]
    newest_id: int = 0
    followers: set[Subscription] = field(default_factory=set)


class Subscription:
    """One follower's events, as an async iterator; a context manager, so that it is given back.

    Attributes:
        since_id: Id of the class's newest event when the subscription began; what it yields is newer,
            unless it resumes from an older one.
    """

    def __init__(self, feed: LiveFeed, class_id: str, since_id: int, queue_size: int) -> None:
        self.since_id = since_id
        self._feed = feed
        self._class_id = class_id
        self._queue_size = queue_size
        self._queue: deque[FeedEvent] = deque()
        self._changed = asyncio.Event()
        self._ended = False

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._feed.unsubscribe(self._class_id, self)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> FeedEvent:
        while not self._queue:
            if self._ended:
                raise StopAsyncIteration
            self._changed.clear()
            await self._changed.wait()
        return self._queue.popleft()

    def offer(self, event: FeedEvent) -> None:
        """Queue an event; a full queue is emptied and becomes one ``resync``."""
        if len(self._queue) >= self._queue_size:
            self._queue.clear()
            event = FeedEvent(event.id, RESYNC, {})
        self._queue.append(event)
        self._changed.set()

    def end(self) -> None:
        """No more events: the iterator stops after what is queued."""
        self._ended = True
        self._changed.set()


class LiveFeed:
    """Passes the events of every running class on to its followers.

    Args:
        kept: Events kept per class for followers that come back; older ones are dropped.
        queue_size: Events a follower may be behind before they are dropped for one ``resync``.
    """

    def __init__(self, kept: int = 1024, queue_size: int = 256) -> None:
        self._kept = kept
        self._queue_size = queue_size
        self._channels: dict[str, _Channel] = {}

    def publish(self, class_id: str, event: str, data: dict[str, Any]) -> FeedEvent:
        """Pass an event on to all who follow the class."""
        channel = self._channel(class_id)
        channel.newest_id += 1
        made = FeedEvent(channel.newest_id, event, data)
        channel.ring.append(made)
        for follower in channel.followers:
            follower.offer(made)
        return made

    def subscribe(self, class_id: str, last_id: int | None = None) -> Subscription:
        """Follow a class from this moment on, or from the event after ``last_id``.

        When events after ``last_id`` are no longer kept, or the id is none of this run's, the first
        event is a ``resync``. To be used in a ``with`` block.
        """
        channel = self._channel(class_id)
        follower = Subscription(self, class_id, channel.newest_id, self._queue_size)
        if last_id is not None:
            missed = [kept for kept in channel.ring if kept.id > last_id]
            complete = 0 <= last_id <= channel.newest_id and len(missed) == channel.newest_id - last_id
            if complete and len(missed) <= self._queue_size:
                for event in missed:
                    follower.offer(event)
            else:
                follower.offer(FeedEvent(channel.newest_id, RESYNC, {}))
        channel.followers.add(follower)
        return follower

    def unsubscribe(self, class_id: str, follower: Subscription) -> None:
        """Forget a follower; a class nobody follows and nothing happened in is forgotten too."""
        channel = self._channels.get(class_id)
        if channel is None:
            return
        channel.followers.discard(follower)
        if not channel.followers and not channel.newest_id:
            del self._channels[class_id]

    def followers(self, class_id: str) -> int:
        """How many follow a class now."""
        channel = self._channels.get(class_id)
        return 0 if channel is None else len(channel.followers)

    def close(self, class_id: str) -> None:
        """End a class's feed: followers get what is queued, then their iterators stop.

        To be called once the final state is in the store and published here as the last event;
        who comes later reads the store. What was kept of the class is forgotten.
        """
        channel = self._channels.pop(class_id, None)
        if channel is not None:
            for follower in channel.followers:
                follower.end()

    def close_all(self) -> None:
        """End every feed, so that a server going down need not wait for its followers."""
        for class_id in list(self._channels):
            self.close(class_id)

    def _channel(self, class_id: str) -> _Channel:
        return self._channels.setdefault(class_id, _Channel(deque(maxlen=self._kept)))
