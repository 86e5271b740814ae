"""What several kinds of figures read from their data."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

__all__ = ["bins", "density", "rate", "times"]


def rate(data: Mapping[str, Any]) -> float:
    """Return the samples per second."""
    return float(data.get("fs", 500))


def times(data: Mapping[str, Any], samples: int) -> np.ndarray:
    """Return the time of each sample of a beat, ms from R."""
    return (np.arange(samples) - data.get("zero", 0)) / rate(data) * 1000


def density(counts: Any, edges: np.ndarray) -> np.ndarray:
    """Return a histogram's density, (k,), from its counts, (k,), and edges, (k + 1,)."""
    counts = np.asarray(counts, float)
    return counts / max(counts.sum(), 1) / np.diff(edges) if counts.size else counts


def bins(edges: Sequence[float], **counts: Sequence[float]) -> Iterator[dict[str, Any]]:
    """Yield a histogram's bins: both ends, and the counts by name."""
    ends = zip(edges[:-1], edges[1:], *counts.values(), strict=True)
    for low, high, *values in ends:
        yield {"low": low, "high": high, **dict(zip(counts, values, strict=True))}
