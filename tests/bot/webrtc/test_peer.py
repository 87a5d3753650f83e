"""A receiving peer connected to real aiortc senders, over UDP on this machine."""

import asyncio
import random
import threading
import time
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from itertools import pairwise

import numpy as np
import pytest
from aiortc import (
    RTCConfiguration,
    RTCPeerConnection,
    RTCRtpSender,
    RTCSessionDescription,
)
from aiortc.codecs import CODECS, HEADER_EXTENSIONS

from benchmarks.simulation.clips import ClipSpec, make_clip
from bot.config import WebrtcSettings
from bot.tracks import LatestFrameTrack, TrackEnded
from bot.webrtc.decoding import MAX_BACKLOG, FrameDecoder, make_decoder
from bot.webrtc.jitter_buffer import EncodedFrame
from bot.webrtc.offers import BadOffer, UnsupportedVideo
from bot.webrtc.peer import NoNetwork, PeerState, ReceivingPeer
from bot.webrtc.pixel_budget import FULL_HD
from bot.webrtc.receive_options import ReceiveOptions
from bot.webrtc.setup import prepare_aiortc
from tests.cameras import HEIGHT, WIDTH, Sender, needs_network, offer_text

pytestmark = pytest.mark.real_time

QUICK = WebrtcSettings(connect_timeout_s=10.0, silence_timeout_s=0.5)
CALM = WebrtcSettings(connect_timeout_s=10.0, silence_timeout_s=5.0)
WITHIN_S = 20.0
"""Generous timeout, for a busy machine."""


class PeerSetup:
    """A sender, a peer that receives it, and the states that the peer has reported."""

    def __init__(self, threads: ThreadPoolExecutor, settings: WebrtcSettings = CALM) -> None:
        self.sender = Sender()
        self.camera = LatestFrameTrack("t", "p")
        self.states: list[PeerState] = []
        self._threads = threads
        self._new_state = asyncio.Event()
        self.use(settings)

    def use(self, settings: WebrtcSettings) -> None:
        """Replace the peer, which has not answered yet, by one with other settings."""
        self.peer = ReceivingPeer(self.camera, ReceiveOptions(settings, self._threads), self._on_state)

    def _on_state(self, peer: ReceivingPeer, state: PeerState) -> None:
        assert peer is self.peer
        self.states.append(state)
        self._new_state.set()

    async def connect(self) -> None:
        await self.sender.accept(await self.peer.answer(await self.sender.offer()))

    async def reaches(self, state: PeerState, within_s: float = WITHIN_S) -> None:
        async with asyncio.timeout(within_s):
            while self.peer.state is not state:
                self._new_state.clear()
                await self._new_state.wait()


@pytest.fixture
async def setup() -> AsyncIterator[PeerSetup]:
    with ThreadPoolExecutor(1, thread_name_prefix="decode") as threads:
        setup = PeerSetup(threads)
        yield setup
        await setup.peer.close()
        await setup.sender.close()


async def receive_frames(
    camera: LatestFrameTrack, count: int, within_s: float = WITHIN_S
) -> list[np.ndarray]:
    async with asyncio.timeout(within_s):
        return [(await camera.recv()).luma() for _ in range(count)]


@needs_network
async def test_frames_arrive_as_they_were_sent(setup: PeerSetup) -> None:
    await setup.connect()
    seen = await receive_frames(setup.camera, 5)
    assert all(luma.shape == (HEIGHT, WIDTH) for luma in seen)
    assert all(abs(float(np.median(luma)) - 128) < 6 for luma in seen)
    bars = [int(np.argmax(np.abs(luma.mean(axis=0) - 128))) for luma in seen]
    assert all(later > earlier - 3 for earlier, later in pairwise(bars)), (
        "the bar moves right, up to the blur of the codec"
    )
    assert bars[-1] > bars[0]
    assert setup.states == [PeerState.CONNECTED]


@needs_network
async def test_only_the_newest_frame_is_kept(setup: PeerSetup) -> None:
    await setup.connect()
    await receive_frames(setup.camera, 1)
    await asyncio.sleep(0.6)
    paused_s = asyncio.get_running_loop().time()
    setup.sender.camera.running.clear()
    await asyncio.sleep(0.5)
    frame = await setup.camera.recv()
    assert frame.at_s > paused_s - 0.4
    with pytest.raises(TimeoutError):  # the frames in between were replaced
        await asyncio.wait_for(setup.camera.recv(), 0.1)


@needs_network
async def test_silence_and_its_end_are_reported(setup: PeerSetup) -> None:
    setup.use(QUICK)
    await setup.connect()
    await receive_frames(setup.camera, 2)
    setup.sender.camera.running.clear()
    await setup.reaches(PeerState.SILENT)
    setup.sender.camera.running.set()
    await setup.reaches(PeerState.CONNECTED)
    assert setup.states[:3] == [PeerState.CONNECTED, PeerState.SILENT, PeerState.CONNECTED]
    await receive_frames(setup.camera, 1)


@needs_network
async def test_a_sender_that_closes_ends_the_camera(setup: PeerSetup) -> None:
    await setup.connect()
    await receive_frames(setup.camera, 1)
    await setup.sender.close()
    with pytest.raises(TrackEnded):
        await receive_frames(setup.camera, 100)
    await setup.reaches(PeerState.CLOSED)


@needs_network
async def test_a_connection_to_a_sender_that_is_gone_is_closed(setup: PeerSetup) -> None:
    offer = await setup.sender.offer()
    await setup.sender.close()
    setup.use(WebrtcSettings(connect_timeout_s=2.0))
    await setup.peer.answer(offer)
    await setup.reaches(PeerState.CLOSED)
    assert setup.states == [PeerState.CLOSED]


@needs_network
async def test_closed_peers_leave_no_tasks_or_threads() -> None:
    before, threads_before = len(asyncio.all_tasks()), set(threading.enumerate())
    threads = ThreadPoolExecutor(1)
    setups = [PeerSetup(threads) for _ in range(3)]
    for setup in setups:
        await setup.connect()
    await receive_frames(setups[0].camera, 2)
    for setup in setups:  # the frames of the other two were never fetched
        await setup.peer.close()
        await setup.peer.close()
        await setup.sender.close()
    threads.shutdown()
    await asyncio.sleep(0.2)  # aiortc's own tasks end by themselves
    assert len(asyncio.all_tasks()) == before
    new = {thread.name.split("_")[0] for thread in set(threading.enumerate()) - threads_before}
    assert new <= {"asyncio"}  # the loop's thread pool, where aiortc's senders encode
    assert all(setup.states[-1] is PeerState.CLOSED for setup in setups)


@needs_network
async def test_a_machine_without_addresses_raises_no_network(
    setup: PeerSetup, monkeypatch: pytest.MonkeyPatch
) -> None:
    offer = await setup.sender.offer()
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: [])
    with pytest.raises(NoNetwork, match="no network address"):
        await setup.peer.answer(offer)
    assert setup.peer.state is PeerState.CLOSED


@needs_network
async def test_offers_are_checked_before_anything_else(setup: PeerSetup) -> None:
    for sdp, error in (("nonsense", BadOffer), (offer_text("VP9"), UnsupportedVideo)):
        with pytest.raises(error):
            await setup.peer.answer(sdp)


@needs_network
async def test_no_bandwidth_estimate_is_negotiated(setup: PeerSetup) -> None:
    offer = (await setup.sender.offer()).replace(
        "a=rtcp-mux",
        "a=rtcp-mux\r\na=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n"
        "a=rtcp-fb:97 goog-remb",
        1,
    )
    answer = await setup.peer.answer(offer)
    assert "a=rtcp-fb:97 nack pli" in answer
    assert "abs-send-time" not in answer
    assert "goog-remb" not in answer
    assert "a=recvonly" in answer


def test_preparing_twice_changes_nothing() -> None:
    before = repr((CODECS["video"], HEADER_EXTENSIONS["video"]))
    prepare_aiortc()
    assert repr((CODECS["video"], HEADER_EXTENSIONS["video"])) == before
    assert "mid" in before
    assert "nack" in before


def drop_packets(sender: Sender, lost: Callable[[int], bool]) -> None:
    """Lose a sender's packets: media packets by their number, and every retransmission."""
    codecs = {codec.payloadType: codec.name for codec in CODECS["video"]}
    ice = sender.connection.getSenders()[0].transport.transport
    send, count = ice._send, -1

    async def lossy(data: bytes) -> None:
        nonlocal count
        name = codecs.get(data[1] & 0x7F) if 127 < data[0] < 192 else None
        if name == "VP8":
            count += 1
        if name == "rtx" or (name == "VP8" and lost(count)):
            return
        await send(data)

    ice._send = lossy


@needs_network
async def test_a_lost_packet_freezes_stock_but_not_our_receiver(setup: PeerSetup) -> None:
    """One packet is never retransmitted. Our receiver still shows thirty frames meanwhile."""
    stock_sender = Sender()
    for sender in (setup.sender, stock_sender):
        drop_packets(sender, lambda number: number == 9)
    stock = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    await stock.setRemoteDescription(RTCSessionDescription(sdp=await stock_sender.offer(), type="offer"))
    await stock.setLocalDescription(await stock.createAnswer())
    await stock_sender.accept(stock.localDescription.sdp)
    await setup.connect()
    our_frames = await receive_frames(setup.camera, 30)
    assert all(abs(float(np.median(luma)) - 128) < 6 for luma in our_frames)
    track, stock_frames = stock.getReceivers()[0].track, 0
    with suppress(TimeoutError):
        async with asyncio.timeout(0.5):  # all frames so far: stock keeps them
            while True:
                await track.recv()
                stock_frames += 1
    assert stock_frames <= 10
    await stock.close()
    await stock_sender.close()


@needs_network
@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_scattered_loss_is_repaired(setup: PeerSetup, codec: str) -> None:
    """One packet in twenty is lost in each direction, including retransmissions and reports."""
    transceiver = setup.sender.connection.getTransceivers()[0]
    offered = RTCRtpSender.getCapabilities("video").codecs
    transceiver.setCodecPreferences([known for known in offered if known.name in (codec, "rtx")])
    ice, rng = transceiver.sender.transport.transport, random.Random(3)
    send = ice._send

    async def lossy(data: bytes) -> None:
        if not 127 < data[0] < 192 or rng.random() > 0.05:
            await send(data)

    ice._send = lossy
    await setup.connect()
    seen = await receive_frames(setup.camera, 30)
    assert all(abs(float(np.median(luma)) - 128) < 6 for luma in seen)
    assert setup.sender.camera.sent < 60  # delayed frames arrive together, and only the newest is shown


async def test_closing_does_not_wait_for_a_busy_thread() -> None:
    release = threading.Event()
    with ThreadPoolExecutor(1) as threads:
        threads.submit(release.wait, 5)
        camera = LatestFrameTrack("t", "p")
        decoder = FrameDecoder(camera, ReceiveOptions(CALM, threads), lambda: None)
        decoder.push("VP8", EncodedFrame(b"\x10", 0, True, 0.0))
        await asyncio.sleep(0.01)
        began = time.monotonic()
        decoder.close()
        assert time.monotonic() - began < 0.2
        release.set()
    with pytest.raises(TrackEnded):
        await camera.recv()


async def test_a_full_backlog_is_dropped_and_a_key_frame_requested() -> None:
    release, requests = threading.Event(), []
    with ThreadPoolExecutor(1) as threads:
        threads.submit(release.wait, 5)
        decoder = FrameDecoder(
            LatestFrameTrack("t", "p"), ReceiveOptions(CALM, threads), lambda: requests.append(1)
        )
        for _ in range(MAX_BACKLOG + 1):
            decoder.push("VP8", EncodedFrame(b"\x11", 0, False, 0.0))
        assert requests == [1]
        assert len(decoder._queue) == 0
        release.set()
        decoder.close()


async def test_a_decoding_error_requests_a_key_frame_and_the_camera_continues() -> None:
    failed, camera = asyncio.Event(), LatestFrameTrack("t", "p")
    key, *_ = make_clip(ClipSpec(1, seconds=1, layers=1)).frames
    with ThreadPoolExecutor(1) as threads:
        decoder = FrameDecoder(camera, ReceiveOptions(CALM, threads), failed.set)
        decoder.push("an unknown codec", EncodedFrame(key.data, 0, True, 0.0))
        async with asyncio.timeout(WITHIN_S):
            await failed.wait()
            decoder.push("VP8", EncodedFrame(key.data, 3000, True, 0.0))
            await camera.recv()
        decoder.close()


async def test_with_a_wanted_frame_rate_all_cameras_decode_at_the_same_times() -> None:
    interval_s = 100.0
    key, *_ = make_clip(ClipSpec(1, seconds=1, layers=1)).frames
    with ThreadPoolExecutor(1) as threads:
        for _ in range(2):
            camera = LatestFrameTrack("t", "p")
            options = ReceiveOptions(CALM, threads, wanted_fps=1 / interval_s)
            decoder = FrameDecoder(camera, options, lambda: None)
            while decoder._timer is None:  # repeated if that is such a time by chance
                decoder.push("VP8", EncodedFrame(key.data, 0, True, 0.0))
                async with asyncio.timeout(WITHIN_S):
                    await camera.recv()
                decoder.push("VP8", EncodedFrame(key.data, 3000, True, 0.0))
                await asyncio.sleep(0)
            assert decoder._timer.when() % interval_s == pytest.approx(0)
            decoder.close()


def test_decoders_have_no_threads_of_their_own() -> None:
    for codec in ("VP8", "H264"):
        assert make_decoder(codec, FULL_HD).thread_count == 1
