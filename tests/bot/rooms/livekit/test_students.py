"""Who is in a LiveKit room: the server's reports, in any order and number, become the right events."""

from __future__ import annotations

from typing import Any

import pytest
from livekit.protocol import models

from bot.rooms.contract import EncryptedCamera, Joined, Left, Muted, OptedOut, RoomEvent
from bot.rooms.livekit import students as module
from bot.rooms.livekit.students import OPT_OUT_ATTRIBUTE, CameraState, Student, Students, camera_of

State = models.ParticipantInfo.State
Kind = models.ParticipantInfo.Kind
QUALITY = models.VideoQuality


class Class:
    """Students, and what they reported."""

    def __init__(self) -> None:
        self.events: list[RoomEvent] = []
        self.cameras: list[tuple[str, str | None]] = []
        self.reachable: list[tuple[str, bool]] = []
        self.students = Students(
            self.events.append,
            lambda student: self.cameras.append(
                (student.identity, None if student.camera is None else student.camera.sid)
            ),
            lambda identity, reachable: self.reachable.append((identity, reachable)),
        )

    def update(self, *people: models.ParticipantInfo) -> None:
        self.students.update(people)

    def of(self, identity: str) -> Student:
        student = self.students.find(identity)
        assert student is not None
        return student


def person(identity: str = "ada", sid: str = "PA_1", **fields: Any) -> models.ParticipantInfo:
    values = {"state": State.ACTIVE, "name": identity.title(), "version": 1, "joined_at_ms": 1000, **fields}
    return models.ParticipantInfo(identity=identity, sid=sid, **values)


def video(sid: str = "TR_1", **fields: Any) -> models.TrackInfo:
    values = {"type": models.TrackType.VIDEO, "source": models.TrackSource.CAMERA, **fields}
    return models.TrackInfo(sid=sid, **values)


def test_an_empty_room() -> None:
    room = Class()
    assert room.students.begin("bot", []) == []
    assert (room.students.present, room.events) == ([], [])


def test_a_student_with_a_camera_joins_mutes_and_leaves() -> None:
    room = Class()
    room.students.begin("bot", [person("bot", "PA_0"), person(tracks=[video()])])
    participant_id = room.of("ada").participant_id
    assert room.events == [
        Joined(participant_id, "Ada"), Muted(participant_id, True), Muted(participant_id, False)
    ]  # fmt: skip
    assert room.cameras == [("ada", "TR_1")]
    assert room.reachable == [("ada", True)]
    room.update(person(tracks=[video(muted=True)], version=2), person(tracks=[video(muted=True)], version=2))
    assert room.events[3:] == [Muted(participant_id, True)]  # once, though the server reports it twice
    room.update(person(tracks=[video()], version=1))  # an older report that comes late
    assert room.of("ada").camera is not None
    assert room.of("ada").camera.state is CameraState.MUTED  # type: ignore[union-attr]
    room.update(person(state=State.DISCONNECTED, version=3))
    assert room.events[-1] == Left(participant_id)
    assert room.students.present == []


def test_a_reload_is_the_same_participant_even_if_the_old_session_ends_later() -> None:
    room = Class()
    room.update(person(tracks=[video("TR_1")]))
    participant_id = room.of("ada").participant_id
    room.update(person(sid="PA_2", joined_at_ms=2000, tracks=[video("TR_2")]))
    room.update(person(state=State.DISCONNECTED, version=9))
    room.update(person(version=8, tracks=[video("TR_1")]))
    assert room.of("ada").participant_id == participant_id
    assert room.cameras[-1] == ("ada", "TR_2")
    assert not any(isinstance(event, Left) for event in room.events)
    assert [event for event in room.events if isinstance(event, Joined)] == [Joined(participant_id, "Ada")]


@pytest.mark.parametrize(
    "fields",
    [
        {"kind": Kind.AGENT},
        {"kind": Kind.EGRESS},
        {"kind": Kind.INGRESS},
        {"kind": Kind.SIP},
        {"permission": models.ParticipantPermission(hidden=True)},
        {"permission": models.ParticipantPermission(recorder=True)},
        {"state": State.JOINING},
        {"identity": ""},
    ],
)
def test_programs_hidden_ones_and_those_still_joining_are_no_students(fields: dict[str, Any]) -> None:
    room = Class()
    room.update(person(**{"identity": "x", **fields}))
    assert room.events == []


@pytest.mark.parametrize(("value", "expected"), [("yes", 1), ("1", 1), ("", 0), ("false", 0), ("No", 0)])
def test_the_attribute_opts_out(value: str, expected: int) -> None:
    room = Class()
    room.update(person(tracks=[video()], attributes={OPT_OUT_ATTRIBUTE: value}))
    room.update(person(tracks=[video()], version=2))
    assert sum(isinstance(event, OptedOut) for event in room.events) == expected
    assert room.of("ada").opted_out is bool(expected)  # it does not end with the attribute


def test_an_opt_out_survives_leaving_and_is_reported_again() -> None:
    room = Class()
    room.update(person())
    assert room.students.opt_out_by_name(" ADA ") == 1
    assert room.students.opt_out_by_name("") == 0
    room.update(person(state=State.DISCONNECTED, version=2))
    assert room.students.opt_out_by_name("Ada") == 0
    room.update(person(sid="PA_2", joined_at_ms=5000))
    assert isinstance(room.events[-1], OptedOut)


def test_encrypted_cameras_are_reported_as_such() -> None:
    room = Class()
    room.update(person(tracks=[video(encryption=models.Encryption.Type.GCM)]))
    assert room.events[-1] == EncryptedCamera(room.of("ada").participant_id)


def test_after_a_loss_those_who_are_not_there_are_returned_and_not_gone_yet() -> None:
    room = Class()
    room.update(person("ada", tracks=[video()]), person("eve", "PA_9"))
    room.students.lose()
    (missing,) = room.students.begin(
        "bot", [person("ada", "PA_5", joined_at_ms=9000, tracks=[video("TR_5")])]
    )
    assert missing.identity == "eve"
    assert len(room.students.present) == 2
    assert room.cameras[-1] == ("ada", "TR_5")
    room.students.remove(missing)
    room.students.remove(missing)
    assert sum(isinstance(event, Left) for event in room.events) == 1


def test_a_camera_that_was_switched_off_during_a_loss_is_off() -> None:
    room = Class()
    room.update(person(tracks=[video()]))
    room.students.lose()
    del room.events[:]
    assert room.students.begin("bot", [person(version=2)]) == []
    assert room.events == [Muted(room.of("ada").participant_id, True)]


def test_whoever_stayed_during_a_loss_is_not_told_again_and_a_new_session_is() -> None:
    room = Class()
    room.update(person("ada"), person("eve", "PA_9"))
    del room.reachable[:]
    room.students.lose()
    room.students.begin("bot", [person("ada", version=2), person("eve", "PA_10", joined_at_ms=9000)])
    assert room.reachable == [("eve", False), ("eve", True)]


def test_which_video_is_the_camera() -> None:
    screen = video("TR_s", source=models.TrackSource.SCREEN_SHARE)
    unmarked = video("TR_u", source=models.TrackSource.UNKNOWN)
    sound = models.TrackInfo(sid="TR_a", type=models.TrackType.AUDIO)
    assert camera_of(person(tracks=[screen, sound])) is None
    assert camera_of(person(tracks=[screen, unmarked])).sid == "TR_u"  # type: ignore[union-attr]
    assert camera_of(person(tracks=[screen, unmarked, video("TR_c")])).sid == "TR_c"  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("heights", "expected"),
    [([], QUALITY.LOW), ([180], QUALITY.LOW), ([90, 180, 360], QUALITY.MEDIUM), ([60, 90], QUALITY.HIGH)],
)
def test_the_lowest_layer_that_shows_faces_is_chosen(heights: list[int], expected: int) -> None:
    layers = [
        models.VideoLayer(quality=number, height=height, width=height * 16 // 9)  # type: ignore[arg-type]
        for number, height in enumerate(heights)
    ]
    camera = camera_of(person(tracks=[video(layers=layers)]))
    assert camera is not None
    assert camera.quality == expected


def test_those_who_left_are_forgotten_in_the_end_but_not_their_opt_outs(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(module, "MAX_ABSENT", 3)
    room = Class()
    for number in range(10):
        room.update(person(f"p{number}", f"PA_{number}"))
        if number == 0:
            room.students.opt_out(room.of("p0"))
        room.update(person(f"p{number}", f"PA_{number}", state=State.DISCONNECTED))
    assert sorted(room.students._by_identity) == ["p0", "p7", "p8", "p9"]
