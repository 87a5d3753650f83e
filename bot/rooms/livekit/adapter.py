"""Reads the URLs of LiveKit rooms and makes their rooms.

A room URL is ``livekit+wss://HOST/ROOM?name=NAME&token=TOKEN`` or ``livekit+ws://…``. If there is a path
before the room, it is the path of the server. ``livekit:ROOM`` is a room on the server of the setting
``rooms.livekit.url``. Without a token, one is made with ``rooms.livekit.api_key`` and ``api_secret``.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final
from urllib.parse import quote, unquote, urlsplit

from aiohttp import web

from bot.config import LiveKitSettings
from bot.rooms.common.names import BOT_NAME, bot_name
from bot.rooms.common.room_urls import room_key, shown_url, url_options
from bot.rooms.contract import Room, RoomUrlError
from bot.rooms.livekit.access import Access, BadToken, room_of_token
from bot.rooms.livekit.check import check_server
from bot.rooms.livekit.room import LiveKitRoom, RoomAddress
from bot.rooms.registry import RoomContext
from reports.languages import language

_SCHEMES: Final = {"livekit+ws": "ws", "livekit+wss": "wss"}
_MAX_ROOM_CHARS: Final = 256
_OPTIONS: Final = frozenset({"name", "token"})


class Adapter:
    """Makes the rooms of LiveKit servers."""

    scheme = "livekit"
    example = "livekit+wss://HOST/ROOM"

    def __init__(self, context: RoomContext) -> None:
        """Store the settings; nothing is connected."""
        self._settings, self._on_dropped = context.settings, context.on_dropped

    def open(self, url: str) -> Room:
        """Return the room of a URL, not yet joined.

        Raises:
            RoomUrlError: the URL is wrong, or there is neither a token nor an API key; the error text does
                not contain the token.
        """
        address, access = parse_url(url, self._settings.rooms.livekit)
        return LiveKitRoom(
            address,
            access,
            self._settings.webrtc,
            samples_per_s=self._settings.analysis.samples_per_s,
            receives=self._settings.privacy.analyses_faces,
            must_announce=self._settings.privacy.require_announcement,
            say=language(self._settings.web.language).gettext,
            on_dropped=self._on_dropped,
        )

    def check(self) -> str:
        """Ask the server in the settings whether it accepts the key, see ``check_server``."""
        return check_server(self._settings.rooms.livekit)

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Return no routes: students join on the room's own page."""
        return ()


def parse_url(url: str, settings: LiveKitSettings) -> tuple[RoomAddress, Access]:
    """Parse a room URL. Blocks while it looks up the server in DNS.

    Raises:
        RoomUrlError: the URL is wrong, or the bot has nothing to be let in with.
    """
    shown = shown_url(url)
    try:
        parts = urlsplit(url)
        if parts.scheme.lower() == Adapter.scheme:
            server_url, last = _configured_server(settings, shown), parts.path
            is_valid = not parts.netloc
        else:
            server_url, last = _server(url)
            is_valid = bool(parts.hostname) and parts.username is None
        options = url_options(parts.query)
    except (ValueError, KeyError):
        # Not chained: the cause may contain the URL with the token.
        raise RoomUrlError(
            f"{shown} is not the URL of a LiveKit room: give one like {Adapter.example}"
        ) from None
    room = unquote(last)
    if not is_valid or not room or len(room) > _MAX_ROOM_CHARS or not room.isprintable():
        raise RoomUrlError(f"{shown} lacks a host or a room: give one like {Adapter.example}")
    if parts.fragment or not {*options} <= _OPTIONS or any(len(values) != 1 for values in options.values()):
        raise RoomUrlError(
            f"{shown}: the options of a LiveKit room are ?token=TOKEN and ?name=NAME, each once; "
            "write & in them as %26 and # as %23"
        )
    try:
        name = bot_name(options.get("name", [BOT_NAME])[0])
    except ValueError as exc:
        raise RoomUrlError(f"{shown}: {exc}") from exc
    access = _access(shown, room, name, options.get("token", [None])[0], server_url, settings)
    public_url = f"livekit+{server_url}/{quote(room, safe='')}"
    return RoomAddress(server_url, room, public_url, room_key(Adapter.scheme, server_url, room)), access


def _server(url: str) -> tuple[str, str]:
    """Split a URL into the server's address and the quoted name of the room.

    Raises:
        KeyError: its scheme is not one of LiveKit's.
        ValueError: its port is wrong.
    """
    parts = urlsplit(url)
    path, _, last = parts.path.rpartition("/")
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    port = "" if parts.port is None else f":{parts.port}"
    return f"{_SCHEMES[parts.scheme.lower()]}://{host}{port}{path}", last


def _configured_server(settings: LiveKitSettings, shown: str) -> str:
    if settings.url is None:
        raise RoomUrlError(f"{shown}: give the server too, as in {Adapter.example}, or set rooms.livekit.url")
    return settings.url


def _access(
    shown: str, room: str, name: str, token: str | None, server_url: str, settings: LiveKitSettings
) -> Access:
    if token is not None:
        try:
            named = room_of_token(token)
        except BadToken:
            raise RoomUrlError(f"{shown}: copy the token again: it is not complete") from None
        if named != room:
            raise RoomUrlError(f"{shown}: get a token for this room: this one is for another room")
        return Access(room, name, token=token)
    key, secret = settings.api_key, settings.api_secret
    if key is None or secret is None:
        raise RoomUrlError(
            f"{shown}: set rooms.livekit.api_key and rooms.livekit.api_secret, or add ?token=TOKEN"
        )
    if settings.url is not None and settings.url != server_url:
        raise RoomUrlError(
            f"{shown}: add ?token=TOKEN: the key in the settings is for the server in rooms.livekit.url only"
        )
    return Access(room, name, key=key, secret=secret.get_secret_value())
