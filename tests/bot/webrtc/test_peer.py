"""A receiving peer against real aiortc senders, over UDP on this machine."""

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
from bot.webrtc.receive_options import ReceiveOptions
from bot.webrtc.setup import prepare_aiortc
from tests.cameras import HEIGHT, WIDTH, Sender, needs_network, offer_text

pytestmark = pytest.mark.real_time

QUICK = WebrtcSettings(connect_timeout_s=10.0, silence_timeout_s=0.5)
CALM = WebrtcSettings(connect_timeout_s=10.0, silence_timeout_s=5.0)
WITHIN_S = 20.0
"""How long a busy machine may take for what takes a moment."""


class Bench:
    """A sender and a peer that receives it, with what the peer told of itself."""

    def __init__(self, threads: ThreadPoolExecutor, settings: WebrtcSettings = CALM) -> None:
        self.sender = Sender()
        self.camera = LatestFrameTrack("t", "p")
        self.states: list[PeerState] = []
        self.peer = ReceivingPeer(self.camera, ReceiveOptions(settings, threads), self._told)
        self._new_state = asyncio.Event()

    def _told(self, peer: ReceivingPeer, state: PeerState) -> None:
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
async def bench() -> AsyncIterator[Bench]:
    with ThreadPoolExecutor(1, thread_name_prefix="decode") as threads:
        bench = Bench(threads)
        yield bench
        await bench.peer.close()
        await bench.sender.close()


async def pictures(camera: LatestFrameTrack, count: int, within_s: float = WITHIN_S) -> list[np.ndarray]:
    async with asyncio.timeout(within_s):
        return [(await camera.recv()).luma() for _ in range(count)]


@needs_network
async def test_pictures_arrive_as_they_were_sent(bench: Bench) -> None:
    await bench.connect()
    seen = await pictures(bench.camera, 5)
    assert all(luma.shape == (HEIGHT, WIDTH) for luma in seen)
    assert all(abs(float(np.median(luma)) - 128) < 6 for luma in seen)
    bars = [int(np.argmax(np.abs(luma.mean(axis=0) - 128))) for luma in seen]
    assert all(later > earlier - 3 for earlier, later in pairwise(bars)), "but for a codec's blur"
    assert bars[-1] > bars[0]
    assert bench.states == [PeerState.CONNECTED]


@needs_network
async def test_only_the_newest_picture_is_kept(bench: Bench) -> None:
    await bench.connect()
    await pictures(bench.camera, 1)
    await asyncio.sleep(0.6)
    paused_s = asyncio.get_running_loop().time()
    bench.sender.camera.running.clear()
    await asyncio.sleep(0.5)
    frame = await bench.camera.recv()
    assert frame.at_s > paused_s - 0.4
    with pytest.raises(TimeoutError):  # the ones in between are gone
        await asyncio.wait_for(bench.camera.recv(), 0.1)


@needs_network
async def test_silence_and_its_end_are_told(bench: Bench) -> None:
    bench.peer._settings = QUICK
    await bench.connect()
    await pictures(bench.camera, 2)
    bench.sender.camera.running.clear()
    await bench.reaches(PeerState.SILENT)
    bench.sender.camera.running.set()
    await bench.reaches(PeerState.CONNECTED)
    assert bench.states[:3] == [PeerState.CONNECTED, PeerState.SILENT, PeerState.CONNECTED]
    await pictures(bench.camera, 1)


@needs_network
async def test_a_sender_that_closes_ends_the_camera(bench: Bench) -> None:
    await bench.connect()
    await pictures(bench.camera, 1)
    await bench.sender.close()
    with pytest.raises(TrackEnded):
        await pictures(bench.camera, 100)
    await bench.reaches(PeerState.CLOSED)


@needs_network
async def test_an_offer_nobody_stands_behind_is_given_up(bench: Bench) -> None:
    offer = await bench.sender.offer()
    await bench.sender.close()
    bench.peer._settings = WebrtcSettings(connect_timeout_s=0.5)
    await bench.peer.answer(offer)
    await bench.reaches(PeerState.CLOSED)
    assert bench.states == [PeerState.CLOSED]


@needs_network
async def test_nothing_is_left_behind() -> None:
    before, threads_before = len(asyncio.all_tasks()), set(threading.enumerate())
    threads = ThreadPoolExecutor(1)
    benches = [Bench(threads) for _ in range(3)]
    for bench in benches:
        await bench.connect()
    await pictures(benches[0].camera, 2)
    for bench in benches:  # the other two were never read
        await bench.peer.close()
        await bench.peer.close()
        await bench.sender.close()
    threads.shutdown()
    await asyncio.sleep(0.2)  # what aiortc started by itself ends by itself
    assert len(asyncio.all_tasks()) == before
    new = {thread.name.split("_")[0] for thread in set(threading.enumerate()) - threads_before}
    assert new <= {"asyncio"}  # the loop's own pool, where aiortc's senders encode
    assert all(bench.states[-1] is PeerState.CLOSED for bench in benches)


@needs_network
async def test_a_machine_without_addresses_is_told_so(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    offer = await bench.sender.offer()
    monkeypatch.setattr("aioice.ice.get_host_addresses", lambda use_ipv4, use_ipv6: [])
    with pytest.raises(NoNetwork, match="no network address"):
        await bench.peer.answer(offer)
    assert bench.peer.state is PeerState.CLOSED


@needs_network
async def test_offers_are_looked_into_first(bench: Bench) -> None:
    for sdp, error in (("nonsense", BadOffer), (offer_text("VP9"), UnsupportedVideo)):
        with pytest.raises(error):
            await bench.peer.answer(sdp)


@needs_network
async def test_no_bandwidth_estimate_is_negotiated(bench: Bench) -> None:
    offer = (await bench.sender.offer()).replace(
        "a=rtcp-mux",
        "a=rtcp-mux\r\na=extmap:3 http://www.webrtc.org/experiments/rtp-hdrext/abs-send-time\r\n"
        "a=rtcp-fb:97 goog-remb",
        1,
    )
    answer = await bench.peer.answer(offer)
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


def lose(sender: Sender, lost: Callable[[int], bool]) -> None:
    """Lose packets after the sender: media packets by their number, and every retransmission."""
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
async def test_a_lost_packet_freezes_stock_but_not_ours(bench: Bench) -> None:
    """One packet that no retransmission brings back, while ours gets thirty pictures."""
    stock_sender = Sender()
    for sender in (bench.sender, stock_sender):
        lose(sender, lambda number: number == 9)
    stock = RTCPeerConnection(RTCConfiguration(iceServers=[]))
    await stock.setRemoteDescription(RTCSessionDescription(sdp=await stock_sender.offer(), type="offer"))
    await stock.setLocalDescription(await stock.createAnswer())
    await stock_sender.accept(stock.localDescription.sdp)
    await bench.connect()
    ours = await pictures(bench.camera, 30)
    assert all(abs(float(np.median(luma)) - 128) < 6 for luma in ours)
    track, theirs = stock.getReceivers()[0].track, 0
    with suppress(TimeoutError):
        async with asyncio.timeout(0.5):  # all so far: it keeps them
            while True:
                await track.recv()
                theirs += 1
    assert theirs <= 10
    await stock.close()
    await stock_sender.close()


@needs_network
@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_scattered_loss_is_made_good(bench: Bench, codec: str) -> None:
    """One packet in twenty is lost either way, retransmissions and reports included."""
    transceiver = bench.sender.connection.getTransceivers()[0]
    offered = RTCRtpSender.getCapabilities("video").codecs
    transceiver.setCodecPreferences([known for known in offered if known.name in (codec, "rtx")])
    ice, dice = transceiver.sender.transport.transport, random.Random(3)
    send = ice._send

    async def lossy(data: bytes) -> None:
        if not 127 < data[0] < 192 or dice.random() > 0.05:
            await send(data)

    ice._send = lossy
    await bench.connect()
    seen = await pictures(bench.camera, 30)
    assert all(abs(float(np.median(luma)) - 128) < 6 for luma in seen)
    assert bench.sender.camera.sent < 60  # what comes late comes together, and only the newest is shown


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


async def test_a_backlog_is_bounded_and_asks_for_a_key_frame() -> None:
    release, troubles = threading.Event(), []
    with ThreadPoolExecutor(1) as threads:
        threads.submit(release.wait, 5)
        decoder = FrameDecoder(
            LatestFrameTrack("t", "p"), ReceiveOptions(CALM, threads), lambda: troubles.append(1)
        )
        for _ in range(MAX_BACKLOG + 1):
            decoder.push("VP8", EncodedFrame(b"\x11", 0, False, 0.0))
        assert troubles == [1]
        assert len(decoder._queue) == 0
        release.set()
        decoder.close()


async def test_a_fault_in_decoding_asks_for_a_key_frame_and_the_camera_goes_on() -> None:
    failed, camera = asyncio.Event(), LatestFrameTrack("t", "p")
    key, *_ = make_clip(ClipSpec(1, seconds=1, layers=1)).pictures
    with ThreadPoolExecutor(1) as threads:
        decoder = FrameDecoder(camera, ReceiveOptions(CALM, threads), failed.set)
        decoder.push("a codec nobody checked", EncodedFrame(key.data, 0, True, 0.0))
        async with asyncio.timeout(WITHIN_S):
            await failed.wait()
            decoder.push("VP8", EncodedFrame(key.data, 3000, True, 0.0))
            await camera.recv()
        decoder.close()


async def test_what_is_not_wanted_at_once_is_decoded_at_moments_all_cameras_share() -> None:
    every_s = 100.0
    key, *_ = make_clip(ClipSpec(1, seconds=1, layers=1)).pictures
    with ThreadPoolExecutor(1) as threads:
        for _ in range(2):
            camera = LatestFrameTrack("t", "p")
            options = ReceiveOptions(CALM, threads, wanted_fps=1 / every_s)
            decoder = FrameDecoder(camera, options, lambda: None)
            while decoder._timer is None:  # again, should just then be such a moment
                decoder.push("VP8", EncodedFrame(key.data, 0, True, 0.0))
                async with asyncio.timeout(WITHIN_S):
                    await camera.recv()
                decoder.push("VP8", EncodedFrame(key.data, 3000, True, 0.0))
                await asyncio.sleep(0)
            assert decoder._timer.when() % every_s == pytest.approx(0)
            decoder.close()


def test_decoders_start_no_threads_of_their_own() -> None:
    for codec in ("VP8", "H264"):
        assert make_decoder(codec).thread_count == 1
