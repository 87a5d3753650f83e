"""The parts of a Janus message that all plugins share, and the errors of requests to Janus.

Messages are not trusted: each field is checked before it is used.

JanusError
+-- JanusUnavailable   the server cannot be reached, does not answer, or has dropped the session
+-- JanusRefused       the server answered with an error code
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

Message = Mapping[str, Any]
"""A received JSON object; any field may be missing or of the wrong type."""

_TRICKLE_TIMEOUT_S: Final = 2.0
_MAX_CANDIDATES: Final = 32


class JanusError(Exception):
    """Janus could not do what was requested; the text is one line."""


class JanusUnavailable(JanusError):
    """The server cannot be reached, does not answer, or has dropped the session."""


class JanusRefused(JanusError):
    """The server answered with an error.

    Attributes:
        code: Error code of Janus or of the plugin.
    """

    def __init__(self, code: int) -> None:
        """Store the code only: the server's error text may repeat the request, and with it the PIN."""
        super().__init__(f"Janus refused with error {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer or event of a plugin.

    Attributes:
        data: The plugin's own part of the message.
        sdp: The SDP of the message, if any.
        kind: Janus' name for the message: ``event``, ``success``, ``hangup``, ``webrtcup``, ...
    """

    data: Message
    sdp: str | None
    kind: str


class Candidates:
    """Collects the ICE candidates that a server in full-trickle mode sends one by one after its offer."""

    def __init__(self) -> None:
        """Start empty."""
        self._lines: list[str] = []
        self._complete = asyncio.Event()

    def add(self, candidate: object) -> None:
        """Add the content of a ``trickle`` message; an invalid one is ignored."""
        if not isinstance(candidate, dict):
            return
        line = candidate.get("candidate")
        # isprintable: with a line break in a candidate the server could add any lines to the SDP.
        if isinstance(line, str) and line.startswith("candidate:") and line.isprintable():
            self._lines = [*self._lines, line][:_MAX_CANDIDATES]
        if candidate.get("completed") is True:
            self._complete.set()

    async def all(self) -> list[str]:
        """Return all candidates, or those received within 2 s."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_TRICKLE_TIMEOUT_S):
                await self._complete.wait()
        return self._lines


def read_reply(message: Message) -> Reply:
    """Read a plugin's message; missing parts become empty."""
    part = message.get("plugindata")
    data = part.get("data") if isinstance(part, dict) else None
    jsep = message.get("jsep")
    sdp = jsep.get("sdp") if isinstance(jsep, dict) else None
    return Reply(
        data if isinstance(data, dict) else {},
        sdp if isinstance(sdp, str) else None,
        str(message.get("janus", "")),
    )


def read_identifier(message: Message) -> int:
    """Read the identifier of a new session or handle.

    Raises:
        JanusUnavailable: the answer has no identifier, so the server is not a Janus server.
    """
    data = message.get("data")
    identifier = data.get("id") if isinstance(data, dict) else None
    if not isinstance(identifier, int):
        raise JanusUnavailable("the server does not answer like a Janus server")
    return identifier
