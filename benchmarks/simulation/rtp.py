"""Makes RTP packets (not yet encrypted) and retransmissions of a VP8 stream, as browsers send them. Pure.

The formats are those of RFC 7741 (VP8) and RFC 4588 (retransmission).
"""

from __future__ import annotations

from collections import OrderedDict
from struct import pack, unpack_from
from typing import Final

from aiortc.codecs.vpx import VpxPayloadDescriptor

from benchmarks.simulation.clips import ClipFrame

VP8_TYPE: Final = 97
RTX_TYPE: Final = 98
"""Payload types in aiortc's offers."""

_PAYLOAD_BYTES: Final = 1100
_HISTORY: Final = 512
"""Sent packets that are kept for retransmission."""


class Packetiser:
    """Makes the packets of one stream and keeps the last ones for retransmission.

    Attributes:
        ssrc: SSRC of the stream.
        rotation: Quarter turns clockwise that set the frames upright; signalled if that was negotiated.
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
        """Start a stream.

        Args:
            ssrc: SSRC of the stream.
            rtx_ssrc: SSRC of its retransmissions; None to send them in the stream itself.
            layered: Whether packets state their temporal layer.
            send_time_id: Identifier of the header extension abs-send-time, if negotiated.
            orientation_id: Identifier of the header extension video-orientation, if negotiated.
            first: First sequence number.
        """
        self.ssrc, self.rotation = ssrc, 0
        self._rtx_ssrc, self._layered = rtx_ssrc, layered
        self._send_time_id, self._orientation_id = send_time_id, orientation_id
        self._sequence, self._rtx_sequence = first & 0xFFFF, 0
        self._picture_id, self._base_id, self._key_id = 0, 0, 0
        self._sent: OrderedDict[int, bytes] = OrderedDict()

    def packets(self, frame: ClipFrame, at_s: float) -> list[bytes]:
        """Make the packets of a frame.

        Args:
            frame: The frame to send.
            at_s: Monotonic seconds. They become the RTP timestamp, so that any process on this machine can
                compute the frame's age.
        """
        self._picture_id = (self._picture_id + 1) & 0x7FFF
        if frame.layer == 0:
            self._base_id = (self._base_id + 1) & 0xFF
        if frame.key:
            self._key_id = (self._key_id + 1) & 0x1F
        data, stamp = frame.data, int(at_s * 90_000) & 0xFFFFFFFF
        parts = [data[at : at + _PAYLOAD_BYTES] for at in range(0, len(data), _PAYLOAD_BYTES)]
        found = []
        for number, part in enumerate(parts):
            descriptor = self._descriptor(frame, begins=number == 0)
            last = number == len(parts) - 1
            found.append(self._packet(VP8_TYPE | (last << 7), stamp, at_s, descriptor + part))
        return found

    def retransmission(self, sequence: int) -> bytes | None:
        """Make a retransmission; None if the packet is no longer kept."""
        packet = self._sent.get(sequence)
        if packet is None or self._rtx_ssrc is None:
            return packet
        words = unpack_from("!I", packet, 4)[0]
        header = packet[: 16 + 4 * unpack_from("!H", packet, 14)[0] if packet[0] & 0x10 else 12]
        rtx_sequence, self._rtx_sequence = self._rtx_sequence, (self._rtx_sequence + 1) & 0xFFFF
        front = pack("!BBHII", header[0], packet[1] & 0x80 | RTX_TYPE, rtx_sequence, words, self._rtx_ssrc)
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
        """Header extensions with one-byte headers (RFC 8285)."""
        found = b""
        if self._send_time_id is not None:
            send_time = int(at_s * (1 << 18)) & 0xFFFFFF
            found += bytes([self._send_time_id << 4 | 2]) + send_time.to_bytes(3, "big")
        if self._orientation_id is not None and last:
            found += bytes([self._orientation_id << 4, self.rotation])
        found += bytes(-len(found) % 4)
        return pack("!HH", 0xBEDE, len(found) // 4) + found if found else b""

    def _descriptor(self, frame: ClipFrame, *, begins: bool) -> bytes:
        if not self._layered:
            return bytes(VpxPayloadDescriptor(int(begins), 0, picture_id=self._picture_id))
        return bytes(
            VpxPayloadDescriptor(
                int(begins),
                0,
                picture_id=self._picture_id,
                tl0picidx=self._base_id,
                tid=(frame.layer, int(frame.sync)),
                keyidx=self._key_id,
            )
        )
