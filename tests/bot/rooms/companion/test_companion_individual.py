"""The consent to check-ins in the API of the embedded room: given by joining, withdrawn at any time."""

from __future__ import annotations

import pytest

from bot.rooms.contract import Joined, RoomEvent
from tests.bot.rooms.companion.room_client import RoomClient


def joins(events: list[RoomEvent]) -> list[tuple[str | None, bool]]:
    """The name and the consent to check-ins of each ``Joined`` event."""
    return [(event.name, event.individual) for event in events if isinstance(event, Joined)]


async def test_consent_is_given_by_joining_and_can_be_withdrawn(client: RoomClient) -> None:
    answer = await client.join_without_camera(name="Anna", individual=True)
    await client.wait_until(lambda events: joins(events) == [("Anna", True)])
    response = await client.post("individual", token=answer["token"], individual=False)
    assert response.status == 200
    await client.wait_until(lambda events: joins(events) == [("Anna", True), (None, False)])
    await client.join_without_camera(name="Anna", individual=False, token=answer["token"])
    await client.join_without_camera(name="Anna", individual=True, token=answer["token"])
    await client.wait_until(lambda events: joins(events)[2:] == [("Anna", True)])


async def test_joining_again_without_consent_withdraws_it(client: RoomClient) -> None:
    answer = await client.join_without_camera(name="Anna", individual=True)
    await client.join_without_camera(name="Anna", token=answer["token"])
    await client.wait_until(lambda events: joins(events) == [("Anna", True), ("Anna", False)])


@pytest.mark.parametrize("fields", [{}, {"individual": True}, {"individual": 0}, {"individual": None}])
async def test_only_a_withdrawal_with_a_valid_token_is_accepted(
    client: RoomClient, fields: dict[str, object]
) -> None:
    answer = await client.join_without_camera(name="Anna", individual=True)
    response = await client.post("individual", token=answer["token"], **fields)
    assert response.status == 400
    assert (await client.post("individual", token="wrong", individual=False)).status == 403
    await client.wait_until(lambda events: joins(events) == [("Anna", True)])
