"""The embedded room at its limits: full, flooded, fed with rubbish, ended; and what its page says."""

import asyncio
import json
import random
import re
import threading
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from bot.config import PrivacySettings, Settings
from bot.rooms.companion import room as companion_room
from bot.rooms.companion.adapter import Adapter
from bot.rooms.companion.requests import clean_name
from bot.rooms.companion.room import CompanionRoom
from bot.rooms.contract import Pulse
from bot.rooms.registry import RoomContext
from bot.tracks import TrackEnded
from reports.web.requests import MAX_BODY_BYTES
from tests.bot.rooms.companion.school_network import CODE, QUICK, Class, held, kinds
from tests.cameras import Sender, needs_network, offer_text

# ---- limits and rubbish ------------------------------------------------------------------------


async def test_a_full_class_lets_nobody_in_but_those_who_come_back(
    school: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(companion_room, "MAX_STUDENTS", 2)
    first = await school.join_without_camera()
    await school.join_without_camera()
    response = await school.post("offer", sdp=None, consent=True)
    assert response.status == 503
    assert "full" in (await response.json())["error"]
    await school.join_without_camera(token=first["token"])
    await school.post("leave", token=first["token"])
    await school.join_without_camera()
    response = await school.post("offer", sdp=None, consent=True, token=first["token"])
    assert response.status == 503, "somebody else has the place"


async def test_an_unknown_code_is_404_everywhere(school: Class) -> None:
    for path in ("offer", "pulse", "camera", "leave"):
        response = await school.client.post(f"/api/companion/nowhere/{path}", json={"consent": True})
        assert response.status == 404
        assert "ended" in (await response.json())["error"]
    assert (await school.client.delete("/api/companion/nowhere/me", json={"token": "t"})).status == 404


@pytest.mark.parametrize("path", ["offer", "pulse", "camera", "leave"])
async def test_a_large_body_is_refused(school: Class, path: str) -> None:
    body = b'{"consent": true, "sdp": "' + b"v" * MAX_BODY_BYTES + b'"}'

    async def slices() -> AsyncIterator[bytes]:
        for at in range(0, len(body), 8192):
            yield body[at : at + 8192]

    for data in (body, slices()):
        response = await school.client.post(f"/api/companion/{CODE}/{path}", data=data)
        assert response.status == 413


async def test_rubbish_gets_a_plain_error_and_changes_nothing(school: Class) -> None:
    dice = random.Random(7)
    proper = {"sdp": offer_text("VP8", "max-fr=30"), "type": "offer", "consent": True, "token": "x" * 43}
    values: list[Any] = [None, 3, -1.5, True, [], {}, "", "x", "\ud800", "v=0", {"a": 1}, "v=0\r\nm=video"]
    bodies = [b"", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 30000, b'{"consent":true,"sdp":{}}']
    while len(bodies) < 40:
        fields = dict(proper)
        for key in dice.sample([*proper, "name", "individual", "kind", "on"], 3):
            fields[key] = dice.choice(values)
        fields.setdefault("kind", "no")
        if fields.get("sdp") is not None or fields["consent"] is not True or "token" in fields:
            bodies.append(json.dumps(fields).encode())
    for body in bodies:
        for path in ("offer", "pulse", "camera", "leave"):
            response = await school.client.post(f"/api/companion/{CODE}/{path}", data=body)
            error = (await response.json())["error"]
            assert 400 <= response.status < 500, (path, body)
            assert error
            assert "\n" not in error
    assert school.told == []
    assert school.room._presence.students == []


async def test_garbage_sdp_is_refused(school: Class) -> None:
    for sdp in (
        "",
        "garbage",
        "v=0\r\nm=video 0 X 1",
        offer_text("VP8", "max-fr=30").replace("m=video 9", "m=video 0"),
    ):
        response = await school.post("offer", sdp=sdp, type="offer", consent=True)
        assert response.status == 400, sdp
        assert "\n" not in (await response.json())["error"]
    assert school.room._presence.students == []


@pytest.mark.parametrize(
    ("given", "clean"),
    [
        (None, None),
        ("", None),
        (" \t\n\x00 ", None),
        ("Ada\u202e\u200b Lovelace", "Ada Lovelace"),
        ("x" * 200, "x" * 80),
        ("José Ñ 王", "José Ñ 王"),
    ],
)
def test_names_are_cleaned(given: str | None, clean: str | None) -> None:
    assert clean_name(given) == clean


# ---- the end and the page ----------------------------------------------------------------------


@needs_network
async def test_nothing_is_left_when_the_room_is_left() -> None:
    adapter = Adapter(RoomContext(QUICK))
    app = web.Application()
    app.add_routes(adapter.routes())
    async with TestClient(TestServer(app)) as client:
        before, threads = len(asyncio.all_tasks()), set(threading.enumerate())
        room = adapter.open(f"companion:{CODE}")
        assert isinstance(room, CompanionRoom)
        async with room:
            held = Class(client, room)
            listener = asyncio.create_task(held.listen())
            await held.join()
            await held.join()
            await (await held.track()).recv()
            track = await held.track(1)
            held.senders.append(Sender())
            offer = await held.senders[-1].offer()
            await held.post("offer", sdp=offer, type="offer", consent=True)  # and never connects
        await asyncio.wait_for(listener, 10)
        assert held.ended
        with pytest.raises(TrackEnded):
            await track.recv()
        assert (await held.post("pulse", token="x", kind="ok")).status == 404
        assert (await client.get(f"/c/{CODE}")).status == 404
        await asyncio.gather(*(sender.close() for sender in held.senders))
        await asyncio.sleep(0.3)
        ours = [task for task in asyncio.all_tasks() if "RequestHandler" not in repr(task.get_coro())]
        assert len(ours) <= before
        assert {t.name.split("_")[0] for t in set(threading.enumerate()) - threads} <= {"asyncio"}


async def test_the_page_tells_what_happens_before_anything_is_asked(school: Class) -> None:
    response = await school.client.get(f"/c/{CODE.upper()}")
    page = await response.text()
    assert response.status == 200
    for id_ in (
        "consent", "name", "join", "status", "preview", "camera-select", "pulse-lost", "pulse-ok",
        "pulse-too_slow", "leave", "erase",
    ):  # fmt: skip
        assert page.count(f'id="{id_}"') == 1
    for words in (
        "Expressions visible on your face",
        "never stored",
        "at least 5 faces",
        "voluntary",
        "Not your feelings",
    ):
        assert words in page
    assert "<style" not in page
    assert not re.search(r"<script(?![^>]*src=)|\son\w+=|\sstyle=", page)
    for path in re.findall(r'(?:src|href)="(/[^"]+)"', page):
        assert (await school.client.get(path)).status == 200


async def test_the_scripts_of_one_page_are_all_of_one_version(school: Class) -> None:
    """A part taken from a browser's cache beside newer ones would be another program."""
    page = await (await school.client.get(f"/c/{CODE}")).text()
    wanted = re.findall(r'src="(/companion-static/[^"]+\.js)"', page)
    seen: set[str] = set()
    while wanted:
        path = wanted.pop()
        if path in seen:
            continue
        seen.add(path)
        response = await school.client.get(path)
        assert (response.status, "immutable" in response.headers["Cache-Control"]) == (200, True), path
        folder = path.rpartition("/")[0]
        wanted += [f"{folder}/{name}" for name in re.findall(r'from "\./([^"]+)"', await response.text())]
    assert len(seen) >= 5
    older = await school.client.get("/companion-static/000000000000/main.js")
    assert (older.status, older.headers["Cache-Control"]) == (200, "no-cache")


async def test_where_faces_must_not_be_read_the_page_does_not_claim_it() -> None:
    adapter = Adapter(RoomContext(Settings.model_validate({"privacy": {"jurisdiction": "eu-education"}})))
    app = web.Application()
    app.add_routes(adapter.routes())
    async with TestClient(TestServer(app)) as client, adapter.open(f"companion:{CODE}?synthetic=1"):
        page = await (await client.get(f"/c/{CODE}")).text()
        assert "asks for no camera" in page
        assert "Expressions visible" not in page
        assert "drawn, not people" in page
        gone = await client.get("/c/nowhere")
        assert gone.status == 404
        assert "There is no class here" in await gone.text()


@needs_network
async def test_where_faces_must_not_be_read_no_camera_is_received() -> None:
    settings = QUICK.model_copy(update={"privacy": PrivacySettings(jurisdiction="eu-education")})
    async with held(settings) as school:
        sender = Sender()
        school.senders.append(sender)
        response = await school.post("offer", sdp=await sender.offer(), type="offer", consent=True)
        answer = await response.json()
        assert (response.status, answer["sdp"]) == (200, None)
        assert (await school.post("pulse", token=answer["token"], kind="ok")).status == 200
        await school.until(lambda told: any(isinstance(event, Pulse) for event in told))
        assert kinds(school.told) == ["Joined", "Muted", "Pulse"]
