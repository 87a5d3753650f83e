"""Checks an offer before aiortc parses it. Pure.

The SDP comes from an untrusted client. The text of an error may be shown to that client.

OfferError
+-- BadOffer           invalid SDP, or SDP that does not offer exactly one camera
+-- NoCamera           valid SDP without video
+-- UnsupportedVideo   a camera, but no codec that can be decoded here
"""

from __future__ import annotations

from ipaddress import ip_address
from typing import Final

from aiortc import sdp as aiortc_sdp
from aiortc.codecs import CODECS, is_rtx
from aiortc.rtcpeerconnection import find_common_codecs

MAX_OFFER_CHARS: Final = 64 * 1024
MAX_OFFER_LINES: Final = 500
MAX_OFFER_CODECS: Final = 64
"""aiortc's parser runs on the event loop and takes time proportional to lines times codecs, so both are
limited. A browser's offer of one camera has about 200 lines and 30 codecs."""

MAX_CANDIDATES: Final = 64

MAX_USED_CANDIDATES: Final = 12
"""The bot sends STUN checks to each candidate, so an offer must not make it send to many strangers. A laptop
with several networks and a TURN server has fewer."""

_PORTS: Final = range(1024, 65536)
_CANDIDATE: Final = "a=candidate:"
_END_OF_CANDIDATES: Final = "a=end-of-candidates"

_NOT_CODECS: Final = frozenset({"rtx", "red", "ulpfec", "flexfec-03"})

_PARSER_RAISES: Final = (
    ValueError,
    AssertionError,
    LookupError,
    AttributeError,
    TypeError,
    StopIteration,
)
"""What aiortc's SDP parser raises for invalid SDP."""


class OfferError(Exception):
    """The offer cannot be answered; the text is one line that says what to do."""


class BadOffer(OfferError):
    """Invalid SDP, or SDP that does not offer exactly one camera."""


class NoCamera(OfferError):
    """Valid SDP without video."""


class UnsupportedVideo(OfferError):
    """A camera, but no codec that can be decoded here.

    Attributes:
        codec: The first codec offered.
    """

    def __init__(self, codec: str) -> None:
        """Name the codec in the error's text."""
        super().__init__(
            f"use another browser, or offer VP8 or H264 constrained baseline: {codec} cannot be decoded here"
        )
        self.codec = codec


def check_offer(sdp: str) -> None:
    """Raise an error if an offer cannot be answered.

    Args:
        sdp: The offer, with its candidates.

    Raises:
        BadOffer: the offer is too long, is not SDP, has more than one camera, or lacks a required line.
        NoCamera: the offer has no video.
        UnsupportedVideo: none of the camera's codecs can be decoded.
    """
    too_long = len(sdp) > MAX_OFFER_CHARS or len(sdp.splitlines()) > MAX_OFFER_LINES
    if too_long or sdp.count("a=rtpmap:") > MAX_OFFER_CODECS:
        raise BadOffer("send the browser's offer of one camera unchanged: this offer is too long")
    if not sdp.startswith("v=0"):
        raise BadOffer("send the text of RTCPeerConnection.localDescription: this offer is not SDP")
    try:
        description = aiortc_sdp.SessionDescription.parse(sdp)
    except _PARSER_RAISES as exc:
        raise BadOffer("send the text of RTCPeerConnection.localDescription: this SDP is invalid") from exc
    videos = [media for media in description.media if media.kind == "video"]
    if not videos:
        raise NoCamera("add a video track, or join without a camera: the offer has no video")
    if len(description.media) != 1:
        raise BadOffer(
            "offer one camera and no microphone or data channel: this offer has more than one media section"
        )
    _check_camera(videos[0])


def usable_offer(sdp: str) -> str:
    """An offer with only those candidates that the bot may send to.

    Left out are: all but UDP, host names (browsers hide addresses behind ``.local`` names), ports below
    1024, loopback, link-local, multicast and reserved addresses, and all candidates after the first
    ``MAX_USED_CANDIDATES``. The browser reaches the bot by its own checks anyway.

    ``a=end-of-candidates`` is left out too: aioice takes an offer without candidates for one without media.
    The connection timeout ends the checks instead.
    """
    lines, used = [], 0
    for line in sdp.splitlines():
        if line.partition(":")[0] == _END_OF_CANDIDATES:  # aiortc ignores what follows a colon
            continue
        if line.startswith(_CANDIDATE):
            if used == MAX_USED_CANDIDATES or not _may_send_to(line):
                continue
            used += 1
        lines.append(line)
    return "\r\n".join(lines) + "\r\n"


def _may_send_to(candidate: str) -> bool:
    fields = candidate.split()
    try:
        transport, address, port = fields[2].lower(), ip_address(fields[4]), int(fields[5])
    except (IndexError, ValueError):
        return False
    special = (
        address.is_loopback
        or address.is_link_local
        or address.is_multicast
        or address.is_unspecified
        or address.is_reserved
    )
    return transport == "udp" and port in _PORTS and not special


def _check_camera(media: aiortc_sdp.MediaDescription) -> None:
    if media.port == 0 or media.direction not in ("sendonly", "sendrecv"):
        raise BadOffer("offer the camera as sendonly: this offer does not send it")
    ice = media.ice
    if ice is None or not (ice.usernameFragment and ice.password and media.rtp.muxId and media.rtcp_mux):
        raise BadOffer(
            "send the browser's offer unchanged: this offer lacks ice-ufrag, ice-pwd, mid or rtcp-mux"
        )
    if media.dtls is None or not media.dtls.fingerprints:
        raise BadOffer("send the browser's offer unchanged: this offer lacks a fingerprint or setup line")
    if len(media.ice_candidates) > MAX_CANDIDATES:
        raise BadOffer(f"send fewer candidates: this offer has more than {MAX_CANDIDATES} candidates")
    offered = [codec for codec in media.rtp.codecs if codec.name.lower() not in _NOT_CODECS]
    common = find_common_codecs(CODECS["video"], media.rtp.codecs)
    if all(is_rtx(codec) for codec in common):
        raise UnsupportedVideo(offered[0].name[:16] if offered else "an unknown codec")
