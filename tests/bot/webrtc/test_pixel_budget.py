"""Frame sizes are limited, for each camera and for all cameras of a room."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor

import pytest

from bot.config import WebrtcSettings
from bot.frames import Undecodable
from bot.tracks import LatestFrameTrack
from bot.webrtc.decoding import FrameDecoder
from bot.webrtc.jitter_buffer import EncodedFrame
from bot.webrtc.peer import PeerState, ReceivingPeer
from bot.webrtc.pixel_budget import PixelBudget
from bot.webrtc.receive_options import ReceiveOptions
from tests.bot.webrtc.test_receiver_fuzz import encode_square
from tests.cameras import Sender, needs_network


def test_a_frame_and_a_room_have_their_own_limits() -> None:
    budget = PixelBudget(frame=100, room=250)
    assert not budget.reserve("a", 101)
    assert budget.reserve("a", 100)
    assert budget.reserve("b", 100)
    assert not budget.reserve("c", 100)
    assert budget.reserve("a", 40), "a smaller size replaces the larger one"
    assert budget.reserve("c", 100)
    budget.release("b")
    assert budget.reserve("d", 100)


@pytest.mark.real_time
@pytest.mark.parametrize("codec", ["VP8", "H264"])
async def test_a_camera_over_the_rooms_budget_is_not_decoded_and_the_others_are(codec: str) -> None:
    budget = PixelBudget(room=128 * 128 + 64 * 64)
    refused, data = asyncio.Event(), await asyncio.to_thread(encode_square, codec, 128)
    with ThreadPoolExecutor(1) as threads:
        options = ReceiveOptions(WebrtcSettings(), threads, budget=budget)
        first_camera, second_camera = LatestFrameTrack("1", "a"), LatestFrameTrack("2", "b")
        first = FrameDecoder(first_camera, options, refused.set)
        second = FrameDecoder(second_camera, options, refused.set)
        first.push(codec, EncodedFrame(data, 1, True, 0.0))
        async with asyncio.timeout(10):
            assert (await first_camera.recv()).luma().shape == (128, 128)
        second.push(codec, EncodedFrame(data, 1, True, 0.0))
        async with asyncio.timeout(10):
            await refused.wait()
        assert second.shown == 0
        first.close()
        second.push(codec, EncodedFrame(data, 2, True, 0.0))
        async with asyncio.timeout(10):
            assert (await second_camera.recv()).luma().shape == (128, 128), "the first camera left"
        second.close()


@needs_network
@pytest.mark.real_time
async def test_a_camera_that_cannot_be_decoded_is_reported_as_undecodable_and_not_as_off() -> None:
    settings = WebrtcSettings(connect_timeout_s=10.0, silence_timeout_s=0.5)
    with ThreadPoolExecutor(1) as threads:
        camera, states = LatestFrameTrack("t", "p"), list[PeerState]()
        options = ReceiveOptions(settings, threads, budget=PixelBudget(frame=100))
        peer, sender = ReceivingPeer(camera, options, lambda _peer, state: states.append(state)), Sender()
        await sender.accept(await peer.answer(await sender.offer()))
        async with asyncio.timeout(20):
            frame = await camera.recv()
        assert frame.av_frame is None
        with pytest.raises(Undecodable):
            frame.luma()
        assert states == [PeerState.CONNECTED]
        sender.camera.running.clear()
        async with asyncio.timeout(20):
            while peer.state is not PeerState.SILENT:  # noqa: ASYNC110
                await asyncio.sleep(0.05)
        await peer.close()
        await sender.close()
