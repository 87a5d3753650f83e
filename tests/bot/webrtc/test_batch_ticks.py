"""Packets are taken at moments all cameras share."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from bot.webrtc.batch_ticks import BatchTicks
from bot.webrtc.intake import MAX_WAITING, Intake
from tests.bot.webrtc.fake_transport import FakeTransport

FROM = ("192.0.2.1", 9)
EVERY_S = 0.08
RTP, RTCP, STUN = b"\x80\x61 a packet", b"\x80\xc8 a report", b"\x00\x01 a check"


class Camera:
    """An intake and what came out of it: when, and when it says that it came."""

    def __init__(self, moments: BatchTicks | None, on_rtp: Callable[[], None] = lambda: None) -> None:
        self.transport = FakeTransport()
        self.rtp: list[tuple[bytes, float, float]] = []
        self.rtcp: list[tuple[bytes, float]] = []
        self.taken = on_rtp
        self.intake = Intake(
            self.transport,  # type: ignore[arg-type]
            self._on_rtp,
            lambda packet, at_s: self.rtcp.append((packet, at_s)),
            time.monotonic,
            moments,
        )
        self.intake.open()

    def _on_rtp(self, packet: bytes, at_s: float) -> None:
        self.rtp.append((packet, at_s, asyncio.get_running_loop().time()))
        self.taken()


async def test_packets_of_all_cameras_are_taken_in_one_go_at_a_shared_moment() -> None:
    moments = BatchTicks(EVERY_S)
    cameras = [Camera(moments) for _ in range(3)]
    for number in range(4):
        for camera in cameras:
            camera.transport.datagram_received(RTP + bytes([number]), FROM)
        await asyncio.sleep(0)
    assert not any(camera.rtp for camera in cameras)
    await asyncio.sleep(2 * EVERY_S)
    for camera in cameras:
        assert [packet[-1] for packet, *_ in camera.rtp] == [0, 1, 2, 3]
    taken_s = [at_s for camera in cameras for *_, at_s in camera.rtp]
    assert max(taken_s) - min(taken_s) < EVERY_S / 2
    assert min(taken_s) % EVERY_S < EVERY_S / 2  # a multiple, and a little


async def test_a_packet_says_when_it_came_not_when_it_was_taken() -> None:
    camera, before_s = Camera(BatchTicks(EVERY_S)), time.monotonic()
    camera.transport.datagram_received(RTP, FROM)
    after_s = time.monotonic()
    await asyncio.sleep(2 * EVERY_S)
    ((_, at_s, _),) = camera.rtp
    assert before_s <= at_s <= after_s


async def test_reports_and_everything_else_do_not_wait() -> None:
    camera, others = Camera(BatchTicks(1e6)), []
    camera.intake.close()
    camera.transport.datagram_received = lambda data, _: others.append(data)  # type: ignore[method-assign]
    camera.intake.open()
    camera.transport.datagram_received(RTCP, FROM)
    camera.transport.datagram_received(STUN, FROM)
    assert [packet for packet, _ in camera.rtcp] == [RTCP]
    assert others == [STUN]


async def test_a_flood_is_taken_at_once_and_nothing_of_it_is_lost() -> None:
    camera = Camera(BatchTicks(1e6))
    for number in range(2 * MAX_WAITING):
        camera.transport.datagram_received(RTP + number.to_bytes(2, "big"), FROM)
    assert [int.from_bytes(packet[-2:], "big") for packet, *_ in camera.rtp] == list(range(2 * MAX_WAITING))


async def test_without_moments_packets_are_taken_as_they_come() -> None:
    camera = Camera(None)
    camera.transport.datagram_received(RTP, FROM)
    assert len(camera.rtp) == 1


async def test_an_error_in_one_camera_keeps_nothing_from_the_others() -> None:
    def fail() -> None:
        raise ZeroDivisionError

    told: list[object] = []
    asyncio.get_running_loop().set_exception_handler(lambda _loop, context: told.append(context["exception"]))
    moments = BatchTicks(EVERY_S)
    broken, whole = Camera(moments, fail), Camera(moments)
    for camera in (broken, whole):
        camera.transport.datagram_received(RTP, FROM)
    await asyncio.sleep(2 * EVERY_S)
    assert len(whole.rtp) == 1
    assert [type(error) for error in told] == [ZeroDivisionError]


async def test_what_waits_when_a_camera_is_closed_is_dropped() -> None:
    camera = Camera(BatchTicks(EVERY_S))
    camera.transport.datagram_received(RTP, FROM)
    camera.intake.close()
    await asyncio.sleep(2 * EVERY_S)
    assert not camera.rtp


@pytest.mark.parametrize("every_s", [0.02, EVERY_S])
async def test_a_moment_comes_once(every_s: float) -> None:
    """Timers may fire a little before their time: the same moment must not come again then."""
    moments, came = BatchTicks(every_s), []
    loop = asyncio.get_running_loop()

    def come() -> None:
        came.append(round(loop.time() / every_s))
        moments.call(come)

    moments.call(come)
    await asyncio.sleep(12 * every_s)
    assert len(came) >= 3
    assert len(set(came)) == len(came)
