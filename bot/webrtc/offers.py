"""Looks into an offer before aiortc does, and says plainly what is wrong with it.

Comes in: SDP of a stranger. Goes out: nothing, or an error whose text may be shown to its sender. Pure.

OfferError
+-- BadOffer           not SDP, or SDP that does not offer exactly one camera
+-- NoCamera           proper SDP that offers no video at all
+-- UnsupportedVideo   a camera, but in no codec that can be decoded here
"""

from __future__ import annotations

from typing import Final

from aiortc import sdp as aiortc_sdp
from aiortc.codecs import CODECS, is_rtx
from aiortc.rtcpeerconnection import find_common_codecs

MAX_OFFER_CHARS: Final = 64 * 1024
MAX_OFFER_LINES: Final = 500
MAX_OFFER_CODECS: Final = 64
"""With the lines, bounds the time aiortc's parser takes on the event loop: it grows with their product.
A browser's offer of one camera has some 200 lines and 30 codecs."""

MAX_CANDIDATES: Final = 64

_NOT_CODECS: Final = frozenset({"rtx", "red", "ulpfec", "flexfec-03"})

_PARSER_RAISES: Final = (
    ValueError,
    AssertionError,
    LookupError,
    AttributeError,
    TypeError,
    StopIteration,
)
"""What aiortc's SDP parser raises on text that is no SDP."""


class OfferError(Exception):
    """The offer cannot be answered; the text is one line that says what to do."""


class BadOffer(OfferError):
    """Not SDP, or SDP that does not offer exactly one camera."""


class NoCamera(OfferError):
    """Proper SDP that offers no video at all."""


class UnsupportedVideo(OfferError):
    """A camera in no codec that can be decoded.

    Attributes:
        codec: The first codec offered.
    """

    def __init__(self, codec: str) -> None:
        """Say which codec was offered."""
        super().__init__(
            f"the camera is offered as {codec} only: offer VP8 or H264 constrained baseline, "
            "for instance with another browser"
        )
        self.codec = codec


def check_offer(sdp: str) -> None:
    """Make sure that an offer can be answered.

    Args:
        sdp: The offer, with its candidates.

    Raises:
        BadOffer: too long, not SDP, more than a camera in it, or parts missing.
        NoCamera: there is no video in it.
        UnsupportedVideo: the camera's codecs cannot be decoded.
    """
    too_long = len(sdp) > MAX_OFFER_CHARS or len(sdp.splitlines()) > MAX_OFFER_LINES
    if too_long or sdp.count("a=rtpmap:") > MAX_OFFER_CODECS:
        raise BadOffer("the offer is too long: send the browser's offer of one camera unchanged")
    if not sdp.startswith("v=0"):
        raise BadOffer("the offer is no SDP: send the text of RTCPeerConnection.localDescription")
    try:
        description = aiortc_sdp.SessionDescription.parse(sdp)
    except _PARSER_RAISES as exc:
        raise BadOffer(
            "the offer's SDP cannot be read: send the text of RTCPeerConnection.localDescription"
        ) from exc
    videos = [media for media in description.media if media.kind == "video"]
    if not videos:
        raise NoCamera("the offer holds no camera: add a video track, or join without one")
    if len(description.media) != 1:
        raise BadOffer("the offer holds more than one camera: offer one, no microphone and no data channel")
    _check_camera(videos[0])


def _check_camera(media: aiortc_sdp.MediaDescription) -> None:
    if media.port == 0 or media.direction not in ("sendonly", "sendrecv"):
        raise BadOffer("the offered camera is switched off: offer it as sendonly")
    ice = media.ice
    if ice is None or not (ice.usernameFragment and ice.password and media.rtp.muxId and media.rtcp_mux):
        raise BadOffer(
            "the offer lacks ice-ufrag, ice-pwd, mid or rtcp-mux: send the browser's offer unchanged"
        )
    if media.dtls is None or not media.dtls.fingerprints:
        raise BadOffer("the offer lacks a fingerprint or setup line: send the browser's offer unchanged")
    if len(media.ice_candidates) > MAX_CANDIDATES:
        raise BadOffer(f"the offer holds more than {MAX_CANDIDATES} candidates: send fewer")
    offered = [codec for codec in media.rtp.codecs if codec.name.lower() not in _NOT_CODECS]
    common = find_common_codecs(CODECS["video"], media.rtp.codecs)
    if all(is_rtx(codec) for codec in common):
        raise UnsupportedVideo(offered[0].name[:16] if offered else "an unknown codec")
