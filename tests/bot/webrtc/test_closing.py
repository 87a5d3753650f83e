"""A connection that is closed while connecting leaves no task behind, unlike that of stock aiortc."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor

import aioice
import pytest
from aiortc import RTCConfiguration, RTCPeerConnection, RTCRtpCodecParameters, RTCSessionDescription
from aiortc.rtcrtpparameters import RTCRtpReceiveParameters

from benchmarks.resources import open_sockets
from bot.config import WebrtcSettings
from bot.webrtc.peer import PeerState
from tests.cameras import Sender, needs_network, receiving_peer
from tests.room_recorder import unfinished_tasks

pytestmark = pytest.mark.real_time


async def close_as_ice_succeeds() -> None:
    """Close a connection when ICE has succeeded and is about to report it."""
    sender, connection = Sender(), RTCPeerConnection(RTCConfiguration(iceServers=[]))
    await connection.setRemoteDescription(RTCSessionDescription(sdp=await sender.offer(), type="offer"))
    result_queue = connection.getTransceivers()[0].receiver.transport.transport._connection._check_list_state
    report, closing = result_queue.put_nowait, asyncio.Event()

    async def close() -> None:
        await connection.close()
        await sender.close()

    def close_first(result: int) -> None:
        if not closing.is_set():
            closing.set()
            tasks.append(asyncio.create_task(close()))
        report(result)

    tasks: list[asyncio.Task[None]] = []
    result_queue.put_nowait = close_first  # type: ignore[method-assign]
    await connection.setLocalDescription(await connection.createAnswer())
    await sender.accept(connection.localDescription.sdp)
    async with asyncio.timeout(10):
        await closing.wait()
        await tasks[0]


@needs_network
async def test_stock_leaves_a_task_behind_when_closed_while_connecting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aiortc.rtcicetransport.Connection", aioice.Connection)
    before = asyncio.all_tasks()
    await close_as_ice_succeeds()
    assert "Connection.query_consent" in await unfinished_tasks(before, 1.0)
    for task in asyncio.all_tasks() - before:
        task.cancel()


@needs_network
async def test_closing_while_connecting_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    await close_as_ice_succeeds()
    assert await unfinished_tasks(before, 10.0) == []


@needs_network
@pytest.mark.slow
async def test_closing_at_any_moment_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    with ThreadPoolExecutor(1) as threads:
        for attempt in range(30):
            sender = Sender()
            peer = receiving_peer(threads)
            await sender.accept(await peer.answer(await sender.offer()))
            await asyncio.sleep(attempt * 0.004)
            await peer.close()
            await sender.close()
    assert await unfinished_tasks(before, 10.0) == []


@needs_network
async def test_a_stopped_receiver_does_not_start() -> None:
    """The DTLS handshake may finish while the connection is being closed."""
    before = asyncio.all_tasks()
    codec = RTCRtpCodecParameters(mimeType="video/VP8", clockRate=90000, payloadType=97)
    sender = Sender()
    with ThreadPoolExecutor(1) as threads:
        peer = receiving_peer(threads)
        await peer.answer(await sender.offer())
        assert peer._connection is not None
        receiver = peer._connection.getTransceivers()[0].receiver
        await peer.close()
        await receiver.receive(RTCRtpReceiveParameters(codecs=[codec]))
        await sender.close()
    assert await unfinished_tasks(before, 5.0) == []


@needs_network
@pytest.mark.slow
async def test_cancelling_while_candidates_are_gathered_leaves_nothing_behind() -> None:
    """The STUN and TURN servers do not answer. Stock leaves a task and a socket behind."""
    before, sockets_before = asyncio.all_tasks(), open_sockets()
    with ThreadPoolExecutor(1) as threads, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as silent:
        silent.bind(("127.0.0.1", 0))
        urls = [f"{kind}127.0.0.1:{silent.getsockname()[1]}" for kind in ("stun:", "turn:user:word@")]
        sender = Sender()
        offer = await sender.offer()
        settings = WebrtcSettings(ice_servers=tuple(urls))
        peer = receiving_peer(threads, settings)
        answering = asyncio.create_task(peer.answer(offer))
        await asyncio.sleep(0.5)
        answering.cancel()
        await asyncio.wait([answering])
        assert peer.state is PeerState.CLOSED
        await sender.close()
    assert await unfinished_tasks(before, 10.0) == []
    assert open_sockets() == sockets_before
