"""Principal axes of large float32 arrays, in float64."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from ecgeval.parallel import shards

__all__ = ["Axes", "mean_and_scatter", "principal_axes", "project"]

_ROWS = 4096  # records of float32 turned into float64 at once


class Axes(NamedTuple):
    """Principal axes of a set, scaled to unit variance there: ``(x - mean) @ axes``."""

    mean: np.ndarray
    axes: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return project(x, self.mean, self.axes)


def project(x: np.ndarray, mean: np.ndarray, axes: np.ndarray) -> np.ndarray:
    """Return ``(x - mean) @ axes`` in float64, a few rows at a time: `x` may be float32 and big."""
    out = np.empty((len(x), axes.shape[1]))
    for rows in shards(len(x), _ROWS):
        out[rows] = (x[rows].astype(np.float64) - mean) @ axes
    return out


def mean_and_scatter(parts: Sequence[np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of the rows of all parts and their scatter matrix about it, in float64."""
    n, d = sum(map(len, parts)), parts[0].shape[1]
    mean = np.sum([x.sum(axis=0, dtype=np.float64) for x in parts], axis=0) / n
    scatter = np.zeros((d, d))
    for x in parts:
        for rows in shards(len(x), _ROWS):
            centred = x[rows].astype(np.float64) - mean
            scatter += centred.T @ centred
    return mean, scatter


def principal_axes(x: np.ndarray, dimensions: int) -> Axes:
    """Return the leading principal axes of `x`, shape (n, d), without those of no variance."""
    from scipy.linalg import eigh

    d = x.shape[1]
    mean, scatter = mean_and_scatter([x])
    covariance = scatter / max(len(x) - 1, 1)
    variance, axes = eigh(covariance, subset_by_index=(max(0, d - dimensions), d - 1))
    keep = np.flatnonzero(variance > 1e-10 * max(variance[-1], 1e-300))[::-1]
    return Axes(mean, axes[:, keep] / np.sqrt(variance[keep]))
