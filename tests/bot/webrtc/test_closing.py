"""A connection closed while it is still being made leaves no task behind; stock aiortc's does."""

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


async def close_at_the_moment_of_success() -> None:
    """Close a connection when ICE has found a way and is about to say so."""
    sender, connection = Sender(), RTCPeerConnection(RTCConfiguration(iceServers=[]))
    await connection.setRemoteDescription(RTCSessionDescription(sdp=await sender.offer(), type="offer"))
    found = connection.getTransceivers()[0].receiver.transport.transport._connection._check_list_state
    say, closing = found.put_nowait, asyncio.Event()

    async def close() -> None:
        await connection.close()
        await sender.close()

    def close_first(result: int) -> None:
        if not closing.is_set():
            closing.set()
            tasks.append(asyncio.create_task(close()))
        say(result)

    tasks: list[asyncio.Task[None]] = []
    found.put_nowait = close_first  # type: ignore[method-assign]
    await connection.setLocalDescription(await connection.createAnswer())
    await sender.accept(connection.localDescription.sdp)
    async with asyncio.timeout(10):
        await closing.wait()
        await tasks[0]


@needs_network
async def test_closing_while_connecting_leaves_a_task_of_stock_behind(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("aiortc.rtcicetransport.Connection", aioice.Connection)
    before = asyncio.all_tasks()
    await close_at_the_moment_of_success()
    assert "Connection.query_consent" in await unfinished_tasks(before, 1.0)
    for task in asyncio.all_tasks() - before:
        task.cancel()


@needs_network
async def test_closing_while_connecting_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    await close_at_the_moment_of_success()
    assert await unfinished_tasks(before, 10.0) == []


@needs_network
@pytest.mark.slow
async def test_closing_at_any_moment_leaves_nothing_behind() -> None:
    before = asyncio.all_tasks()
    with ThreadPoolExecutor(1) as threads:
        for turn in range(30):
            sender = Sender()
            peer = receiving_peer(threads)
            await sender.accept(await peer.answer(await sender.offer()))
            await asyncio.sleep(turn * 0.004)
            await peer.close()
            await sender.close()
    assert await unfinished_tasks(before, 10.0) == []


@needs_network
async def test_a_receiver_that_was_stopped_does_not_start() -> None:
    """The handshake may come to its end while the connection is being closed."""
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
async def test_giving_up_while_servers_are_asked_for_addresses_leaves_nothing_behind() -> None:
    """STUN and TURN servers that do not answer; of stock, a task and a socket stay."""
    before, sockets_before = asyncio.all_tasks(), open_sockets()
    with ThreadPoolExecutor(1) as threads, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as mute:
        mute.bind(("127.0.0.1", 0))
        urls = [f"{kind}127.0.0.1:{mute.getsockname()[1]}" for kind in ("stun:", "turn:user:word@")]
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
