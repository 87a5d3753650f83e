"""Rooms of a Janus server's VideoRoom plugin.

Room URL: ``janus+ws://HOST:8188/ROOM?pin=PIN&name=NAME`` or ``janus+wss://…``; a path before the room is the
websocket's own. What a URL gives a meaning to (``& # % /`` and spaces) is written as ``%26`` and so on; in a
PIN ``+`` is a plus. Comes in: a room URL. Goes out: a ``JanusRoom``. The PIN goes to Janus and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from aiohttp import web

from bot.rooms.contract import Room, RoomUrlError
from bot.rooms.janus.room import JanusRoom
from bot.rooms.janus.videoroom import RoomAddress
from bot.rooms.registry import RoomContext

DEFAULT_NAME: Final = "ClassMood (looks at expressions)"
MOST_NAME_CHARS: Final = 64

_SOCKETS: Final = {"janus+ws": "ws", "janus+wss": "wss"}
_PORT: Final = 8188
_LARGEST_NUMBER: Final = 2**63 - 1
"""Of a room: beyond it Janus' JSON reader gives up, and digits can only be a name."""

_JOINERS: Final = "\u200c\u200d"
"""Invisible, and part of how Persian, Hindi or an emoji of two is written."""


class Adapter:
    """Makes rooms of a Janus server."""

    scheme = "janus"
    example = "janus+ws://HOST:8188/ROOM?pin=PIN&name=NAME"

    def __init__(self, context: RoomContext) -> None:
        """Nothing is connected."""
        self._settings, self._on_dropped = context.settings, context.on_dropped

    def open(self, url: str) -> Room:
        """A room, not yet joined.

        Raises:
            RoomUrlError: the URL is of another form; the text holds no PIN.
        """
        return JanusRoom(
            parse_address(url),
            self._settings.webrtc,
            samples_per_s=self._settings.analysis.samples_per_s,
            receives=self._settings.privacy.analyses_faces,
            on_dropped=self._on_dropped,
            must_announce=self._settings.privacy.require_announcement,
        )

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """None: students come by Janus' own page."""
        return ()


def parse_address(url: str) -> RoomAddress:
    """What a room URL says.

    Raises:
        RoomUrlError: another form; the text holds no PIN.
    """
    shown = repr(url.partition("?")[0].rpartition("@")[2].partition("#")[0])
    try:
        parts = urlsplit(url)
        scheme, host, port = _SOCKETS[parts.scheme.lower()], parts.hostname, parts.port
        options = _options(parts.query)
        pins = _options(parts.query.replace("+", "%2B")).get("pin")  # a PIN is typed, not sent by a form
    except (ValueError, KeyError):
        # Not chained: the URL in the cause may hold the PIN.
        raise RoomUrlError(f"{shown} is no room of a Janus server: give one like {Adapter.example}") from None
    path, _, last = parts.path.rpartition("/")
    room = unquote(last)
    if not host or not room or parts.username is not None:
        raise RoomUrlError(f"{shown} names no host and room: give one like {Adapter.example}")
    if parts.fragment:
        raise RoomUrlError(f"{shown}: write a # in the PIN or the name as %23, and & as %26")
    if not {*options} <= {"pin", "name"} or any(len(values) != 1 for values in options.values()):
        raise RoomUrlError(
            f"{shown}: the options of a Janus room are ?pin=PIN and ?name=NAME, each once; "
            "write a & in them as %26"
        )
    name = " ".join(options.get("name", [DEFAULT_NAME])[0].split())
    if not name or len(name) > MOST_NAME_CHARS or not _readable(name):
        raise RoomUrlError(f"{shown}: the name must be 1 to {MOST_NAME_CHARS} characters the class can read")
    host = f"[{host}]" if ":" in host else host
    if port is None and scheme == "ws":
        port = _PORT
    server = f"{scheme}://{host}" + ("" if port is None else f":{port}") + path
    return RoomAddress(
        socket_url=server,
        room=_number_or_name(room),
        pin=None if pins is None else pins[0],
        name=name,
        public_url=f"janus+{server}/{last}",
    )


def _options(query: str) -> dict[str, list[str]]:
    return parse_qs(query, keep_blank_values=True, strict_parsing=bool(query))


def _readable(name: str) -> bool:
    return all(char.isprintable() or char in _JOINERS for char in name)


def _number_or_name(room: str) -> int | str:
    """Digits as Janus writes a number are one; others, as 007, are a name."""
    plain = room.isascii() and room.isdigit() and (room == "0" or not room.startswith("0"))
    return int(room) if plain and len(room) <= 19 and int(room) <= _LARGEST_NUMBER else room
