"""The embedded room through its routes, with real aiortc students over UDP on this machine."""

import asyncio
import json
import re
from typing import Any

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
from tests.bot.rooms.companion.school_network import CODE, Class, kinds
from tests.cameras import HEIGHT, WIDTH, Sender, needs_network, offer_text

# ---- rooms and codes ---------------------------------------------------------------------------


async def test_a_fresh_code_is_easy_to_read_and_hard_to_guess() -> None:
    adapter = Adapter(RoomContext(Settings()))
    codes = {adapter.open("companion:").code for _ in range(50)}
    assert len(codes) == 50
    assert all(re.fullmatch(r"[a-hj-km-np-z2-9]{5}-[a-hj-km-np-z2-9]{5}", code or "") for code in codes)


async def test_a_given_code_is_taken_once_at_a_time() -> None:
    adapter = Adapter(RoomContext(Settings()))
    room, rival = adapter.open("companion:Maths-7b"), adapter.open("companion:maths-7B")
    async with room:
        assert room.code == "Maths-7b"
        assert room.public_url == "companion:Maths-7b"
        with pytest.raises(RoomUrlError, match="in use"):
            adapter.open("companion:MATHS-7B")
        with pytest.raises(RoomUrlError, match="in use"):
            await rival.__aenter__()
    async with adapter.open("companion:Maths-7b"):
        pass


@pytest.mark.parametrize(
    "rest", ["abc", "a" * 33, "with space", "a/b/c/d", "ümläut", "abcd?x=1", "abcd?synthetic=2"]
)
def test_other_codes_are_refused(rest: str) -> None:
    with pytest.raises(RoomUrlError) as caught:
        Adapter(RoomContext(Settings())).open(f"companion:{rest}")
    assert "\n" not in str(caught.value)


def test_the_adapter_is_found_by_its_scheme() -> None:
    known = adapters(RoomContext(Settings()))
    assert open_room("companion:abcd?synthetic=1", known).synthetic
    assert not open_room("companion:", known).synthetic


# ---- joining -----------------------------------------------------------------------------------


@needs_network
async def test_a_student_joins_and_pictures_arrive(school: Class) -> None:
    answer = await school.join(name="  Ada\x00\n Lovelace ", individual=True)
    track = await school.track()
    assert school.told[0] == Joined(answer["participant_id"], "Ada Lovelace", True, consented=True)
    assert track.participant_id == answer["participant_id"]
    frame = await asyncio.wait_for(track.recv(), 20)
    assert frame.luma().shape == (HEIGHT, WIDTH)
    assert answer["type"] == "answer"
    assert len(answer["token"]) >= 43
    assert kinds(school.told) == ["Joined", "TrackAdded"]


@needs_network
@pytest.mark.parametrize("consent", [False, None, "true", 1, "missing"])
async def test_without_consent_nothing_is_kept(school: Class, consent: Any) -> None:
    sender = Sender()
    school.senders.append(sender)
    fields: dict[str, Any] = {"sdp": await sender.offer(), "type": "offer", "name": "Ada"}
    if consent != "missing":
        fields["consent"] = consent
    response = await school.post("offer", **fields)
    assert response.status == 403
    assert "consent" in (await response.json())["error"]
    assert school.told == []
    assert school.room._presence.students == []


@needs_network
async def test_a_student_who_comes_back_with_the_token_is_the_same(school: Class) -> None:
    first = await school.join(name="Ada")
    old = await school.track(0)
    second = await school.join(name="Ada", token=first["token"])
    new = await school.track(1)
    assert second["participant_id"] == first["participant_id"]
    assert second["token"] == first["token"]
    assert kinds(school.told) == ["Joined", "TrackAdded", "TrackRemoved", "TrackAdded"]
    assert school.told[2] == TrackRemoved(old.track_id, first["participant_id"])
    assert new.track_id != old.track_id
    with pytest.raises(TrackEnded):
        await old.recv()
    await asyncio.wait_for(new.recv(), 20)
    await school.senders[0].close()  # the replaced one: nobody cares
    assert await school.post("pulse", token=first["token"], kind="ok")
    await asyncio.sleep(0.7)  # longer than rejoin_s
    assert kinds(school.told).count("Left") == 0


@needs_network
async def test_doubled_offers_of_one_student_leave_one_connection_that_works(school: Class) -> None:
    first = await school.join()
    await school.track(0)
    await asyncio.gather(*(school.join(token=first["token"]) for _ in range(2)))
    await school.track(len(school.tracks()))
    live = [student for student in school.room._presence.students if student.present]
    added, removed = kinds(school.told).count("TrackAdded"), kinds(school.told).count("TrackRemoved")
    assert len(live) == 1
    assert added - removed == 1
    assert kinds(school.told).count("Joined") == 1
    removed_ids = {event.track_id for event in school.told if isinstance(event, TrackRemoved)}
    (track,) = [track for track in school.tracks() if track.track_id not in removed_ids]
    await asyncio.wait_for(track.recv(), 20)


@needs_network
async def test_a_broken_connection_is_waited_for_then_the_student_is_gone(school: Class) -> None:
    answer = await school.join()
    track = await school.track()
    assert (await (await school.post("camera", token=answer["token"], on=True)).json())["receiving"] is True
    await school.senders[0].close()
    await school.until(lambda told: kinds(told)[-1] == "TrackRemoved")
    assert (await (await school.post("camera", token=answer["token"], on=True)).json())["receiving"] is False
    await school.until(lambda told: kinds(told)[-1] == "Left")
    assert kinds(school.told) == ["Joined", "TrackAdded", "TrackRemoved", "Left"]
    assert school.told[2] == TrackRemoved(track.track_id, answer["participant_id"])
    response = await school.post("pulse", token=answer["token"], kind="ok")
    assert response.status == 409
    again = await school.join(token=answer["token"], name="Ada")
    await school.track(1)
    assert again["participant_id"] == answer["participant_id"]
    assert school.told[4] == Joined(answer["participant_id"], "Ada", False, consented=True)


async def test_an_unsupported_camera_is_counted(school: Class) -> None:
    response = await school.post("offer", sdp=offer_text("VP9"), type="offer", consent=True)
    answer = await response.json()
    assert response.status == 422
    assert "VP9" in answer["error"]
    assert school.room._presence.students[0].participant_id == answer["participant_id"]
    await school.until(lambda told: len(told) == 2)
    assert school.told == [
        Joined(answer["participant_id"], None, False, consented=True),
        UnsupportedCodec(answer["participant_id"], "VP9"),
    ]
    assert (await school.post("pulse", token=answer["token"], kind="lost")).status == 200


async def test_a_student_without_a_camera_takes_part(school: Class) -> None:
    answer = await school.join_without_camera()
    assert (answer["sdp"], answer["type"]) == (None, None)
    assert (await school.post("pulse", token=answer["token"], kind="too_slow")).status == 200
    assert (await school.post("camera", token=answer["token"], on=True)).status == 200  # there is none
    await school.until(lambda told: len(told) == 3)
    assert school.told[1:] == [
        Muted(answer["participant_id"], True),
        Pulse(answer["participant_id"], PulseKind.TOO_SLOW),
    ]


async def test_an_offer_without_a_video_line_is_one_without_a_camera(school: Class) -> None:
    sdp = "v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
    response = await school.post("offer", sdp=sdp, type="offer", consent=True)
    assert response.status == 200
    assert (await response.json())["sdp"] is None


@needs_network
async def test_a_camera_found_later_is_received(school: Class) -> None:
    answer = await school.join_without_camera()
    await school.join(token=answer["token"])
    track = await school.track()
    assert track.participant_id == answer["participant_id"]
    assert kinds(school.told) == ["Joined", "Muted", "Muted", "TrackAdded"]
    assert school.told[2] == Muted(answer["participant_id"], False)


async def test_someone_quiet_without_a_camera_goes_in_the_end(
    school: Class, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(presence, "CAMERALESS_TIMEOUT_FACTOR", 0.5)
    await school.join_without_camera()
    await school.until(lambda told: kinds(told)[-1] == "Left")


# ---- in the class ------------------------------------------------------------------------------


async def test_pulses_are_passed_on_at_most_one_a_second(school: Class) -> None:
    answer, other = await school.join_without_camera(), await school.join_without_camera()
    for token, kind, status in (
        (answer["token"], "lost", 200),
        (answer["token"], "ok", 429),
        (other["token"], "ok", 200),
        (answer["token"], "asleep", 400),
        ("x" * 43, "ok", 403),
    ):
        response = await school.post("pulse", token=token, kind=kind)
        assert response.status == status
        assert ("error" in await response.json()) is (status != 200)
    pulses = [event for event in school.told if isinstance(event, Pulse)]
    assert [(pulse.participant_id, pulse.kind) for pulse in pulses] == [
        (answer["participant_id"], PulseKind.LOST),
        (other["participant_id"], PulseKind.OK),
    ]


@needs_network
async def test_the_page_says_when_its_camera_is_off(school: Class) -> None:
    answer = await school.join()
    await school.track()
    for on in (True, False, False, True):
        assert (await school.post("camera", token=answer["token"], on=on)).status == 200
    muted = [event.muted for event in school.told if isinstance(event, Muted)]
    assert muted == [True, False]
    assert (await school.post("camera", token=answer["token"], on="yes")).status == 400


@needs_network
async def test_leaving(school: Class) -> None:
    answer = await school.join()
    track = await school.track()
    beacon = json.dumps({"token": answer["token"]})  # as sendBeacon sends it: text/plain
    response = await school.client.post(f"/api/companion/{CODE}/leave", data=beacon)
    assert response.status == 200
    assert school.told[2:] == [
        TrackRemoved(track.track_id, answer["participant_id"]),
        Left(answer["participant_id"]),
    ]
    with pytest.raises(TrackEnded):
        await track.recv()
    assert (await school.post("leave", token=answer["token"])).status == 200
    assert len(school.told) == 4


@needs_network
async def test_erasing(school: Class) -> None:
    answer = await school.join()
    await school.track()
    assert (await school.erase("y" * 43)).status == 403
    assert (await school.erase(answer["token"])).status == 200
    assert kinds(school.told) == ["Joined", "TrackAdded", "TrackRemoved", "OptedOut", "Left"]
    assert school.told[3] == OptedOut(answer["participant_id"])
    for response in (
        await school.erase(answer["token"]),
        await school.post("pulse", token=answer["token"], kind="ok"),
        await school.post("offer", sdp=None, type=None, consent=True, token=answer["token"]),
    ):
        assert response.status == 410
        assert "error" in await response.json()
    assert len(school.told) == 5


async def test_erasing_with_the_token_in_the_header(school: Class) -> None:
    answer = await school.join_without_camera()
    headers = {"Authorization": f"Bearer {answer['token']}"}
    assert (await school.client.delete(f"/api/companion/{CODE}/me", headers=headers)).status == 200
    await school.until(lambda told: kinds(told)[-2:] == ["OptedOut", "Left"])


async def test_who_left_can_still_be_erased(school: Class) -> None:
    answer = await school.join_without_camera()
    await school.post("leave", token=answer["token"])
    assert (await school.erase(answer["token"])).status == 200
    assert kinds(school.told) == ["Joined", "Muted", "Left", "OptedOut"]


async def test_the_host_has_somebody_left_out_by_the_number_on_their_page(school: Class) -> None:
    ada, bea = await school.join_without_camera(), await school.join_without_camera()
    number = ada["participant_id"][:NUMBER_CHARS]
    for nobody in ("", "ada", "zzzzzz", number[:-1]):
        assert await school.room.leave_out(nobody) == 0
    assert await school.room.leave_out(f" {number[:3]} {number[3:].upper()} ") == 1
    assert await school.room.leave_out(number) == 1, "asked twice it stays so"
    await school.until(lambda told: any(isinstance(event, Left) for event in told))
    assert [event for event in school.told if isinstance(event, OptedOut)] == [
        OptedOut(ada["participant_id"])
    ]
    assert (await school.post("pulse", token=ada["token"], kind="ok")).status == 410
    assert (await school.post("pulse", token=bea["token"], kind="ok")).status == 200


async def test_the_room_holds_a_hash_and_no_name(school: Class) -> None:
    answer = await school.join_without_camera(name="Ada")
    held = repr(school.room._presence.students)
    assert answer["token"] not in held
    assert "Ada" not in held
