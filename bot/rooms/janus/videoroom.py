"""Builds requests to the VideoRoom plugin, and translates its events and its error codes.

All functions are pure. Messages from the server are not trusted: malformed parts are ignored.
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
NOT_ACCEPTING_SESSIONS: Final = 472
"""An operator sets this before a shutdown; the bot treats the server as unavailable."""

INVALID_ELEMENT: Final = 430
"""The room was given by number but the server has named rooms (``string_ids``), or the other way round."""

MAX_NAME_CHARS: Final = 200
"""Longer display names are cut; Janus itself has no limit."""

_UNAUTHORIZED: Final = 433
_DECODABLE_CODECS: Final = frozenset({"vp8", "h264"})
_REFUSALS: Final[dict[int, tuple[type[RoomError], str]]] = {
    403: (
        RoomDenied,
        "the Janus server requires an API secret, and the bot has none: ask its operator to admit the bot",
    ),
    426: (RoomUnavailable, "there is no room ROOM on the Janus server: check its number, or open it first"),
    429: (RoomDenied, "room ROOM requires a PIN: give it as ?pin=PIN at the end of the room URL"),
    430: (RoomUnavailable, "the Janus server has no room called ROOM: check the number or name"),
    432: (RoomDenied, "room ROOM is full: let somebody leave, or allow more publishers there"),
    433: (RoomDenied, "the PIN of room ROOM is wrong: give the right one as ?pin=PIN in the room URL"),
    460: (RoomUnavailable, "the Janus server has no VideoRoom plugin: enable it there"),
    472: (
        RoomUnavailable,
        "the Janus server accepts no new sessions, as before a shutdown: ask its operator",
    ),
}
"""``ROOM`` is replaced by the room's number or name.

Janus 1.1.2 never sends 432 to the bot, but other servers may: there, ``publishers`` limits only participants
who send an offer, and the bot sends none.
"""

_SCREEN_WORDS: Final = ("screen", "desktop", "presentation")

Feed = int | str
"""Janus' identifier of a participant; new at each join."""


@dataclass(frozen=True, slots=True)
class RoomAddress:
    """A room and what the bot needs to join it.

    Attributes:
        socket_url: Address of Janus' websocket.
        room: The room's number or name.
        pin: The room's PIN, if it has one.
        name: The bot's display name.
        public_url: The room URL without secrets.
    """

    socket_url: str
    room: int | str
    pin: str | None = field(repr=False)
    name: str
    public_url: str

    def with_text_id(self) -> RoomAddress | None:
        """Return the address with the room number as text, for servers with ``string_ids``.

        None if the room already has a name.
        """
        return replace(self, room=str(self.room)) if isinstance(self.room, int) else None


@dataclass(frozen=True, slots=True)
class Camera:
    """A video stream that a participant publishes.

    Attributes:
        mid: Media identifier among the participant's streams.
        codec: In lower case; empty if Janus does not name it.
        simulcast: Whether it is sent in several sizes.
        moderated: Whether a moderator has muted it: Janus then forwards no packets of it.
    """

    mid: str
    codec: str
    simulcast: bool
    moderated: bool = False

    @property
    def decodable(self) -> bool:
        """Whether it can be decoded; True for an unnamed codec, because the later SDP offer names it."""
        return not self.codec or self.codec in _DECODABLE_CODECS


@dataclass(frozen=True, slots=True)
class RoomMember:
    """A participant as Janus describes them.

    Attributes:
        feed: Janus' identifier.
        display: Display name.
        camera: The camera they publish; None without one.
    """

    feed: Feed
    display: str | None
    camera: Camera | None = None


@dataclass(frozen=True, slots=True)
class Publishing:
    """A participant publishes streams, with or without a camera among them."""

    member: RoomMember


@dataclass(frozen=True, slots=True)
class Present:
    """A participant is in the room; whether they have a camera is not known."""

    member: RoomMember


@dataclass(frozen=True, slots=True)
class Unpublished:
    """A participant no longer publishes anything, but is still in the room."""

    feed: Feed


@dataclass(frozen=True, slots=True)
class Moderated:
    """A moderator muted or unmuted one stream of a participant."""

    feed: Feed
    mid: str
    muted: bool


@dataclass(frozen=True, slots=True)
class Renamed:
    """A participant has a new display name."""

    feed: Feed
    display: str | None


@dataclass(frozen=True, slots=True)
class Leaving:
    """A participant left or was kicked."""

    feed: Feed


@dataclass(frozen=True, slots=True)
class Kicked:
    """The bot was kicked out of the room."""


@dataclass(frozen=True, slots=True)
class Destroyed:
    """The room was closed."""


Notification = Publishing | Present | Unpublished | Moderated | Renamed | Leaving | Kicked | Destroyed


def join_request(address: RoomAddress) -> dict[str, object]:
    """Build the request to join as a visible participant, who may publish but never does."""
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
    """Build the request for one video stream of one participant.

    Without ``autoupdate`` Janus never adds another stream to the handle. For ``substream`` and ``temporal``
    see ``layer_request``.
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
    """Build the request for a simulcast size (0 is the smallest) and a temporal layer (0 is the lowest)."""
    return {"request": "configure", "streams": [{"mid": mid, "substream": substream, "temporal": temporal}]}


def subscribed_mid(data: Message) -> str:
    """Read the media identifier of the stream on the subscriber's side; ``"0"`` if there is none."""
    for stream in _objects(data.get("streams")):
        if stream.get("type") == "video" and isinstance(stream.get("mid"), str):
            return str(stream["mid"])
    return "0"


def read_notifications(data: Message) -> Iterator[Notification]:
    """Read the notifications in an event or in the answer to joining."""
    if data.get("videoroom") == "destroyed":
        yield Destroyed()
        return
    for entry in _objects(data.get("publishers")):
        if (member := _member(entry)) is not None:
            yield Publishing(member)
    for entry in (*_objects(data.get("attendees")), *_objects([data.get("joining")])):
        if (member := _member(entry)) is not None:
            yield Present(member)
    if _is_feed(data.get("unpublished")):
        yield Unpublished(data["unpublished"])
    if _is_feed(data.get("id")):
        mid, moderation = data.get("mid"), data.get("moderation")
        if isinstance(mid, str) and moderation in ("muted", "unmuted"):
            yield Moderated(data["id"], mid, moderation == "muted")
        if isinstance(data.get("display"), str):
            yield Renamed(data["id"], normalize_name(data["display"]))
    if data.get("leaving") == "ok":
        yield Kicked()
    for key in ("leaving", "kicked"):
        if _is_feed(data.get(key)):
            yield Leaving(data[key])


def read_participants(data: Message) -> list[RoomMember]:
    """Read everybody in the answer to ``listparticipants``, which does not mention cameras."""
    members = (_member(entry) for entry in _objects(data.get("participants")))
    return [member for member in members if member is not None]


def as_room_error(exc: JanusRefused, address: RoomAddress) -> RoomError:
    """Make the room error for a refusal to join; its text says what to do."""
    room = address.room
    if exc.code == _UNAUTHORIZED and address.pin is None:  # a missing PIN would be code 429
        return RoomDenied(
            f"room {room} requires a token, and the bot has none: turn off the token check of the room"
        )
    other = f"room ROOM could not be joined: the Janus server answered with error {exc.code}"
    kind, text = _REFUSALS.get(exc.code, (RoomUnavailable, other))
    return kind(text.replace("ROOM", str(room)))


def normalize_name(display: object) -> str | None:
    """Normalise a display name to Unicode NFC, cut and stripped; None if it is missing or empty."""
    if not isinstance(display, str):
        return None
    return unicodedata.normalize("NFC", display[:MAX_NAME_CHARS].strip()) or None


def _member(entry: dict[str, Any]) -> RoomMember | None:
    feed = entry.get("id")
    if feed is None or not _is_feed(feed):
        return None
    return RoomMember(feed, normalize_name(entry.get("display")), _camera(entry))


def _camera(entry: dict[str, Any]) -> Camera | None:
    """Choose the first enabled video stream, preferring cameras over screens, then decodable ones."""
    candidates: list[tuple[bool, bool, Camera]] = []
    for stream in _objects(entry.get("streams")):
        mid, codec = stream.get("mid"), stream.get("codec")
        description = str(stream.get("description")).casefold()
        if stream.get("type") == "video" and not stream.get("disabled") and isinstance(mid, str):
            camera = Camera(
                mid,
                codec.lower() if isinstance(codec, str) else "",
                stream.get("simulcast") is True,
                stream.get("moderated") is True,
            )
            is_screen = any(word in description for word in _SCREEN_WORDS)
            candidates.append((is_screen, not camera.decodable, camera))
    return min(candidates, key=lambda entry: entry[:2])[2] if candidates else None


def _is_feed(value: object) -> bool:
    # Janus writes "ok" instead of an identifier if the event is about the receiver of the message itself.
    return isinstance(value, int | str) and not isinstance(value, bool) and value != "ok"


def _objects(value: object) -> list[dict[str, Any]]:
    return [entry for entry in value if isinstance(entry, dict)] if isinstance(value, list) else []
