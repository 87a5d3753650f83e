"""The token with which the bot joins: made with the server's API key, or given in the room URL.

A token is a signed JSON object (JWT) that names the room, the participant and what it may do. Tokens and the
API secret are never logged and appear in no error.
"""

from __future__ import annotations

import secrets
import time
import warnings
from collections.abc import Callable, Mapping
from typing import Any, Final

import jwt

TOKEN_LIFETIME_S: Final = 600
_CLOCK_DIFFERENCE_S: Final = 60
"""How far the server's clock may be behind ours."""

_ALGORITHM: Final = "HS256"


class BadToken(Exception):
    """A token that is no token of LiveKit; the text does not contain it."""


class Access:
    """What the bot shows the server to be let in.

    The identity stays the same for the whole class, so the server replaces a lost session of the bot instead
    of admitting it twice.
    """

    def __init__(
        self,
        room: str,
        name: str,
        *,
        token: str | None = None,
        key: str = "",
        secret: str = "",
        clock: Callable[[], float] = time.time,
    ) -> None:
        """Set up.

        Args:
            room: Name of the room.
            name: The bot's display name.
            token: A token for this room; without one, tokens are made with ``key`` and ``secret``.
            key: The server's API key.
            secret: The secret of that key.
            clock: Seconds since 1970.
        """
        self._room, self._name, self._given = room, name, token
        self._key, self._secret, self._clock = key, secret, clock
        self._identity = f"classmood-{secrets.token_hex(6)}"

    @property
    def has_key(self) -> bool:
        """Whether tokens are made here, so that they never expire."""
        return self._given is None

    def token(self) -> str:
        """A token to join with now."""
        if self._given is not None:
            return self._given
        return make_token(self._key, self._secret, self._identity, self._name, self._clock(), self._room)

    def renew(self, token: str) -> None:
        """Use the token that the server has sent in place of the given one, which may have expired."""
        if self._given is not None:
            self._given = token


def make_token(key: str, secret: str, identity: str, name: str, now_s: float, room: str) -> str:
    """Make a token with the rights that the bot needs, and no others."""
    grants = {
        "roomJoin": True,
        "room": room,
        "canSubscribe": True,
        "canPublish": False,
        "canPublishData": True,
    }
    claims = {
        "iss": key,
        "sub": identity,
        "name": name,
        "nbf": int(now_s) - _CLOCK_DIFFERENCE_S,
        "exp": int(now_s) + TOKEN_LIFETIME_S,
        "video": grants,
    }
    with warnings.catch_warnings():
        # A short secret is the server's choice, such as the one of its development mode.
        warnings.simplefilter("ignore", jwt.InsecureKeyLengthWarning)
        return jwt.encode(claims, secret, _ALGORITHM)


def room_of_token(token: str) -> str | None:
    """The room that a token is for; None if it names none. The signature is not checked: the server does.

    Raises:
        BadToken: it is no token of LiveKit.
    """
    try:
        claims: Mapping[str, Any] = jwt.decode(token, options={"verify_signature": False})
    except jwt.InvalidTokenError:
        raise BadToken from None  # the cause may contain the token
    video = claims.get("video")
    if not isinstance(video, dict):
        raise BadToken
    room = video.get("room")
    return room if isinstance(room, str) and room else None
