"""Decides which frames of a stream can be decoded, and which of those are wanted. Pure.

In a VP8 stream with temporal layers (for instance L1T3) the frames of layer 0 depend on layer 0 only. So the
upper layers can be dropped before decoding, and a loss in them harms no layer below. Frames of layer 0 are
numbered; while no number is missing, no key frame is needed. In a stream without layers each frame depends
on the one before it: after a loss nothing can be decoded until the next key frame.
"""

from __future__ import annotations

from typing import Final

from bot.webrtc.packets import CLOCK_HZ, Fragment

_TOP_LAYER: Final = 3
_ALL_LAYERS: Final = 0b1111
_BASE_FRAMES_PER_MEASUREMENT: Final = 4
"""The frame rates are measured over this number of frames of layer 0."""

_TOLERANCE: Final = 1.5
"""The frame rate up to a chosen layer may exceed the wanted rate by this factor: each layer doubles the rate,
so an exact match is rare."""


class LayerGate:
    """Decides for each frame whether it is passed to the decoder.

    Attributes:
        awaiting_key: Whether all frames are dropped until the next key frame; the caller should request one.
    """

    def __init__(self, wanted_fps: float | None = None) -> None:
        """Start a stream.

        Args:
            wanted_fps: Frames a second that can be used. Temporal layers beyond that rate are dropped. None
                for all frames.
        """
        self.awaiting_key = True
        self._wanted_fps = wanted_fps
        self._highest = _TOP_LAYER  # until the rates are known
        self._lossy = False  # whether there was a loss since the last frame
        self._base_doubtful = False  # the same since the last frame of layer 0
        self._base: int | None = None  # number of the newest frame of layer 0
        self._intact = 1  # bit by layer: whether the decoder has all its frames so far
        self._began: int | None = None  # RTP timestamp at which measuring began
        self._counts_complete = True  # whether nothing was lost since then
        self._bases = 0
        self._counts = [0, 0, 0, 0]

    def lose(self) -> None:
        """Note that packets are lost for good."""
        self._lossy = self._base_doubtful = True
        self._counts_complete = False

    def admit(self, first: Fragment, key: bool) -> bool:
        """Decide whether a frame is passed to the decoder.

        Args:
            first: The frame's first fragment.
            key: Whether it is a key frame.
        """
        if self._wanted_fps is not None and first.base is not None:
            self._measure(first, self._wanted_fps)
        if key:
            self.awaiting_key = self._lossy = self._base_doubtful = False
            self._base, self._intact = first.base, _ALL_LAYERS
            return True
        if self.awaiting_key:
            return False
        lossy, self._lossy = self._lossy, False
        if first.base is None or self._base is None:  # no layers
            self.awaiting_key = lossy
            return not lossy
        if lossy:
            self._intact = 1
        if first.layer == 0:
            # After a loss in the upper layers only, the number follows the last one.
            self.awaiting_key = self._base_doubtful and first.base != (self._base + 1) & 0xFF
            self._base, self._base_doubtful = first.base, False
            return not self.awaiting_key
        return self._admit_upper(first)

    def _admit_upper(self, first: Fragment) -> bool:
        bit = 1 << first.layer
        up_to_layer = (bit << 1) - 1
        follows = first.base == self._base and (first.sync or self._intact & up_to_layer == up_to_layer)
        if not follows or first.layer > self._highest:
            self._intact &= ~bit
            return False
        self._intact |= bit
        return True

    def _measure(self, first: Fragment, wanted_fps: float) -> None:
        """Measure the frame rate up to each layer, and choose the highest layer to decode."""
        if first.layer == 0:
            if self._began is None:
                self._count_from(first.timestamp)
            elif self._bases >= _BASE_FRAMES_PER_MEASUREMENT:
                self._choose((first.timestamp - self._began) & 0xFFFFFFFF, wanted_fps)
                self._count_from(first.timestamp)
            self._bases += 1
        self._counts[first.layer] += 1

    def _count_from(self, timestamp: int) -> None:
        self._began, self._bases, self._counts, self._counts_complete = timestamp, 0, [0, 0, 0, 0], True

    def _choose(self, span: int, wanted_fps: float) -> None:
        highest, total = 0, 0
        for layer, count in enumerate(self._counts):
            total += count
            if count and total * CLOCK_HZ <= span * wanted_fps * _TOLERANCE:
                highest = layer
        # A loss makes a layer's rate seem too low, so only the choice of a lower layer can be trusted.
        self._highest = highest if self._counts_complete else min(highest, self._highest)
