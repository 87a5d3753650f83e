"""RTP packets of a VP8 stream (RFC 7741), with what a browser puts into them.

Comes in: encoded pictures. Goes out: packets before encryption, and retransmissions (RFC 4588). Pure.
"""

from __future__ import annotations

from collections import OrderedDict
from struct import pack, unpack_from
from typing import Final

from aiortc.codecs.vpx import VpxPayloadDescriptor

from benchmarks.simulation.clips import ClipPicture

VP8_TYPE: Final = 97
RTX_TYPE: Final = 98
"""Payload types in aiortc's offers."""

_PAYLOAD_BYTES: Final = 1100
_HISTORY: Final = 512


class Packetiser:
    """Numbers the packets of one stream and remembers the last ones.

    Attributes:
        ssrc: Of the stream.
        turns: Quarter turns clockwise that set its pictures upright, said where that is negotiated.
    """

    def __init__(
        self,
        ssrc: int,
        rtx_ssrc: int | None,
        *,
        layered: bool,
        send_time_id: int | None = None,
        orientation_id: int | None = None,
        first: int = 0,
    ) -> None:
        """Begin a stream.

        Args:
            ssrc: Of the stream.
            rtx_ssrc: Of its retransmissions; None to send them in the stream itself.
            layered: Whether the descriptor names temporal layers.
            send_time_id: Number of the header extension abs-send-time, if negotiated.
            orientation_id: Number of the header extension video-orientation, if negotiated.
            first: First sequence number.
        """
        self.ssrc, self.turns = ssrc, 0
        self._rtx_ssrc, self._layered = rtx_ssrc, layered
        self._send_time_id, self._orientation_id = send_time_id, orientation_id
        self._sequence, self._rtx_sequence = first & 0xFFFF, 0
        self._picture_id, self._base_id, self._key_id = 0, 0, 0
        self._sent: OrderedDict[int, bytes] = OrderedDict()

    def packets(self, picture: ClipPicture, at_s: float) -> list[bytes]:
        """The packets of a picture.

        Args:
            picture: What to send.
            at_s: Monotonic seconds; becomes the RTP timestamp, so that any process here can tell its age.
        """
        self._picture_id = (self._picture_id + 1) & 0x7FFF
        if picture.layer == 0:
            self._base_id = (self._base_id + 1) & 0xFF
        if picture.key:
            self._key_id = (self._key_id + 1) & 0x1F
        data, stamp = picture.data, int(at_s * 90_000) & 0xFFFFFFFF
        parts = [data[at : at + _PAYLOAD_BYTES] for at in range(0, len(data), _PAYLOAD_BYTES)]
        found = []
        for number, part in enumerate(parts):
            descriptor = self._descriptor(picture, begins=number == 0)
            last = number == len(parts) - 1
            found.append(self._packet(VP8_TYPE | (last << 7), stamp, at_s, descriptor + part))
        return found

    def again(self, sequence: int) -> bytes | None:
        """A retransmission; None if the packet is forgotten."""
        packet = self._sent.get(sequence)
        if packet is None or self._rtx_ssrc is None:
            return packet
        words = unpack_from("!I", packet, 4)[0]
        header = packet[: 16 + 4 * unpack_from("!H", packet, 14)[0] if packet[0] & 0x10 else 12]
        sequence_again, self._rtx_sequence = self._rtx_sequence, (self._rtx_sequence + 1) & 0xFFFF
        front = pack("!BBHII", header[0], packet[1] & 0x80 | RTX_TYPE, sequence_again, words, self._rtx_ssrc)
        return front + header[12:] + pack("!H", sequence) + packet[len(header) :]

    def _packet(self, marked_type: int, stamp: int, at_s: float, payload: bytes) -> bytes:
        extensions = self._extensions(at_s, last=marked_type > 0x7F)
        first = 0x90 if extensions else 0x80
        packet = pack("!BBHII", first, marked_type, self._sequence, stamp, self.ssrc) + extensions + payload
        self._sent[self._sequence] = packet
        if len(self._sent) > _HISTORY:
            self._sent.popitem(last=False)
        self._sequence = (self._sequence + 1) & 0xFFFF
        return packet

    def _extensions(self, at_s: float, *, last: bool) -> bytes:
        """With one-byte headers (RFC 8285)."""
        found = b""
        if self._send_time_id is not None:
            send_time = int(at_s * (1 << 18)) & 0xFFFFFF
            found += bytes([self._send_time_id << 4 | 2]) + send_time.to_bytes(3, "big")
        if self._orientation_id is not None and last:
            found += bytes([self._orientation_id << 4, self.turns])
        found += bytes(-len(found) % 4)
        return pack("!HH", 0xBEDE, len(found) // 4) + found if found else b""

    def _descriptor(self, picture: ClipPicture, *, begins: bool) -> bytes:
        if not self._layered:
            return bytes(VpxPayloadDescriptor(int(begins), 0, picture_id=self._picture_id))
        return bytes(
            VpxPayloadDescriptor(
                int(begins),
                0,
                picture_id=self._picture_id,
                tl0picidx=self._base_id,
                tid=(picture.layer, int(picture.sync)),
                keyidx=self._key_id,
            )
        )
