"""The live feed: order of events, resuming, limits and its end."""

from __future__ import annotations

import asyncio

from reports.web.feed import RESYNC, FeedEvent, LiveFeed, Subscription


async def take(subscription: Subscription, count: int) -> list[FeedEvent]:
    async with asyncio.timeout(1):
        return [await anext(subscription) for _ in range(count)]


async def remaining(subscription: Subscription) -> list[FeedEvent]:
    async with asyncio.timeout(1):
        return [event async for event in subscription]


async def test_class_without_events_ends_without_events() -> None:
    feed = LiveFeed()
    with feed.subscribe("c1") as subscription:
        feed.close("c1")
        assert await remaining(subscription) == []


async def test_events_arrive_in_order_with_ids_counted_for_each_class() -> None:
    feed = LiveFeed()
    with feed.subscribe("c1") as one, feed.subscribe("c2") as two:
        for number in range(3):
            feed.publish("c1", "summary", {"n": number})
        feed.publish("c2", "pulse", {})
        assert await take(one, 3) == [FeedEvent(n + 1, "summary", {"n": n}) for n in range(3)]
        assert await take(two, 1) == [FeedEvent(1, "pulse", {})]


async def test_waiting_follower_receives_an_event() -> None:
    feed = LiveFeed()
    with feed.subscribe("c1") as subscription:
        waiting = asyncio.ensure_future(take(subscription, 1))
        await asyncio.sleep(0)
        feed.publish("c1", "state", {"state": "live"})
        assert [event.data for event in await waiting] == [{"state": "live"}]


async def test_subscription_includes_events_before_the_first_read() -> None:
    feed = LiveFeed()
    feed.publish("c1", "summary", {"n": 0})
    with feed.subscribe("c1") as subscription:
        feed.publish("c1", "summary", {"n": 1})
        assert subscription.since_id == 1
        assert [event.id for event in await take(subscription, 1)] == [2]


async def test_resuming_follower_receives_exactly_the_missed_events() -> None:
    feed = LiveFeed()
    for number in range(5):
        feed.publish("c1", "summary", {"n": number})
    with feed.subscribe("c1", 3) as subscription:
        feed.publish("c1", "summary", {"n": 5})
        assert [event.id for event in await take(subscription, 3)] == [4, 5, 6]
    with feed.subscribe("c1", 6) as subscription:
        feed.close("c1")
        assert await remaining(subscription) == []


async def test_resuming_after_an_unknown_or_dropped_event_gets_a_resync() -> None:
    feed = LiveFeed(history_size=3)
    for number in range(10):
        feed.publish("c1", "summary", {"n": number})
    with feed.subscribe("c1", 7) as subscription:
        assert [event.id for event in await take(subscription, 3)] == [8, 9, 10]
    for unknown in (6, 0, 99, -1):
        with feed.subscribe("c1", unknown) as subscription:
            feed.publish("c1", "pulse", {})
            first, second = await take(subscription, 2)
            assert first.event == RESYNC
            assert (second.event, second.id) == ("pulse", first.id + 1)


async def test_follower_that_falls_behind_gets_one_resync_and_then_new_events() -> None:
    feed = LiveFeed(queue_size=4)
    with feed.subscribe("c1") as slow, feed.subscribe("c1") as quick:
        seen = []
        for number in range(6):
            feed.publish("c1", "summary", {"n": number})
            seen += await take(quick, 1)
        feed.close("c1")
        assert [event.id for event in seen] == [1, 2, 3, 4, 5, 6]
        assert [(event.id, event.event) for event in await remaining(slow)] == [(5, RESYNC), (6, "summary")]


async def test_closed_feed_delivers_queued_events_and_ends() -> None:
    feed = LiveFeed()
    with feed.subscribe("c1") as subscription:
        feed.publish("c1", "state", {"state": "ended"})
        feed.close("c1")
        feed.close("c1")
        assert [event.data for event in await remaining(subscription)] == [{"state": "ended"}]


async def test_close_all_ends_the_followers_of_every_class() -> None:
    feed = LiveFeed()
    with feed.subscribe("c1") as one, feed.subscribe("c2") as two:
        feed.close_all()
        assert await remaining(one) == await remaining(two) == []


async def test_unsubscribed_follower_receives_nothing_more() -> None:
    feed = LiveFeed()
    with feed.subscribe("c1") as subscription:
        pass
    feed.publish("c1", "summary", {})
    feed.close("c1")
    waiting = asyncio.ensure_future(remaining(subscription))
    done, _ = await asyncio.wait({waiting}, timeout=0.05)
    waiting.cancel()
    assert not done
