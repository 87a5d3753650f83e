"""The VideoRoom plugin's messages, as documented and as nobody should send them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.janus.messages import JanusRefused
from bot.janus.videoroom import (
    Camera,
    Destroyed,
    Gone,
    Person,
    Present,
    Publishes,
    PutOut,
    RoomAddress,
    Unpublished,
    as_room_error,
    join_request,
    read_news,
    read_participants,
    subscribe_request,
    subscribed_mid,
)
from bot.room import RoomDenied, RoomUnavailable


def test_nothing_is_told_by_nothing() -> None:
    assert list(read_news({})) == []
    assert read_participants({}) == []
    assert subscribed_mid({}) == "0"


def test_the_answer_to_joining_names_cameras_and_codecs() -> None:
    told = {
        "videoroom": "joined",
        "id": 5,
        "publishers": [
            {
                "id": 1,
                "display": " Ada ",
                "streams": [
                    {"type": "audio", "mid": "0", "codec": "opus"},
                    {"type": "video", "mid": "1", "codec": "VP8", "simulcast": True},
                    {"type": "video", "mid": "2", "codec": "vp8"},
                ],
            },
            {"id": "bea", "streams": [{"type": "video", "mid": "0", "codec": "vp9"}]},
            {"id": 3, "display": "", "streams": [{"type": "video", "mid": "0", "disabled": True}]},
            {"id": 4, "streams": [{"type": "audio", "mid": "0"}]},
        ],
        "attendees": [{"id": 6, "display": "Cem"}],
    }
    ada, bea, three, four, cem = read_news(told)
    assert ada == Publishes(Person(1, "Ada", Camera("1", "vp8", True)))
    assert bea == Publishes(Person("bea", None, Camera("0", "vp9", False)))
    assert three == Publishes(Person(3, None, None))
    assert four == Publishes(Person(4, None, None))
    assert cem == Present(Person(6, "Cem"))


@pytest.mark.parametrize(
    ("codec", "can"),
    [("vp8", True), ("h264", True), ("vp9", False), ("av1", False), ("h265", False), ("", True)],
)
def test_which_codecs_are_worth_subscribing_to(codec: str, can: bool) -> None:
    assert Camera("0", codec, False).decodable is can


@pytest.mark.parametrize(
    ("data", "news"),
    [
        ({"joining": {"id": 1, "display": "Ada"}}, [Present(Person(1, "Ada"))]),
        ({"unpublished": 1}, [Unpublished(1)]),
        ({"unpublished": "ok"}, []),
        ({"leaving": 1}, [Gone(1)]),
        ({"leaving": "ok", "reason": "kicked"}, [PutOut()]),
        ({"kicked": 1}, [Gone(1)]),
        ({"videoroom": "destroyed", "room": 1}, [Destroyed()]),
        ({"leaving": True, "unpublished": None, "publishers": {"id": 1}, "joining": "me"}, []),
        ({"publishers": [{"display": "nobody"}, 7, {"id": True}, {"id": [1]}]}, []),
    ],
)
def test_what_events_tell(data: dict[str, object], news: list[object]) -> None:
    assert list(read_news({"videoroom": "event", **data})) == news


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["id", "display", "streams", "type", "mid", "codec", "disabled", "simulcast"]),
            inner,
        )
    ),
    max_leaves=12,
)
KEYS = st.sampled_from(
    ["videoroom", "publishers", "attendees", "joining", "unpublished", "leaving", "kicked", "participants"]
)


@given(st.dictionaries(KEYS, JSON))
def test_no_message_of_a_server_raises(data: dict[str, object]) -> None:
    list(read_news(data))
    read_participants(data)
    subscribed_mid(data)


def test_requests_show_the_bot_and_ask_for_one_stream() -> None:
    address = RoomAddress("ws://h", 7, "s3", "Bot", "janus+ws://h/7")
    assert join_request(address) == {
        "request": "join",
        "ptype": "publisher",
        "room": 7,
        "display": "Bot",
        "pin": "s3",
    }
    asked = subscribe_request(address, 11, 1, "1", 0, 1)
    assert asked["ptype"] == "subscriber"
    assert asked["streams"] == [{"feed": 1, "mid": "1", "substream": 0, "temporal": 1}]
    assert (asked["private_id"], asked["pin"]) == (11, "s3")
    open_room = RoomAddress("ws://h", "maths", None, "Bot", "janus+ws://h/maths")
    assert "pin" not in join_request(open_room)
    assert "pin" not in subscribe_request(open_room, None, 1, "1", 0, 0)


def test_refusals_are_told_apart() -> None:
    pin, no_pin = (RoomAddress("ws://h", 7, pin, "Bot", "janus+ws://h/7") for pin in ("s3", None))
    codes = (403, 426, 429, 430, 432, 433, 460, 472)
    kinds = {code: type(as_room_error(JanusRefused(code), pin)) for code in codes}
    assert {code for code, kind in kinds.items() if kind is RoomDenied} == {403, 429, 432, 433}
    assert {code for code, kind in kinds.items() if kind is RoomUnavailable} == {426, 430, 460, 472}
    texts = [str(as_room_error(JanusRefused(code), pin)) for code in kinds]
    listed = as_room_error(JanusRefused(433), no_pin)
    assert isinstance(listed, RoomDenied)
    texts.append(str(listed))
    assert len(set(texts)) == len(texts) == len(kinds) + 1
    assert not any("\n" in text for text in texts)
