"""The contract of a room: its events, what can be requested from it, and its errors.

RoomError
+-- RoomUrlError      the adapter does not understand the room URL
+-- RoomUnavailable   the room or its server cannot be reached or no longer exists
+-- RoomDenied        the room did not admit the bot (wrong PIN, full, requires a token)
+-- RoomRemoved       the bot was removed from the room
+-- RoomEnded         the room came to its regular end
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from enum import Enum
from typing import Protocol

from bot.tracks import VideoTrack
from reports.summary.asks import Ask
from reports.summary.windows import PulseKind


class RoomError(Exception):
    """Base of the errors that a room raises; the text is one line that says what to do."""


class RoomUrlError(RoomError):
    """The adapter does not understand the room URL."""


class RoomUnavailable(RoomError):
    """The room or its server cannot be reached or no longer exists."""


class RoomDenied(RoomError):
    """The room did not admit the bot."""


class RoomRemoved(RoomError):
    """The bot was removed from the room."""


class RoomEnded(RoomError):
    """The room came to its regular end; the text is a sentence that says how."""


class Erasure(Enum):
    """What became of the request to delete what is stored about a participant."""

    NOTHING = "nothing was stored"
    DONE = "it is deleted"
    PENDING = "it will be deleted as soon as the store accepts writes"


def _do_nothing() -> None:
    pass


@dataclass(frozen=True, slots=True)
class Joined:
    """A participant joined, or came back under the same identifier.

    Attributes:
        participant_id: Random, for this class only.
        name: The display name; never stored unless ``individual``.
        individual: Whether the participant agreed to individual check-ins.
        consented: Whether the participant ticked the consent (embedded room).
        person: A key that certainly means the same person, in this class and in later ones of the room. Never
            stored. None if the room cannot be certain, for example if it knows people only by name.
        attends: Whether they count as present. False for who only answers and taps in a page beside the room,
            because the room itself counts them already.
    """

    participant_id: str
    name: str | None = None
    individual: bool = False
    consented: bool = False
    person: str | None = None
    attends: bool = True


@dataclass(frozen=True, slots=True)
class Left:
    """A participant left."""

    participant_id: str


@dataclass(frozen=True, slots=True, eq=False)
class TrackAdded:
    """A participant's camera can be received."""

    track: VideoTrack


@dataclass(frozen=True, slots=True)
class TrackRemoved:
    """A participant's camera can no longer be received."""

    track_id: str
    participant_id: str


@dataclass(frozen=True, slots=True)
class Muted:
    """A participant switched the camera off (``muted``) or on."""

    participant_id: str
    muted: bool


@dataclass(frozen=True, slots=True)
class UnsupportedCodec:
    """A participant's camera uses a codec that cannot be decoded."""

    participant_id: str
    codec: str


@dataclass(frozen=True, slots=True)
class EncryptedCamera:
    """A participant's camera is encrypted end to end, so it is not received."""

    participant_id: str


@dataclass(frozen=True, slots=True)
class Notice:
    """Something that the host should know while the class runs; ``text`` is one line that says what to do."""

    text: str


@dataclass(frozen=True, slots=True)
class Pulse:
    """A participant tapped a pulse button."""

    participant_id: str
    kind: PulseKind


@dataclass(frozen=True, slots=True)
class Answered:
    """A participant answered the question of ``Room.ask``, or perhaps did.

    Attributes:
        participant_id: The participant.
        number: Number of the answer, from 1; the pipeline ignores numbers that the question does not have.
        by_chat: Whether it was a digit in the chat, which may mean something else while no question is open.
    """

    participant_id: str
    number: int
    by_chat: bool = False


@dataclass(frozen=True, slots=True)
class OptedOut:
    """A participant opted out: no more analysis, and their data in the current window is discarded.

    Attributes:
        participant_id: The participant.
        on_erased: Called when what was stored about them is deleted.
    """

    participant_id: str
    on_erased: Callable[[], None] = field(default=_do_nothing, compare=False)


@dataclass(frozen=True, slots=True)
class Disconnected:
    """The connection to the room was lost; the adapter is reconnecting."""

    reason: str


@dataclass(frozen=True, slots=True)
class Reconnected:
    """The bot is connected to the room again."""


RoomEvent = (
    Joined | Left | TrackAdded | TrackRemoved | Muted | UnsupportedCodec | EncryptedCamera | Pulse | Answered
    | OptedOut | Notice | Disconnected | Reconnected
)  # fmt: skip


class Room(AbstractAsyncContextManager["Room"], Protocol):
    """The room of one class. ``async with`` joins it, which may raise a ``RoomError``, and leaves it.

    Attributes:
        code: The code that students type, if the room has one.
        public_url: The room URL without secrets.
        key: Identifies the room: the same for all URLs of one room. A room has one class at a time.
        synthetic: Whether the participants are videos and not people.
    """

    @property
    def code(self) -> str | None: ...
    @property
    def public_url(self) -> str: ...
    @property
    def key(self) -> str: ...
    @property
    def synthetic(self) -> bool: ...

    def events(self) -> AsyncIterator[RoomEvent]:
        """Yield the room's events in order until the class ends.

        Raises:
            RoomError: the class ended because of an error.
        """
        ...

    async def announce(self, text: str) -> bool:
        """Inform everybody in the room; False if the room has no channel for it, such as a chat."""
        ...

    async def ask(self, question: Ask | None) -> bool:
        """Ask everybody in the room, in place of any earlier question.

        Answers are published as ``Answered``.

        Args:
            question: The question; None when it has been closed.

        Returns:
            Whether the room can ask.
        """
        ...

    async def leave_out(self, who: str) -> int:
        """Opt out participants at the host's request, and return how many matched ``who``.

        ``who`` is adapter-specific: a display name, or a number that the student tells the host.
        """
        ...
