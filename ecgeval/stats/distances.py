"""Distances between points, and between the distributions of one measure."""

from __future__ import annotations

import numpy as np

from ecgeval.stats.arrays import Floats

__all__ = ["squares"]


def _squared_distances(a: Floats, b: Floats) -> Floats:
    """Return |a_i - b_j|^2, shape (len(a), len(b)), by one matrix product."""
    square = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b)
    return np.maximum(square - 2 * (a @ b.T), 0)


def squares(x: np.ndarray, y: np.ndarray) -> np.ndarray:
    """Return squared distances, shape (len(x), len(y)); float64, so copies come out near 0."""
    return np.maximum((x**2).sum(axis=1)[:, None] + (y**2).sum(axis=1) - 2 * x @ y.T, 0)
