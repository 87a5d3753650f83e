"""Array types shared by the inference and training packages.

Each docstring gives the shapes of its arrays, for example (N, 4).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

Image = npt.NDArray[np.uint8]
"""Grayscale image, (height, width), 0..255."""

Floats = npt.NDArray[np.float32]
"""float32 array of any shape."""

Labels = npt.NDArray[np.int64]
"""(N,) indices into ``inference.emotions.EMOTIONS``."""
