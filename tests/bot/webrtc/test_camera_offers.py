"""A server's offers of many cameras: what is read from them, and the answers, which aiortc can parse."""

from __future__ import annotations

import time

import pytest
from aiortc import RTCBundlePolicy, RTCConfiguration, RTCPeerConnection, RTCSessionDescription
from aiortc.sdp import SessionDescription
from hypothesis import given
from hypothesis import strategies as st

from bot.webrtc.camera_offers import MAX_OFFER_CHARS, ServerOffer
from bot.webrtc.offers import BadOffer
from bot.webrtc.setup import ORIENTATION
from bot.webrtc.stream import Ssrcs

SESSION = "v=0\r\no=- 1 1 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0 1 2\r\na=ice-lite\r\n"
TRANSPORT = (
    "a=ice-ufrag:server\r\na=ice-pwd:password\r\na=fingerprint:sha-256 AA:BB\r\na=setup:actpass\r\n"
    "a=candidate:1 1 udp 2130706431 192.0.2.1 7882 typ host\r\n"
)
CHANNEL = (
    "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 0.0.0.0\r\na=mid:0\r\n"
    f"{TRANSPORT}a=sctp-port:5000\r\n"
)
ANSWER = (
    "v=0\r\no=- 2 2 IN IP4 0.0.0.0\r\ns=-\r\nt=0 0\r\na=group:BUNDLE 0\r\n"
    "m=application 4000 UDP/DTLS/SCTP webrtc-datachannel\r\nc=IN IP4 198.51.100.7\r\na=mid:0\r\n"
    "a=sctp-port:5000\r\na=candidate:2 1 udp 2130706431 198.51.100.7 4000 typ host\r\n"
    "a=ice-ufrag:bot\r\na=ice-pwd:secret\r\na=fingerprint:sha-256 CC:DD\r\na=setup:active\r\n"
)
CODECS = (
    "a=rtpmap:96 VP8/90000\r\na=rtcp-fb:96 nack\r\na=rtcp-fb:96 goog-remb\r\n"
    "a=rtpmap:97 rtx/90000\r\na=fmtp:97 apt=96\r\n"
    "a=rtpmap:98 VP9/90000\r\na=rtpmap:99 rtx/90000\r\na=fmtp:99 apt=98\r\n"
    "a=rtpmap:125 H264/90000\r\na=fmtp:125 packetization-mode=0;profile-level-id=42e01f\r\n"
    "a=rtpmap:108 H264/90000\r\na=fmtp:108 packetization-mode=1;profile-level-id=42e01f\r\n"
)


def camera(mid: int, sid: str, ssrcs: str, direction: str = "sendonly", codecs: str = CODECS) -> str:
    numbers = " ".join(line[9:].split()[0] for line in codecs.splitlines() if line.startswith("a=rtpmap:"))
    return (
        f"m=video 9 UDP/TLS/RTP/SAVPF {numbers}\r\nc=IN IP4 0.0.0.0\r\na=mid:{mid}\r\n"
        f"{TRANSPORT}a=rtcp-mux\r\n"
        f"{codecs}a=extmap:3 {ORIENTATION}\r\na=extmap:4 urn:other\r\n{ssrcs}"
        f"a=msid:PA_{sid}|TR_{sid} TR_{sid}\r\na={direction}\r\n"
    )


def group(media: int, rtx: int) -> str:
    return f"a=ssrc-group:FID {media} {rtx}\r\na=ssrc:{media} cname:x\r\na=ssrc:{rtx} cname:x\r\n"


def offer_of(*sections: str) -> ServerOffer:
    return ServerOffer(SESSION + CHANNEL + "".join(sections))


def test_without_cameras_the_answer_is_that_of_the_transport() -> None:
    offer = offer_of()
    assert offer.cameras() == {}
    assert offer.ice_ufrag == "server"
    assert offer.answer(ANSWER).splitlines()[-8:] == ANSWER.splitlines()[-8:]
    assert offer.candidates() == ["candidate:1 1 udp 2130706431 192.0.2.1 7882 typ host"]


def test_cameras_are_read_with_the_ssrcs_that_belong_to_them() -> None:
    offer = offer_of(
        camera(1, "a", group(11, 12)),
        camera(2, "b", "a=ssrc:21 cname:x\r\n"),
        camera(3, "c", group(31, 32), "inactive"),
        camera(4, "d", ""),
        camera(5, "e", group(51, 52), codecs="a=rtpmap:98 VP9/90000\r\n"),
    )
    cameras = offer.cameras()
    assert {sid: one.ssrcs for sid, one in cameras.items()} == {
        "TR_a": Ssrcs(11, 12), "TR_b": Ssrcs(21, None)
    }  # fmt: skip
    parameters = cameras["TR_a"].parameters
    assert [(codec.payloadType, codec.name) for codec in parameters.codecs] == [
        (96, "VP8"), (97, "rtx"), (108, "H264")
    ]  # fmt: skip
    assert [(known.id, known.uri) for known in parameters.headerExtensions] == [(3, ORIENTATION)]


def test_the_answer_has_every_section_in_order_and_only_what_can_be_received() -> None:
    answer = offer_of(
        camera(1, "a", group(11, 12)),
        "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=mid:2\r\na=sendonly\r\na=rtpmap:111 opus/48000/2\r\n",
        camera(3, "c", "", "inactive"),
    ).answer(ANSWER)
    description = SessionDescription.parse(answer)
    assert [media.kind for media in description.media] == ["application", "video", "audio", "video"]
    assert [media.rtp.muxId for media in description.media] == ["0", "1", "2", "3"]
    assert [media.port for media in description.media][2] == 0  # refused
    assert [media.direction for media in description.media][1::2] == ["recvonly", "inactive"]
    assert "a=group:BUNDLE 0 1 3" in answer
    video = description.media[1]
    assert [codec.payloadType for codec in video.rtp.codecs] == [96, 97, 108]
    assert {str(feedback.type) for feedback in video.rtp.codecs[0].rtcpFeedback} == {"nack"}
    assert video.ice is not None
    assert video.ice.usernameFragment == "bot"
    assert video.dtls is not None
    assert video.dtls.role == "client"


def test_aiortc_gets_the_data_channel_alone_and_no_candidates() -> None:
    text = offer_of(camera(1, "a", group(11, 12))).transport_offer()
    (media,) = SessionDescription.parse(text).media
    assert media.kind == "application"
    assert media.ice_candidates == []
    assert "a=group:BUNDLE 0\r\n" in text


@pytest.mark.parametrize(
    "sdp",
    ["", "hello", "v=0\r\n", SESSION, SESSION + camera(1, "a", group(1, 2)), SESSION + "x" * MAX_OFFER_CHARS],
)
def test_an_offer_without_a_data_channel_is_refused(sdp: str) -> None:
    with pytest.raises(BadOffer):
        ServerOffer(sdp)


@given(
    st.lists(st.sampled_from((CHANNEL + camera(1, "a", group(1, 2))).splitlines()), max_size=60), st.binary()
)
def test_lines_in_any_order_raise_nothing_else(lines: list[str], noise: bytes) -> None:
    sdp = SESSION + CHANNEL + "\r\n".join(lines) + noise.decode("latin-1")
    try:
        offer = ServerOffer(sdp)
        offer.cameras()
        offer.answer(ANSWER)
    except BadOffer:
        pass


async def test_fifty_cameras_take_a_fraction_of_aiortc_s_time() -> None:
    sections = [camera(number, str(number), group(2 * number, 2 * number + 1)) for number in range(1, 51)]
    channel = CHANNEL.replace("AA:BB", ":".join(["AA"] * 32))
    sdp = SESSION + channel + "".join(sections).replace("AA:BB", ":".join(["AA"] * 32))
    connection = RTCPeerConnection(RTCConfiguration(iceServers=[], bundlePolicy=RTCBundlePolicy.MAX_BUNDLE))
    began_s = time.thread_time()
    await connection.setRemoteDescription(RTCSessionDescription(sdp, "offer"))
    await connection.createAnswer()
    aiortc_s, began_s = time.thread_time() - began_s, time.thread_time()
    offer = ServerOffer(sdp)
    assert len(offer.cameras()) == 50
    offer.answer(ANSWER)
    ours_s = time.thread_time() - began_s
    await connection.close()
    assert ours_s < aiortc_s / 3, (ours_s, aiortc_s)
