"""Which pictures of a stream a decoder can use, and which of those are wanted.

Comes in: whole pictures in order, and word of lost ones. Goes out: yes or no. Pure.

A VP8 stream with temporal layers (L1T3 for instance) builds its layer 0 on layer 0 alone, so the layers
above can be left out before decoding, and a loss among them harms nothing below. Pictures of layer 0 are
numbered; as long as none is missing no key frame is needed. Without layers each picture builds on the one
before: after a loss nothing can be used until the next key frame.
"""

from __future__ import annotations

from typing import Final

from bot.webrtc.packets import Fragment

_TOP: Final = 3
_ALL_LAYERS: Final = 0b1111
_MEASURED_OVER: Final = 4
"""Pictures of layer 0 after which the rates are worked out anew."""

_CLOCK_HZ: Final = 90_000
_GENEROSITY: Final = 1.5
"""By how much more than wanted a layer may give: each has half the pictures of the next above it."""


class LayerGate:
    """Decides picture by picture.

    Attributes:
        awaiting_key: Whether only a key frame can help; ask for one.
    """

    def __init__(self, wanted_fps: float | None = None) -> None:
        """Begin a stream.

        Args:
            wanted_fps: Pictures a second there is use for: layers that would give more are left out, as
                far as they can be told apart. None for all.
        """
        self.awaiting_key = True
        self._wanted_fps = wanted_fps
        self._highest = _TOP  # until the rates are known
        self._lossy = False  # whether something is missing that no picture has been judged by yet
        self._base_doubtful = False  # the same, of pictures of layer 0
        self._base: int | None = None
        self._intact = 1  # bit by layer: whether its pictures so far are all with the decoder
        self._began: int | None = None  # timestamp at which counting began
        self._counted_all = True  # whether nothing has been lost since
        self._bases = 0
        self._counts = [0, 0, 0, 0]

    def lose(self) -> None:
        """Packets are lost for good."""
        self._lossy = self._base_doubtful = True
        self._counted_all = False

    def admit(self, picture: Fragment, key: bool) -> bool:
        """Whether a picture goes to the decoder.

        Args:
            picture: Any fragment of it.
            key: Whether it is a key frame.
        """
        if self._wanted_fps is not None and picture.base is not None:
            self._measure(picture, self._wanted_fps)
        if key:
            self.awaiting_key = self._lossy = self._base_doubtful = False
            self._base, self._intact = picture.base, _ALL_LAYERS
            return True
        if self.awaiting_key:
            return False
        lossy, self._lossy = self._lossy, False
        if picture.base is None or self._base is None:
            self.awaiting_key = lossy
            return not lossy
        if lossy:
            self._intact = 1
        if picture.layer == 0:
            self.awaiting_key = self._base_doubtful and picture.base != (self._base + 1) & 0xFF
            self._base, self._base_doubtful = picture.base, False
            return not self.awaiting_key
        return self._admit_upper(picture)

    def _admit_upper(self, picture: Fragment) -> bool:
        bit = 1 << picture.layer
        below = (bit << 1) - 1
        follows = picture.base == self._base and (picture.sync or self._intact & below == below)
        if not follows or picture.layer > self._highest:
            self._intact &= ~bit
            return False
        self._intact |= bit
        return True

    def _measure(self, picture: Fragment, wanted_fps: float) -> None:
        """Work out how many pictures a second each layer gives with those below it."""
        if picture.layer == 0:
            if self._began is None:
                self._count_from(picture.timestamp)
            elif self._bases >= _MEASURED_OVER:
                self._choose((picture.timestamp - self._began) & 0xFFFFFFFF, wanted_fps)
                self._count_from(picture.timestamp)
            self._bases += 1
        self._counts[picture.layer] += 1

    def _count_from(self, timestamp: int) -> None:
        self._began, self._bases, self._counts, self._counted_all = timestamp, 0, [0, 0, 0, 0], True

    def _choose(self, span: int, wanted_fps: float) -> None:
        highest, total = 0, 0
        for layer, count in enumerate(self._counts):
            total += count
            if count and total * _CLOCK_HZ <= span * wanted_fps * _GENEROSITY:
                highest = layer
        # Where pictures are missing a layer seems to give less than it does: too much may be known by that.
        self._highest = highest if self._counted_all else min(highest, self._highest)
