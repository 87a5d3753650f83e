"""Array types shared by the inference and training packages.

Shapes are written beside every use, for example ``Floats  # (N, 4)``.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""Grayscale picture, (height, width), 0..255."""

Floats = npt.NDArray[np.float32]
"""float32 array; its shape stands beside each use."""

Labels = npt.NDArray[np.int64]
"""(N,) indices into ``inference.emotions.EMOTIONS``."""
