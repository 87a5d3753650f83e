"""What the embedded room holds of one student: no name, and of the token only a hash.

Made by ``room`` when someone joins; found again by the token of their page, or by the number
their page shows.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from bot.rooms.companion.requests import Erased, UnknownToken
from bot.webrtc.peer import ReceivingPeer

NUMBER_CHARS: Final = 6
"""Of a participant's identifier the page shows so many as their number."""

_ID_CHARS: Final = 16


@dataclass(slots=True, eq=False)
class Student:
    """One student while the class lasts.

    Attributes:
        participant_id: Of the token, which is random and for this class only.
        token_hash: Of the secret they come back with.
        seen_s: When they were last known to be there, monotonic seconds.
        present: Whether they are in the class.
        erased: Whether they went for good.
        individual: Whether they agreed to individual check-ins.
        cameraless: Whether they have no camera, or one that cannot be decoded.
        stands_off: Whether ``Muted(True)`` or ``UnsupportedCodec`` was told last.
        peer: The connection of their camera.
        track_id: Of the track told by ``TrackAdded`` and not yet removed.
        pulsed_s: When they last tapped, monotonic seconds.
        lock: Held while they join, leave or are erased.
    """

    participant_id: str
    token_hash: bytes
    seen_s: float
    present: bool = False
    erased: bool = False
    individual: bool = False
    cameraless: bool = False
    stands_off: bool = False
    peer: ReceivingPeer | None = None
    track_id: str | None = None
    pulsed_s: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


def new_student(now_s: float) -> tuple[Student, str]:
    """A student nobody has seen before, and their token."""
    token = secrets.token_urlsafe(32)
    return Student(participant_of(token), _hash(token), now_s), token


def participant_of(token: str) -> str:
    """The identifier of a token's owner, 16 hexadecimal digits.

    It follows from the token, so that whoever has the token can be erased when the class, and with it all
    that the room held of them, is gone.
    """
    return _hash(token).hex()[:_ID_CHARS]


def with_token(students: Iterable[Student], token: str) -> Student:
    """The student a token belongs to.

    Raises:
        UnknownToken: it is nobody's.
        Erased: its owner is erased.
    """
    digest = _hash(token)
    for student in students:
        if hmac.compare_digest(student.token_hash, digest):
            refuse_erased(student)
            return student
    raise UnknownToken("this page is not known to the class: join again")


def with_number(students: Iterable[Student], number: str) -> list[Student]:
    """Whose page shows a number; nobody for one that is too short."""
    wanted = "".join(number.split()).lower()
    if len(wanted) < NUMBER_CHARS:
        return []
    return [student for student in students if student.participant_id.startswith(wanted)]


def refuse_erased(student: Student) -> None:
    """Let nobody in again who went for good.

    Raises:
        Erased: the student did.
    """
    if student.erased:
        raise Erased("you were erased from this class: close the page, or load it anew to take part again")


def _hash(token: str) -> bytes:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
