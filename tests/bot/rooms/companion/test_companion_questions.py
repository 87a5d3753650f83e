"""Questions on the student page: a page waits for one, and answers it while it is open."""

from __future__ import annotations

import asyncio

import pytest

from bot.config import Settings
from bot.rooms.companion.adapter import Adapter
from bot.rooms.companion.requests import JoinRequest
from bot.rooms.companion.room import CompanionRoom
from bot.rooms.contract import Answered, Joined
from bot.rooms.registry import RoomContext
from reports.summary.asks import ASK_S, USUAL_ANSWERS, Ask
from tests.bot.rooms.companion.room_client import CODE, RoomClient

QUESTION = Ask("a1", "c", 100.0, 100.0 + ASK_S, "", tuple(USUAL_ANSWERS), open=True)


async def test_a_page_that_waits_gets_the_question_at_once_and_its_answer_is_published(
    client: RoomClient,
) -> None:
    answer = await client.join_without_camera()
    token = answer["token"]
    waiting = asyncio.create_task(client.post("wait", token=token, known=""))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    assert await client.room.ask(QUESTION)
    async with asyncio.timeout(1):
        question = (await (await waiting).json())["question"]
    assert question["answers"] == ["with_me", "lost", "too_fast", "too_slow"]
    assert (question["id"], question["question"]) == ("a1", "")
    assert ASK_S - 1 < question["closes_in_s"] <= ASK_S
    response = await client.post("answer", token=token, ask_id="a1", answer="lost")
    assert response.status == 200
    await client.wait_until(lambda events: Answered(answer["participant_id"], 2) in events)


async def test_a_page_that_opens_late_gets_the_open_question_and_all_learn_of_its_end(
    client: RoomClient,
) -> None:
    token = (await client.join_without_camera())["token"]
    await client.room.ask(QUESTION)
    first = await (await client.post("wait", token=token)).json()
    assert first["question"]["id"] == "a1"
    waiting = asyncio.create_task(client.post("wait", token=token, known="a1"))
    await asyncio.sleep(0.05)
    await client.room.ask(None)
    assert await (await waiting).json() == {"question": None}
    response = await client.post("answer", token=token, ask_id="a1", answer="lost")
    assert (response.status, "closed" in (await response.json())["error"]) == (422, True)


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"ask_id": "a1", "answer": "maybe"}, 422),
        ({"ask_id": "other", "answer": "lost"}, 422),
        ({"ask_id": "a1", "answer": 1}, 400),
        ({"answer": "lost"}, 400),
        ({"ask_id": "a1", "answer": "lost", "token": "unknown"}, 403),
    ],
)
async def test_a_wrong_answer_is_refused(client: RoomClient, fields: dict[str, object], status: int) -> None:
    token = (await client.join_without_camera())["token"]
    await client.room.ask(QUESTION)
    response = await client.post("answer", **({"token": token} | fields))
    assert response.status == status
    assert not any(isinstance(event, Answered) for event in client.events)


async def test_a_page_that_waits_hears_of_the_end_of_the_class(client: RoomClient) -> None:
    token = (await client.join_without_camera())["token"]
    waiting = asyncio.create_task(client.post("wait", token=token))
    await asyncio.sleep(0.05)
    await client.room.__aexit__(None, None, None)
    assert (await waiting).status == 404


async def test_the_page_has_a_qr_code_and_the_language_of_the_browser(client: RoomClient) -> None:
    response = await client.http.get(f"/c/{CODE}/qr.svg")
    assert (response.status, response.content_type) == (200, "image/svg+xml")
    assert (await response.text()).startswith("<svg")
    for header, language in (
        ("de-CH, en;q=0.5", "de"),
        ("xx", "en"),
        ("hi;q=0.4, fr;q=0.8", "fr"),
        ("", "en"),
    ):
        page = await client.http.get(f"/c/{CODE}", headers={"Accept-Language": header})
        assert f'<html lang="{language}"' in await page.text()
    page = await client.http.get(f"/c/{CODE}?lang=es", headers={"Accept-Language": "de"})
    assert '<html lang="es" dir="ltr"' in await page.text()


async def test_an_entrance_asks_for_no_camera_and_its_students_do_not_attend() -> None:
    adapter = Adapter(RoomContext(Settings()))
    room = adapter.open("companion:?entrance=1")
    assert isinstance(room, CompanionRoom)
    assert (room.receives, room.entrance) == (False, True)
    async with room:
        await room.join(JoinRequest("v=0", None, False, None))
        event = await anext(room.events())
    assert isinstance(event, Joined)
    assert not event.attends
