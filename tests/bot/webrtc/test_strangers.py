"""Offers and datagrams of attackers: no traffic to strangers, no log flood, no slow packets."""

from __future__ import annotations

import asyncio
import struct
from concurrent.futures import ThreadPoolExecutor

import pytest
from aioice import Candidate, stun

from bot.webrtc.ice import MAX_PEER_REFLEXIVE, ClosingConnection, GuardedStunProtocol
from bot.webrtc.intake import MAX_SSRCS, Intake
from bot.webrtc.offers import MAX_USED_CANDIDATES, check_offer, usable_offer
from tests.cameras import Sender, needs_network, offer_text, receiving_peer

pytestmark = pytest.mark.real_time


def candidates(sdp: str) -> list[str]:
    return [line for line in sdp.splitlines() if line.startswith("a=candidate:")]


def offered(address: str, port: int = 50000, transport: str = "udp") -> str:
    return f"a=candidate:1 1 {transport} 2113937151 {address} {port} typ host"


@pytest.mark.parametrize(
    ("address", "port", "transport"),
    [
        ("127.0.0.1", 50000, "udp"), ("::1", 50000, "udp"), ("169.254.1.1", 50000, "udp"),
        ("fe80::1", 50000, "udp"), ("224.0.0.251", 5353, "udp"), ("ff02::fb", 5353, "udp"),
        ("255.255.255.255", 50000, "udp"), ("0.0.0.0", 50000, "udp"), ("192.0.2.9", 53, "udp"),
        ("192.0.2.9", 50000, "tcp"), ("1b0e3a3c-b3a5-4c1f.local", 50000, "udp"),
        ("printer.school", 50000, "udp"),
    ],
)  # fmt: skip
def test_the_bot_sends_to_no_special_address_low_port_or_host_name(
    address: str, port: int, transport: str
) -> None:
    offer = usable_offer(offer_text("VP8", extra=offered(address, port, transport)))
    assert candidates(offer) == [offered("192.0.2.7")]
    check_offer(offer)


@pytest.mark.parametrize("address", ["10.1.2.3", "192.168.178.20", "203.0.113.5", "2001:db8::7"])
def test_addresses_of_schools_and_of_the_internet_are_used(address: str) -> None:
    assert offered(address) in candidates(usable_offer(offer_text("VP8", extra=offered(address))))


def test_only_the_first_candidates_are_used() -> None:
    extra = "\r\n".join(offered(f"10.0.0.{number}") for number in range(60))
    assert len(candidates(usable_offer(offer_text("VP8", extra=extra)))) == MAX_USED_CANDIDATES


@needs_network
async def test_an_offer_without_candidates_connects_by_the_senders_own_checks() -> None:
    """Firefox hides its addresses behind .local names and ends its candidates in the offer."""
    with ThreadPoolExecutor(1) as threads:
        peer, sender = receiving_peer(threads), Sender()
        offer = await sender.offer()
        hidden = [line for line in offer.splitlines() if not line.startswith("a=candidate:")]
        assert "a=end-of-candidates" in hidden
        await sender.accept(await peer.answer("\r\n".join(hidden) + "\r\n"))
        frame = await asyncio.wait_for(peer.camera.recv(), 20)
        assert frame.luma().size > 0
        await peer.close()
        await sender.close()


def test_malformed_stun_datagrams_are_dropped_and_counted() -> None:
    attribute = struct.pack("!HH", 0x0024, 1) + b"\0\0\0\0"  # a priority of one byte
    datagram = struct.pack("!HHI12s", 1, len(attribute), 0x2112A442, bytes(12)) + attribute
    with pytest.raises(struct.error):
        stun.parse_message(datagram)

    async def receive() -> None:
        GuardedStunProtocol(ClosingConnection(ice_controlling=False)).datagram_received(
            datagram, ("192.0.2.1", 1)
        )

    before = GuardedStunProtocol.dropped
    asyncio.run(receive())
    assert GuardedStunProtocol.dropped == before + 1


async def test_checks_go_to_few_addresses_that_the_offer_does_not_name() -> None:
    connection = ClosingConnection(ice_controlling=False)
    connection.remote_username, connection.remote_password = "u", "p" * 22
    protocol = GuardedStunProtocol(connection)
    protocol.local_candidate = Candidate("1", 1, "udp", 1, "192.0.2.1", 1024, "host")
    started: list[str] = []
    connection.check_start_task = lambda pair: started.append(pair.remote_addr[0])  # type: ignore[method-assign]
    message = stun.Message(stun.Method.BINDING, stun.Class.REQUEST, attributes={"PRIORITY": 1})
    for number in range(50):
        connection.check_incoming(message, (f"203.0.113.{number}", 40000), protocol)
    assert started == [f"203.0.113.{number}" for number in range(MAX_PEER_REFLEXIVE)]
    connection.check_incoming(message, ("203.0.113.0", 40000), protocol)
    await connection.close()


class FakeSession:
    """An SRTP session that accepts every packet."""

    def __init__(self) -> None:
        self.ssrcs = set[bytes]()

    def unprotect(self, data: bytes) -> bytes:
        self.ssrcs.add(data[8:12])
        return data


def test_a_sender_can_use_only_a_limited_number_of_ssrcs() -> None:
    class Transport:
        _rx_srtp = FakeSession()

    received: list[bytes] = []
    intake = Intake(Transport(), lambda data, _at_s: received.append(data), lambda *_: None, lambda: 0.0)  # type: ignore[arg-type]
    for number in range(5 * MAX_SSRCS):
        intake._enqueue(bytes(8) + number.to_bytes(4, "big") + bytes(20))
    intake._enqueue(bytes(8) + (7).to_bytes(4, "big") + bytes(20))
    assert len(Transport._rx_srtp.ssrcs) == MAX_SSRCS
    assert len(received) == MAX_SSRCS + 1, "known SSRCs are still received"
