"""The VideoRoom plugin's messages in words of ours, and its error codes as errors of a room.

Comes in: what the plugin says. Goes out: persons, what changed, requests to send. Pure. What the server
sends is not trusted: what does not look as documented is passed over.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from bot.rooms.contract import RoomDenied, RoomError, RoomUnavailable
from bot.rooms.janus.messages import JanusRefused, Message

PLUGIN: Final = "janus.plugin.videoroom"
NO_SUCH_ROOM: Final = 426
TAKES_NOBODY_NEW: Final = 472
"""Before a stop; to the bot as good as gone."""

WRONG_TYPE: Final = 430
"""The room was given as a number where the server's rooms have names, or the other way round."""

MOST_NAME_CHARS: Final = 200
"""Of a display name; Janus knows no limit, and nobody reads on."""

_UNAUTHORIZED: Final = 433
_DECODABLE: Final = frozenset({"vp8", "h264"})
_REFUSALS: Final[dict[int, tuple[type[RoomError], str]]] = {
    403: (RoomDenied, "the Janus server wants an API secret, which the bot has none of: open it to the bot"),
    426: (RoomUnavailable, "there is no room ROOM on the Janus server: check its number, or open it first"),
    429: (RoomDenied, "room ROOM wants a PIN: give it as ?pin=PIN at the end of the room URL"),
    430: (RoomUnavailable, "the Janus server has no rooms named like ROOM: check the room's number"),
    432: (RoomDenied, "room ROOM is full: let somebody leave, or allow more publishers there"),
    433: (RoomDenied, "room ROOM wants another PIN: give it as ?pin=PIN at the end of the room URL"),
    460: (RoomUnavailable, "the Janus server has no VideoRoom plugin: enable it there"),
    472: (RoomUnavailable, "the Janus server takes nobody new, as before a stop: ask whoever runs it"),
}
"""432 is for servers other than Janus 1.1.2, where no setting makes a room full for the bot: ``publishers``
counts those who send an offer, and the bot joins without one; joining and subscribing know no limit."""

_SCREEN_WORDS: Final = ("screen", "desktop", "presentation")

Feed = int | str
"""What Janus calls a participant; new with each join."""


@dataclass(frozen=True, slots=True)
class RoomAddress:
    """A room and how the bot enters it.

    Attributes:
        socket_url: Address of Janus' websocket.
        room: The room's number or name.
        pin: What it takes to get in, if anything.
        name: What the bot is called there.
        public_url: The room URL without secrets.
    """

    socket_url: str
    room: int | str
    pin: str | None = field(repr=False)
    name: str
    public_url: str

    def named(self) -> RoomAddress | None:
        """The same, for a server whose rooms have names; None if the room is called by a name already."""
        return replace(self, room=str(self.room)) if isinstance(self.room, int) else None


@dataclass(frozen=True, slots=True)
class Camera:
    """A video stream a participant publishes.

    Attributes:
        mid: Its name within what the participant publishes.
        codec: In lower case; empty if Janus does not tell.
        simulcast: Whether it comes in several sizes.
        moderated: Whether a moderator has switched it off: Janus passes nothing of it on.
    """

    mid: str
    codec: str
    simulcast: bool
    moderated: bool = False

    @property
    def decodable(self) -> bool:
        """Whether there is a decoder for it; where Janus does not tell, its offer will."""
        return not self.codec or self.codec in _DECODABLE


@dataclass(frozen=True, slots=True)
class Person:
    """A participant, as Janus tells of them.

    Attributes:
        feed: Janus' identifier.
        display: The name they gave.
        camera: What they publish, None without a camera.
    """

    feed: Feed
    display: str | None
    camera: Camera | None = None


@dataclass(frozen=True, slots=True)
class Publishes:
    """Somebody publishes something, with a camera or without."""

    person: Person


@dataclass(frozen=True, slots=True)
class Present:
    """Somebody is there; nothing is said about a camera."""

    person: Person


@dataclass(frozen=True, slots=True)
class Unpublished:
    """Somebody no longer publishes anything, and is still there."""

    feed: Feed


@dataclass(frozen=True, slots=True)
class Moderated:
    """A moderator switched one stream of somebody off, or on again."""

    feed: Feed
    mid: str
    off: bool


@dataclass(frozen=True, slots=True)
class Renamed:
    """Somebody goes by another name now."""

    feed: Feed
    display: str | None


@dataclass(frozen=True, slots=True)
class Gone:
    """Somebody went, or was put out."""

    feed: Feed


@dataclass(frozen=True, slots=True)
class PutOut:
    """The bot was put out of the room."""


@dataclass(frozen=True, slots=True)
class Destroyed:
    """The room is no more."""


News = Publishes | Present | Unpublished | Moderated | Renamed | Gone | PutOut | Destroyed


def join_request(address: RoomAddress) -> dict[str, object]:
    """Come in as a participant everybody sees, who may publish and never does."""
    request: dict[str, object] = {
        "request": "join",
        "ptype": "publisher",
        "room": address.room,
        "display": address.name,
    }
    if address.pin is not None:
        request["pin"] = address.pin
    return request


def subscribe_request(
    address: RoomAddress, private_id: object, feed: Feed, mid: str, substream: int, temporal: int
) -> dict[str, object]:
    """Ask for one video stream of one participant, and for no other ever on this handle.

    For ``substream`` and ``temporal`` see ``layer_request``.
    """
    request: dict[str, object] = {
        "request": "join",
        "ptype": "subscriber",
        "room": address.room,
        "use_msid": True,
        "autoupdate": False,
        "streams": [{"feed": feed, "mid": mid, "substream": substream, "temporal": temporal}],
    }
    if private_id is not None:
        request["private_id"] = private_id
    if address.pin is not None:
        request["pin"] = address.pin
    return request


def layer_request(mid: str, substream: int, temporal: int) -> dict[str, object]:
    """Ask for a size (0 is the smallest) and a rate (0 is the lowest) of a stream in several."""
    return {"request": "configure", "streams": [{"mid": mid, "substream": substream, "temporal": temporal}]}


def subscribed_mid(data: Message) -> str:
    """What the stream is called on the subscriber's side."""
    for stream in _objects(data.get("streams")):
        if stream.get("type") == "video" and isinstance(stream.get("mid"), str):
            return str(stream["mid"])
    return "0"


def read_news(data: Message) -> Iterator[News]:
    """What an event, or the answer to joining, tells."""
    if data.get("videoroom") == "destroyed":
        yield Destroyed()
        return
    for entry in _objects(data.get("publishers")):
        if (person := _person(entry)) is not None:
            yield Publishes(person)
    for entry in (*_objects(data.get("attendees")), *_objects([data.get("joining")])):
        if (person := _person(entry)) is not None:
            yield Present(person)
    if _is_feed(data.get("unpublished")):
        yield Unpublished(data["unpublished"])
    if _is_feed(data.get("id")):
        mid, moderation = data.get("mid"), data.get("moderation")
        if isinstance(mid, str) and moderation in ("muted", "unmuted"):
            yield Moderated(data["id"], mid, moderation == "muted")
        if isinstance(data.get("display"), str):
            yield Renamed(data["id"], read_name(data["display"]))
    if data.get("leaving") == "ok":
        yield PutOut()
    for key in ("leaving", "kicked"):
        if _is_feed(data.get(key)):
            yield Gone(data[key])


def read_participants(data: Message) -> list[Person]:
    """Everybody in the answer to ``listparticipants``; nothing is said about cameras."""
    people = (_person(entry) for entry in _objects(data.get("participants")))
    return [person for person in people if person is not None]


def as_room_error(exc: JanusRefused, address: RoomAddress) -> RoomError:
    """Why the bot was not let in, and what to do."""
    room = address.room
    if exc.code == _UNAUTHORIZED and address.pin is None:  # a missing PIN has another code
        return RoomDenied(
            f"room {room} lets in only who is on its list, by a token the bot has none of: open it to the bot"
        )
    kind, text = _REFUSALS.get(
        exc.code, (RoomUnavailable, f"room ROOM could not be entered: the Janus server says error {exc.code}")
    )
    return kind(text.replace("ROOM", str(room)))


def read_name(display: object) -> str | None:
    """A display name in one spelling, whichever keyboard it was typed on; None without one."""
    if not isinstance(display, str):
        return None
    return unicodedata.normalize("NFC", display[:MOST_NAME_CHARS].strip()) or None


def _person(entry: dict[str, Any]) -> Person | None:
    feed = entry.get("id")
    if feed is None or not _is_feed(feed):
        return None
    return Person(feed, read_name(entry.get("display")), _camera(entry))


def _camera(entry: dict[str, Any]) -> Camera | None:
    """The first video stream that is on; rather one that is no shared screen, and one that can be decoded."""
    found: list[tuple[bool, bool, Camera]] = []
    for stream in _objects(entry.get("streams")):
        mid, codec, about = stream.get("mid"), stream.get("codec"), str(stream.get("description")).casefold()
        if stream.get("type") == "video" and not stream.get("disabled") and isinstance(mid, str):
            camera = Camera(
                mid,
                codec.lower() if isinstance(codec, str) else "",
                stream.get("simulcast") is True,
                stream.get("moderated") is True,
            )
            found.append((any(word in about for word in _SCREEN_WORDS), not camera.decodable, camera))
    return min(found, key=lambda entry: entry[:2])[2] if found else None


def _is_feed(value: object) -> bool:
    # "ok" stands where the bot itself is meant.
    return isinstance(value, int | str) and not isinstance(value, bool) and value != "ok"


def _objects(value: object) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
