"""The contract of a room adapter: what a room tells, what can be asked of it, what can go wrong.

RoomError
+-- RoomUrlError      the room URL is not one the adapter understands
+-- RoomUnavailable   the room or its server cannot be reached, or is gone
+-- RoomDenied        the room would not let the bot in (wrong PIN, full, not admitted)
+-- RoomRemoved       the bot was put out of the room
"""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Protocol

from bot.tracks import VideoTrack
from reports.summary.windows import PulseKind


class RoomError(Exception):
    """Base of what a room raises; its text is one line that says what to do."""


class RoomUrlError(RoomError):
    """The room URL is not one the adapter understands."""


class RoomUnavailable(RoomError):
    """The room or its server cannot be reached, or is gone."""


class RoomDenied(RoomError):
    """The room would not let the bot in."""


class RoomRemoved(RoomError):
    """The bot was put out of the room."""


@dataclass(frozen=True, slots=True)
class Joined:
    """A participant came, or came back under the same id.

    Attributes:
        participant_id: Random, for this class only.
        name: As the participant gave it; never stored unless ``individual``.
        individual: Whether the participant agreed to individual check-ins.
        consented: Whether the participant ticked a consent (embedded room).
    """

    participant_id: str
    name: str | None = None
    individual: bool = False
    consented: bool = False


@dataclass(frozen=True, slots=True)
class Left:
    """A participant went."""

    participant_id: str


@dataclass(frozen=True, slots=True, eq=False)
class TrackAdded:
    """A participant's camera can be received."""

    track: VideoTrack


@dataclass(frozen=True, slots=True)
class TrackRemoved:
    """A participant's camera is gone."""

    track_id: str
    participant_id: str


@dataclass(frozen=True, slots=True)
class Muted:
    """A participant switched the camera off (``muted``) or on again."""

    participant_id: str
    muted: bool


@dataclass(frozen=True, slots=True)
class UnsupportedCodec:
    """A participant's camera comes in a codec that cannot be decoded."""

    participant_id: str
    codec: str


@dataclass(frozen=True, slots=True)
class Pulse:
    """A participant tapped a pulse button."""

    participant_id: str
    kind: PulseKind


@dataclass(frozen=True, slots=True)
class OptedOut:
    """A participant wants no analysis any more, and what was counted of them in open windows removed."""

    participant_id: str


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection to the room broke; the adapter is trying to come back."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The connection to the room is back."""


RoomEvent = (
    Joined | Left | TrackAdded | TrackRemoved | Muted | UnsupportedCodec | Pulse | OptedOut
    | Disconnected | Reconnected
)  # fmt: skip


class Room(AbstractAsyncContextManager["Room"], Protocol):
    """One class's room. Entering joins it (raising a ``RoomError``), leaving leaves it.

    Attributes:
        code: Code students type, if the room has one.
        public_url: The room URL without secrets.
        synthetic: Whether its participants are not people.
    """

    @property
    def code(self) -> str | None: ...
    @property
    def public_url(self) -> str: ...
    @property
    def synthetic(self) -> bool: ...

    def events(self) -> AsyncIterator[RoomEvent]:
        """What happens, in order; ends with the class.

        Raises:
            RoomError: the class came to an end that is not a plain one.
        """
        ...

    async def announce(self, text: str) -> bool:
        """Tell everyone in the room; False where the room has no means to."""
        ...

    async def leave_out(self, who: str) -> int:
        """Opt out, at the host's word, whoever goes by ``who`` in the room; how many that were.

        What ``who`` is the adapter says: what the host knows of a student without being told by the bot.
        """
        ...
