"""Simulated students against a receiving peer: faults, and that nobody is ever shown for somebody else."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.mediastreams import MediaStreamError

from benchmarks.simulation.clips import Clip, ClipSpec, make_clip, read_identity
from benchmarks.simulation.faults import Faults
from benchmarks.simulation.student import SimulatedStudent
from bot.config import WebrtcSettings
from bot.tracks import LatestFrameTrack, TrackEnded
from bot.webrtc.jitter_buffer import EncodedFrame
from bot.webrtc.peer import PeerState, ReceivingPeer
from bot.webrtc.receive_options import ReceiveOptions
from tests.cameras import needs_network

pytestmark = [pytest.mark.real_time, pytest.mark.slow, needs_network]

QUICK = WebrtcSettings(connect_timeout_s=30.0, silence_timeout_s=1.0)
WITHIN_S = 40.0
"""How long a busy machine may take for what takes a moment."""


def clip_of(identity: int, *, layers: int = 3, fps: int = 15) -> Clip:
    return make_clip(ClipSpec(identity, 160, 90, fps, seconds=2, layers=layers))


@pytest.fixture(scope="module")
def clips() -> dict[int, Clip]:
    return {identity: clip_of(identity) for identity in range(8)}


@dataclass(eq=False)
class Seat:
    """A student, the peer that receives them, and whose pictures came."""

    student: SimulatedStudent
    peer: ReceivingPeer
    answer: str
    states: list[PeerState]
    seen: list[int] = field(default_factory=list)
    turns: list[int] = field(default_factory=list)
    news: asyncio.Event = field(default_factory=asyncio.Event)
    reader: asyncio.Task[None] | None = None

    async def read(self) -> None:
        try:
            while True:
                frame = await self.peer.camera.recv()
                self.seen.append(read_identity(np.rot90(frame.luma(), frame.rotation)))  # as it was sent
                self.turns.append(frame.rotation)
                self.news.set()
        except TrackEnded:
            self.news.set()

    async def sees(self, count: int, within_s: float = WITHIN_S) -> None:
        """Wait for so many more pictures."""
        wanted = len(self.seen) + count
        async with asyncio.timeout(within_s):
            while len(self.seen) < wanted:
                self.news.clear()
                await self.news.wait()

    async def reaches(self, state: PeerState, within_s: float = WITHIN_S) -> None:
        async with asyncio.timeout(within_s):
            while state not in self.states:
                self.news.clear()
                await self.news.wait()

    def count_whole_pictures(self) -> list[int]:
        """Timestamps of the pictures that go to the decoder from now on."""
        stream = self.peer._stream
        assert stream is not None
        push, found = stream.decoder.push, list[int]()

        def count(codec: str, picture: EncodedFrame, *, fresh: bool = True) -> None:
            found.append(picture.timestamp)
            push(codec, picture, fresh=fresh)

        stream.decoder.push = count  # type: ignore[method-assign]
        return found

    def shown(self) -> list[int]:
        """Whose pictures came, one after the other."""
        return [identity for identity, _ in groupby(self.seen)]

    async def close(self) -> None:
        await self.peer.close()
        await self.student.leave()
        if self.reader is not None:
            await self.reader


class School:
    """Seats, all closed at the end."""

    def __init__(self, threads: ThreadPoolExecutor, stack: AsyncExitStack) -> None:
        self._threads, self._stack = threads, stack

    async def seat(
        self, clip: Clip, faults: Faults | None = None, wanted_fps: float | None = None, first: int = 0
    ) -> Seat:
        student = SimulatedStudent(clip, faults, first_sequence=first)
        states: list[PeerState] = []
        news = asyncio.Event()

        def told(_: ReceivingPeer, state: PeerState) -> None:
            states.append(state)
            news.set()

        self._stack.push_async_callback(student.leave)
        options = ReceiveOptions(QUICK, self._threads, wanted_fps=wanted_fps)
        peer = ReceivingPeer(LatestFrameTrack("t", "p"), options, told)
        seat = Seat(student, peer, await peer.answer(await student.offer()), states, news=news)
        self._stack.push_async_callback(seat.close)
        await student.accept(seat.answer)
        seat.reader = asyncio.create_task(seat.read())
        return seat


@pytest.fixture
async def school() -> AsyncIterator[School]:
    with ThreadPoolExecutor(2) as threads:
        async with AsyncExitStack() as stack:
            yield School(threads, stack)


async def test_no_more_is_shown_than_is_wanted(school: School, clips: dict[int, Clip]) -> None:
    seat = await school.seat(clips[5], wanted_fps=4.0)
    await seat.sees(8)  # the rates of the layers are known by now
    sent, seen = seat.student.sent.pictures, len(seat.seen)
    await seat.sees(8)
    assert set(seat.seen) == {5}
    assert len(seat.seen) - seen <= 0.4 * (seat.student.sent.pictures - sent) + 1


@pytest.mark.parametrize("layers", [1, 3])
async def test_loss_reordering_and_doubles_are_made_good(school: School, layers: int) -> None:
    """Across the wrap of the sequence numbers, too."""
    clip = clip_of(9, layers=layers)
    faults = Faults(loss=0.05, reorder=0.05, double=0.05, seed=2)
    seat = await school.seat(clip, faults, first=65_450)
    await seat.sees(5)
    whole = seat.count_whole_pictures()
    sent = seat.student.sent.pictures
    await seat.sees(60)
    assert set(seat.seen) == {9}
    # Not of those shown: what comes late comes together, and only the newest is shown.
    assert len(whole) >= 0.6 * (seat.student.sent.pictures - sent)
    assert seat.student.sent.again > 0  # packets were asked for again, and sent in a stream of their own
    assert seat.student.sent.reports > 0
    assert seat.student.sent.lost_told > 0


async def test_a_telephone_turned_in_the_hand_is_shown_upright(
    school: School, clips: dict[int, Clip]
) -> None:
    """Some packets are lost, and come again in another stream that says it, too."""
    seat = await school.seat(clips[6], Faults(loss=0.03, seed=5))
    assert "urn:3gpp:video-orientation" in seat.answer
    for turns in (0, 1, 2, 0):
        seat.student.turns = turns
        await seat.sees(10)
    assert set(seat.seen) == {6}
    assert [turns for turns, _ in groupby(seat.turns)] == [0, 1, 2, 0]
    assert all(seat.turns.count(turns) >= 5 for turns in (0, 1, 2))


async def test_a_reused_line_shows_the_new_student_only(school: School, clips: dict[int, Clip]) -> None:
    seat = await school.seat(clips[1])
    await seat.sees(5)
    seat.student.change(clips[2], ssrc=0x1234)
    await seat.sees(15)
    assert seat.shown() == [1, 2]


@pytest.mark.slow
async def test_stock_never_shows_the_new_student_of_a_reused_line(clips: dict[int, Clip]) -> None:
    """The same with aiortc's own receiver: why ours follows the stream itself."""
    student = SimulatedStudent(clips[1])
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    await connection.setRemoteDescription(RTCSessionDescription(sdp=await student.offer(), type="offer"))
    await connection.setLocalDescription(await connection.createAnswer())
    await student.accept(connection.localDescription.sdp)
    track = connection.getReceivers()[0].track
    seen: list[int] = []
    try:
        async with asyncio.timeout(WITHIN_S):
            while len(seen) < 5:
                seen.append(read_identity((await track.recv()).to_ndarray(format="gray")))
        student.change(clips[2], ssrc=0x1234)
        seen.clear()
        async with asyncio.timeout(3):
            while True:
                seen.append(read_identity((await track.recv()).to_ndarray(format="gray")))
    except (TimeoutError, MediaStreamError):
        pass
    await connection.close()
    await student.leave()
    assert set(seen) != {2}


async def test_nothing_old_is_shown_after_the_network_stalled(school: School, clips: dict[int, Clip]) -> None:
    seat = await school.seat(clips[3])
    await seat.sees(10)
    seat.student.stall()
    await seat.reaches(PeerState.SILENT)
    await asyncio.sleep(1.5)
    ages: list[float] = []
    clock = asyncio.get_running_loop().time
    show = seat.peer.camera.show

    def note(frame: object) -> None:
        ages.append(((int(clock() * 90_000) - (frame.av_frame.pts or 0)) & 0xFFFFFFFF) / 90_000)  # type: ignore[attr-defined]
        show(frame)  # type: ignore[arg-type]

    seat.peer.camera.show = note  # type: ignore[method-assign,assignment]
    await seat.student.resume()
    await seat.sees(10)
    assert max(ages) < 1.5
    assert seat.states[-1] is PeerState.CONNECTED


async def test_a_connection_that_falls_behind_is_given_up(school: School, clips: dict[int, Clip]) -> None:
    seat = await school.seat(clips[3])
    await seat.sees(5)
    for _ in range(100):  # a server whose queue grows: five seconds within seven
        seat.student.behind_s += 0.75 / 15
        await asyncio.sleep(1 / 15)
    await seat.reaches(PeerState.CLOSED)
    assert seat.states[-2:] == [PeerState.BEHIND, PeerState.CLOSED]


def throw(datagram: bytes, answer: str) -> None:
    """Send a datagram to whoever gave an answer."""
    candidate = next(line for line in answer.splitlines() if line.startswith("a=candidate:"))
    address, port = candidate.split()[4:6]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(datagram, (address, int(port)))


async def test_a_strangers_empty_datagram_ends_stock(clips: dict[int, Clip]) -> None:
    student = SimulatedStudent(clips[1])
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    await connection.setRemoteDescription(RTCSessionDescription(sdp=await student.offer(), type="offer"))
    await connection.setLocalDescription(await connection.createAnswer())
    await student.accept(connection.localDescription.sdp)
    track = connection.getReceivers()[0].track
    async with asyncio.timeout(WITHIN_S):
        await track.recv()
        throw(b"", connection.localDescription.sdp)
        with suppress(MediaStreamError):
            while True:
                await track.recv()
    assert connection.connectionState == "closed"
    await connection.close()
    await student.leave()


async def test_strangers_datagrams_do_no_harm(school: School, clips: dict[int, Clip]) -> None:
    seat = await school.seat(clips[3])
    await seat.sees(3)
    rng = random.Random(3)
    for noise in (b"", b"\x80", b"\x90\x61", b"\x80\xc8" + bytes(30), b"\x80" + rng.randbytes(1600)):
        throw(noise, seat.answer)
    await seat.sees(10)
    assert set(seat.seen) == {3}


async def test_mute_is_silence_and_its_end_is_seen(school: School, clips: dict[int, Clip]) -> None:
    seat = await school.seat(clips[4])
    await seat.sees(5)
    seat.student.mute()
    await seat.reaches(PeerState.SILENT)
    seat.student.unmute()
    await seat.sees(5)
    assert set(seat.seen) == {4}


@pytest.mark.slow
async def test_nobody_is_ever_shown_for_somebody_else(school: School, clips: dict[int, Clip]) -> None:
    """Joins, leaves and reused lines under loss; each picture is checked against whose it must be."""
    rng = random.Random(5)
    seats: list[tuple[Seat, list[int]]] = []  # and whose pictures must have come, in order
    for turn in range(16):
        identity = rng.randrange(8)
        seat = await school.seat(clips[identity], Faults(loss=0.03, seed=turn))
        seats.append((seat, [identity]))
        await seat.sees(2)
        if turn % 3 == 2:
            reused, meant = seats[rng.randrange(len(seats))]
            meant.append((meant[-1] + 1) % 8)
            reused.student.change(clips[meant[-1]], ssrc=1000 + turn)
            await reused.sees(8)
        elif len(seats) > 4:
            leaver, meant = seats.pop(0)
            await leaver.close()
            assert leaver.shown() == meant
    for seat, meant in seats:
        assert seat.shown() == meant
