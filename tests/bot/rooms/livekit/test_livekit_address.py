"""URLs of LiveKit rooms, and the tokens with which the bot joins."""

from __future__ import annotations

import jwt
import pytest

from bot.config import LiveKitSettings
from bot.rooms.common.names import BOT_NAME
from bot.rooms.contract import RoomUrlError
from bot.rooms.livekit.access import Access
from bot.rooms.livekit.adapter import parse_url
from tests.livekit_server import API_KEY, API_SECRET, make_token

WITH_KEY = LiveKitSettings.model_validate({"api_key": API_KEY, "api_secret": API_SECRET})
WITH_SERVER = WITH_KEY.model_copy(update={"url": "wss://video.invalid"})
NOTHING = LiveKitSettings()


def claims_of(access: Access) -> dict[str, object]:
    claims: dict[str, object] = jwt.decode(
        access.token(), API_SECRET, ["HS256"], options={"verify_nbf": False}
    )
    return claims


@pytest.mark.parametrize(
    ("url", "server", "room", "public"),
    [
        ("livekit+ws://h:7880/math", "ws://h:7880", "math", "livekit+ws://h:7880/math"),
        ("livekit+wss://h/math", "wss://h", "math", "livekit+wss://h/math"),
        ("LIVEKIT+WSS://H/path/math", "wss://h/path", "math", "livekit+wss://h/path/math"),
        ("livekit+wss://h/a%2Fb%20c", "wss://h", "a/b c", "livekit+wss://h/a%2Fb%20c"),
        ("livekit+wss://[::1]:5/m", "wss://[::1]:5", "m", "livekit+wss://[::1]:5/m"),
    ],
)
def test_a_url_names_server_and_room(url: str, server: str, room: str, public: str) -> None:
    address, access = parse_url(url, WITH_KEY)
    assert (address.server_url, address.room, address.public_url) == (server, room, public)
    assert address.key.endswith(f"/{room}")
    assert claims_of(access)["video"] == {
        "roomJoin": True, "room": room, "canSubscribe": True, "canPublish": False, "canPublishData": True
    }  # fmt: skip
    assert claims_of(access)["name"] == BOT_NAME


def test_the_server_in_the_settings_is_used_for_short_urls_and_its_key_for_no_other() -> None:
    address, _ = parse_url("livekit:math", WITH_SERVER)
    assert address.public_url == "livekit+wss://video.invalid/math"
    parse_url("livekit+wss://video.invalid/math", WITH_SERVER)
    with pytest.raises(RoomUrlError, match="is for the server in"):
        parse_url("livekit+wss://other.invalid/math", WITH_SERVER)


def test_the_identity_stays_and_every_token_is_new() -> None:
    now_s = 1_000_000.0
    access = Access("math", "Bot", key=API_KEY, secret=API_SECRET, clock=lambda: now_s)
    first = jwt.decode(access.token(), options={"verify_signature": False})
    now_s += 3600
    second = jwt.decode(access.token(), options={"verify_signature": False})
    assert first["sub"] == second["sub"]
    assert second["exp"] == first["exp"] + 3600


def test_a_given_token_is_replaced_by_the_server_s_newer_one() -> None:
    token = make_token("math", "bot")
    _, access = parse_url(f"livekit+ws://h/math?token={token}", NOTHING)
    assert access.token() == token
    access.renew("newer")
    assert access.token() == "newer"


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("livekit+ws://h/math", "rooms.livekit.api_key"),
        ("livekit:math", "rooms.livekit.url"),
        (f"livekit+ws://h/other?token={make_token('math', 'bot')}", "another room"),
        (f"livekit+ws://h/math?token={make_token('math', 'bot')[:40]}", "not complete"),
        ("livekit+ws://h/math?token=secret-text", "not complete"),
        ("livekit+ws://h/math?pin=secret-text", "options"),
        ("livekit+ws://h/math#secret-text", "options"),
        ("livekit+ws://me:secret-text@h/math", "lacks a host"),
        ("livekit+ws://h/%0A", "lacks a host"),
        ("livekit+ws://h:port/math", "is not the URL"),
        ("livekit+https://h/math", "is not the URL"),
        ("livekit://h/math", "rooms.livekit.url"),
    ],
)
def test_a_wrong_url_is_refused_in_one_line_without_its_secrets(url: str, expected: str) -> None:
    with pytest.raises(RoomUrlError, match=expected) as caught:
        parse_url(url, NOTHING)
    assert "\n" not in str(caught.value)
    assert "secret-text" not in str(caught.value)
    assert "eyJ" not in str(caught.value)
    assert "eyJ" not in repr(caught.value.__cause__)
