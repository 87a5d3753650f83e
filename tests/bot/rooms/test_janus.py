"""The Janus adapter against a real Janus: who comes and goes, cameras, chat, being refused and put out."""

import asyncio
import json
import ssl
import threading
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import structlog
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

from bot.config import PrivacySettings, Settings, WebrtcSettings
from bot.room import (
    Joined,
    Left,
    Muted,
    OptedOut,
    RoomDenied,
    RoomRemoved,
    RoomUnavailable,
    TrackAdded,
    TrackEnded,
    TrackRemoved,
)
from bot.rooms import RoomContext
from bot.rooms.janus import DEFAULT_NAME, Adapter
from tests.cameras import HEIGHT, WIDTH, needs_network
from tests.followed import Followed, left_since
from tests.janus_server import OPEN_ROOM, PIN, PIN_ROOM, SECRET, SILENT_ROOM, JanusServer, needs_janus
from tests.janus_students import ChatStudent, JanusStudent

pytestmark = [needs_janus, needs_network]

QUICK = Settings(webrtc=WebrtcSettings(connect_timeout_s=10.0, silence_timeout_s=1.0))


@pytest.fixture
async def server(tmp_path: Path) -> AsyncIterator[JanusServer]:
    async with JanusServer(tmp_path) as server:
        yield server


def follow(url: str, settings: Settings = QUICK) -> Followed:
    return Followed(Adapter(RoomContext(settings)).open(url))


async def ended(followed: Followed, place: int = 0) -> None:
    """The track of the n-th TrackAdded gives no more frames."""
    added = [event for event in followed.events if isinstance(event, TrackAdded)][place]
    async with asyncio.timeout(20):
        try:
            while True:
                await added.track.recv()
        except TrackEnded:
            return


async def test_a_student_comes_stops_the_camera_starts_it_again_and_goes(server: JanusServer) -> None:
    async with follow(server.room_url()) as followed, JanusStudent(server.url, " Ada ") as ada:
        await ada.publish()
        added = await followed.until_kind(TrackAdded)
        joined = await followed.until_kind(Joined)
        assert (joined.name, joined.consented, joined.individual) == ("Ada", False, False)
        assert added.track.participant_id == joined.participant_id
        async with asyncio.timeout(20):
            assert (await added.track.recv()).luma().shape == (HEIGHT, WIDTH)

        mark = len(followed.events)
        await ada.unpublish()
        off = await followed.until(lambda event: event == Muted(joined.participant_id, True), mark)
        removed = await followed.until_kind(TrackRemoved, mark)
        assert removed == TrackRemoved(added.track.track_id, joined.participant_id)
        await ended(followed)

        await ada.publish()
        await followed.until(lambda event: event == Muted(joined.participant_id, False), off)
        again = await followed.until_kind(TrackAdded, off)
        assert again.track.participant_id == joined.participant_id
        assert again.track.track_id != added.track.track_id
        async with asyncio.timeout(20):
            await again.track.recv()

        await ada.go()
        assert await followed.until_kind(Left) == Left(joined.participant_id)
        await ended(followed, 1)
        assert sum(isinstance(event, Joined) for event in followed.events) == 1


async def test_who_is_there_already_is_told_and_the_bot_is_seen_and_publishes_nothing(
    server: JanusServer,
) -> None:
    async with JanusStudent(server.url, "Ada") as ada, JanusStudent(server.url, "Bea") as bea:
        await ada.publish()
        await ada.published()
        async with follow(server.room_url(query="?name=Class%20bot")) as followed:
            await followed.until_kind(TrackAdded)
            # Bea has no camera: Janus tells of her only when asked.
            await followed.until(lambda event: isinstance(event, Joined) and event.name == "Bea")
            joined = {event.name: event for event in followed.events if isinstance(event, Joined)}
            assert set(joined) == {"Ada", "Bea"}
            assert Muted(joined["Bea"].participant_id, True) in followed.events
            assert Muted(joined["Ada"].participant_id, True) not in followed.events
            people = await participants(bea)
            seen = {person["display"]: person["publisher"] for person in people.values()}
            assert seen == {"Class bot": False, "Ada": True, "Bea": False}
            await bea.go()
            assert await followed.until_kind(Left) == Left(joined["Bea"].participant_id)
        (bot,) = [feed for feed, person in people.items() if person["display"] == "Class bot"]
        await ada.sees_go(bot)


async def test_the_bot_says_what_it_does_in_its_name(server: JanusServer) -> None:
    async with JanusStudent(server.url, "Ada") as ada, follow(server.room_url()):
        assert DEFAULT_NAME in [person["display"] for person in (await participants(ada)).values()]


async def test_leaving_leaves_no_task_and_no_thread_behind(server: JanusServer) -> None:
    async def stay() -> None:
        async with follow(server.room_url()) as followed:
            await followed.room.announce("A bot is here.")
            added = await followed.until_kind(TrackAdded)
            await added.track.recv()

    async with JanusStudent(server.url, "Ada") as ada, ChatStudent(server.url, "Ada"):
        await ada.publish()
        await stay()  # by then the students' own tasks are all begun
        tasks, threads = asyncio.all_tasks(), set(threading.enumerate())
        await stay()
        assert await left_since(tasks, 10.0) == []
        for thread in set(threading.enumerate()) - threads:
            if "decode" in thread.name:
                await asyncio.to_thread(thread.join, 10.0)  # nobody waits for the pool's last breath
                assert not thread.is_alive()


async def test_leaving_at_once_leaves_the_room(server: JanusServer) -> None:
    async with JanusStudent(server.url, "Ada") as ada:
        tasks = asyncio.all_tasks()
        async with Adapter(RoomContext(QUICK)).open(server.room_url()):
            (bot,) = [
                feed for feed, one in (await participants(ada)).items() if one["display"] == DEFAULT_NAME
            ]
        async with Adapter(RoomContext(QUICK)).open(server.room_url()):
            pass  # not a moment in it
        assert not {task.get_name() for task in asyncio.all_tasks() - tasks if "janus" in task.get_name()}
        await ada.sees_go(bot)
        async with asyncio.timeout(20):
            await ada.alone()


async def test_a_room_with_all_publishers_places_taken_still_has_room_for_the_bot(
    server: JanusServer,
) -> None:
    room = 4004
    async with JanusStudent(server.url, "Ada", room, opens={"publishers": 1}) as ada:
        await ada.publish()
        await ada.published()
        async with follow(server.room_url(room)) as followed:
            added = await followed.until_kind(TrackAdded)
            async with asyncio.timeout(20):
                await added.track.recv()


async def test_a_camera_that_sends_nothing_counts_as_off_and_on_again_with_the_first_picture(
    server: JanusServer,
) -> None:
    async with follow(server.room_url()) as followed, JanusStudent(server.url, "Ada") as ada:
        await ada.publish()
        added = await followed.until_kind(TrackAdded)
        await added.track.recv()
        pid, mark = added.track.participant_id, len(followed.events)
        ada.camera.running.clear()  # as replaceTrack(null): the connection stays, no packet comes
        off = await followed.until(lambda event: event == Muted(pid, True), mark)
        assert not any(isinstance(event, Left) for event in followed.events)
        ada.camera.running.set()
        await followed.until(lambda event: event == Muted(pid, False), off)
        newest = [event for event in followed.events if isinstance(event, TrackAdded)][-1]
        async with asyncio.timeout(20):
            await newest.track.recv()


async def test_a_server_that_sends_its_addresses_one_by_one_is_received_from(tmp_path: Path) -> None:
    async with (
        JanusServer(tmp_path, full_trickle=True) as server,
        follow(server.room_url()) as followed,
        JanusStudent(server.url, "Ada") as ada,
    ):
        assert await followed.room.announce("A bot is here.") is True
        await ada.publish()
        added = await followed.until_kind(TrackAdded)
        async with asyncio.timeout(20):
            await added.track.recv()


async def test_an_h264_camera_is_received_too(tmp_path: Path) -> None:
    async with (
        JanusServer(tmp_path, videocodec="h264,vp8") as server,
        follow(server.room_url()) as followed,
        JanusStudent(server.url, "Ada") as ada,
    ):
        await ada.publish("video/H264")
        added = await followed.until_kind(TrackAdded)
        async with asyncio.timeout(20):
            assert (await added.track.recv()).luma().shape == (HEIGHT, WIDTH)


async def test_where_faces_must_not_be_read_no_camera_is_received(server: JanusServer) -> None:
    settings = Settings(webrtc=QUICK.webrtc, privacy=PrivacySettings(jurisdiction="eu-education"))
    async with follow(server.room_url(), settings) as followed, JanusStudent(server.url, "Ada") as ada:
        await ada.publish()
        joined = await followed.until_kind(Joined)
        on = await followed.until(lambda event: event == Muted(joined.participant_id, False))
        await ada.unpublish()
        await followed.until(lambda event: event == Muted(joined.participant_id, True), on)
        assert not any(isinstance(event, TrackAdded) for event in followed.events)


async def test_a_wrong_pin_and_a_missing_room_are_told_apart_and_hold_no_pin(server: JanusServer) -> None:
    with structlog.testing.capture_logs() as logs:
        for query in ("", "?pin=guessed-77"):
            with pytest.raises(RoomDenied, match=r"^room 1002 wants a(nother)? PIN: .*\?pin=PIN") as denied:
                await follow(server.room_url(PIN_ROOM, query)).__aenter__()
            assert "guessed-77" not in repr(denied.value) + repr(denied.value.__cause__)
        with pytest.raises(RoomUnavailable, match=r"^there is no room 77 on the Janus server"):
            await follow(server.room_url(77)).__aenter__()
        async with follow(server.room_url(PIN_ROOM, f"?pin={PIN}")) as followed:
            assert followed.room.public_url == server.room_url(PIN_ROOM)
    assert PIN not in repr(logs)


async def test_nobody_there_and_no_janus_are_unavailable_in_one_line(tmp_path: Path) -> None:
    server = JanusServer(tmp_path)  # never started
    with pytest.raises(RoomUnavailable, match=r"^no Janus server answers at ws://127.0.0.1:") as gone:
        await follow(server.room_url()).__aenter__()
    assert "\n" not in str(gone.value)

    async def greet(request: web.Request) -> web.Response:
        return web.Response(text="a web server")

    runner, url = await serve(greet)
    with pytest.raises(RoomUnavailable, match=r"^no Janus server answers at ws://127.0.0.1:"):
        await follow(f"janus+{url}/{OPEN_ROOM}").__aenter__()
    await runner.cleanup()


async def test_a_certificate_nobody_vouches_for_is_said_to_be_the_trouble(tmp_path: Path) -> None:
    async def never(request: web.Request) -> web.Response:
        raise AssertionError("asked in spite of the certificate")

    runner, url = await serve(never, certificate(tmp_path))
    with pytest.raises(RoomUnavailable, match=r"^the certificate of the server at wss://127.0.0.1:"):
        await follow(f"janus+{url}/{OPEN_ROOM}").__aenter__()
    await runner.cleanup()


@pytest.mark.parametrize(
    ("code", "kind", "says"),
    [
        (432, RoomDenied, "room 5 is full"),
        (430, RoomUnavailable, "no rooms named like 5"),
        (499, RoomUnavailable, "says error 499"),
    ],
)
async def test_refusals_that_a_real_janus_seldom_gives(code: int, kind: type[Exception], says: str) -> None:
    async def refuse(request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(protocols=("janus-protocol",))
        await socket.prepare(request)
        async for message in socket:
            asked = json.loads(message.data)
            answer: dict[str, Any] = {"transaction": asked["transaction"]}
            if asked["janus"] == "message":
                await socket.send_json({**answer, "janus": "ack"})
                data = {"videoroom": "event", "error_code": code, "error": asked["body"].get("pin", "")}
                answer |= {"janus": "event", "sender": 7, "plugindata": {"data": data}}
            else:
                answer |= {"janus": "success", "data": {"id": 7}}
            await socket.send_str("no JSON")
            await socket.send_json([])
            await socket.send_json(answer)
        return socket

    runner, url = await serve(refuse)
    with pytest.raises(kind, match=says) as caught:
        await follow(f"janus+{url}/5?pin={PIN}").__aenter__()
    assert PIN not in repr(caught.value) + repr(caught.value.__cause__)
    await runner.cleanup()


async def test_a_kicked_student_leaves_and_a_kicked_bot_is_removed(server: JanusServer) -> None:
    async with follow(server.room_url()) as followed, JanusStudent(server.url, "Ada") as ada:
        async with JanusStudent(server.url, "Bea") as bea:
            await bea.publish()
            joined = await followed.until_kind(Joined)
            await followed.until_kind(TrackAdded)
            await kick(ada, "Bea")
            assert await followed.until_kind(Left) == Left(joined.participant_id)
        await kick(ada, DEFAULT_NAME)
        error = await followed.until_error()
        assert isinstance(error, RoomRemoved)
        assert str(error) == "the bot was put out of the room by its moderator"


async def test_a_room_that_is_closed_ends_the_class_truthfully(server: JanusServer) -> None:
    async with follow(server.room_url()) as followed, JanusStudent(server.url, "Ada") as ada:
        await ada.publish()
        await followed.until_kind(TrackAdded)
        await ada.ask({"request": "destroy", "room": OPEN_ROOM, "secret": SECRET})
        error = await followed.until_error()
        assert isinstance(error, RoomUnavailable)
        assert str(error) == "the room was closed on the Janus server"
        await ended(followed)


async def test_the_chat_hears_the_notice_and_those_who_come_later_too(server: JanusServer) -> None:
    url = server.room_url(PIN_ROOM, f"?pin={PIN}")
    async with ChatStudent(server.url, "Ada", PIN_ROOM, PIN) as ada, follow(url) as followed:
        assert await followed.room.announce("A bot is here.") is True
        heard = await ada.hears()
        assert heard.display == DEFAULT_NAME
        assert heard.text == "A bot is here. Write /optout here to be left out."
        async with ChatStudent(server.url, "Bea", PIN_ROOM, PIN) as bea:
            assert (await bea.hears()).text == heard.text
        assert ada.heard.empty()


async def test_a_room_without_a_chat_cannot_be_told(server: JanusServer) -> None:
    async with follow(server.room_url(SILENT_ROOM)) as followed:
        assert await followed.room.announce("A bot is here.") is False


@pytest.mark.parametrize("word", ["stop", " /OptOut "])
async def test_who_opts_out_by_chat_is_received_no_more_and_stays_out_after_a_reload(
    server: JanusServer, word: str
) -> None:
    async with follow(server.room_url()) as followed, ChatStudent(server.url, "ada") as chat:
        await followed.room.announce("A bot is here.")
        await chat.hears()
        async with JanusStudent(server.url, "Ada") as ada, JanusStudent(server.url, "Bea") as bea:
            await ada.publish()
            added = await followed.until_kind(TrackAdded)
            pid = added.track.participant_id
            await chat.say("please stop talking")
            await chat.say(word)
            assert "left out from now on" in (await chat.hears()).text
            assert await followed.until_kind(OptedOut) == OptedOut(pid)
            await ended(followed)
            mark = len(followed.events)
            await ada.go()
            await followed.until(lambda event: event == Left(pid), mark)
        mark = len(followed.events)
        async with JanusStudent(server.url, "Ada") as ada, JanusStudent(server.url, "Bea") as bea:
            await ada.publish()
            await bea.publish()
            bea_track = (await followed.until_kind(TrackAdded, mark)).track
            assert Joined(pid, "Ada") in followed.events[mark:]
            assert OptedOut(pid) in followed.events[mark:]
            assert bea_track.participant_id != pid


async def test_the_host_has_somebody_left_out_by_their_name_in_the_call(server: JanusServer) -> None:
    async with follow(server.room_url()) as followed, JanusStudent(server.url, "Ada") as ada:
        await ada.publish()
        added = await followed.until_kind(TrackAdded)
        assert await followed.room.leave_out("Bea") == 0
        assert await followed.room.leave_out(" ada ") == 1
        assert await followed.until_kind(OptedOut) == OptedOut(added.track.participant_id)
        await ended(followed)


async def test_an_opt_out_of_nobody_known_is_answered(server: JanusServer) -> None:
    async with follow(server.room_url()) as followed, ChatStudent(server.url, "Zoe") as chat:
        await followed.room.announce("A bot is here.")
        await chat.hears()
        await chat.say("/optout")
        assert "No camera goes by your chat name" in (await chat.hears()).text
        assert not any(isinstance(event, OptedOut) for event in followed.events)


async def kick(moderator: JanusStudent, display: str) -> None:
    people = await participants(moderator)
    (feed,) = [feed for feed, person in people.items() if person["display"] == display]
    await moderator.ask({"request": "kick", "room": OPEN_ROOM, "secret": SECRET, "id": feed})


async def participants(student: JanusStudent) -> dict[int, dict[str, Any]]:
    reply = await student.ask({"request": "listparticipants", "room": OPEN_ROOM})
    return {person["id"]: person for person in reply.data["participants"]}


async def serve(handler: Any, tls: ssl.SSLContext | None = None) -> tuple[web.AppRunner, str]:
    app = web.Application()
    app.router.add_get("/{tail:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    return runner, f"ws{'' if tls is None else 's'}://127.0.0.1:{runner.addresses[0][1]}"


def certificate(folder: Path) -> ssl.SSLContext:
    """A certificate signed by nobody but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .sign(key, hashes.SHA256())
    )
    file = folder / "certificate.pem"
    plain = (Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    file.write_bytes(key.private_bytes(*plain) + made.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
