"""Puts the packets of a stream in order and assembles frames; skips gaps. Pure: no clock, no I/O.

aiortc's own buffer waits for a lost packet until 512 more have arrived, which freezes a thumbnail for tens
of seconds. And a VP8 decoder that decodes the frames after a gap outputs garbage without an error. So a gap
older than ``GAP_TIMEOUT_S`` is skipped, and a ``LayerGate`` decides which frames after it can be decoded.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bot.webrtc.layers import LayerGate
from bot.webrtc.packets import Fragment

GAP_TIMEOUT_S: Final = 0.6
"""How long to wait for a lost packet: enough for three retransmissions by Janus, which sends them at least
200 ms apart, and for the delay of batch ticks in detecting the loss and processing the retransmission."""

_CAPACITY: Final = 512
"""Packets held behind a gap; beyond that the gap is skipped."""

_MAX_JUMP: Final = 3000
"""A larger jump of the sequence number means that the sender restarted its numbering."""

_MAX_MISSING: Final = 128
"""Lost packets requested at a time."""


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """A complete frame, encoded.

    Attributes:
        data: The whole frame.
        timestamp: RTP timestamp.
        key: Whether it is a key frame.
        at_s: When its last packet arrived, monotonic seconds.
        rotation: Quarter turns clockwise that set it upright.
    """

    data: bytes
    timestamp: int
    key: bool
    at_s: float
    rotation: int = 0


class JitterBuffer:
    """Reorders the packets of one stream."""

    def __init__(self, wanted_fps: float | None = None) -> None:
        """Start empty, waiting for the first key frame; ``wanted_fps`` as for ``LayerGate``."""
        self._gate = LayerGate(wanted_fps)
        # Packets that are not yet in order, and when they arrived: by sequence number, in order of arrival.
        self._held: dict[int, tuple[Fragment, float]] = {}
        self._next: int | None = None
        self._parts: list[Fragment] = []  # of the frame that is being assembled
        self._at_boundary = False  # whether the next fragment in order is known to begin a frame
        self._rotation = 0

    @property
    def awaiting_key(self) -> bool:
        """Whether frames are dropped until the next key frame; the caller should request one."""
        return self._gate.awaiting_key

    def add(self, fragment: Fragment, now_s: float) -> list[EncodedFrame]:
        """Add a packet and return the frames that it completes, in order.

        Args:
            fragment: The packet's fragment.
            now_s: Monotonic seconds.
        """
        if self._next is None:
            self._next = fragment.sequence
        if fragment.sequence == self._next and not self._held:  # nearly always
            return self._append(fragment, now_s)
        ahead = (fragment.sequence - self._next) & 0xFFFF
        behind = 0x10000 - ahead
        if behind < _MAX_JUMP:
            return []  # late, or a duplicate
        if ahead > _MAX_JUMP:  # the sender restarted its numbers
            self._held.clear()
            self._skip_to(fragment.sequence)
        self._held.setdefault(fragment.sequence, (fragment, now_s))
        frames = self._advance(now_s)
        while self._held and self._should_skip_gap(now_s):
            self._skip_to(self._sequence_after_gap())
            frames += self._advance(now_s)
        return frames

    def missing(self) -> list[int]:
        """Sequence numbers of lost packets to request, oldest first."""
        if not self._held or self._next is None:
            return []
        newest = max((sequence - self._next) & 0xFFFF for sequence in self._held)
        gaps = ((self._next + ahead) & 0xFFFF for ahead in range(newest))
        return [sequence for sequence in gaps if sequence not in self._held][-_MAX_MISSING:]

    def drop_to_key(self) -> None:
        """Drop frames until the next key frame: the decoder has lost one."""
        self._gate.awaiting_key = True

    def _should_skip_gap(self, now_s: float) -> bool:
        """Whether to skip the gap before the held packets."""
        # A gap begins when the first packet after it arrives; the waiting times of several gaps overlap.
        waited_s = now_s - next(iter(self._held.values()))[1]
        # Once a key frame has begun to arrive, nothing before it is needed. A later part of the frame that is
        # being assembled (H264: SPS, PPS, IDR) is not such a beginning.
        current = self._parts[0].timestamp if self._parts else None
        return (
            waited_s >= GAP_TIMEOUT_S
            or len(self._held) > _CAPACITY
            or any(part.starts_key and part.timestamp != current for part, _ in self._held.values())
        )

    def _sequence_after_gap(self) -> int:
        """Where to continue after a gap: the first held key frame, else the first held packet."""
        start = self._next or 0
        ordered = sorted(self._held, key=lambda sequence: (sequence - start) & 0xFFFF)
        return next((sequence for sequence in ordered if self._held[sequence][0].starts_key), ordered[0])

    def _skip_to(self, sequence: int) -> None:
        start = self._next or 0
        skipped = (sequence - start) & 0xFFFF
        self._held = {s: held for s, held in self._held.items() if (s - start) & 0xFFFF >= skipped}
        self._next = sequence
        self._parts = []
        self._at_boundary = False
        self._gate.lose()

    def _advance(self, now_s: float) -> list[EncodedFrame]:
        frames: list[EncodedFrame] = []
        while self._next is not None and self._next in self._held:
            frames += self._append(self._held.pop(self._next)[0], now_s)
        return frames

    def _append(self, part: Fragment, now_s: float) -> list[EncodedFrame]:
        """Append the next packet in order."""
        self._next = (part.sequence + 1) & 0xFFFF
        if not part.data:
            return []  # padding
        frames: list[EncodedFrame] = []
        if self._parts and part.timestamp != self._parts[0].timestamp:
            frames += self._finish(now_s)  # the sender sets no marker
        if self._parts or self._at_boundary or part.begins or part.starts_key:
            self._parts.append(part)
        if part.last:
            frames += self._finish(now_s)
        return frames

    def _finish(self, now_s: float) -> list[EncodedFrame]:
        parts, self._parts, self._at_boundary = self._parts, [], True
        if not parts:
            return []
        first = parts[0]
        if (rotation := parts[-1].rotation) is not None:
            self._rotation = rotation
        # The parameter sets of an H264 frame may arrive in a packet of their own, or not first.
        key = first.starts_key or (not first.begins and any(part.starts_key for part in parts))
        if not self._gate.admit(first, key):
            return []
        data = first.data if len(parts) == 1 else b"".join([part.data for part in parts])
        return [EncodedFrame(data, first.timestamp, key, now_s, self._rotation)]
