"""Offers that can be answered pass the check; all others raise the error for their fault."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bot.webrtc.offers import BadOffer, NoCamera, OfferError, UnsupportedVideo, check_offer
from tests.cameras import Sender, offer_text

BASELINE = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=42e01f"
HIGH = "level-asymmetry-allowed=1;packetization-mode=1;profile-level-id=640c1f"


async def test_the_offer_of_a_real_sender_is_accepted() -> None:
    sender = Sender()
    try:
        check_offer(await sender.offer())
    finally:
        await sender.close()


@pytest.mark.parametrize(("codec", "fmtp"), [("VP8", "max-fr=30"), ("H264", BASELINE)])
def test_decodable_codecs_are_accepted(codec: str, fmtp: str) -> None:
    check_offer(offer_text(codec, fmtp))


@pytest.mark.parametrize(
    ("codec", "fmtp", "name"),
    [("VP9", "profile-id=0", "VP9"), ("AV1", "profile=0", "AV1"), ("H264", HIGH, "H264")],
)
def test_an_unsupported_codec_is_named_in_the_error(codec: str, fmtp: str, name: str) -> None:
    with pytest.raises(UnsupportedVideo) as caught:
        check_offer(offer_text(codec, fmtp))
    assert caught.value.codec == name
    assert "\n" not in str(caught.value)


def test_an_offer_without_video_is_refused() -> None:
    for sdp in ("v=0\r\no=- 1 2 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n", offer_text("opus", media="audio")):
        with pytest.raises(NoCamera):
            check_offer(sdp)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("m=video 9", "m=video 0"),
        ("a=sendonly", "a=inactive"),
        ("a=sendonly", "a=recvonly"),
        ("a=ice-ufrag:abcd\r\n", ""),
        ("a=ice-pwd:abcdefghijklmnopqrstuvwx\r\n", ""),
        ("a=setup:actpass\r\n", ""),
        ("a=setup:actpass", "a=setup:nonsense"),
        ("a=fingerprint:", "a=nothing:"),
        ("a=mid:0\r\n", ""),
        ("a=rtcp-mux\r\n", ""),
        ("a=rtpmap:98 VP8/90000", "a=rtpmap:98"),
        ("a=fmtp:98", "a=fmtp:77"),
        ("v=0", "x=0"),
    ],
)
def test_offers_that_aiortc_cannot_process_are_refused(old: str, new: str) -> None:
    sdp = offer_text("VP8", "max-fr=30")
    assert old in sdp
    with pytest.raises(BadOffer):
        check_offer(sdp.replace(old, new, 1))


def test_an_offer_of_two_cameras_is_refused() -> None:
    video = offer_text("VP8", "max-fr=30")
    with pytest.raises(BadOffer, match="offer one camera"):
        check_offer(video + video[video.index("m=video") :])


@pytest.mark.parametrize(
    "filler", ["a=x\r\n" * 501, "a=x\r" * 501, "a=" + "x" * 65536 + "\r\n", "a=rtpmap:1 a/1\r\n" * 65]
)
def test_an_offer_that_is_too_long_is_refused(filler: str) -> None:
    with pytest.raises(BadOffer, match="too long"):
        check_offer(offer_text("VP8", "max-fr=30", extra=filler))


def test_too_many_candidates_are_refused() -> None:
    sdp = offer_text("VP8", "max-fr=30")
    line = next(line for line in sdp.splitlines() if line.startswith("a=candidate"))
    check_offer(sdp.replace(line, "\r\n".join([line] * 64)))
    with pytest.raises(BadOffer, match="64 candidates"):
        check_offer(sdp.replace(line, "\r\n".join([line] * 65)))


@settings(deadline=None)  # the machine may be busy
@given(st.text(max_size=300), st.integers(0, 700), st.integers(0, 60))
def test_mangled_offers_raise_only_offer_errors(noise: str, at: int, cut: int) -> None:
    sdp = offer_text("VP8", "max-fr=30")
    error = ""
    try:
        check_offer(sdp[:at] + noise + sdp[at + cut :])
    except OfferError as exc:
        error = str(exc)
    assert "\n" not in error
