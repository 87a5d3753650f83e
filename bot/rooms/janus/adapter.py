"""Reads the URLs of Janus VideoRooms and makes their rooms.

A room URL is ``janus+ws://HOST:8188/ROOM?pin=PIN&name=NAME`` or ``janus+wss://…``. If there is a path before
the room, it is the path of the websocket. Characters with a meaning in URLs (``& # % /`` and spaces) must be
percent-encoded, such as ``&`` as ``%26``. In a PIN, ``+`` is a plus and not a space. The PIN is sent only to
the Janus server.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import unquote, urlsplit

from aiohttp import web

from bot.rooms.common.names import BOT_NAME, bot_name
from bot.rooms.common.room_urls import room_key, shown_url, url_options
from bot.rooms.contract import Room, RoomUrlError
from bot.rooms.janus.room import JanusRoom
from bot.rooms.janus.videoroom import RoomAddress
from bot.rooms.registry import RoomContext
from reports.languages import language

_WEBSOCKET_SCHEMES: Final = {"janus+ws": "ws", "janus+wss": "wss"}
_DEFAULT_WS_PORT: Final = 8188
_MAX_ROOM_NUMBER: Final = 2**63 - 1
"""Janus' JSON reader rejects larger numbers, so a longer string of digits can only be a room's name."""


class Adapter:
    """Makes the rooms of Janus servers."""

    scheme = "janus"
    example = "janus+ws://HOST:8188/ROOM?pin=PIN&name=NAME"

    def __init__(self, context: RoomContext) -> None:
        """Store the settings; nothing is connected."""
        self._settings, self._on_dropped = context.settings, context.on_dropped

    def open(self, url: str) -> Room:
        """Return the room of a URL, not yet joined.

        Raises:
            RoomUrlError: the URL is wrong; the error text does not contain the PIN.
        """
        address = parse_address(url)
        return JanusRoom(
            address,
            self._settings.webrtc,
            key=room_key(self.scheme, address.socket_url, address.room),
            samples_per_s=self._settings.analysis.samples_per_s,
            receives=self._settings.privacy.analyses_faces,
            on_dropped=self._on_dropped,
            must_announce=self._settings.privacy.require_announcement,
            say=language(self._settings.web.language).gettext,
        )

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Return no routes: students join on Janus' own page."""
        return ()


def parse_address(url: str) -> RoomAddress:
    """Parse a room URL.

    Raises:
        RoomUrlError: the URL is wrong; the error text does not contain the PIN.
    """
    shown = shown_url(url)
    try:
        parts = urlsplit(url)
        scheme, host, port = _WEBSOCKET_SCHEMES[parts.scheme.lower()], parts.hostname, parts.port
        options = url_options(parts.query)
        pins = url_options(parts.query.replace("+", "%2B")).get("pin")  # in a PIN, + is not a space
    except (ValueError, KeyError):
        # Not chained: the cause may contain the URL with the PIN.
        raise RoomUrlError(
            f"{shown} is not the URL of a Janus room: give one like {Adapter.example}"
        ) from None
    path, _, last = parts.path.rpartition("/")
    room = unquote(last)
    if not host or not room or parts.username is not None:
        raise RoomUrlError(f"{shown} lacks a host or a room: give one like {Adapter.example}")
    if parts.fragment:
        raise RoomUrlError(f"{shown}: write a # in the PIN or the name as %23, and & as %26")
    if not {*options} <= {"pin", "name"} or any(len(values) != 1 for values in options.values()):
        raise RoomUrlError(
            f"{shown}: the options of a Janus room are ?pin=PIN and ?name=NAME, each once; "
            "write a & in them as %26"
        )
    try:
        name = bot_name(options.get("name", [BOT_NAME])[0])
    except ValueError as exc:
        raise RoomUrlError(f"{shown}: {exc}") from exc
    host = f"[{host}]" if ":" in host else host
    if port is None and scheme == "ws":
        port = _DEFAULT_WS_PORT
    server = f"{scheme}://{host}" + ("" if port is None else f":{port}") + path
    return RoomAddress(
        socket_url=server,
        room=_number_or_name(room),
        pin=None if pins is None else pins[0],
        name=name,
        public_url=f"janus+{server}/{last}",
    )


def _number_or_name(room: str) -> int | str:
    """Return a number if Janus would write the room number like this; other text, such as 007, is a name."""
    is_number = room.isascii() and room.isdigit() and (room == "0" or not room.startswith("0"))
    return int(room) if is_number and len(room) <= 19 and int(room) <= _MAX_ROOM_NUMBER else room
