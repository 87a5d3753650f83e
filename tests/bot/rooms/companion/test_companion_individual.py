"""The second consent over the embedded room's API: given by joining, taken back at any time."""

from __future__ import annotations

import pytest

from bot.rooms.contract import Joined, RoomEvent
from tests.bot.rooms.companion.school_network import Class


def joins(told: list[RoomEvent]) -> list[tuple[str | None, bool]]:
    return [(event.name, event.individual) for event in told if isinstance(event, Joined)]


async def test_it_is_given_by_joining_and_taken_back(school: Class) -> None:
    answer = await school.join_without_camera(name="Anna", individual=True)
    await school.until(lambda told: joins(told) == [("Anna", True)])
    response = await school.post("individual", token=answer["token"], individual=False)
    assert response.status == 200
    await school.until(lambda told: joins(told) == [("Anna", True), (None, False)])
    await school.join_without_camera(name="Anna", individual=False, token=answer["token"])
    await school.join_without_camera(name="Anna", individual=True, token=answer["token"])
    await school.until(lambda told: joins(told)[2:] == [("Anna", True)])


async def test_coming_back_without_it_takes_it_back(school: Class) -> None:
    answer = await school.join_without_camera(name="Anna", individual=True)
    await school.join_without_camera(name="Anna", token=answer["token"])
    await school.until(lambda told: joins(told) == [("Anna", True), ("Anna", False)])


@pytest.mark.parametrize("fields", [{}, {"individual": True}, {"individual": 0}, {"individual": None}])
async def test_anything_else_is_refused(school: Class, fields: dict[str, object]) -> None:
    answer = await school.join_without_camera(name="Anna", individual=True)
    response = await school.post("individual", token=answer["token"], **fields)
    assert response.status == 400
    assert (await school.post("individual", token="wrong", individual=False)).status == 403
    await school.until(lambda told: joins(told) == [("Anna", True)])
