"""The privacy groups of a room outlive its classes for a day."""

from __future__ import annotations

from bot.sessions.room_groups import REMEMBERED_S, RoomGroups


def test_a_room_keeps_its_groups_for_a_day() -> None:
    rooms = RoomGroups(5)
    groups = rooms.begin("room", 0.0)
    assert rooms.begin("other", 10.0) is not groups
    assert rooms.begin("room", REMEMBERED_S - 1) is groups
    assert rooms.begin("room", 2 * REMEMBERED_S) is not groups


def test_strangers_in_the_next_class_of_a_room_wait() -> None:
    rooms = RoomGroups(2)
    groups = rooms.begin("room", 0.0)
    for at_s in (5.0, 100.0):
        groups.add("ab", at_s)
    assert groups.publish("ab", 100.0) == [frozenset("ab")]
    groups = rooms.begin("room", 120.0)
    for at_s in (125.0, 220.0):
        groups.add("cd", at_s)
        assert groups.publish("cd", at_s) == []
