"""One decoded video frame and the grayscale picture inside it.

Comes from: a receiver or a file. Goes to: the sampler, which asks for the luma of the few frames it
keeps; frames that are dropped cost no conversion.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

import av
import numpy as np

from inference.arrays import Image

_LUMA_FIRST: Final = frozenset({"yuv420p", "yuvj420p", "yuv422p", "yuvj422p", "yuv444p", "nv12", "gray"})


@dataclass(frozen=True, slots=True, eq=False)
class RawFrame:
    """A decoded frame.

    Attributes:
        at_s: When it arrived, seconds of the monotonic clock.
        picture: As the decoder gave it; its planes are not copied.
    """

    at_s: float
    picture: av.VideoFrame

    def luma(self) -> Image:
        """The Y plane, (height, width), 0..255; a view where the format has one, else converted."""
        picture = self.picture
        if picture.format.name not in _LUMA_FIRST:
            picture = picture.reformat(format="gray")
        plane = picture.planes[0]
        rows = np.frombuffer(memoryview(plane), np.uint8).reshape(plane.height, plane.line_size)
        luma: Image = rows[:, : plane.width]
        return luma
