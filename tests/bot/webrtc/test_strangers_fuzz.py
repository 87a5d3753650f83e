"""Random offers and datagrams of strangers: candidates stay within the rules, and nothing raises."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Iterator
from ipaddress import ip_address

import pytest
from aioice import Candidate, stun
from aiortc.sdp import SessionDescription
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.webrtc.decoding import _vp8_pixels
from bot.webrtc.ice import MAX_PEER_REFLEXIVE, ClosingConnection, GuardedStunProtocol
from bot.webrtc.offers import MAX_USED_CANDIDATES, OfferError, check_offer, usable_offer
from tests.cameras import offer_text

SPECIAL = [
    "127.0.0.1",
    "::1",
    "169.254.1.1",
    "fe80::1%eth0",
    "224.0.0.251",
    "ff02::fb",
    "255.255.255.255",
    "::",
]
MAPPED = [
    "::ffff:127.0.0.1",
    "::ffff:224.0.0.1",
    "64:ff9b::7f00:1",
    "0x7f.1",
    "127.1",
    "2130706433",
    "a.local",
]
ADDRESSES = (
    st.sampled_from(SPECIAL + MAPPED)
    | st.ip_addresses().map(str)
    | st.text(st.characters(codec="utf-8"), max_size=8)
)
PORTS = st.integers(-2, 70_000).map(str) | st.sampled_from(
    ["\uff15\uff10\uff10\uff10\uff10", "5e4", "1_0000", "+50000"]
)
CANDIDATES = st.builds(
    "a=candidate:{}{} {} {} 1 {} {} typ {}".format,
    st.sampled_from(["", " ", "\t", "x "]), st.sampled_from("12"), st.sampled_from("12x"),
    st.sampled_from(["udp", "UDP", "tcp", "\u0075dp\u00a0"]), ADDRESSES, PORTS,
    st.sampled_from(["host", "srflx raddr 1.1.1.1 rport 1", "prflx"]),
)  # fmt: skip
ENDS = st.sampled_from(
    ["a=end-of-candidates", "a=end-of-candidates:", "a=end-of-candidates:x", "a=end-of-candidates "]
)


@settings(deadline=None)
@given(st.lists(CANDIDATES | ENDS | st.text(max_size=20), max_size=30))
@example(["a=end-of-candidates:x"])
@example(["a=candidate:1 1 udp 1 10.0.0.1 70000 typ host"])
def test_no_offer_makes_the_bot_send_to_more_or_other_addresses_than_it_may(extra: list[str]) -> None:
    offer = usable_offer(offer_text("VP8", extra="\r\n".join(extra)))
    assert usable_offer(offer) == offer
    try:
        check_offer(offer)
    except OfferError:
        return
    (media,) = SessionDescription.parse(offer).media
    assert not media.ice_candidates_complete
    assert len(media.ice_candidates) <= MAX_USED_CANDIDATES
    for candidate in media.ice_candidates:
        address = ip_address(candidate.ip)
        assert candidate.protocol.lower() == "udp"
        assert 1024 <= candidate.port <= 65535
        refused = (address.is_loopback, address.is_link_local, address.is_multicast, address.is_reserved)
        assert not any(refused)
        mapped = getattr(address, "ipv4_mapped", None)
        assert mapped is None or not (mapped.is_loopback or mapped.is_multicast)


class FakeSocket:
    """Counts what is sent."""

    def __init__(self) -> None:
        self.sent = 0

    def sendto(self, _data: bytes, _address: tuple[str, int]) -> None:
        self.sent += 1


def attribute(kind: int, body: bytes, excess: int) -> bytes:
    """An attribute that announces a body longer by ``excess`` bytes than it has."""
    return struct.pack("!HH", kind, max(0, len(body) + excess)) + body + bytes(-len(body) % 4)


def message(kind: int, parts: list[bytes], excess: int) -> bytes:
    """A STUN message of these attributes that announces ``excess`` bytes more."""
    return struct.pack("!HHI12s", kind, sum(map(len, parts)) + excess, stun.COOKIE, bytes(12)) + b"".join(
        parts
    )


def attributes() -> st.SearchStrategy[bytes]:
    """STUN attributes of random types, with bodies of wrong sizes and wrong announced lengths."""
    kinds = st.sampled_from([known[0] for known in stun.ATTRIBUTES]) | st.integers(0, 0xFFFF)
    return st.builds(attribute, kinds, st.binary(max_size=24), st.sampled_from([0, 0, 0, 1, -1, 60_000]))


def datagrams() -> st.SearchStrategy[bytes]:
    """STUN messages of random attributes, and other bytes."""
    kinds = st.sampled_from([0x0001, 0x0101, 0x0111, 0x0011, 0x0003]) | st.integers(0, 0x3FFF)
    messages = st.builds(message, kinds, st.lists(attributes(), max_size=6), st.sampled_from([0, 0, 0, 4, 1]))
    return messages | st.binary(max_size=60)


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


def guarded() -> tuple[ClosingConnection, GuardedStunProtocol, FakeSocket, list[str]]:
    """A connection that sends into a fake socket, and the addresses it would check."""
    connection = ClosingConnection(ice_controlling=False)
    connection.remote_username, connection.remote_password = "u", "p" * 22
    protocol, socket, checked = GuardedStunProtocol(connection), FakeSocket(), list[str]()
    protocol.transport = socket  # type: ignore[assignment]
    protocol.local_candidate = Candidate("1", 1, "udp", 1, "192.0.2.1", 1024, "host")
    connection.check_start_task = lambda pair: checked.append(pair.remote_addr[0])  # type: ignore[method-assign]
    connection._early_checks_done = True
    return connection, protocol, socket, checked


@settings(deadline=None)
@given(st.lists(datagrams(), max_size=8))
def test_no_datagram_of_a_stranger_raises_or_is_answered_more_than_once(
    runner: asyncio.Runner, received: list[bytes]
) -> None:
    async def receive() -> None:
        _, protocol, socket, checked = guarded()
        for number, data in enumerate(received):
            protocol.datagram_received(data, (f"192.0.2.{number}", 5000))
        assert socket.sent <= len(received)
        assert not checked, "nobody is checked without the password"

    runner.run(receive())


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(attributes(), st.booleans()), max_size=12))
def test_no_datagram_of_a_student_with_the_password_raises(
    runner: asyncio.Runner, parts: list[tuple[bytes, bool]]
) -> None:
    """A student's browser is told the password, so its checks are authentic, whatever else is in them."""

    async def receive() -> None:
        connection, protocol, _, checked = guarded()
        for number, (part, with_priority) in enumerate(parts):
            check = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
            check.attributes["USERNAME"] = f"{connection.local_username}:u"
            if with_priority:
                check.attributes["PRIORITY"] = number
            head = bytes(check) + part
            head = stun.set_body_length(head, len(head) - stun.HEADER_LENGTH)
            key = connection.local_password.encode()
            signed = head + struct.pack("!HH", 0x0008, 20) + stun.message_integrity(head, key)
            signed = stun.set_body_length(signed, len(signed) - stun.HEADER_LENGTH)
            protocol.datagram_received(signed, (f"203.0.113.{number}", 5000))
        assert len(set(checked)) <= MAX_PEER_REFLEXIVE

    runner.run(receive())


def test_the_signed_checks_of_the_fuzzing_are_accepted(runner: asyncio.Runner) -> None:
    """The measure itself: a check with a priority leads to a check in return."""

    async def receive() -> None:
        connection, protocol, socket, checked = guarded()
        check = stun.Message(stun.Method.BINDING, stun.Class.REQUEST)
        check.attributes["USERNAME"], check.attributes["PRIORITY"] = f"{connection.local_username}:u", 7
        check.add_message_integrity(connection.local_password.encode())
        protocol.datagram_received(bytes(check), ("203.0.113.9", 5000))
        assert socket.sent == 1
        assert checked == ["203.0.113.9"]

    runner.run(receive())


@given(st.binary(max_size=12))
@example(b"\x10\x02\x00\x9d\x01\x2a\x40\x01\xf0\x00")
def test_the_size_in_a_frame_header_is_read_without_errors(data: bytes) -> None:
    assert 0 <= _vp8_pixels(data) <= 0x3FFF**2
