"""Records that are almost the same record: they must not lie on both sides of a split."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["NEAR_DUPLICATE", "near_duplicates"]

NEAR_DUPLICATE = 0.999
"""Correlation over all leads at lag zero above which two records count as one."""

_BLOCK = 256
_POOL = 4
_CHECKED = 32


def near_duplicates(signals: NDArray[np.float32]) -> NDArray[np.intp]:
    """Return a number a record, the same for records linked by correlations above the limit.

    Exact: sums of four neighbouring samples, over 2, are an orthogonal projection, so two records
    whose projections lie farther apart than sqrt(2 (1 - limit)) need not be looked at; the others
    are compared in full.

    Parameters
    ----------
    signals : ndarray, shape (n, leads, samples)
        Each lead's mean is taken off. A flat record is a duplicate of none.

    Returns
    -------
    ndarray of int, shape (n,)
    """
    n = len(signals)
    same = np.arange(n)
    short = signals.shape[-1] // _POOL * _POOL
    projected = np.empty((n, signals.shape[1] * short // _POOL), np.float32)
    norm = np.empty(n)
    for i in range(0, n, _BLOCK):
        block = _centred(signals[i : i + _BLOCK])
        norm[i : i + _BLOCK] = np.sqrt((block**2).sum(axis=(1, 2), dtype=float))
        pooled = block[..., :short].reshape(*block.shape[:2], -1, _POOL).sum(axis=-1) / 2
        projected[i : i + _BLOCK] = pooled.reshape(len(block), -1)
    live = norm > 1e-9
    projected /= np.where(live, norm, 1)[:, None].astype(np.float32)
    square = (projected**2).sum(axis=1)
    reach = 2 * (1 - NEAR_DUPLICATE) + 1e-5
    for i in range(0, n, _BLOCK):
        rows = slice(i, min(i + _BLOCK, n))
        distance = (
            square[rows, None]
            + square[: rows.stop]
            - 2 * (projected[rows] @ projected[: rows.stop].T)
        )
        near = (distance <= reach) & live[rows, None] & live[: rows.stop]
        for row in np.flatnonzero(near.any(axis=1)):
            _link(signals, i + int(row), np.flatnonzero(near[row, : i + row]), same)
    return same


def _link(
    signals: NDArray[np.float32], row: int, others: NDArray[np.intp], same: NDArray[np.intp]
) -> None:
    """Give `row` and those of `others` that correlate with it one number in `same`."""
    mine = _centred(signals[row : row + 1]).astype(float).ravel()
    while len(others := others[same[others] != same[row]]):
        some, others = others[:_CHECKED], others[_CHECKED:]
        theirs = _centred(signals[some]).astype(float).reshape(len(some), -1)
        size = np.linalg.norm(theirs, axis=1) * np.linalg.norm(mine)
        for other in some[theirs @ mine > NEAR_DUPLICATE * size]:
            same[same == same[other]] = same[row]


def _centred(signals: NDArray[np.float32]) -> NDArray[np.float32]:
    return signals - signals.mean(axis=-1, keepdims=True)
