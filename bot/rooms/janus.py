"""Rooms of a Janus server's VideoRoom plugin.

Room URL: ``janus+ws://HOST:8188/ROOM?pin=PIN&name=NAME`` or ``janus+wss://…``; a path before the room is the
websocket's own. Comes in: a room URL. Goes out: a ``JanusRoom``. The PIN goes to Janus and nowhere else.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from aiohttp import web

from bot.janus.room import JanusRoom
from bot.janus.videoroom import RoomAddress
from bot.room import Room, RoomUrlError
from bot.rooms import RoomContext

DEFAULT_NAME: Final = "ClassMood (looks at expressions)"
MOST_NAME_CHARS: Final = 64

_SOCKETS: Final = {"janus+ws": "ws", "janus+wss": "wss"}
_PORT: Final = 8188


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
            receives=self._settings.privacy.jurisdiction == "none",
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
    shown = repr(url.partition("?")[0].rpartition("@")[2])
    try:
        parts = urlsplit(url)
        scheme, host, port = _SOCKETS[parts.scheme.lower()], parts.hostname, parts.port
        options = parse_qs(parts.query, keep_blank_values=True, strict_parsing=bool(parts.query))
    except (ValueError, KeyError):
        # Not chained: the URL in the cause may hold the PIN.
        raise RoomUrlError(f"{shown} is no room of a Janus server: give one like {Adapter.example}") from None
    path, _, last = parts.path.rpartition("/")
    room = unquote(last)
    if not host or not room or parts.username is not None or parts.fragment:
        raise RoomUrlError(f"{shown} names no host and room: give one like {Adapter.example}")
    if not {*options} <= {"pin", "name"} or any(len(values) != 1 for values in options.values()):
        raise RoomUrlError(f"{shown}: the options of a Janus room are ?pin=PIN and ?name=NAME, each once")
    name = " ".join(options.get("name", [DEFAULT_NAME])[0].split())
    if not name or len(name) > MOST_NAME_CHARS or not name.isprintable():
        raise RoomUrlError(f"{shown}: the name must be 1 to {MOST_NAME_CHARS} characters the class can read")
    host = f"[{host}]" if ":" in host else host
    if port is None and scheme == "ws":
        port = _PORT
    server = f"{scheme}://{host}" + ("" if port is None else f":{port}") + path
    return RoomAddress(
        socket_url=server,
        room=int(room) if room.isascii() and room.isdigit() else room,
        pin=options["pin"][0] if "pin" in options else None,
        name=name,
        public_url=f"janus+{server}/{last}",
    )
