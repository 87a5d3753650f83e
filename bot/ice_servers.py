"""Parses the STUN and TURN servers of the setting ``webrtc.ice_servers``.

Browsers and aiortc need the address without user and password, and these two as separate fields.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from urllib.parse import unquote

_ADDRESS = re.compile(r"[A-Za-z0-9._-]+(:[0-9]{1,5})?")
_USER_AND_PASSWORD = re.compile(r"[^\s:/@]+:[^\s:/@]+")
_TRANSPORTS = ("", "transport=udp", "transport=tcp")


@dataclass(frozen=True, slots=True)
class IceServer:
    """One STUN or TURN server.

    Attributes:
        url: Address without user and password.
        username: Only for TURN.
        credential: The password, only for TURN; it is sent to students' browsers.
    """

    url: str
    username: str | None = None
    credential: str | None = field(default=None, repr=False)

    def for_browsers(self) -> dict[str, str]:
        """An entry of ``iceServers`` for a browser's ``RTCPeerConnection``."""
        fields = {"urls": self.url, "username": self.username, "credential": self.credential}
        return {key: value for key, value in fields.items() if value is not None}


def parse_ice_server(text: str) -> IceServer:
    """Parse ``stun:HOST:3478`` or ``turn:USER:PASSWORD@HOST:3478``, also ``stuns:`` and ``turns:``.

    Special characters in user and password are percent-encoded.

    Raises:
        ValueError: the text has another form. The message shows the right one and contains no password.
    """
    scheme, _, rest = text.partition(":")
    user_and_password, at, location = rest.rpartition("@")
    username, _, credential = user_and_password.partition(":")
    address, _, query = location.partition("?")
    is_turn = scheme in ("turn", "turns")
    if (
        not (is_turn or scheme in ("stun", "stuns"))
        or not _ADDRESS.fullmatch(address)
        or query not in (_TRANSPORTS if is_turn else ("",))
        or bool(at) != is_turn
        or (is_turn and not _USER_AND_PASSWORD.fullmatch(user_and_password))
    ):
        raise ValueError("write each server as stun:HOST:3478 or turn:USER:PASSWORD@HOST:3478")
    if is_turn:
        return IceServer(f"{scheme}:{location}", unquote(username), unquote(credential))
    return IceServer(f"{scheme}:{location}")
