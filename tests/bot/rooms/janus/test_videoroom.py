"""The VideoRoom plugin's messages, as documented and malformed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.rooms.contract import RoomDenied, RoomUnavailable
from bot.rooms.janus.messages import JanusRefused
from bot.rooms.janus.videoroom import (
    Camera,
    Destroyed,
    Kicked,
    Leaving,
    Moderated,
    Present,
    Publishing,
    Renamed,
    RoomAddress,
    RoomMember,
    Unpublished,
    as_room_error,
    join_request,
    read_notifications,
    read_participants,
    subscribe_request,
    subscribed_mid,
)


def test_an_empty_message_is_read_as_empty() -> None:
    assert list(read_notifications({})) == []
    assert read_participants({}) == []
    assert subscribed_mid({}) == "0"


def test_the_answer_to_joining_describes_cameras_and_codecs() -> None:
    answer = {
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
    ada, bea, three, four, cem = read_notifications(answer)
    assert ada == Publishing(RoomMember(1, "Ada", Camera("1", "vp8", True)))
    assert bea == Publishing(RoomMember("bea", None, Camera("0", "vp9", False)))
    assert three == Publishing(RoomMember(3, None, None))
    assert four == Publishing(RoomMember(4, None, None))
    assert cem == Present(RoomMember(6, "Cem"))


def test_of_several_streams_a_decodable_camera_is_chosen() -> None:
    def stream(mid: str, codec: str = "vp8", description: object = None, **more: object) -> dict[str, object]:
        return {"type": "video", "mid": mid, "codec": codec, "description": description, **more}

    for streams, chosen in (
        ([stream("0", description="My Screen"), stream("1", description=7), stream("2")], "1"),
        ([stream("0", "vp9"), stream("1")], "1"),
        ([stream("0", description="desktop"), stream("1", "av1")], "1"),
        ([stream("0", description="screen"), stream("1", disabled=True)], "0"),
    ):
        (answer,) = read_notifications({"publishers": [{"id": 1, "streams": streams}]})
        assert isinstance(answer, Publishing)
        assert answer.member.camera is not None
        assert answer.member.camera.mid == chosen
    (answer,) = read_notifications({"publishers": [{"id": 1, "streams": [stream("0", moderated=True)]}]})
    assert answer == Publishing(RoomMember(1, None, Camera("0", "vp8", False, moderated=True)))


@pytest.mark.parametrize(
    ("codec", "decodable"),
    [("vp8", True), ("h264", True), ("vp9", False), ("av1", False), ("h265", False), ("", True)],
)
def test_which_codecs_are_decodable(codec: str, decodable: bool) -> None:
    assert Camera("0", codec, False).decodable is decodable


@pytest.mark.parametrize(
    ("data", "notifications"),
    [
        ({"joining": {"id": 1, "display": "Ada"}}, [Present(RoomMember(1, "Ada"))]),
        ({"unpublished": 1}, [Unpublished(1)]),
        ({"unpublished": "ok"}, []),
        ({"leaving": 1}, [Leaving(1)]),
        ({"leaving": "ok", "reason": "kicked"}, [Kicked()]),
        ({"kicked": 1}, [Leaving(1)]),
        ({"videoroom": "destroyed", "room": 1}, [Destroyed()]),
        ({"id": 1, "mid": "0", "moderation": "muted"}, [Moderated(1, "0", True)]),
        ({"id": 1, "mid": "0", "moderation": "unmuted"}, [Moderated(1, "0", False)]),
        ({"id": 1, "mid": 0, "moderation": "muted"}, []),
        ({"id": 1, "display": " Zoe\u0308 "}, [Renamed(1, "Zoë")]),
        ({"id": 1, "display": " "}, [Renamed(1, None)]),
        ({"id": 1, "display": "x" * 5000}, [Renamed(1, "x" * 200)]),
        ({"leaving": True, "unpublished": None, "publishers": {"id": 1}, "joining": "me"}, []),
        ({"publishers": [{"display": "nobody"}, 7, {"id": True}, {"id": [1]}]}, []),
    ],
)
def test_notifications_of_events(data: dict[str, object], notifications: list[object]) -> None:
    assert list(read_notifications({"videoroom": "event", **data})) == notifications


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
    [
        "videoroom",
        "publishers",
        "attendees",
        "joining",
        "unpublished",
        "leaving",
        "kicked",
        "participants",
        "id",
        "mid",
        "moderation",
        "display",
    ]
)


@given(st.dictionaries(KEYS, JSON))
def test_reading_accepts_any_message(data: dict[str, object]) -> None:
    list(read_notifications(data))
    read_participants(data)
    subscribed_mid(data)


def test_requests_name_the_bot_and_one_stream() -> None:
    address = RoomAddress("ws://h", 7, "s3", "Bot", "janus+ws://h/7")
    assert join_request(address) == {
        "request": "join",
        "ptype": "publisher",
        "room": 7,
        "display": "Bot",
        "pin": "s3",
    }
    subscription = subscribe_request(address, 11, 1, "1", 0, 1)
    assert subscription["ptype"] == "subscriber"
    assert subscription["streams"] == [{"feed": 1, "mid": "1", "substream": 0, "temporal": 1}]
    assert (subscription["private_id"], subscription["pin"]) == (11, "s3")
    open_room = RoomAddress("ws://h", "maths", None, "Bot", "janus+ws://h/maths")
    assert "pin" not in join_request(open_room)
    assert "pin" not in subscribe_request(open_room, None, 1, "1", 0, 0)


def test_each_refusal_has_its_own_error_and_text() -> None:
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
