"""Attacks by offers, datagrams and video of a student, or of whoever sees the bot's addresses."""

from __future__ import annotations

import asyncio
import re
import socket
import struct
from contextlib import ExitStack
from fractions import Fraction
from pathlib import Path
from typing import Any, Final

import av
import numpy as np
from aioice import stun
from aioice.ice import get_host_addresses
from aiortc.rtp import RtpPacket

from tests.attack.target import Result, Target, cpu_s
from tests.cameras import Sender, SyntheticCamera, offer_text

_CANDIDATE: Final = re.compile(r"a=candidate:\S+ 1 udp \d+ (\d+\.\d+\.\d+\.\d+) (\d+)")
_MIB: Final = 2**20


async def large_frames(target: Target) -> Result:
    """Key frames of 16 KB that make a decoder allocate 86 MiB each, from three students."""
    made = await target.start_class()
    before = highest = _memory(target.process.pid)
    senders = [Sender(_LargeCamera()) for _ in range(3)]
    for sender in senders:
        await sender.accept(await target.offer(made["code"], await sender.offer()))
    refused = 0
    for _ in range(100):
        await asyncio.sleep(0.25)
        highest = max(highest, _memory(target.process.pid))
        windows = await target.windows_of(made["id"])
        refused = max((window["not_analysed"]["undecodable"] for window in windows), default=0)
        if refused == len(senders):
            break
    for sender in senders:
        await sender.close()
    each = (highest - before) / len(senders) / _MIB
    return Result(
        f"{each:.0f} MiB for each student, {refused} of 3 counted as undecodable",
        refused == len(senders) and each < 25,
    )


class _LargeCamera(SyntheticCamera):
    """A camera of 4096x2304, seldom enough for the machine that encodes it."""

    def __init__(self) -> None:
        super().__init__(fps=1.0)

    async def recv(self) -> av.VideoFrame:
        frame = await super().recv()
        large = av.VideoFrame.from_ndarray(np.full((2304 * 3 // 2, 4096), 128, np.uint8), format="yuv420p")
        large.pts, large.time_base = frame.pts, Fraction(1, 90000)
        return large


async def malformed_datagrams(target: Target) -> Result:
    """20,000 malformed STUN datagrams of a stranger to the socket of a student's connection."""
    answer = await _answer(target)
    address = _addresses(answer)[0]
    attribute = struct.pack("!HH", 0x0024, 1) + bytes(4)
    datagram = struct.pack("!HHI12s", 1, len(attribute), stun.COOKIE, bytes(12)) + attribute
    before = target.log.stat().st_size
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
        for number in range(20_000):
            stranger.sendto(datagram, address)
            if number % 200 == 0:
                await asyncio.sleep(0.002)  # no faster than the server reads, or the kernel drops them
    took_s = await target.response_time_s()
    grown = target.log.stat().st_size - before
    async with target.session.get(f"{target.url}/metrics") as response:
        counted = re.search(r"^classmood_malformed_datagrams(?:_total)? (\S+)", await response.text(), re.M)
    dropped = int(float(counted[1])) if counted else 0
    return Result(
        f"{dropped} dropped and counted, log +{grown} bytes, /healthz {took_s * 1000:.0f} ms",
        dropped > 1000 and grown < 10_000 and took_s < 2.0,
    )


async def many_candidates(target: Target) -> Result:
    """An offer with 64 candidates: on loopback, on low ports, and on this machine's own address."""
    host = get_host_addresses(use_ipv4=True, use_ipv6=False)[0]
    with ExitStack() as stack:
        listeners = []
        for number in range(63):
            listener = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
            listener.bind(("127.0.0.1" if number % 3 == 0 else host, 0))
            listener.setblocking(False)
            listeners.append(listener)
        lines = [
            f"a=candidate:{number} 1 udp 2113937151 {address} {port} typ host"
            for number, (address, port) in enumerate(listener.getsockname() for listener in listeners)
        ]
        await _answer(target, "\r\n".join(lines))
        await asyncio.sleep(3.0)
        counts = [_waiting(listener) for listener in listeners]
    reached, loopback = sum(map(bool, counts)), sum(map(bool, counts[::3]))
    return Result(
        f"{reached} of 63 addresses reached, {loopback} on loopback, {sum(counts)} datagrams in 3 s",
        0 < reached <= 12 and loopback == 0,
    )


async def forged_checks(target: Target) -> Result:
    """A student's checks from 60 addresses that the offer does not name, each hoping for checks in return."""
    answer = await _answer(target)
    address = _addresses(answer)[0]
    fragment, password = (re.search(rf"a=ice-{name}:(\S+)", answer) for name in ("ufrag", "pwd"))
    assert fragment is not None
    assert password is not None
    sent = 0
    with ExitStack() as stack:
        strangers = [stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) for _ in range(60)]
        for stranger in strangers:
            stranger.setblocking(False)
            message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
            message.attributes["USERNAME"], message.attributes["PRIORITY"] = f"{fragment[1]}:abcd", 1
            message.add_message_integrity(password[1].encode())
            sent += stranger.sendto(bytes(message), address)
        await asyncio.sleep(4.0)
        received = [_waiting(stranger) for stranger in strangers]
    checked = sum(count > 1 for count in received)  # one is the response to the check itself
    return Result(
        f"{checked} of 60 addresses checked, {sum(received) / 60:.1f} datagrams for each one sent",
        any(received) and checked <= 4,
    )


async def random_ssrcs(target: Target) -> Result:
    """20,000 authentic packets of one student, each with an SSRC of its own: what the last ones cost."""
    code = (await target.start_class())["code"]
    sender = Sender()
    await sender.accept(await target.offer(code, await sender.offer()))
    transport: Any = sender.connection.getSenders()[0].transport
    async with asyncio.timeout(20):
        while transport.state != "connected":  # noqa: ASYNC110 - aiortc has no event for it
            await asyncio.sleep(0.05)
    sender.camera.running.clear()
    costs_us = []
    for part in range(10):
        before_s = cpu_s(target.process.pid)
        for number in range(2000):
            packet = RtpPacket(97, 0, number, 0, 1_000_000 + part * 2000 + number, bytes(20)).serialize()
            await transport._send_rtp(packet)
            if number % 50 == 0:
                await asyncio.sleep(0.002)
        await asyncio.sleep(0.2)
        costs_us.append((cpu_s(target.process.pid) - before_s) / 2000 * 1e6)
    await sender.close()
    last_us = sum(costs_us[-3:]) / 3
    # The clock has steps of 5 us a packet. Before the number of stored SSRCs was limited, it was 234 us.
    return Result(f"{costs_us[0]:.0f} us a packet at first, {last_us:.0f} us at last", last_us < 100)


def _memory(process_id: int) -> int:
    """Resident memory of a process, bytes."""
    fields = Path(f"/proc/{process_id}/statm").read_text(encoding="ascii").split()
    return int(fields[1]) * 4096


async def _answer(target: Target, candidates: str = "") -> str:
    """The server's answer to the offer of a student who never connects."""
    code = (await target.start_class())["code"]
    lines = offer_text("VP8", "max-fr=30").splitlines()
    own = [line for line in lines if not line.startswith("a=candidate:")]  # nothing is sent to other machines
    return await target.offer(code, "\r\n".join([*own, candidates, ""]))


def _addresses(answer: str) -> list[tuple[str, int]]:
    return [(address, int(port)) for address, port in _CANDIDATE.findall(answer)]


def _waiting(listener: socket.socket) -> int:
    """Datagrams that wait in a socket."""
    count = 0
    while True:
        try:
            listener.recv(2048)
        except BlockingIOError:
            return count
        count += 1
