"""Parses RTP packets: the header (RFC 3550) and the payloads of VP8 (RFC 7741) and H264 (RFC 6184).

Pure functions. They run for every packet of every camera, so they are kept fast.
"""

from __future__ import annotations

from struct import Struct
from typing import Final, NamedTuple

from aiortc.codecs.h264 import H264PayloadDescriptor

CLOCK_HZ: Final = 90_000
"""Clock rate of the RTP timestamps of all video (RFC 7741, 4.1; RFC 6184, 5.1)."""

_HEADER: Final = Struct("!BBHII")
_ONE_BYTE_PROFILE: Final = b"\xbe\xde"
_TWO_BYTE_PROFILE: Final = 0x10  # first byte of 0x100X; the application may use the four bits X
_STOP: Final = 15
_NAL_IDR: Final = 5
_NAL_SPS: Final = 7
_NAL_STAP_A: Final = 24
_NAL_FU_A: Final = 28


class RtpHeader(NamedTuple):
    """An RTP header.

    Attributes:
        payload_type: Identifies the codec.
        marker: Whether the packet is the last of its frame.
        sequence_number: 16 bits.
        timestamp: The same for all packets of a frame.
        ssrc: Identifies the stream.
    """

    payload_type: int
    marker: bool
    sequence_number: int
    timestamp: int
    ssrc: int


class Fragment(NamedTuple):
    """The part of a frame that one packet carries.

    Attributes:
        sequence: RTP sequence number, 16 bits.
        timestamp: RTP timestamp, the same for all fragments of a frame.
        last: Whether the frame ends here, by the RTP marker.
        data: Input for the decoder; empty if the packet is padding.
        starts_key: Whether a key frame starts here.
        begins: Whether a frame begins here, by the payload descriptor (VP8 only).
        layer: Temporal layer of the frame; 0 if the stream has none.
        sync: Whether a frame of an upper layer depends on layer 0 only.
        base: Number of the newest frame of layer 0, 8 bits (TL0PICIDX); None if the stream has no layers.
        rotation: Quarter turns clockwise that set this frame and the following ones upright; None if
            unchanged.
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
    rotation: int | None = None


def parse_rtp(packet: bytes) -> tuple[RtpHeader, bytes]:
    """Split a packet into header and payload, without header extensions and padding.

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
    """Read a header extension (RFC 8285, with one-byte or two-byte headers).

    Args:
        packet: A whole packet that ``parse_rtp`` accepts.
        number: The extension's negotiated identifier.

    Returns:
        The extension's data; None if the packet has no such extension.
    """
    if not packet[0] & 0x10:
        return None
    at = 12 + 4 * (packet[0] & 0x0F)
    end = at + 4 + 4 * (packet[at + 2] << 8 | packet[at + 3])
    short = packet[at : at + 2] == _ONE_BYTE_PROFILE
    if not short and packet[at] != _TWO_BYTE_PROFILE:
        return None
    at += 4
    while at < end - 1:
        if not packet[at]:  # padding
            at += 1
            continue
        if short:
            identifier, length, at = packet[at] >> 4, (packet[at] & 0x0F) + 1, at + 1
            if identifier == _STOP:
                return None
        else:
            identifier, length, at = packet[at], packet[at + 1], at + 2
        if identifier == number:
            return packet[at : at + length] if at + length <= end else None
        at += length
    return None


def fragment(codec: str, sequence: int, timestamp: int, last: bool, payload: bytes) -> Fragment:
    """Parse a payload.

    Args:
        codec: ``VP8`` or ``H264``.
        sequence: RTP sequence number.
        timestamp: RTP timestamp.
        last: RTP marker.
        payload: RTP payload; empty if the packet is padding.

    Raises:
        ValueError: the payload is truncated, or the codec is neither of the two.
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
    """Parse the payload descriptor: the bits X R N S R PID, then the octets for the bits I, L, T, K."""
    first, at = payload[0], 1
    layer, sync, base = 0, False, None
    try:
        if first & 0x80:  # X
            flags, at = payload[1], 2
            if flags & 0x80:  # I: PictureID, one octet or two
                at += 2 if payload[2] & 0x80 else 1
            if flags & 0x40:  # L: TL0PICIDX
                base = payload[at]
                at += 1
            if flags & 0x30:  # T or K
                if flags & 0x20:
                    layer, sync = payload[at] >> 6, bool(payload[at] & 0x20)
                else:
                    base = None  # useless without the layer
                at += 1
            else:
                base = None
    except IndexError:
        raise ValueError("VP8 descriptor is truncated") from None
    if at > len(payload):
        raise ValueError("VP8 descriptor is truncated")
    # The first byte of a frame is the VP8 frame tag (RFC 6386, 9.1): bit 0 is clear in key frames.
    begins = first & 0x1F == 0x10
    starts_key = begins and len(payload) > at and not payload[at] & 1
    return Fragment(sequence, timestamp, last, payload[at:], starts_key, begins, layer, sync, base)


def _starts_idr(payload: bytes) -> bool:
    """Whether an H264 payload begins a key frame: an SPS or an IDR slice."""
    kind = payload[0] & 0x1F
    if kind == _NAL_FU_A:
        return bool(payload[1] & 0x80) and payload[1] & 0x1F == _NAL_IDR
    if kind == _NAL_STAP_A:
        return len(payload) > 3 and payload[3] & 0x1F in (_NAL_IDR, _NAL_SPS)
    return kind in (_NAL_IDR, _NAL_SPS)
