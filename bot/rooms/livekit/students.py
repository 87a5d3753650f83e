"""Who is in the room: reads the server's participants and reports changes as room events. Pure.

The server guarantees that an identity is in the room once, so a student who reloads the page or comes back is
recognised by it. The identity of a session (``sid``) is new at each join.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import Enum
from typing import Final

from livekit.protocol import models

from bot.rooms import contract
from bot.rooms.common.names import simplified
from bot.rooms.contract import RoomEvent

OPT_OUT_ATTRIBUTE: Final = "classmood.optout"
"""A participant with this attribute has opted out, unless its value is one of ``_NO``."""

MIN_HEIGHT_PX: Final = 120
"""The lowest simulcast layer with at least this height is requested: in smaller ones, faces are too small."""

MAX_ABSENT: Final = 2000
"""How many students who have left are remembered, besides those who opted out."""

_NO: Final = frozenset({"", "0", "false", "no"})
_PRESENT: Final = frozenset({models.ParticipantInfo.State.JOINED, models.ParticipantInfo.State.ACTIVE})


class CameraState(Enum):
    """Whether a camera can be received, or why not."""

    ON = "on"
    MUTED = "muted"
    ENCRYPTED = "encrypted"


@dataclass(frozen=True, slots=True)
class Camera:
    """A camera that a student publishes.

    Attributes:
        sid: The server's identifier of the track.
        state: Whether it can be received.
        quality: The simulcast layer to request.
        name: The publisher's name for the track.
    """

    sid: str
    state: CameraState
    quality: models.VideoQuality
    name: str = ""


@dataclass(slots=True, eq=False)
class Student:
    """Somebody who is or was in the room.

    Attributes:
        participant_id: Random, for this class only.
        identity: Identifies the person on the server.
        name: Display name.
        sid: The server's identifier of the session.
        joined_ms: When the session began, by the server's clock.
        version: Number of the newest update about the session.
        present: Whether the student is in the room.
        missing: Whether the student was in the room before a loss and has not been seen since.
        reachable: Whether the student has received the messages to everybody (``ACTIVE``).
        opted_out: Whether the student opted out of the analysis.
        camera: The camera, if there is one.
    """

    participant_id: str
    identity: str
    name: str = ""
    sid: str = ""
    joined_ms: int = 0
    version: int = 0
    present: bool = False
    missing: bool = False
    reachable: bool = False
    opted_out: bool = False
    camera: Camera | None = None


class Students:
    """Everybody in the room except the bot and other programs."""

    def __init__(
        self,
        emit: Callable[[RoomEvent], None],
        on_camera: Callable[[Student], None],
        on_reachable: Callable[[str, bool], None],
    ) -> None:
        """Start empty.

        Args:
            emit: Called with each room event about presence, cameras that cannot be received, and opt-outs.
            on_camera: Called when a student's camera or permission to receive it has changed.
            on_reachable: Called with the identity when a student can be told something, or (False) no longer.
        """
        self._emit, self._on_camera, self._on_reachable = emit, on_camera, on_reachable
        self._own_identity = ""
        self._by_identity: dict[str, Student] = {}  # those who have left in the order in which they left

    @property
    def present(self) -> list[Student]:
        """Everybody in the room."""
        return [student for student in self._by_identity.values() if student.present]

    @property
    def reachable(self) -> list[str]:
        """Identities of everybody who receives messages to everybody."""
        return [student.identity for student in self.present if student.reachable]

    def find(self, identity: str) -> Student | None:
        """Return the present student with this identity."""
        student = self._by_identity.get(identity)
        return student if student is not None and student.present else None

    def find_session(self, sid: str) -> Student | None:
        """Return the present student with this session."""
        return next((student for student in self.present if student.sid == sid), None)

    def find_camera(self, track_sid: str) -> Student | None:
        """Return the present student with this camera."""
        known = (student for student in self.present if student.camera is not None)
        return next(
            (student for student in known if student.camera and student.camera.sid == track_sid), None
        )

    def begin(self, own_identity: str, others: Iterable[models.ParticipantInfo]) -> list[Student]:
        """A connection was made: read who is in the room, and return those who were before and are not now.

        Args:
            own_identity: The bot's identity.
            others: Everybody else.
        """
        self._own_identity = own_identity
        before = self.present
        for student in before:
            student.missing = True
        self.update(others)
        return [student for student in before if student.missing]

    def lose(self) -> None:
        """The connection was lost, and with it all cameras."""
        for student in self.present:
            student.camera = None

    def update(self, participants: Iterable[models.ParticipantInfo]) -> None:
        """Apply the server's report about some participants."""
        for info in participants:
            if info.identity and info.identity != self._own_identity and is_person(info):
                self._update(info)

    def remove(self, student: Student) -> None:
        """A student has left."""
        if not student.present:
            return
        self._set_camera(student, None)
        student.present = student.missing = False
        self._set_reachable(student, False)
        del self._by_identity[student.identity]
        self._by_identity[student.identity] = student
        self._emit(contract.Left(student.participant_id))
        absent = [known for known in self._by_identity.values() if not known.present and not known.opted_out]
        for forgotten in absent[:-MAX_ABSENT]:
            del self._by_identity[forgotten.identity]

    def opt_out(self, student: Student) -> None:
        """Opt a student out for the rest of the class."""
        if not student.opted_out:
            student.opted_out = True
            self._on_camera(student)
            self._emit(contract.OptedOut(student.participant_id))

    def opt_out_by_name(self, who: str) -> int:
        """Opt out everybody with this name or identity, and return how many there are."""
        wanted = simplified(who)
        found = [known for known in self.present if wanted and wanted in _names(known)]
        for student in found:
            self.opt_out(student)
        return len(found)

    def _update(self, info: models.ParticipantInfo) -> None:
        student = self._by_identity.get(info.identity)
        if info.state == models.ParticipantInfo.State.DISCONNECTED:
            if student is not None and student.sid == info.sid:
                self.remove(student)
            return
        if info.state not in _PRESENT or (student is not None and _is_stale(student, info)):
            return
        if student is None:
            student = self._by_identity[info.identity] = Student(secrets.token_hex(8), info.identity)
        is_new_session = student.sid != info.sid
        student.name, student.sid = info.name, info.sid
        student.joined_ms, student.version = info.joined_at_ms, info.version
        if not student.present:
            student.present = True
            self._emit(contract.Joined(student.participant_id, info.name or info.identity))
            self._emit(contract.Muted(student.participant_id, True))
            if student.opted_out:
                self._emit(contract.OptedOut(student.participant_id))
        elif is_new_session:  # the page was reloaded
            self._set_camera(student, None)
            self._set_reachable(student, False)
        camera = camera_of(info)
        if student.missing:
            student.missing = False
            if camera is None:  # switched off during the loss, perhaps
                self._emit(contract.Muted(student.participant_id, True))
        if info.attributes.get(OPT_OUT_ATTRIBUTE, "").strip().lower() not in _NO:
            self.opt_out(student)
        self._set_camera(student, camera)
        if info.state == models.ParticipantInfo.State.ACTIVE:
            self._set_reachable(student, True)

    def _set_camera(self, student: Student, camera: Camera | None) -> None:
        if camera == student.camera:
            return
        student.camera = camera
        if camera is not None and camera.state is CameraState.ENCRYPTED:
            self._emit(contract.EncryptedCamera(student.participant_id))
        elif student.present:
            off = camera is None or camera.state is CameraState.MUTED
            self._emit(contract.Muted(student.participant_id, off))
        self._on_camera(student)

    def _set_reachable(self, student: Student, reachable: bool) -> None:
        if student.reachable is not reachable:
            student.reachable = reachable
            self._on_reachable(student.identity, reachable)


def is_person(info: models.ParticipantInfo) -> bool:
    """Whether a participant is a person: no agent, recorder, gateway or hidden participant."""
    permission = info.permission
    is_program = permission.hidden or permission.recorder or permission.agent
    return info.kind == models.ParticipantInfo.Kind.STANDARD and not is_program


def camera_of(info: models.ParticipantInfo) -> Camera | None:
    """A participant's camera; a video that is marked as nothing counts as one if there is no other.

    Shared screens are never looked at.
    """
    videos = [track for track in info.tracks if track.type == models.TrackType.VIDEO]
    for source in (models.TrackSource.CAMERA, models.TrackSource.UNKNOWN):
        for track in videos:
            if track.source == source:
                return Camera(track.sid, _state(track), _quality(track), track.name)
    return None


def _state(track: models.TrackInfo) -> CameraState:
    if track.encryption != models.Encryption.Type.NONE:
        return CameraState.ENCRYPTED
    return CameraState.MUTED if track.muted else CameraState.ON


def _quality(track: models.TrackInfo) -> models.VideoQuality:
    """The lowest layer that is high enough for faces; the lowest of all if the heights are unknown."""
    layers = sorted(track.layers, key=lambda layer: layer.height)
    for layer in layers:
        if min(layer.height, layer.width) >= MIN_HEIGHT_PX and layer.quality != models.VideoQuality.OFF:
            return layer.quality
    return models.VideoQuality.HIGH if layers and layers[0].height else models.VideoQuality.LOW


def _is_stale(student: Student, info: models.ParticipantInfo) -> bool:
    """Whether the server's report is older than what is known."""
    if student.sid == info.sid:
        return info.version < student.version
    return student.present and bool(student.sid) and info.joined_at_ms < student.joined_ms


def _names(student: Student) -> tuple[str, str]:
    return simplified(student.name), simplified(student.identity)
