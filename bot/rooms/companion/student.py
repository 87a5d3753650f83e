"""One student of the embedded room, without a name and with only a hash of the token.

Students are found by the token of their page or by the number that the page shows.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from bot.rooms.companion.known_students import KnownStudents
from bot.rooms.companion.requests import Erased, UnknownToken
from bot.webrtc.peer import ReceivingPeer

NUMBER_CHARS: Final = 6
"""The page shows this many characters of the participant identifier as the student's number."""

_ID_CHARS: Final = 16


@dataclass(slots=True, eq=False)
class Student:
    """One student, from the first join to the end of the class.

    Attributes:
        participant_id: Derived from the token; random and for this class only.
        token_hash: SHA-256 of the token.
        person: By which the privacy groups recognise the student in the next class under the same code.
        last_seen_s: When the page was last heard from, monotonic seconds.
        present: Whether the student is in the class now.
        erased: Whether the student was erased and may not join again.
        individual: Whether the student agreed to check-ins.
        cameraless: Whether there is no camera, or one that cannot be decoded.
        reported_off: Whether the last event about the camera was ``Muted(True)`` or ``UnsupportedCodec``.
        peer: The connection that receives the camera.
        track_id: The track published by ``TrackAdded``; None after ``TrackRemoved``.
        last_pulse_s: Time of the last pulse, monotonic seconds.
        lock: Held while the student joins, leaves or is erased.
    """

    participant_id: str
    token_hash: bytes
    person: str
    last_seen_s: float
    present: bool = False
    erased: bool = False
    individual: bool = False
    cameraless: bool = False
    reported_off: bool = False
    peer: ReceivingPeer | None = None
    track_id: str | None = None
    last_pulse_s: float = float("-inf")
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)


def new_student(now_s: float, known: KnownStudents, former_token: str | None) -> tuple[Student, str]:
    """A new student, and the token for their page.

    Args:
        now_s: Monotonic seconds.
        known: The students of earlier classes under the same code.
        former_token: The student's token in one of those, if their page sent it.
    """
    token = secrets.token_urlsafe(32)
    digest = hash_token(token)
    person = known.add(digest, None if former_token is None else hash_token(former_token))
    return Student(participant_id_of(token), digest, person, now_s), token


def participant_id_of(token: str) -> str:
    """The participant identifier of a token, 16 hexadecimal digits.

    It is derived from the token so that a student can still be erased after the class, when the room and its
    list of students no longer exist.
    """
    return hash_token(token).hex()[:_ID_CHARS]


def find_by_token(students: Iterable[Student], token: str) -> Student:
    """The student with this token.

    Raises:
        UnknownToken: no student has it.
        Erased: the student was erased.
    """
    digest = hash_token(token)
    for student in students:
        if hmac.compare_digest(student.token_hash, digest):
            refuse_erased(student)
            return student
    raise UnknownToken("the class does not know this page: join again")


def find_by_number(students: Iterable[Student], number: str) -> list[Student]:
    """The students whose page shows this number; none if the number is too short."""
    wanted = "".join(number.split()).lower()
    if len(wanted) < NUMBER_CHARS:
        return []
    return [student for student in students if student.participant_id.startswith(wanted)]


def refuse_erased(student: Student) -> None:
    """Refuse requests of a student who was erased.

    Raises:
        Erased: the student was erased.
    """
    if student.erased:
        raise Erased("you were erased from this class: close this page, or reload it to take part again")


def hash_token(token: str) -> bytes:
    """SHA-256 of a token."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).digest()
