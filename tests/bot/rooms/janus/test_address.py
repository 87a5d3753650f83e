"""URLs of Janus rooms: correct ones are parsed, and errors about wrong ones contain no secret."""

import pytest

from bot.config import AnalysisSettings, Settings
from bot.rooms.common.names import BOT_NAME
from bot.rooms.common.room_urls import room_key
from bot.rooms.contract import RoomUrlError
from bot.rooms.janus.adapter import Adapter, parse_address
from bot.rooms.janus.room import temporal_layer
from bot.rooms.registry import RoomContext, open_room


def key_of(url: str) -> str:
    address = parse_address(url)
    return room_key("janus", address.socket_url, address.room)


@pytest.mark.parametrize(
    ("url", "socket_url", "room", "pin", "name"),
    [
        ("janus+ws://h:1/7", "ws://h:1", 7, None, BOT_NAME),
        ("janus+ws://h/7?pin=a%26b", "ws://h:8188", 7, "a&b", BOT_NAME),
        ("JANUS+WSS://h/maths?name=Class+bot", "wss://h", "maths", None, "Class bot"),
        ("janus+wss://h/janus-ws/7", "wss://h/janus-ws", 7, None, BOT_NAME),
        ("janus+ws://[::1]:8188/a%20b?pin=1&name=x", "ws://[::1]:8188", "a b", "1", "x"),
        ("janus+ws://h/7?pin=a+b=c%20%23%2B%25&name=a+b", "ws://h:8188", 7, "a+b=c #+%", "a b"),
        ("janus+ws://h/7?pin=%C3%BC%F0%9F%94%91;?/@", "ws://h:8188", 7, "ü🔑;?/@", BOT_NAME),
        ("janus+ws://h/007", "ws://h:8188", "007", None, BOT_NAME),
        ("janus+ws://h/0", "ws://h:8188", 0, None, BOT_NAME),
        (f"janus+ws://h/{2**63 - 1}", "ws://h:8188", 2**63 - 1, None, BOT_NAME),
        (f"janus+ws://h/{2**63}", "ws://h:8188", str(2**63), None, BOT_NAME),
        ("janus+ws://h/" + "9" * 5000, "ws://h:8188", "9" * 5000, None, BOT_NAME),
        ("janus+ws://h/7?name=👩\u200d🏫%20صنف‌ها", "ws://h:8188", 7, None, "👩\u200d🏫 صنف‌ها"),
    ],
)
def test_the_parts_of_a_room_url_are_read(
    url: str, socket_url: str, room: object, pin: str | None, name: str
) -> None:
    address = parse_address(url)
    assert (address.socket_url, address.room, address.pin, address.name) == (socket_url, room, pin, name)
    assert parse_address(address.public_url).socket_url == socket_url
    assert parse_address(address.public_url).room == room
    assert "?" not in address.public_url


@pytest.mark.parametrize(
    "url",
    [
        "janus+http://h/1?pin=s3cret",
        "janus+ws://h:port/1?pin=s3cret",
        "janus+ws://h/?pin=s3cret",
        "janus+ws:///1?pin=s3cret",
        "janus+ws://[h/1?pin=s3cret",
        "janus+ws://u:s3cret@h/1",
        "janus+ws://h/1?pin=s3cret&x=1",
        "janus+ws://h/1?pin=s3cret&name=%0a",
        "janus+ws://h/1?pin=s3cret&name=" + "x" * 65,
        "janus+ws://h/1?pin=s3cret#x",
        "janus+ws://h/1?pin",
        "janus+ws://h/1?pin=s3#cret",
        "janus+ws://h/1#?pin=s3cret",
    ],
)
def test_error_about_a_wrong_url_does_not_contain_its_secret(url: str) -> None:
    with pytest.raises(RoomUrlError) as caught:
        parse_address(url)
    assert "cret" not in str(caught.value)
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_error_about_an_unknown_scheme_does_not_contain_the_secret() -> None:
    adapter = Adapter(RoomContext(Settings()))
    for url in ("janos+ws://h/1?pin=s3cret", "http://u:s3cret@h/1"):
        with pytest.raises(RoomUrlError, match="is not a room URL") as caught:
            open_room(url, {adapter.scheme: adapter})
        assert "s3cret" not in str(caught.value)


def test_public_url_and_repr_contain_no_pin() -> None:
    room = Adapter(RoomContext(Settings())).open("janus+ws://h/7?pin=s3cret")
    assert room.public_url == "janus+ws://h:8188/7"
    assert "s3cret" not in repr(room)
    assert "s3cret" not in repr(parse_address("janus+ws://h/7?pin=s3cret"))


def test_more_samples_need_a_higher_temporal_layer() -> None:
    assert temporal_layer(AnalysisSettings().samples_per_s) == 0
    assert [temporal_layer(rate) for rate in (0.5, 3, 4, 6, 8, 10)] == [0, 0, 1, 1, 2, 2]


@pytest.mark.parametrize("host", ["127.0.0.1:8188", "localhost", "127.1.2.3", "[::1]:9000"])
def test_all_urls_of_a_local_room_have_the_same_key(host: str) -> None:
    assert key_of(f"janus+ws://{host}/7?pin=s3") == "janus:loopback/7"


def test_rooms_and_servers_have_different_keys() -> None:
    urls = (
        "janus+ws://192.0.2.1/7",
        "janus+ws://192.0.2.1/8",
        "janus+ws://192.0.2.2/7",
        "janus+ws://no.invalid/7",
    )
    assert len({key_of(url) for url in urls}) == 4
