"""Simulated students with faults: frames are received, and no student is shown as another one."""

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

SETTINGS = WebrtcSettings(connect_timeout_s=30.0, silence_timeout_s=1.0)
TIMEOUT_S = 40.0
"""Generous timeout, for a busy machine."""


def clip_of(identity: int, *, layers: int = 3, fps: int = 15) -> Clip:
    return make_clip(ClipSpec(identity, 160, 90, fps, seconds=2, layers=layers))


@pytest.fixture(scope="module")
def clips() -> dict[int, Clip]:
    return {identity: clip_of(identity) for identity in range(8)}


@dataclass(eq=False)
class Connection:
    """A student, the peer that receives it, and what was received.

    Attributes:
        seen: The identity in each frame.
        rotation: The rotation of each frame.
    """

    student: SimulatedStudent
    peer: ReceivingPeer
    answer: str
    states: list[PeerState]
    seen: list[int] = field(default_factory=list)
    rotation: list[int] = field(default_factory=list)
    changed: asyncio.Event = field(default_factory=asyncio.Event)
    reader: asyncio.Task[None] | None = None

    async def read(self) -> None:
        try:
            while True:
                frame = await self.peer.camera.recv()
                self.seen.append(read_identity(np.rot90(frame.luma(), frame.rotation)))  # as it was sent
                self.rotation.append(frame.rotation)
                self.changed.set()
        except TrackEnded:
            self.changed.set()

    async def receives(self, count: int, within_s: float = TIMEOUT_S) -> None:
        """Wait for a number of further frames."""
        wanted = len(self.seen) + count
        async with asyncio.timeout(within_s):
            while len(self.seen) < wanted:
                self.changed.clear()
                await self.changed.wait()

    async def reaches(self, state: PeerState, within_s: float = TIMEOUT_S) -> None:
        async with asyncio.timeout(within_s):
            while state not in self.states:
                self.changed.clear()
                await self.changed.wait()

    def record_decoder_input(self) -> list[int]:
        """Record the timestamps of the frames that are passed to the decoder from now on."""
        stream = self.peer._stream
        assert stream is not None
        push, timestamps = stream.decoder.push, list[int]()

        def count(codec: str, frame: EncodedFrame, *, fresh: bool = True) -> None:
            timestamps.append(frame.timestamp)
            push(codec, frame, fresh=fresh)

        stream.decoder.push = count  # type: ignore[method-assign]
        return timestamps

    def shown(self) -> list[int]:
        """The identities seen, without repetitions."""
        return [identity for identity, _ in groupby(self.seen)]

    async def close(self) -> None:
        await self.peer.close()
        await self.student.leave()
        if self.reader is not None:
            await self.reader


class Connections:
    """Connects students; all connections are closed at the end."""

    def __init__(self, threads: ThreadPoolExecutor, stack: AsyncExitStack) -> None:
        self._threads, self._stack = threads, stack

    async def connect(
        self, clip: Clip, faults: Faults | None = None, wanted_fps: float | None = None, first: int = 0
    ) -> Connection:
        student = SimulatedStudent(clip, faults, first_sequence=first)
        states: list[PeerState] = []
        changed = asyncio.Event()

        def on_state(_: ReceivingPeer, state: PeerState) -> None:
            states.append(state)
            changed.set()

        self._stack.push_async_callback(student.leave)
        options = ReceiveOptions(SETTINGS, self._threads, wanted_fps=wanted_fps)
        peer = ReceivingPeer(LatestFrameTrack("t", "p"), options, on_state)
        connection = Connection(
            student, peer, await peer.answer(await student.offer()), states, changed=changed
        )
        self._stack.push_async_callback(connection.close)
        await student.accept(connection.answer)
        connection.reader = asyncio.create_task(connection.read())
        return connection


@pytest.fixture
async def connections() -> AsyncIterator[Connections]:
    with ThreadPoolExecutor(2) as threads:
        async with AsyncExitStack() as stack:
            yield Connections(threads, stack)


async def test_the_frame_rate_does_not_exceed_the_wanted_one(
    connections: Connections, clips: dict[int, Clip]
) -> None:
    connection = await connections.connect(clips[5], wanted_fps=4.0)
    await connection.receives(8)  # by now the frame rates of the layers are known
    sent, seen = connection.student.sent.frames, len(connection.seen)
    await connection.receives(8)
    assert set(connection.seen) == {5}
    assert len(connection.seen) - seen <= 0.4 * (connection.student.sent.frames - sent) + 1


@pytest.mark.parametrize("layers", [1, 3])
async def test_loss_reordering_and_duplicates_are_repaired(connections: Connections, layers: int) -> None:
    """The sequence numbers wrap meanwhile."""
    clip = clip_of(9, layers=layers)
    faults = Faults(loss=0.05, reorder=0.05, duplicate=0.05, seed=2)
    connection = await connections.connect(clip, faults, first=65_450)
    await connection.receives(5)
    decoder_input = connection.record_decoder_input()
    sent = connection.student.sent.frames
    await connection.receives(60)
    assert set(connection.seen) == {9}
    # Frames shown are not counted: delayed frames arrive together, and only the newest is shown.
    assert len(decoder_input) >= 0.6 * (connection.student.sent.frames - sent)
    assert connection.student.sent.retransmissions > 0
    assert connection.student.sent.reports > 0
    assert connection.student.sent.reported_lost > 0


async def test_a_phone_that_is_rotated_is_shown_upright(
    connections: Connections, clips: dict[int, Clip]
) -> None:
    """Some packets are lost; their retransmissions signal the rotation, too."""
    connection = await connections.connect(clips[6], Faults(loss=0.03, seed=5))
    assert "urn:3gpp:video-orientation" in connection.answer
    for rotation in (0, 1, 2, 0):
        connection.student.rotation = rotation
        await connection.receives(10)
    assert set(connection.seen) == {6}
    assert [rotation for rotation, _ in groupby(connection.rotation)] == [0, 1, 2, 0]
    assert all(connection.rotation.count(rotation) >= 5 for rotation in (0, 1, 2))


async def test_a_reused_media_line_shows_only_the_new_student(
    connections: Connections, clips: dict[int, Clip]
) -> None:
    connection = await connections.connect(clips[1])
    await connection.receives(5)
    connection.student.replace_stream(clips[2], ssrc=0x1234)
    await connection.receives(15)
    assert connection.shown() == [1, 2]


@pytest.mark.slow
async def test_stock_never_shows_the_new_student_of_a_reused_media_line(clips: dict[int, Clip]) -> None:
    """Why our receiver follows a change of the SSRC by itself."""
    student = SimulatedStudent(clips[1])
    connection = await connect_stock(student)
    track = connection.getReceivers()[0].track
    seen: list[int] = []
    try:
        async with asyncio.timeout(TIMEOUT_S):
            while len(seen) < 5:
                seen.append(read_identity((await track.recv()).to_ndarray(format="gray")))
        student.replace_stream(clips[2], ssrc=0x1234)
        seen.clear()
        async with asyncio.timeout(3):
            while True:
                seen.append(read_identity((await track.recv()).to_ndarray(format="gray")))
    except (TimeoutError, MediaStreamError):
        pass
    await connection.close()
    await student.leave()
    assert set(seen) != {2}


async def test_old_frames_are_not_shown_after_the_network_stalled(
    connections: Connections, clips: dict[int, Clip]
) -> None:
    connection = await connections.connect(clips[3])
    await connection.receives(10)
    connection.student.stall()
    await connection.reaches(PeerState.SILENT)
    await asyncio.sleep(1.5)
    ages: list[float] = []
    clock = asyncio.get_running_loop().time
    show = connection.peer.camera.show

    def note(frame: object) -> None:
        ages.append(((int(clock() * 90_000) - (frame.av_frame.pts or 0)) & 0xFFFFFFFF) / 90_000)  # type: ignore[attr-defined]
        show(frame)  # type: ignore[arg-type]

    connection.peer.camera.show = note  # type: ignore[method-assign,assignment]
    await connection.student.resume()
    await connection.receives(10)
    assert max(ages) < 1.5
    assert connection.states[-1] is PeerState.CONNECTED


async def test_a_connection_that_falls_behind_is_closed(
    connections: Connections, clips: dict[int, Clip]
) -> None:
    connection = await connections.connect(clips[3])
    await connection.receives(5)
    for _ in range(100):  # a server whose queue grows by five seconds within seven
        connection.student.delay_s += 0.75 / 15
        await asyncio.sleep(1 / 15)
    await connection.reaches(PeerState.CLOSED)
    assert connection.states[-2:] == [PeerState.BEHIND, PeerState.CLOSED]


async def connect_stock(student: SimulatedStudent) -> RTCPeerConnection:
    """Receive a student with stock aiortc."""
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    await connection.setRemoteDescription(RTCSessionDescription(sdp=await student.offer(), type="offer"))
    await connection.setLocalDescription(await connection.createAnswer())
    await student.accept(connection.localDescription.sdp)
    return connection


def send_datagram(datagram: bytes, answer: str) -> None:
    """Send a datagram to the address in an answer."""
    candidate = next(line for line in answer.splitlines() if line.startswith("a=candidate:"))
    address, port = candidate.split()[4:6]
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.socket(family, socket.SOCK_DGRAM) as stranger:
        stranger.sendto(datagram, (address, int(port)))


async def test_an_empty_datagram_from_a_stranger_ends_a_stock_connection(clips: dict[int, Clip]) -> None:
    student = SimulatedStudent(clips[1])
    connection = await connect_stock(student)
    track = connection.getReceivers()[0].track
    async with asyncio.timeout(TIMEOUT_S):
        await track.recv()
        send_datagram(b"", connection.localDescription.sdp)
        with suppress(MediaStreamError):
            while True:
                await track.recv()
    assert connection.connectionState == "closed"
    await connection.close()
    await student.leave()


async def test_datagrams_from_strangers_have_no_effect(
    connections: Connections, clips: dict[int, Clip]
) -> None:
    connection = await connections.connect(clips[3])
    await connection.receives(3)
    rng = random.Random(3)
    for noise in (b"", b"\x80", b"\x90\x61", b"\x80\xc8" + bytes(30), b"\x80" + rng.randbytes(1600)):
        send_datagram(noise, connection.answer)
    await connection.receives(10)
    assert set(connection.seen) == {3}


async def test_a_muted_camera_is_silent_and_returns_when_unmuted(
    connections: Connections, clips: dict[int, Clip]
) -> None:
    connection = await connections.connect(clips[4])
    await connection.receives(5)
    connection.student.mute()
    await connection.reaches(PeerState.SILENT)
    connection.student.unmute()
    await connection.receives(5)
    assert set(connection.seen) == {4}


@pytest.mark.slow
async def test_no_student_is_ever_shown_as_another_one(
    connections: Connections, clips: dict[int, Clip]
) -> None:
    """Students join, leave and reuse media lines, with packet loss; the identity in each frame is checked."""
    rng = random.Random(5)
    received: list[tuple[Connection, list[int]]] = []  # each with the identities expected, in order
    for round_number in range(16):
        identity = rng.randrange(8)
        connection = await connections.connect(clips[identity], Faults(loss=0.03, seed=round_number))
        received.append((connection, [identity]))
        await connection.receives(2)
        if round_number % 3 == 2:
            reused, expected = received[rng.randrange(len(received))]
            expected.append((expected[-1] + 1) % 8)
            reused.student.replace_stream(clips[expected[-1]], ssrc=1000 + round_number)
            await reused.receives(8)
        elif len(received) > 4:
            leaving, expected = received.pop(0)
            await leaving.close()
            assert leaving.shown() == expected
    for connection, expected in received:
        assert connection.shown() == expected
