"""What Janus' messages hold, whichever plugin they come from, and what can go wrong with them.

Comes in: JSON objects in which nothing can be relied on. Goes out: replies, identifiers, candidates.

JanusError
+-- JanusGone      the server cannot be reached, does not answer, or has dropped the session
+-- JanusRefused   the server answered with an error code
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final

Message = Mapping[str, Any]
"""What came as a JSON object; nothing in it can be relied on."""

_TRICKLE_TIMEOUT_S: Final = 2.0
_MOST_CANDIDATES: Final = 32


class JanusError(Exception):
    """Janus could not do what was asked; the text is one line."""


class JanusGone(JanusError):
    """The server cannot be reached, does not answer, or has dropped the session."""


class JanusRefused(JanusError):
    """The server answered with an error.

    Attributes:
        code: Janus' or the plugin's error code.
    """

    def __init__(self, code: int) -> None:
        """Keep the code; the server's text may repeat what was sent, so it is left out."""
        super().__init__(f"Janus refused with error {code}")
        self.code = code


@dataclass(frozen=True, slots=True)
class Reply:
    """A plugin's answer or event.

    Attributes:
        data: The plugin's part of it.
        sdp: The SDP that came with it, if any.
        kind: Janus' word for the message: ``event``, ``success``, ``hangup``, ``webrtcup``, ...
    """

    data: Message
    sdp: str | None
    kind: str


class Candidates:
    """The network addresses a server set to full trickle sends one by one after its offer."""

    def __init__(self) -> None:
        """None yet."""
        self._lines: list[str] = []
        self._complete = asyncio.Event()

    def add(self, candidate: object) -> None:
        """Take in what a ``trickle`` message holds."""
        if not isinstance(candidate, dict):
            return
        line = candidate.get("candidate")
        if isinstance(line, str) and line.startswith("candidate:") and line.isprintable():
            self._lines = [*self._lines, line][:_MOST_CANDIDATES]
        if candidate.get("completed") is True:
            self._complete.set()

    async def all(self) -> list[str]:
        """All of them, or those that came within a moment."""
        with suppress(TimeoutError):
            async with asyncio.timeout(_TRICKLE_TIMEOUT_S):
                await self._complete.wait()
        return self._lines


def read_reply(message: Message) -> Reply:
    """What a message says, whatever is missing in it."""
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
    """What a session or handle is called that was asked for.

    Raises:
        JanusGone: the answer is none of Janus'.
    """
    data = message.get("data")
    identifier = data.get("id") if isinstance(data, dict) else None
    if not isinstance(identifier, int):
        raise JanusGone("the server's answer is none that Janus gives")
    return identifier
