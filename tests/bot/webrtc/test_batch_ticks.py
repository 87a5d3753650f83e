"""RTP packets of all cameras are processed at shared batch ticks."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from bot.webrtc.batch_ticks import BatchTicks
from bot.webrtc.intake import MAX_WAITING, Intake
from tests.bot.webrtc.fake_transport import FakeTransport

SENDER = ("192.0.2.1", 9)
INTERVAL_S = 0.08
TIMER_EARLY_S = 0.01  # how early a timer may fire
RTP, RTCP, STUN = b"\x80\x61 a packet", b"\x80\xc8 a report", b"\x00\x01 a check"


class Camera:
    """An intake and the packets it has passed on, with their reported arrival and the time of processing."""

    def __init__(self, ticks: BatchTicks | None, on_rtp: Callable[[], None] = lambda: None) -> None:
        self.transport = FakeTransport()
        self.rtp: list[tuple[bytes, float, float]] = []
        self.rtcp: list[tuple[bytes, float]] = []
        self.callback = on_rtp
        self.intake = Intake(
            self.transport,  # type: ignore[arg-type]
            self._on_rtp,
            lambda packet, at_s: self.rtcp.append((packet, at_s)),
            time.monotonic,
            ticks,
        )
        self.intake.open()

    def _on_rtp(self, packet: bytes, at_s: float) -> None:
        self.rtp.append((packet, at_s, asyncio.get_running_loop().time()))
        self.callback()


async def test_packets_of_all_cameras_are_processed_together_at_a_tick() -> None:
    ticks = BatchTicks(INTERVAL_S)
    cameras = [Camera(ticks) for _ in range(3)]
    for number in range(4):
        for camera in cameras:
            camera.transport.datagram_received(RTP + bytes([number]), SENDER)
        await asyncio.sleep(0)
    assert not any(camera.rtp for camera in cameras)
    await asyncio.sleep(2 * INTERVAL_S)
    for camera in cameras:
        assert [packet[-1] for packet, *_ in camera.rtp] == [0, 1, 2, 3]
    processed_s = [at_s for camera in cameras for *_, at_s in camera.rtp]
    assert max(processed_s) - min(processed_s) < INTERVAL_S / 2
    assert min(processed_s) % INTERVAL_S < INTERVAL_S / 2  # shortly after a multiple of the interval


async def test_the_reported_time_is_that_of_arrival_not_of_processing() -> None:
    camera, before_s = Camera(BatchTicks(INTERVAL_S)), time.monotonic()
    camera.transport.datagram_received(RTP, SENDER)
    after_s = time.monotonic()
    await asyncio.sleep(2 * INTERVAL_S)
    ((_, at_s, _),) = camera.rtp
    assert before_s <= at_s <= after_s


async def test_rtcp_and_stun_are_processed_at_once() -> None:
    camera, others = Camera(BatchTicks(1e6)), []
    camera.intake.close()
    camera.transport.datagram_received = lambda data, _: others.append(data)  # type: ignore[method-assign]
    camera.intake.open()
    camera.transport.datagram_received(RTCP, SENDER)
    camera.transport.datagram_received(STUN, SENDER)
    assert [packet for packet, _ in camera.rtcp] == [RTCP]
    assert others == [STUN]


async def test_a_full_queue_is_processed_at_once_without_loss() -> None:
    camera = Camera(BatchTicks(1e6))
    for number in range(2 * MAX_WAITING):
        camera.transport.datagram_received(RTP + number.to_bytes(2, "big"), SENDER)
    assert [int.from_bytes(packet[-2:], "big") for packet, *_ in camera.rtp] == list(range(2 * MAX_WAITING))


async def test_without_batch_ticks_packets_are_processed_on_arrival() -> None:
    camera = Camera(None)
    camera.transport.datagram_received(RTP, SENDER)
    assert len(camera.rtp) == 1


async def test_an_error_in_one_camera_does_not_affect_the_others() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    errors: list[object] = []
    asyncio.get_running_loop().set_exception_handler(
        lambda _loop, context: errors.append(context["exception"])
    )
    ticks = BatchTicks(INTERVAL_S)
    broken, working = Camera(ticks, fail), Camera(ticks)
    for camera in (broken, working):
        camera.transport.datagram_received(RTP, SENDER)
    await asyncio.sleep(2 * INTERVAL_S)
    assert len(working.rtp) == 1
    assert [type(error) for error in errors] == [ZeroDivisionError]


async def test_waiting_packets_are_dropped_when_the_camera_is_closed() -> None:
    camera = Camera(BatchTicks(INTERVAL_S))
    camera.transport.datagram_received(RTP, SENDER)
    camera.intake.close()
    await asyncio.sleep(2 * INTERVAL_S)
    assert not camera.rtp


@pytest.mark.parametrize("interval_s", [0.02, INTERVAL_S])
async def test_each_tick_occurs_only_once(interval_s: float) -> None:
    """Timers may fire slightly early; that must not lead to the same tick twice."""
    ticks, ticks_seen = BatchTicks(interval_s), []
    loop = asyncio.get_running_loop()

    def on_tick() -> None:
        # Rounded down: on a busy machine a tick may be late by most of an interval.
        ticks_seen.append((loop.time() + TIMER_EARLY_S) // interval_s)
        ticks.call(on_tick)

    ticks.call(on_tick)
    await asyncio.sleep(12 * interval_s)
    assert len(ticks_seen) >= 3
    assert len(set(ticks_seen)) == len(ticks_seen)
