"""STUN and TURN servers, as ``webrtc.ice_servers`` writes them.

Comes in: one line of the settings. Goes out: address, user and password apart, as browsers and aiortc want
them: neither takes a password inside the address.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

_PLACE = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?")
_WHO = re.compile(r"[^\s:/@]+:[^\s:/@]+")
_TRANSPORTS = ("", "transport=udp", "transport=tcp")


@dataclass(frozen=True, slots=True)
class IceServer:
    """One server.

    Attributes:
        url: Address without user and password.
        username: User, of TURN only.
        credential: Password, of TURN only; students' browsers are given it.
    """

    url: str
    username: str | None = None
    credential: str | None = field(default=None, repr=False)

    def for_browsers(self) -> dict[str, str]:
        """As the constructor of a browser's connection takes it."""
        told = {"urls": self.url, "username": self.username, "credential": self.credential}
        return {key: value for key, value in told.items() if value is not None}


def parse_ice_server(text: str) -> IceServer:
    """Read ``stun:HOST:3478`` or ``turn:USER:PASSWORD@HOST:3478``, also ``stuns:`` and ``turns:``.

    User and password are percent-encoded where they hold signs that mean something here.

    Raises:
        ValueError: it is of another form; the text says which ones there are, and holds no password.
    """
    scheme, _, rest = text.partition(":")
    user_and_password, at, place = rest.rpartition("@")
    username, _, credential = user_and_password.partition(":")
    address, _, query = place.partition("?")
    relays = scheme in ("turn", "turns")
    if (
        not (relays or scheme in ("stun", "stuns"))
        or not _PLACE.fullmatch(address)
        or query not in (_TRANSPORTS if relays else ("",))
        or bool(at) != relays
        or (relays and not _WHO.fullmatch(user_and_password))
    ):
        raise ValueError("write each server as stun:HOST:3478 or turn:USER:PASSWORD@HOST:3478")
    if relays:
        return IceServer(f"{scheme}:{place}", unquote(username), unquote(credential))
    return IceServer(f"{scheme}:{place}")
