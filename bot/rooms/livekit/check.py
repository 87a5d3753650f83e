"""Checks the settings of the LiveKit server, for ``classmood doctor``: joins nothing and changes nothing."""

from __future__ import annotations

import time
from http.client import HTTPException
from typing import Final
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from bot.config import LiveKitSettings
from bot.rooms.contract import RoomUnavailable
from bot.rooms.livekit.access import make_token
from bot.rooms.livekit.refusals import NoSuchRoom, refusal

_ROOM: Final = "classmood-doctor"
_TIMEOUT_S: Final = 5.0
_MAX_TEXT_BYTES: Final = 4096
_MIN_SECRET_CHARS: Final = 32


def check_server(settings: LiveKitSettings) -> str:
    """Ask the server whether it accepts the key; return what was found. Blocks.

    Raises:
        RoomError: what to correct.
    """
    key, secret, url = settings.api_key, settings.api_secret, settings.url
    if key is None and secret is None:
        return "no API key in the settings: room URLs need ?token=TOKEN"
    if key is None or secret is None:
        missing = "api_key" if key is None else "api_secret"
        raise RoomUnavailable(f"set rooms.livekit.{missing} too: a key and its secret belong together")
    if url is None:
        return "key and secret are set; with rooms.livekit.url, this command asks the server about them"
    token = make_token(key, secret.get_secret_value(), _ROOM, "doctor", time.time(), _ROOM)
    _ask(url, token)
    found = f"the server at {url} accepts the key"
    if len(secret.get_secret_value()) < _MIN_SECRET_CHARS:
        found += f"; give it a secret of {_MIN_SECRET_CHARS} characters or more: this one could be guessed"
    if urlsplit(url).scheme == "ws":
        found += "; ws:// is not encrypted: use wss:// unless the server is on this machine"
    return found


def _ask(url: str, token: str) -> None:
    address = f"http{url.removeprefix('ws')}/rtc/validate"
    request = Request(address, headers={"Authorization": f"Bearer {token}"})  # http or https
    try:
        with urlopen(request, timeout=_TIMEOUT_S):
            return
    except HTTPError as exc:
        error = refusal(exc.code, exc.read(_MAX_TEXT_BYTES).decode(errors="replace"), _ROOM)
        if not isinstance(error, NoSuchRoom):  # which is no wonder, and the key was accepted
            raise error from None  # the cause contains the token
    except (OSError, HTTPException, ValueError):
        raise RoomUnavailable(
            f"check rooms.livekit.url and the network: no server answers at {url}"
        ) from None
