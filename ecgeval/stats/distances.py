"""Distances between points."""

from __future__ import annotations

import numpy as np

from ecgeval.stats.arrays import Floats

__all__ = ["squared_distances"]


def squared_distances(a: Floats, b: Floats) -> Floats:
    """Return |a_i - b_j|^2, shape (len(a), len(b)), by one matrix product.

    Rounding leaves about the precision of the dtype times the squared norms: in float64 copies come
    out near 0; points that lie far from the origin are best centred first.
    """
    square = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b)
    return np.maximum(square - 2 * (a @ b.T), 0)
