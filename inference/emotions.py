"""The seven visible expressions of FER-2013, in the order every array of probabilities uses.

The order is the one of the original CSV (Goodfellow et al. 2013, arXiv 1307.0414): index 0 is
``angry``, index 6 is ``neutral``. Training, the exported model, the store and the pages share it.
"""

from __future__ import annotations

from typing import Final

EMOTIONS: Final = ("angry", "disgust", "fear", "happy", "sad", "surprise", "neutral")
"""Labels in index order."""

CROP_PX: Final = 48
"""Side of a face crop in pixels, as FER-2013 has it."""
