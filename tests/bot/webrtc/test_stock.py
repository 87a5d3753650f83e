"""Faults of stock aiortc when it receives cameras, and our receiver under the same conditions.

More such tests: a lost packet (``test_peer``), the jitter buffer (``test_jitter_buffer``), closing
(``test_closing``), a reused media line and datagrams of strangers (``tests/simulation/test_class``).
"""

import asyncio
import os
import socket
import threading
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any

import aioice
import av
import pytest
from aioice import turn
from aiortc import (
    RTCConfiguration,
    RTCIceCandidate,
    RTCIceTransport,
    RTCPeerConnection,
    RTCRtpCodecParameters,
    RTCSessionDescription,
)
from aiortc.codecs import CODECS, HEADER_EXTENSIONS, get_decoder
from aiortc.mediastreams import MediaStreamError
from aiortc.rtcrtpparameters import RTCRtcpFeedback, RTCRtpHeaderExtensionParameters

from benchmarks.simulation.clips import ClipSpec, make_clip
from benchmarks.simulation.student import SimulatedStudent
from bot.webrtc.decoding import make_decoder
from bot.webrtc.peer import ReceivingPeer
from bot.webrtc.pixel_budget import FULL_HD
from bot.webrtc.setup import SOCKET_BUFFER_BYTES
from tests.cameras import Sender, SyntheticCamera, needs_network, receiving_peer

pytestmark = [pytest.mark.real_time, needs_network]


class Connections:
    """Creates senders and receivers of both kinds, and closes all of them at the end."""

    def __init__(self, threads: ThreadPoolExecutor, stack: AsyncExitStack) -> None:
        self._threads, self._stack = threads, stack

    def close_later(self, close: Callable[[], Awaitable[None]]) -> None:
        """Call ``close`` at the end, too."""
        self._stack.push_async_callback(close)

    def sender(self, cameras: int = 1) -> Sender:
        """Create a sender of one or several cameras over one connection."""
        sender = Sender()
        for _ in range(cameras - 1):
            sender.connection.addTrack(SyntheticCamera())
        self._stack.push_async_callback(sender.close)
        return sender

    def student(self) -> SimulatedStudent:
        student = SimulatedStudent(make_clip(ClipSpec(1, 160, 90, seconds=2, layers=1)))
        self._stack.push_async_callback(student.leave)
        return student

    async def connect_stock(self, sender: Sender | SimulatedStudent) -> RTCPeerConnection:
        """Receive a sender with stock aiortc."""
        connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
        self._stack.push_async_callback(connection.close)
        await sender.accept(await answer(connection, await sender.offer()))
        return connection

    async def connect_ours(self, sender: Sender | SimulatedStudent) -> ReceivingPeer:
        peer = receiving_peer(self._threads)
        self._stack.push_async_callback(peer.close)
        await sender.accept(await peer.answer(await sender.offer()))
        return peer


@pytest.fixture
async def connections() -> AsyncIterator[Connections]:
    with ThreadPoolExecutor(1) as threads:
        async with AsyncExitStack() as stack:
            yield Connections(threads, stack)


async def answer(connection: RTCPeerConnection, offer: str) -> str:
    await connection.setRemoteDescription(RTCSessionDescription(sdp=offer, type="offer"))
    await connection.setLocalDescription(await connection.createAnswer())
    return str(connection.localDescription.sdp)


async def count(recv: Callable[[], Any], for_s: float) -> int:
    """Count the frames that arrive within a time."""
    found = 0
    try:
        async with asyncio.timeout(for_s):
            while True:
                await recv()
                found += 1
    except (TimeoutError, MediaStreamError):
        return found


async def receive(recv: Callable[[], Any], frames: int) -> None:
    for _ in range(frames):
        await recv()


def drop_once(sender: Sender, number: int) -> list[int]:
    """Lose the n-th packet of each camera, but not its retransmission.

    Returns:
        A list that gets an entry for each retransmission.
    """
    codecs = {codec.payloadType: codec.name for codec in CODECS["video"]}
    ice = sender.connection.getSenders()[0].transport.transport
    send, counts, retransmissions = ice._send, dict[bytes, int](), list[int]()

    async def lossy(data: bytes) -> None:
        name = codecs.get(data[1] & 0x7F) if 127 < data[0] < 192 else None
        if name == "rtx":
            retransmissions.append(1)
        elif name == "VP8":
            counts[data[8:12]] = counts.get(data[8:12], 0) + 1
            if counts[data[8:12]] == number:
                return
        await send(data)

    ice._send = lossy
    return retransmissions


@pytest.mark.slow
async def test_stock_loses_retransmissions_of_several_cameras_and_ours_does_not(
    connections: Connections,
) -> None:
    """Stock receives all cameras over one connection, ours each camera over its own."""
    together, apart = connections.sender(cameras=3), [connections.sender() for _ in range(3)]
    retransmissions = [drop_once(sender, 12) for sender in (together, *apart)]
    connection = await connections.connect_stock(together)
    peers = [await connections.connect_ours(sender) for sender in apart]
    tracks = [receiver.track for receiver in connection.getReceivers()]
    async with asyncio.timeout(30):
        await asyncio.gather(*(receive(peer.camera.recv, 30) for peer in peers))
    stock = await asyncio.gather(*(count(track.recv, 0.5) for track in tracks))  # all frames so far
    assert all(retransmissions)
    assert max(stock) <= 12


async def test_overlapping_offers_leave_a_camera_of_stock_dead_and_ours_accepts_only_one(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two offers of one sender; the host names in the first take longer to resolve."""
    sender = connections.sender()
    one_camera = await sender.offer()
    sender.connection.addTrack(SyntheticCamera())
    two_cameras = await sender.offer()
    begun, resolved, resolve = asyncio.Event(), asyncio.Event(), RTCIceTransport.addRemoteCandidate
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    connections.close_later(connection.close)
    with monkeypatch.context() as patched:

        async def slow(transport: RTCIceTransport, candidate: RTCIceCandidate | None) -> None:
            begun.set()
            await resolved.wait()
            await resolve(transport, candidate)

        patched.setattr(RTCIceTransport, "addRemoteCandidate", slow)
        first_answer = asyncio.create_task(answer(connection, one_camera))
        await begun.wait()
    second_answer = await answer(connection, two_cameras)
    resolved.set()
    await first_answer
    changed = asyncio.Event()
    connection.on("connectionstatechange", changed.set)
    await sender.accept(second_answer)
    async with asyncio.timeout(20):
        while connection.connectionState != "connected":
            await changed.wait()
            changed.clear()
    _, second_camera = receivers = connection.getReceivers()
    assert await count(second_camera.track.recv, 1.0) == 0
    assert [receiver._RTCRtpReceiver__started for receiver in receivers] == [True, False]

    apart = [connections.sender(), connections.sender()]
    peers = await asyncio.gather(*(connections.connect_ours(sender) for sender in apart))
    with pytest.raises(RuntimeError):
        await peers[0].answer(await apart[1].offer())
    async with asyncio.timeout(20):
        await asyncio.gather(*(receive(peer.camera.recv, 3) for peer in peers))


@pytest.mark.slow
async def test_stock_sends_a_bandwidth_estimate_for_each_camera_and_ours_none(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    ours = connections.student()
    await connections.connect_ours(ours)
    send_time = RTCRtpHeaderExtensionParameters(
        id=9, uri="http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time"
    )
    monkeypatch.setitem(HEADER_EXTENSIONS, "video", [*HEADER_EXTENSIONS["video"], send_time])
    for codec in CODECS["video"]:
        monkeypatch.setattr(codec, "rtcpFeedback", [*codec.rtcpFeedback, RTCRtcpFeedback(type="goog-remb")])
    stock_students = [connections.student(), connections.student()]
    stock = [await connections.connect_stock(student) for student in stock_students]
    async with asyncio.timeout(20):
        while not all(student.sent.estimates for student in stock_students):
            await stock[0].getReceivers()[0].track.recv()
    assert ours.sent.reports > 0
    assert ours.sent.estimates == 0


@pytest.mark.slow
async def test_stock_queues_all_unread_frames_and_ours_keeps_one(connections: Connections) -> None:
    sender = connections.sender()
    connection, peer = (
        await connections.connect_stock(connections.sender()),
        await connections.connect_ours(sender),
    )
    async with asyncio.timeout(20):
        await peer.camera.recv()  # connected
        await connection.getReceivers()[0].track.recv()
    await asyncio.sleep(2.0)
    assert connection.getReceivers()[0].track._queue.qsize() > 5
    sender.camera.running.clear()
    await asyncio.sleep(1.0)
    await peer.camera.recv()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(peer.camera.recv(), 0.1)


async def test_stock_starts_a_thread_for_each_camera_and_ours_none(connections: Connections) -> None:
    async def decoders() -> int:
        return sum("decoder" in thread.name for thread in threading.enumerate())

    peers = [await connections.connect_ours(connections.sender()) for _ in range(3)]
    await asyncio.gather(*(peer.camera.recv() for peer in peers))
    assert await decoders() == 0
    stock = [await connections.connect_stock(connections.sender()) for _ in range(3)]
    await asyncio.gather(*(connection.getReceivers()[0].track.recv() for connection in stock))
    assert await decoders() == 3


def test_a_decoder_of_stock_starts_threads_and_ours_none() -> None:
    """Counts operating system threads, because Python does not know those of a codec."""
    tasks = Path("/proc/self/task")
    if not tasks.is_dir() or os.cpu_count() == 1:
        pytest.skip("needs Linux and more than one core")
    codec = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90000, payloadType=97)
    (key, *_) = make_clip(ClipSpec(1, 640, 360, seconds=1, layers=1)).frames
    added = []
    contexts: list[Any] = [get_decoder(codec).codec, make_decoder("VP8", FULL_HD)]  # type: ignore[attr-defined]
    for context in contexts:
        before = {entry.name for entry in tasks.iterdir()}
        assert context.decode(av.Packet(key.data))
        added.append(len({entry.name for entry in tasks.iterdir()} - before))
    assert added[0] > 0
    assert added[1] == 0


async def test_a_burst_overflows_the_socket_buffer_of_stock_but_not_ours(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The datagrams arrive while the event loop is busy."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, SOCKET_BUFFER_BYTES)
        if probe.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) < SOCKET_BUFFER_BYTES:
            pytest.skip("the kernel grants no larger buffer: raise net.core.rmem_max")
    received = []
    for size in (262_144, SOCKET_BUFFER_BYTES):
        monkeypatch.setattr(turn, "UDP_SOCKET_BUFFER_SIZE", size)
        ice = aioice.Connection(ice_controlling=False)
        await ice.gather_candidates()
        candidate = ice.local_candidates[0]
        family = socket.AF_INET6 if ":" in candidate.host else socket.AF_INET
        with socket.socket(family, socket.SOCK_DGRAM) as sender:
            for _ in range(1000):
                sender.sendto(bytes([0x80]) * 1000, (candidate.host, candidate.port))
        before = -1
        while ice._queue.qsize() > before:  # still reading
            before = ice._queue.qsize()
            await asyncio.sleep(0.5)
        received.append(before)
        await ice.close()
    assert received[0] < 1000
    assert received[1] == 1000
