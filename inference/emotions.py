"""The seven visible expressions of FER-2013, in the order of every array of probabilities.

It is the order of the original CSV (Goodfellow et al. 2013, arXiv 1307.0414). Training, the exported model,
the store and the pages share it.
"""

from __future__ import annotations

from typing import Final

EMOTIONS: Final = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Labels by index, from 0."""

CROP_PX: Final = 48
"""Side of a face crop in pixels, as in FER-2013."""
