"""Every refusal or removal by a Janus server has an error that names the cause and never the PIN."""

import asyncio
import json
import ssl
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

from bot.rooms.common.names import BOT_NAME
from bot.rooms.contract import Joined, Left, RoomDenied, RoomRemoved, RoomUnavailable, TrackAdded
from bot.rooms.janus.messages import JanusRefused
from tests.bot.rooms.janus.janus_rooms import kick, record
from tests.cameras import needs_network
from tests.janus_server import OPEN_ROOM, PIN, PIN_ROOM, SECRET, JanusServer, needs_janus
from tests.janus_students import JanusStudent

pytestmark = [pytest.mark.real_time, needs_janus, needs_network]


async def test_errors_for_a_wrong_pin_and_a_missing_room_do_not_contain_the_pin(
    server: JanusServer,
) -> None:
    with structlog.testing.capture_logs() as logs:
        for query in ("", "?pin=guessed-77"):
            with pytest.raises(
                RoomDenied, match=r"^(room 1002 requires a PIN|the PIN of room 1002 is wrong): .*\?pin=PIN"
            ) as denied:
                await record(server.room_url(PIN_ROOM, query)).__aenter__()
            assert "guessed-77" not in repr(denied.value) + repr(denied.value.__cause__)
        with pytest.raises(RoomUnavailable, match=r"^there is no room 77 on the Janus server"):
            await record(server.room_url(77)).__aenter__()
        async with record(server.room_url(PIN_ROOM, f"?pin={PIN}")) as recorder:
            assert recorder.room.public_url == server.room_url(PIN_ROOM)
    assert PIN not in repr(logs)


async def test_the_bot_can_join_a_room_that_is_full_for_publishers(server: JanusServer) -> None:
    """Janus 1.1.2 limits the participants who send an offer, and the bot sends none.

    Joining, subscribing and attaching have no limit. So a real Janus never sends error 432 to the bot, and
    the test of that error uses a scripted server.
    """
    room = 4004
    async with (
        JanusStudent(server.url, "Ada", room, room_options={"publishers": 1}) as ada,
        JanusStudent(server.url, "Bea", room) as bea,
    ):
        await ada.publish()
        await ada.wait_until_published()
        with pytest.raises(JanusRefused) as full:
            await bea.publish()
        assert full.value.code == 432
        async with record(server.room_url(room)) as recorder, record(server.room_url(room)) as another:
            for one in (recorder, another):
                added = await one.wait_for_kind(TrackAdded)
                async with asyncio.timeout(20):
                    await added.track.recv()


async def test_a_server_that_accepts_no_new_sessions_is_unavailable(server: JanusServer) -> None:
    await server.refuse_new_sessions()
    with pytest.raises(RoomUnavailable, match=r"^the Janus server accepts no new sessions"):
        await record(server.room_url()).__aenter__()


async def test_the_error_of_a_room_that_requires_a_token_does_not_ask_for_a_pin(server: JanusServer) -> None:
    async with JanusStudent(server.url, "Ada") as ada:
        listed = {"action": "enable", "allowed": ["token of somebody"], "secret": SECRET}
        await ada.request({"request": "allowed", "room": OPEN_ROOM, **listed})
        with pytest.raises(RoomDenied, match=r"^room 1001 requires a token"):
            await record(server.room_url()).__aenter__()


async def test_a_missing_server_and_a_server_other_than_janus_are_unavailable(tmp_path: Path) -> None:
    server = JanusServer(tmp_path)  # never started
    with pytest.raises(RoomUnavailable, match=r"^no Janus server answers at ws://127.0.0.1:") as caught:
        await record(server.room_url()).__aenter__()
    assert "\n" not in str(caught.value)

    async def greet(request: web.Request) -> web.Response:
        return web.Response(text="a web server")

    runner, url = await serve(greet)
    with pytest.raises(RoomUnavailable, match=r"^no Janus server answers at ws://127.0.0.1:"):
        await record(f"janus+{url}/{OPEN_ROOM}").__aenter__()
    await runner.cleanup()


async def test_an_untrusted_certificate_is_named_as_the_cause(tmp_path: Path) -> None:
    async def fail(request: web.Request) -> web.Response:
        raise AssertionError("a request was sent in spite of the certificate")

    runner, url = await serve(fail, self_signed_certificate(tmp_path))
    with pytest.raises(RoomUnavailable, match=r"^the certificate of the server at wss://127.0.0.1:"):
        await record(f"janus+{url}/{OPEN_ROOM}").__aenter__()
    await runner.cleanup()


@pytest.mark.parametrize(
    ("code", "kind", "text"),
    [
        (432, RoomDenied, "room 5 is full"),
        (430, RoomUnavailable, "no room called 5"),
        (499, RoomUnavailable, "answered with error 499"),
    ],
)
async def test_refusals_that_a_real_janus_rarely_sends_raise_the_right_error(
    code: int, kind: type[Exception], text: str
) -> None:
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
    with pytest.raises(kind, match=text) as caught:
        await record(f"janus+{url}/5?pin={PIN}").__aenter__()
    assert PIN not in repr(caught.value) + repr(caught.value.__cause__)
    await runner.cleanup()


async def test_a_kicked_student_leaves_and_a_kicked_bot_is_removed(server: JanusServer) -> None:
    async with record(server.room_url()) as recorder, JanusStudent(server.url, "Ada") as ada:
        async with JanusStudent(server.url, "Bea") as bea:
            await bea.publish()
            joined = await recorder.wait_for_kind(Joined)
            await recorder.wait_for_kind(TrackAdded)
            await kick(ada, "Bea")
            assert await recorder.wait_for_kind(Left) == Left(joined.participant_id)
        await kick(ada, BOT_NAME)
        error = await recorder.wait_for_error()
        assert isinstance(error, RoomRemoved)
        assert str(error) == "a moderator removed the bot from the room"


async def test_closing_the_room_ends_the_class_with_that_reason(server: JanusServer) -> None:
    async with record(server.room_url()) as recorder, JanusStudent(server.url, "Ada") as ada:
        await ada.publish()
        await recorder.wait_for_kind(TrackAdded)
        await ada.request({"request": "destroy", "room": OPEN_ROOM, "secret": SECRET})
        error = await recorder.wait_for_error()
        assert isinstance(error, RoomUnavailable)
        assert str(error) == "the room was closed on the Janus server"
        await recorder.wait_for_track_end()


async def serve(handler: Any, tls: ssl.SSLContext | None = None) -> tuple[web.AppRunner, str]:
    app = web.Application()
    app.router.add_get("/{tail:.*}", handler)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=tls).start()
    return runner, f"ws{'' if tls is None else 's'}://127.0.0.1:{runner.addresses[0][1]}"


def self_signed_certificate(folder: Path) -> ssl.SSLContext:
    """Make a TLS context with a self-signed certificate."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    signed = (
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
    file.write_bytes(key.private_bytes(*plain) + signed.public_bytes(Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
