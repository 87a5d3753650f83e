"""Percentiles, as all benchmarks print them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def percentiles(values: Sequence[float]) -> dict[str, float | None]:
    """Compute p50, p95 and p99; each is None if there are no values."""
    if not values:
        return {"p50": None, "p95": None, "p99": None}
    found = np.percentile(np.asarray(values), [50, 95, 99])
    return {f"p{rank}": round(float(value), 2) for rank, value in zip((50, 95, 99), found, strict=True)}
