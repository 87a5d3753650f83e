"""The embedded room through its routes: joining, pulses, leaving, erasing. Students use aiortc over UDP."""

import asyncio
import json
import re
from typing import Any
from unittest.mock import ANY

import pytest

from bot.config import Settings
from bot.rooms.companion import presence
from bot.rooms.companion.adapter import Adapter
from bot.rooms.companion.student import NUMBER_CHARS
from bot.rooms.contract import (
    Joined,
    Left,
    Muted,
    OptedOut,
    Pulse,
    RoomUrlError,
    TrackRemoved,
    UnsupportedCodec,
)
from bot.rooms.registry import RoomContext, adapters, open_room
from bot.tracks import TrackEnded
from reports.summary.windows import PulseKind
from tests.bot.rooms.companion.room_client import CODE, RoomClient, kinds
from tests.cameras import HEIGHT, WIDTH, Sender, needs_network, offer_text

# ---- rooms and codes ---------------------------------------------------------------------------


async def test_a_new_code_is_easy_to_read_and_hard_to_guess() -> None:
    adapter = Adapter(RoomContext(Settings()))
    codes = {adapter.open("companion:").code for _ in range(50)}
    assert len(codes) == 50
    assert all(re.fullmatch(r"[a-hj-km-np-z2-9]{5}-[a-hj-km-np-z2-9]{5}", code or "") for code in codes)


async def test_a_code_can_be_used_by_one_open_room_at_a_time() -> None:
    adapter = Adapter(RoomContext(Settings()))
    room, second_room = adapter.open("companion:Maths-7b"), adapter.open("companion:maths-7B")
    async with room:
        assert room.code == "Maths-7b"
        assert room.public_url == "companion:Maths-7b"
        with pytest.raises(RoomUrlError, match="in use"):
            adapter.open("companion:MATHS-7B")
        with pytest.raises(RoomUrlError, match="in use"):
            await second_room.__aenter__()
    async with adapter.open("companion:Maths-7b"):
        pass


@pytest.mark.parametrize(
    "rest", ["abc", "a" * 33, "with space", "a/b/c/d", "ümläut", "abcd?x=1", "abcd?synthetic=2"]
)
def test_an_invalid_code_or_option_is_refused(rest: str) -> None:
    with pytest.raises(RoomUrlError) as caught:
        Adapter(RoomContext(Settings())).open(f"companion:{rest}")
    assert "\n" not in str(caught.value)


def test_the_adapter_is_found_by_its_scheme() -> None:
    known = adapters(RoomContext(Settings()))
    assert open_room("companion:abcd?synthetic=1", known).synthetic
    assert not open_room("companion:", known).synthetic


# ---- joining -----------------------------------------------------------------------------------


@needs_network
async def test_a_student_joins_and_frames_arrive(client: RoomClient) -> None:
    answer = await client.join(name="  Ada\x00\n Lovelace ", individual=True)
    track = await client.wait_for_track()
    assert client.events[0] == Joined(answer["participant_id"], "Ada Lovelace", True, True, ANY)
    assert track.participant_id == answer["participant_id"]
    frame = await asyncio.wait_for(track.recv(), 20)
    assert frame.luma().shape == (HEIGHT, WIDTH)
    assert answer["type"] == "answer"
    assert len(answer["token"]) >= 43
    assert kinds(client.events) == ["Joined", "TrackAdded"]


@needs_network
@pytest.mark.parametrize("consent", [False, None, "true", 1, "missing"])
async def test_without_consent_the_student_is_refused_and_nothing_is_stored(
    client: RoomClient, consent: Any
) -> None:
    sender = Sender()
    client.senders.append(sender)
    fields: dict[str, Any] = {"sdp": await sender.offer(), "type": "offer", "name": "Ada"}
    if consent != "missing":
        fields["consent"] = consent
    response = await client.post("offer", **fields)
    assert response.status == 403
    assert "consent" in (await response.json())["error"]
    assert client.events == []
    assert client.room._presence.students == []


@needs_network
async def test_a_student_who_joins_again_with_the_token_is_the_same_participant(client: RoomClient) -> None:
    first = await client.join(name="Ada")
    old = await client.wait_for_track(0)
    second = await client.join(name="Ada", token=first["token"])
    new = await client.wait_for_track(1)
    assert second["participant_id"] == first["participant_id"]
    assert second["token"] == first["token"]
    assert kinds(client.events) == ["Joined", "TrackAdded", "TrackRemoved", "TrackAdded"]
    assert client.events[2] == TrackRemoved(old.track_id, first["participant_id"])
    assert new.track_id != old.track_id
    with pytest.raises(TrackEnded):
        await old.recv()
    await asyncio.wait_for(new.recv(), 20)
    await client.senders[0].close()  # the replaced connection: closing it changes nothing
    assert await client.post("pulse", token=first["token"], kind="ok")
    await asyncio.sleep(0.7)  # longer than rejoin_s
    assert kinds(client.events).count("Left") == 0


@needs_network
async def test_simultaneous_offers_of_one_student_leave_one_working_connection(client: RoomClient) -> None:
    first = await client.join()
    await client.wait_for_track(0)
    await asyncio.gather(*(client.join(token=first["token"]) for _ in range(2)))
    await client.wait_for_track(len(client.added_tracks()))
    live = [student for student in client.room._presence.students if student.present]
    added, removed = kinds(client.events).count("TrackAdded"), kinds(client.events).count("TrackRemoved")
    assert len(live) == 1
    assert added - removed == 1
    assert kinds(client.events).count("Joined") == 1
    removed_ids = {event.track_id for event in client.events if isinstance(event, TrackRemoved)}
    (track,) = [track for track in client.added_tracks() if track.track_id not in removed_ids]
    await asyncio.wait_for(track.recv(), 20)


@needs_network
async def test_a_student_who_does_not_come_back_after_a_broken_connection_is_removed(
    client: RoomClient,
) -> None:
    answer = await client.join()
    track = await client.wait_for_track()
    assert (await (await client.post("camera", token=answer["token"], on=True)).json())["receiving"] is True
    await client.senders[0].close()
    await client.wait_until(lambda events: kinds(events)[-1] == "TrackRemoved")
    assert (await (await client.post("camera", token=answer["token"], on=True)).json())["receiving"] is False
    await client.wait_until(lambda events: kinds(events)[-1] == "Left")
    assert kinds(client.events) == ["Joined", "TrackAdded", "TrackRemoved", "Left"]
    assert client.events[2] == TrackRemoved(track.track_id, answer["participant_id"])
    response = await client.post("pulse", token=answer["token"], kind="ok")
    assert response.status == 409
    rejoined = await client.join(token=answer["token"], name="Ada")
    await client.wait_for_track(1)
    assert rejoined["participant_id"] == answer["participant_id"]
    assert client.events[4] == Joined(answer["participant_id"], "Ada", False, True, ANY)


async def test_a_student_with_an_unsupported_codec_joins_without_video(client: RoomClient) -> None:
    response = await client.post("offer", sdp=offer_text("VP9"), type="offer", consent=True)
    answer = await response.json()
    assert response.status == 422
    assert "VP9" in answer["error"]
    assert client.room._presence.students[0].participant_id == answer["participant_id"]
    await client.wait_until(lambda events: len(events) == 2)
    assert client.events == [
        Joined(answer["participant_id"], None, False, True, ANY),
        UnsupportedCodec(answer["participant_id"], "VP9"),
    ]
    assert (await client.post("pulse", token=answer["token"], kind="lost")).status == 200


async def test_a_student_without_a_camera_can_take_part(client: RoomClient) -> None:
    answer = await client.join_without_camera()
    assert (answer["sdp"], answer["type"]) == (None, None)
    assert (await client.post("pulse", token=answer["token"], kind="too_slow")).status == 200
    assert (
        await client.post("camera", token=answer["token"], on=True)
    ).status == 200  # has no effect without a camera
    await client.wait_until(lambda events: len(events) == 3)
    assert client.events[1:] == [
        Muted(answer["participant_id"], True),
        Pulse(answer["participant_id"], PulseKind.TOO_SLOW),
    ]


async def test_an_offer_without_video_joins_without_a_camera(client: RoomClient) -> None:
    sdp = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    response = await client.post("offer", sdp=sdp, type="offer", consent=True)
    assert response.status == 200
    assert (await response.json())["sdp"] is None


@needs_network
async def test_a_camera_that_is_added_later_is_received(client: RoomClient) -> None:
    answer = await client.join_without_camera()
    await client.join(token=answer["token"])
    track = await client.wait_for_track()
    assert track.participant_id == answer["participant_id"]
    assert kinds(client.events) == ["Joined", "Muted", "Muted", "TrackAdded"]
    assert client.events[2] == Muted(answer["participant_id"], False)


async def test_a_silent_student_without_a_camera_is_removed(
    client: RoomClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "CAMERALESS_TIMEOUT_FACTOR", 0.5)
    await client.join_without_camera()
    await client.wait_until(lambda events: kinds(events)[-1] == "Left")


# ---- in the class ------------------------------------------------------------------------------


async def test_a_student_may_send_one_pulse_a_second(client: RoomClient) -> None:
    answer, other = await client.join_without_camera(), await client.join_without_camera()
    for token, kind, status in (
        (answer["token"], "lost", 200),
        (answer["token"], "ok", 429),
        (other["token"], "ok", 200),
        (answer["token"], "asleep", 400),
        ("x" * 43, "ok", 403),
    ):
        response = await client.post("pulse", token=token, kind=kind)
        assert response.status == status
        assert ("error" in await response.json()) is (status != 200)
    pulses = [event for event in client.events if isinstance(event, Pulse)]
    assert [(pulse.participant_id, pulse.kind) for pulse in pulses] == [
        (answer["participant_id"], PulseKind.LOST),
        (other["participant_id"], PulseKind.OK),
    ]


@needs_network
async def test_camera_changes_that_the_page_reports_are_published_once(client: RoomClient) -> None:
    answer = await client.join()
    await client.wait_for_track()
    for on in (True, False, False, True):
        assert (await client.post("camera", token=answer["token"], on=on)).status == 200
    muted = [event.muted for event in client.events if isinstance(event, Muted)]
    assert muted == [True, False]
    assert (await client.post("camera", token=answer["token"], on="yes")).status == 400


@needs_network
async def test_leaving_removes_the_student_and_their_track(client: RoomClient) -> None:
    answer = await client.join()
    track = await client.wait_for_track()
    body = json.dumps({"token": answer["token"]})  # as sendBeacon sends it: text/plain
    response = await client.http.post(f"/api/companion/{CODE}/leave", data=body)
    assert response.status == 200
    assert client.events[2:] == [
        TrackRemoved(track.track_id, answer["participant_id"]),
        Left(answer["participant_id"]),
    ]
    with pytest.raises(TrackEnded):
        await track.recv()
    assert (await client.post("leave", token=answer["token"])).status == 200
    assert len(client.events) == 4


@needs_network
async def test_erasing_removes_the_student_for_good(client: RoomClient) -> None:
    answer = await client.join()
    await client.wait_for_track()
    assert (await client.erase("y" * 43)).status == 403
    assert (await client.erase(answer["token"])).status == 200
    assert kinds(client.events) == ["Joined", "TrackAdded", "TrackRemoved", "OptedOut", "Left"]
    assert client.events[3] == OptedOut(answer["participant_id"])
    for response in (
        await client.erase(answer["token"]),
        await client.post("pulse", token=answer["token"], kind="ok"),
        await client.post("offer", sdp=None, type=None, consent=True, token=answer["token"]),
    ):
        assert response.status == 410
        assert "error" in await response.json()
    assert len(client.events) == 5


async def test_an_erasure_that_the_store_has_not_accepted_is_answered_as_pending(
    client: RoomClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("bot.rooms.companion.room.ERASE_WAIT_S", 0.05)
    client.confirms_erasures = False
    answer = await client.join_without_camera()
    response = await client.erase(answer["token"])
    assert (response.status, await response.json()) == (202, {"ok": True, "erased": False})


async def test_erasing_accepts_the_token_in_a_header(client: RoomClient) -> None:
    answer = await client.join_without_camera()
    headers = {"Authorization": f"Bearer {answer['token']}"}
    assert (await client.http.delete(f"/api/companion/{CODE}/me", headers=headers)).status == 200
    await client.wait_until(lambda events: kinds(events)[-2:] == ["OptedOut", "Left"])


async def test_a_student_who_left_can_still_be_erased(client: RoomClient) -> None:
    answer = await client.join_without_camera()
    await client.post("leave", token=answer["token"])
    assert (await client.erase(answer["token"])).status == 200
    assert kinds(client.events) == ["Joined", "Muted", "Left", "OptedOut"]


async def test_the_host_can_leave_out_a_student_by_the_number_on_their_page(client: RoomClient) -> None:
    ada, bea = await client.join_without_camera(), await client.join_without_camera()
    number = ada["participant_id"][:NUMBER_CHARS]
    for unknown in ("", "ada", "zzzzzz", number[:-1]):
        assert await client.room.leave_out(unknown) == 0
    assert await client.room.leave_out(f" {number[:3]} {number[3:].upper()} ") == 1
    assert await client.room.leave_out(number) == 1, "leaving out an erased student again changes nothing"
    await client.wait_until(lambda events: any(isinstance(event, Left) for event in events))
    assert [event for event in client.events if isinstance(event, OptedOut)] == [
        OptedOut(ada["participant_id"])
    ]
    assert (await client.post("pulse", token=ada["token"], kind="ok")).status == 410
    assert (await client.post("pulse", token=bea["token"], kind="ok")).status == 200


async def test_the_room_keeps_only_a_hash_of_the_token_and_no_name(client: RoomClient) -> None:
    answer = await client.join_without_camera(name="Ada")
    kept = repr(client.room._presence.students)
    assert answer["token"] not in kept
    assert "Ada" not in kept
