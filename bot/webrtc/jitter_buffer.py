"""Puts packets in order and pictures together, steps over gaps, holds back what cannot be decoded.

Comes in: fragments as they arrive. Goes out: whole pictures a decoder can use. Pure: no clock, no I/O.

aiortc's own buffer waits for a lost packet until 512 more have come, which freezes a small picture for
tens of seconds; and a VP8 decoder given the pictures after a gap shows rubbish without an error. So a gap
older than ``GAP_TIMEOUT_S`` is stepped over, and a ``LayerGate`` decides what can be used after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from bot.webrtc.layers import LayerGate
from bot.webrtc.packets import Fragment

GAP_TIMEOUT_S: Final = 0.6
"""How long a lost packet may take to come after all: long enough to be sent again three times by Janus, which
lets 200 ms pass in between, and to be missed and taken at ``BatchTicks`` only."""

_CAPACITY: Final = 512
_MAX_JUMP: Final = 3000
_MAX_MISSING: Final = 128


@dataclass(frozen=True, slots=True)
class EncodedFrame:
    """A whole picture, encoded.

    Attributes:
        data: All of it.
        timestamp: RTP timestamp.
        key: Whether it needs no other picture.
        at_s: When its last packet arrived, monotonic seconds.
        turns: Quarter turns clockwise that set it upright.
    """

    data: bytes
    timestamp: int
    key: bool
    at_s: float
    turns: int = 0


class JitterBuffer:
    """Reorders the packets of one stream."""

    def __init__(self, wanted_fps: float | None = None) -> None:
        """Empty, waiting for the first key frame; ``wanted_fps`` as for ``LayerGate``."""
        self._gate = LayerGate(wanted_fps)
        # By sequence number, not yet in order; in the order of arrival, with when that was.
        self._held: dict[int, tuple[Fragment, float]] = {}
        self._next: int | None = None
        self._parts: list[Fragment] = []  # of the picture being put together
        self._at_boundary = False  # whether the next fragment in order is known to begin a picture
        self._turns = 0

    @property
    def awaiting_key(self) -> bool:
        """Whether pictures are thrown away until the next key frame; ask for one."""
        return self._gate.awaiting_key

    def add(self, fragment: Fragment, now_s: float) -> list[EncodedFrame]:
        """Take a packet and give the pictures it completes, in order.

        Args:
            fragment: What has arrived.
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
        if ahead > _MAX_JUMP:  # the sender began anew
            self._held.clear()
            self._step_to(fragment.sequence)
        self._held.setdefault(fragment.sequence, (fragment, now_s))
        pictures = self._advance(now_s)
        while self._held and self._gives_up(now_s):
            self._step_to(self._resume_at())
            pictures += self._advance(now_s)
        return pictures

    def missing(self) -> list[int]:
        """Sequence numbers worth asking for again, oldest first."""
        if not self._held or self._next is None:
            return []
        newest = max((sequence - self._next) & 0xFFFF for sequence in self._held)
        gaps = ((self._next + ahead) & 0xFFFF for ahead in range(newest))
        return [sequence for sequence in gaps if sequence not in self._held][-_MAX_MISSING:]

    def drop_to_key(self) -> None:
        """Throw pictures away until the next key frame: the decoder could not follow."""
        self._gate.awaiting_key = True

    def _gives_up(self, now_s: float) -> bool:
        """Whether the gap before the held packets is to be stepped over."""
        # The gap is as old as what was first to come after it: gaps behind one another wait at the same time.
        waited_s = now_s - next(iter(self._held.values()))[1]
        # Nothing before a key frame is needed once it has begun to arrive; a later part of the very
        # picture that is being put together (H264: SPS, PPS, IDR) is no such beginning.
        current = self._parts[0].timestamp if self._parts else None
        return (
            waited_s >= GAP_TIMEOUT_S
            or len(self._held) > _CAPACITY
            or any(part.starts_key and part.timestamp != current for part, _ in self._held.values())
        )

    def _resume_at(self) -> int:
        """Where to go on after a gap: the first held key frame, else the first held packet."""
        start = self._next or 0
        ordered = sorted(self._held, key=lambda sequence: (sequence - start) & 0xFFFF)
        return next((sequence for sequence in ordered if self._held[sequence][0].starts_key), ordered[0])

    def _step_to(self, sequence: int) -> None:
        start = self._next or 0
        skipped = (sequence - start) & 0xFFFF
        self._held = {s: held for s, held in self._held.items() if (s - start) & 0xFFFF >= skipped}
        self._next = sequence
        self._parts = []
        self._at_boundary = False
        self._gate.lose()

    def _advance(self, now_s: float) -> list[EncodedFrame]:
        pictures: list[EncodedFrame] = []
        while self._next is not None and self._next in self._held:
            pictures += self._append(self._held.pop(self._next)[0], now_s)
        return pictures

    def _append(self, part: Fragment, now_s: float) -> list[EncodedFrame]:
        """Take the next packet in order."""
        self._next = (part.sequence + 1) & 0xFFFF
        if not part.data:
            return []  # padding
        pictures: list[EncodedFrame] = []
        if self._parts and part.timestamp != self._parts[0].timestamp:
            pictures += self._finish(now_s)  # a sender that sets no marker
        if self._parts or self._at_boundary or part.begins or part.starts_key:
            self._parts.append(part)
        if part.last:
            pictures += self._finish(now_s)
        return pictures

    def _finish(self, now_s: float) -> list[EncodedFrame]:
        parts, self._parts, self._at_boundary = self._parts, [], True
        if not parts:
            return []
        first = parts[0]
        if (turns := parts[-1].turns) is not None:
            self._turns = turns
        # Of an H264 picture the parameter sets may come in a packet of their own, or not first.
        key = first.starts_key or (not first.begins and any(part.starts_key for part in parts))
        if not self._gate.admit(first, key):
            return []
        data = first.data if len(parts) == 1 else b"".join([part.data for part in parts])
        return [EncodedFrame(data, first.timestamp, key, now_s, self._turns)]
