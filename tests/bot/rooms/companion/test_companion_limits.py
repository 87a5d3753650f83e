"""The embedded room when it is full, gets invalid requests, or has ended; and the text of its page."""

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
from tests.bot.rooms.companion.room_client import CODE, QUICK, RoomClient, kinds, serve_room
from tests.cameras import Sender, needs_network, offer_text

# ---- limits and invalid requests ---------------------------------------------------------------


async def test_a_full_class_admits_only_students_who_are_present(
    client: RoomClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(companion_room, "MAX_STUDENTS", 2)
    first = await client.join_without_camera()
    await client.join_without_camera()
    response = await client.post("offer", sdp=None, consent=True)
    assert response.status == 503
    assert "full" in (await response.json())["error"]
    await client.join_without_camera(token=first["token"])
    await client.post("leave", token=first["token"])
    await client.join_without_camera()
    response = await client.post("offer", sdp=None, consent=True, token=first["token"])
    assert response.status == 503, "another student has taken the place"


async def test_every_route_answers_404_for_an_unknown_code(client: RoomClient) -> None:
    for path in ("offer", "pulse", "camera", "leave"):
        response = await client.http.post(f"/api/companion/nowhere/{path}", json={"consent": True})
        assert response.status == 404
        assert "ended" in (await response.json())["error"]
    assert (await client.http.delete("/api/companion/nowhere/me", json={"token": "t"})).status == 404


@pytest.mark.parametrize("path", ["offer", "pulse", "camera", "leave"])
async def test_a_large_body_is_refused(client: RoomClient, path: str) -> None:
    body = b'{"consent": true, "sdp": "' + b"v" * MAX_BODY_BYTES + b'"}'

    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(body), 8192):
            yield body[start : start + 8192]

    for data in (body, chunks()):
        response = await client.http.post(f"/api/companion/{CODE}/{path}", data=data)
        assert response.status == 413


async def test_invalid_bodies_get_a_one_line_error_and_change_nothing(client: RoomClient) -> None:
    rng = random.Random(7)
    valid = {"sdp": offer_text("VP8", "max-fr=30"), "type": "offer", "consent": True, "token": "x" * 43}
    values: list[Any] = [None, 3, -1.5, True, [], {}, "", "x", "\ud800", "v=0", {"a": 1}, "v=0\r\nm=video"]
    bodies = [b"", b"[]", b"null", b"{", b"\xff\xfe", b"[" * 30000, b'{"consent":true,"sdp":{}}']
    while len(bodies) < 40:
        fields = dict(valid)
        for key in rng.sample([*valid, "name", "individual", "kind", "on"], 3):
            fields[key] = rng.choice(values)
        fields.setdefault("kind", "no")
        if fields.get("sdp") is not None or fields["consent"] is not True or "token" in fields:
            bodies.append(json.dumps(fields).encode())
    for body in bodies:
        for path in ("offer", "pulse", "camera", "leave"):
            response = await client.http.post(f"/api/companion/{CODE}/{path}", data=body)
            error = (await response.json())["error"]
            assert 400 <= response.status < 500, (path, body)
            assert error
            assert "\n" not in error
    assert client.events == []
    assert client.room._presence.students == []


async def test_invalid_sdp_is_refused(client: RoomClient) -> None:
    for sdp in (
        "",
        "garbage",
        "v=0\r\nm=video 0 X 1",
        offer_text("VP8", "max-fr=30").replace("m=video 9", "m=video 0"),
    ):
        response = await client.post("offer", sdp=sdp, type="offer", consent=True)
        assert response.status == 400, sdp
        assert "\n" not in (await response.json())["error"]
    assert client.room._presence.students == []


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


# ---- the end of the class, and the page --------------------------------------------------------


@needs_network
async def test_closing_the_room_ends_all_tracks_tasks_and_threads() -> None:
    adapter = Adapter(RoomContext(QUICK))
    app = web.Application()
    app.add_routes(adapter.routes())
    async with TestClient(TestServer(app)) as http:
        before, threads = len(asyncio.all_tasks()), set(threading.enumerate())
        room = adapter.open(f"companion:{CODE}")
        assert isinstance(room, CompanionRoom)
        async with room:
            client = RoomClient(http, room)
            recording = asyncio.create_task(client.record_events())
            await client.join()
            await client.join()
            await (await client.wait_for_track()).recv()
            track = await client.wait_for_track(1)
            client.senders.append(Sender())
            offer = await client.senders[-1].offer()
            await client.post("offer", sdp=offer, type="offer", consent=True)  # this student never connects
        await asyncio.wait_for(recording, 10)
        assert client.ended
        with pytest.raises(TrackEnded):
            await track.recv()
        assert (await client.post("pulse", token="x", kind="ok")).status == 404
        assert (await http.get(f"/c/{CODE}")).status == 404
        await asyncio.gather(*(sender.close() for sender in client.senders))
        await asyncio.sleep(0.3)
        ours = [task for task in asyncio.all_tasks() if "RequestHandler" not in repr(task.get_coro())]
        assert len(ours) <= before
        assert {t.name.split("_")[0] for t in set(threading.enumerate()) - threads} <= {"asyncio"}


async def test_the_page_explains_the_analysis_before_the_student_joins(client: RoomClient) -> None:
    response = await client.http.get(f"/c/{CODE.upper()}")
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
        assert (await client.http.get(path)).status == 200


async def test_all_scripts_of_the_page_have_the_same_version(client: RoomClient) -> None:
    """A browser must not combine a cached script with newer ones."""
    page = await (await client.http.get(f"/c/{CODE}")).text()
    to_load = re.findall(r'src="(/companion-static/[^"]+\.js)"', page)
    loaded: set[str] = set()
    while to_load:
        path = to_load.pop()
        if path in loaded:
            continue
        loaded.add(path)
        response = await client.http.get(path)
        assert (response.status, "immutable" in response.headers["Cache-Control"]) == (200, True), path
        folder = path.rpartition("/")[0]
        to_load += [f"{folder}/{name}" for name in re.findall(r'from "\./([^"]+)"', await response.text())]
    assert len(loaded) >= 5
    older = await client.http.get("/companion-static/000000000000/main.js")
    assert (older.status, older.headers["Cache-Control"]) == (200, "no-cache")


async def test_without_face_analysis_the_page_asks_for_no_camera() -> None:
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
async def test_without_face_analysis_no_camera_is_received() -> None:
    settings = QUICK.model_copy(update={"privacy": PrivacySettings(jurisdiction="eu-education")})
    async with serve_room(settings) as client:
        sender = Sender()
        client.senders.append(sender)
        response = await client.post("offer", sdp=await sender.offer(), type="offer", consent=True)
        answer = await response.json()
        assert (response.status, answer["sdp"]) == (200, None)
        assert (await client.post("pulse", token=answer["token"], kind="ok")).status == 200
        await client.wait_until(lambda events: any(isinstance(event, Pulse) for event in events))
        assert kinds(client.events) == ["Joined", "Muted", "Pulse"]
