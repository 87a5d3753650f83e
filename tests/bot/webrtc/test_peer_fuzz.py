"""Mangled offers to a real peer: each is answered or refused with a typed error, and no task is left."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from bot.config import WebrtcSettings
from bot.webrtc.offers import OfferError
from bot.webrtc.peer import PeerError
from tests.cameras import needs_network, offer_text, receiving_peer

pytestmark = [pytest.mark.real_time, pytest.mark.slow, needs_network]

GOOD = offer_text("VP8", "max-fr=30").split("\r\n")
TIMEOUT_S = 10.0

ODD_LINES = st.sampled_from(
    [
        "a=candidate:1 1 udp 1 nobody.local 9 typ host",
        "a=candidate:1 1 udp 1 999.1.2.3 9 typ host",
        "a=candidate:1 1 udp 99999999999999999999 192.0.2.7 99999 typ host",
        "a=candidate:1 1 tcp 1 192.0.2.7 9 typ host tcptype active",
        "a=candidate:1 1 udp 1 :: 0 typ relay raddr x rport y",
        "a=candidate:",
        "a=end-of-candidates",
        "a=ice-lite",
        "a=ice-options:trickle",
        "a=ice-ufrag:",
        "a=ice-pwd:" + "x" * 5000,
        "a=fingerprint:sha-256 00",
        "a=fingerprint:md5 " + ":".join(["AB"] * 16),
        "a=setup:active",
        "a=setup:passive",
        "a=rtpmap:0 VP8/0",
        "a=rtpmap:999 VP8/90000",
        "a=rtpmap:98 VP8/90000/2",
        "a=fmtp:99 apt=99",
        "a=fmtp:99 apt=x",
        "a=rtcp-fb:* nack",
        "a=extmap:0 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=extmap:999 urn:ietf:params:rtp-hdrext:sdes:mid",
        "a=ssrc:99999999999 cname:x",
        "a=ssrc:x cname:x",
        "a=ssrc-group:FID 1",
        "a=group:BUNDLE",
        "a=group:BUNDLE 7 8 9",
        "a=mid:" + "\u0000",
        "a=msid:- -",
        "a=rtcp:x",
        "a=sendrecv",
        "c=IN IP4 999.999.999.999",
        "c=IN IP6 x",
        "m=video 9 UDP/TLS/RTP/SAVPF",
        "m=video -1 UDP/TLS/RTP/SAVPF 98",
        "m=application 9 UDP/DTLS/SCTP webrtc-datachannel",
        "t=x",
        "o=-",
    ]
)


async def check_answer(sdp: str) -> None:
    """Pass an offer to a peer and check that it is answered or refused, and that no task is left."""
    error = ""
    with ThreadPoolExecutor(1) as threads:
        before = asyncio.all_tasks()
        peer = receiving_peer(threads, WebrtcSettings(connect_timeout_s=2.0))
        async with asyncio.timeout(TIMEOUT_S):
            try:
                assert (await peer.answer(sdp)).startswith("v=0")
            except (OfferError, PeerError) as exc:
                error = str(exc)
            await peer.close()
            left = asyncio.all_tasks() - before
            if left:
                await asyncio.wait(left, timeout=5)
        assert "\n" not in error
        assert len(error) < 300
        assert not [task.get_name() for task in asyncio.all_tasks() - before], "a task is left behind"


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    """One event loop for all offers, because aioice keeps the lock of its mDNS across loops."""
    with asyncio.Runner() as runner:
        yield runner


@settings(max_examples=60)
@given(st.integers(0, 2**32), st.lists(ODD_LINES | st.text(max_size=30), max_size=5), st.booleans())
@example(0, ["a=candidate:1 1 udp 1 nobody.local 9 typ host"], True)
@example(0, ["a=candidate:1 1 udp 1 999.1.2.3 9 typ host"], True)
@example(0, ["a=candidate:1 1 udp 1 :: 0 typ relay raddr x rport y"], True)
@example(0, ["a=extmap:999 urn:ietf:params:rtp-hdrext:sdes:mid"], True)
@example(0, ["a=fmtp:99 apt=x"], True)
@example(0, ["a=mid:\x00"], True)
@example(0, ["a=rtpmap:98 VP8/0"], True)
@example(0, ["a=setup:passive"], True)
def test_any_offer_is_answered_or_refused_in_time(
    runner: asyncio.Runner, seed: int, odd: list[str], complete: bool
) -> None:
    rng = random.Random(seed)
    lines = list(GOOD[:-1])
    if not complete:
        for _ in range(rng.randint(0, 3)):
            del lines[rng.randrange(1, len(lines))]
    for line in odd:
        lines.insert(len(lines) if complete else rng.randint(1, len(lines)), line)
    runner.run(check_answer("\r\n".join([*lines, ""])))


@pytest.mark.parametrize("count", [1, 64])
async def test_unreachable_candidates_do_not_delay_the_answer(count: int) -> None:
    extra = "\r\n".join(
        f"a=candidate:{number} 1 udp {number} 198.51.100.{number} 9 typ host" for number in range(1, count)
    )
    await check_answer(offer_text("VP8", "max-fr=30", extra=extra))
