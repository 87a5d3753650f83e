"""What one RTP packet holds: its header (RFC 3550), and of a picture VP8 (RFC 7741) or H264 (RFC 6184).

Comes in: a decrypted packet. Goes out: ``RtpHeader`` and a ``Fragment`` for the frame buffer. Pure, and
lean: this runs for every packet of every camera.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from aiortc.codecs.h264 import H264PayloadDescriptor

_HEADER: Final = Struct("!BBHII")
_ONE_BYTE: Final = b"\xbe\xde"
_TWO_BYTES: Final = 0x10  # of 0x100, with four bits for the application
_STOP: Final = 15
_NAL_IDR: Final = 5
_NAL_SPS: Final = 7
_NAL_STAP_A: Final = 24
_NAL_FU_A: Final = 28


class RtpHeader(NamedTuple):
    """An RTP header.

    Attributes:
        payload_type: Names the codec.
        marker: Whether a picture ends here.
        sequence_number: 16 bits.
        timestamp: The same for all packets of a picture.
        ssrc: Names the stream.
    """

    payload_type: int
    marker: bool
    sequence_number: int
    timestamp: int
    ssrc: int


class Fragment(NamedTuple):
    """A packet's part of a picture.

    Attributes:
        sequence: RTP sequence number, 16 bits.
        timestamp: RTP timestamp, the same for all fragments of a picture.
        last: Whether the marker says that the picture ends here.
        data: What the decoder wants of it; empty in padding.
        starts_key: Whether a key frame starts here.
        begins: Whether the payload itself says that a picture begins here.
        layer: Temporal layer of the picture; 0 where there are none.
        sync: Whether a picture of an upper layer builds on layer 0 alone.
        base: Number of the newest picture of layer 0, 8 bits (TL0PICIDX); None where there are no layers.
        turns: Quarter turns clockwise that set this picture and the following upright; None as before.
    """

    sequence: int
    timestamp: int
    last: bool
    data: bytes
    starts_key: bool
    begins: bool = False
    layer: int = 0
    sync: bool = False
    base: int | None = None
    turns: int | None = None


def parse_rtp(packet: bytes) -> tuple[RtpHeader, bytes]:
    """Take a packet apart; header extensions and padding are dropped.

    Raises:
        ValueError: not RTP, or truncated.
    """
    if len(packet) < _HEADER.size:
        raise ValueError("RTP packet is too short")
    first, second, sequence, timestamp, ssrc = _HEADER.unpack_from(packet)
    start, end = 12 + 4 * (first & 0x0F), len(packet)
    if first & 0x10:
        if end < start + 4:
            raise ValueError("RTP header extension is truncated")
        start += 4 + 4 * (packet[start + 2] << 8 | packet[start + 3])
    if first & 0x20:
        end -= packet[-1]
    if first >> 6 != 2 or start > end:
        raise ValueError("RTP packet is truncated")
    return RtpHeader(second & 0x7F, second > 0x7F, sequence, timestamp, ssrc), packet[start:end]


def extension(packet: bytes, number: int) -> bytes | None:
    """A header extension of a packet that ``parse_rtp`` takes (RFC 8285, headers of one byte or two).

    Args:
        packet: All of it.
        number: Of the extension, as negotiated.

    Returns:
        What it holds; None where the packet has none of that number.
    """
    if not packet[0] & 0x10:
        return None
    at = 12 + 4 * (packet[0] & 0x0F)
    end = at + 4 + 4 * (packet[at + 2] << 8 | packet[at + 3])
    short = packet[at : at + 2] == _ONE_BYTE
    if not short and packet[at] != _TWO_BYTES:
        return None
    at += 4
    while at < end - 1:
        if not packet[at]:  # padding
            at += 1
            continue
        if short:
            found, length, at = packet[at] >> 4, (packet[at] & 0x0F) + 1, at + 1
            if found == _STOP:
                return None
        else:
            found, length, at = packet[at], packet[at + 1], at + 2
        if found == number:
            return packet[at : at + length] if at + length <= end else None
        at += length
    return None


def fragment(codec: str, sequence: int, timestamp: int, last: bool, payload: bytes) -> Fragment:
    """Read a payload.

    Args:
        codec: ``VP8`` or ``H264``.
        sequence: RTP sequence number.
        timestamp: RTP timestamp.
        last: RTP marker.
        payload: RTP payload; empty in padding.

    Raises:
        ValueError: a truncated payload, or a codec that is neither.
    """
    if not payload:
        return Fragment(sequence, timestamp, last, b"", False)
    if codec == "VP8":
        return _vp8(sequence, timestamp, last, payload)
    if codec == "H264":
        _, data = H264PayloadDescriptor.parse(payload)
        return Fragment(sequence, timestamp, last, data, _starts_idr(payload))
    raise ValueError(f"no decoder for {codec}")


def _vp8(sequence: int, timestamp: int, last: bool, payload: bytes) -> Fragment:
    """Read the payload descriptor: X R N S R PID, and with X the octets I L T K name."""
    first, at = payload[0], 1
    layer, sync, base = 0, False, None
    try:
        if first & 0x80:
            given, at = payload[1], 2
            if given & 0x80:  # picture number, one octet or two
                at += 2 if payload[2] & 0x80 else 1
            if given & 0x40:
                base = payload[at]
                at += 1
            if given & 0x30:
                if given & 0x20:
                    layer, sync = payload[at] >> 6, bool(payload[at] & 0x20)
                else:
                    base = None  # of no use without the layer
                at += 1
            else:
                base = None
    except IndexError:
        raise ValueError("VP8 descriptor is truncated") from None
    if at > len(payload):
        raise ValueError("VP8 descriptor is truncated")
    # The first byte of a picture is the VP8 frame tag (RFC 6386, 9.1): bit 0 is clear in key frames.
    begins = first & 0x1F == 0x10
    starts_key = begins and len(payload) > at and not payload[at] & 1
    return Fragment(sequence, timestamp, last, payload[at:], starts_key, begins, layer, sync, base)


def _starts_idr(payload: bytes) -> bool:
    """Whether an H264 payload begins a picture that needs no other: an SPS, or an IDR slice."""
    kind = payload[0] & 0x1F
    if kind == _NAL_FU_A:
        return bool(payload[1] & 0x80) and payload[1] & 0x1F == _NAL_IDR
    if kind == _NAL_STAP_A:
        return len(payload) > 3 and payload[3] & 0x1F in (_NAL_IDR, _NAL_SPS)
    return kind in (_NAL_IDR, _NAL_SPS)
