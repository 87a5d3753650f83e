"""Distributes the events of running classes to every client that follows them.

Each follower has a bounded queue. Event ids count up from 1 in each class. The newest events are kept, so
that a client that reconnects can resume. A follower that cannot get every event receives a ``resync`` in
place of the missing ones: it then reads the class and its windows again. All calls are made on the event
loop's thread.
"""

from __future__ import annotations

import asyncio
from collections import deque
from dataclasses import dataclass, field
from types import TracebackType
from typing import Any, Final, Self

RESYNC: Final = "resync"
"""Name of the event that replaces events a follower has missed."""


@dataclass(frozen=True, slots=True)
class FeedEvent:
    """One event of a class.

    Attributes:
        id: Counts up from 1 in each class; a ``resync`` has the id of the newest event that it replaces.
        event: Name, as in the server-sent events.
        data: JSON object; do not change it after publishing.
    """

    id: int
    event: str
    data: dict[str, Any]


@dataclass(slots=True)
class _Channel:
    """The newest events and the followers of a running class."""

    history: deque[FeedEvent]
    newest_id: int = 0
    followers: set[Subscription] = field(default_factory=set)


class Subscription:
    """The events for one follower: an async iterator, and a context manager that unsubscribes at its end.

    Attributes:
        since_id: Id of the class's newest event when the subscription began.
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
        """Queue an event. If the queue is full, one ``resync`` replaces its events and this one."""
        if len(self._queue) >= self._queue_size:
            self._queue.clear()
            event = FeedEvent(event.id, RESYNC, {})
        self._queue.append(event)
        self._changed.set()

    def end(self) -> None:
        """Stop the iterator after the queued events."""
        self._ended = True
        self._changed.set()


class LiveFeed:
    """The followers of every running class.

    Args:
        history_size: Events kept for each class, for clients that reconnect.
        queue_size: Events that a follower may be behind; beyond it, a ``resync`` replaces them.
    """

    def __init__(self, history_size: int = 1024, queue_size: int = 256) -> None:
        self._history_size = history_size
        self._queue_size = queue_size
        self._channels: dict[str, _Channel] = {}

    def publish(self, class_id: str, event: str, data: dict[str, Any]) -> FeedEvent:
        """Send an event to all followers of the class."""
        channel = self._channel(class_id)
        channel.newest_id += 1
        published = FeedEvent(channel.newest_id, event, data)
        channel.history.append(published)
        for follower in channel.followers:
            follower.offer(published)
        return published

    def subscribe(self, class_id: str, last_id: int | None = None) -> Subscription:
        """Follow a class: new events, or those after ``last_id``. Use it in a ``with`` block.

        The first event is a ``resync`` if an event after ``last_id`` is no longer kept, or if the feed never
        assigned that id, for example because the server has restarted.
        """
        channel = self._channel(class_id)
        follower = Subscription(self, class_id, channel.newest_id, self._queue_size)
        if last_id is not None:
            missed = [event for event in channel.history if event.id > last_id]
            complete = 0 <= last_id <= channel.newest_id and len(missed) == channel.newest_id - last_id
            if complete and len(missed) <= self._queue_size:
                for event in missed:
                    follower.offer(event)
            else:
                follower.offer(FeedEvent(channel.newest_id, RESYNC, {}))
        channel.followers.add(follower)
        return follower

    def unsubscribe(self, class_id: str, follower: Subscription) -> None:
        """Remove a follower."""
        channel = self._channels.get(class_id)
        if channel is None:
            return
        channel.followers.discard(follower)
        if not channel.followers and not channel.newest_id:  # for example a class that had ended before
            del self._channels[class_id]

    def followers(self, class_id: str) -> int:
        """The number of followers of a class."""
        channel = self._channels.get(class_id)
        return 0 if channel is None else len(channel.followers)

    def close(self, class_id: str) -> None:
        """End the feed of a class: its followers receive the queued events, then their iterators stop.

        Store and publish the final state before: a client that comes later finds it in the store only.
        """
        channel = self._channels.pop(class_id, None)
        if channel is not None:
            for follower in channel.followers:
                follower.end()

    def close_all(self) -> None:
        """End every feed, so that a server that stops does not wait for the followers."""
        for class_id in list(self._channels):
            self.close(class_id)

    def _channel(self, class_id: str) -> _Channel:
        return self._channels.setdefault(class_id, _Channel(deque(maxlen=self._history_size)))
