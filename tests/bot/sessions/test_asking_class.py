"""Asking a class: what is published and stored, "I dealt with it", and the entrance of a class elsewhere."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

from bot.rooms.contract import Answered, Joined, Pulse, RoomUnavailable
from bot.sessions.with_entrance import WithEntrance
from reports.summary.classes import ClassState
from reports.summary.indicators import indicate
from reports.summary.records import MarkerKind, calms_s
from reports.summary.windows import PulseKind
from tests.bot.sessions.session_setup import FakeAdapter, SessionSetup
from tests.fakes import FakeRoom


async def events_of(setup: SessionSetup, class_id: str, name: str, count: int) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = []
    with setup.feed.subscribe(class_id, 0) as events:
        async with asyncio.timeout(10):
            async for event in events:
                found += [event.data] if event.event == name else []
                if len(found) >= count:
                    break
    return found


async def test_answers_are_published_live_and_stored_as_counts_with_a_marker(
    set_up: Callable[..., SessionSetup],
) -> None:
    setup = set_up()
    info = await setup.start()
    await setup.stored_state(info.id, ClassState.LIVE)
    setup.room.emit(Joined("a"), Joined("b"), Joined("c"))
    await asyncio.sleep(0.1)
    asked = await setup.sessions.ask(info.id, "", (), 4.5)
    assert asked is not None
    setup.room.emit(Answered("a", 1), Answered("b", 2))
    live = await events_of(setup, info.id, "ask", 2)
    assert (live[0]["silent"], live[0]["open"], live[0]["answers"][1]) == (3, True, "lost")
    assert live[1]["counts"]["lost"] == 1
    opened = setup.sessions.open_question(info.id)
    assert opened is not None
    assert (opened.counts["with_me"], opened.silent) == (1, 1)
    await setup.sessions.end(info.id)
    (stored,) = await setup.store.asks(info.id)
    assert (stored.id, stored.counts["lost"], stored.silent, stored.open) == (asked.id, 1, 1, False)
    assert stored.alert_at_s == 4.5
    (marker,) = await setup.store.markers(info.id)
    assert (marker.kind, marker.label) == (MarkerKind.ASK, "Asked: 1 with me · 1 lost · 1 silent")
    assert marker.at_s == asked.at_s
    assert await setup.sessions.ask(info.id, "", (), None) is None
    assert setup.sessions.open_question(info.id) is None


async def test_what_the_host_dealt_with_is_calm_at_once_and_in_the_store(
    set_up: Callable[..., SessionSetup],
) -> None:
    setup = set_up()
    info = await setup.start()
    await setup.stored_state(info.id, ClassState.LIVE)
    setup.room.emit(Joined("a", consented=True), Pulse("a", PulseKind.LOST))
    (alert,) = await events_of(setup, info.id, "alert", 1)
    assert alert["ended_s"] is None
    marker = await setup.sessions.calm(info.id)
    assert marker is not None
    assert marker.kind is MarkerKind.CALM
    *_, last = await events_of(setup, info.id, "alert", 2)
    assert last["ended_s"] == pytest.approx(marker.at_s, abs=0.001)
    await asyncio.sleep(1.5)
    await setup.sessions.end(info.id)
    windows = await setup.store.windows(info.id)
    assert windows[-1].votes["lost"] == 0
    stored = indicate(windows, calms_s(await setup.store.markers(info.id)))
    assert [alert.ended_s for alert in stored.alerts] == [pytest.approx(marker.at_s)]
    assert stored.now is not None
    assert stored.now.level == "none"


class CodelessRoom(FakeRoom):
    """A room without a page for its students."""

    def __init__(self) -> None:
        super().__init__()
        self.code = None


async def test_a_class_elsewhere_has_an_entrance_whose_students_are_not_present_twice(
    set_up: Callable[..., SessionSetup],
) -> None:
    room, entrance = CodelessRoom(), FakeRoom()
    setup = set_up(room)
    setup.sessions._adapters = {"fake": FakeAdapter(room), "companion": FakeAdapter(entrance)}
    info = await setup.start()
    assert (info.code, info.student_url, info.asks_for_cameras) == ("ABCD", "http://here/c/ABCD", False)
    await setup.stored_state(info.id, ClassState.LIVE)
    assert (len(room.announcements), entrance.announcements) == (1, [])
    room.emit(Joined("a"), Joined("b"))
    entrance.emit(Joined("page", attends=False), Pulse("page", PulseKind.LOST))
    await asyncio.sleep(0.2)
    asked = await setup.sessions.ask(info.id, "", (), None)
    assert room.questions == entrance.questions == [asked]
    entrance.emit(Answered("page", 2))
    room.emit(Answered("a", 2, by_chat=True))
    await asyncio.sleep(1.6)
    assert await setup.sessions.leave_out(info.id, "nobody") == 2
    await setup.sessions.end(info.id)
    assert not room.inside
    assert not entrance.inside
    windows = await setup.store.windows(info.id)
    assert {window.participants for window in windows if window.length_s == 1} == {2}
    (stored,) = await setup.store.asks(info.id)
    assert (stored.counts["lost"], stored.silent, stored.by_chat) == (2, 0, 1)


async def test_the_end_and_the_error_of_the_room_are_those_of_both() -> None:
    for end in (None, RoomUnavailable("gone")):
        room, entrance = CodelessRoom(), FakeRoom()
        async with WithEntrance(room, entrance) as both:
            entrance.emit(Joined("page"), None)
            await asyncio.sleep(0.05)
            room.emit(Joined("a"), end)
            seen = []
            try:
                async for event in both.events():
                    seen.append(event)
                assert end is None
            except RoomUnavailable:
                assert end is not None
            assert {event.participant_id for event in seen if isinstance(event, Joined)} == {"a", "page"}
