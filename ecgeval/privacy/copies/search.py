"""Exact nearest neighbours: fast float32 candidates, then a float64 re-rank of what could win.

A kernel gives float32 similarities of a block of queries to all references, and how far rounding
may have moved them. `search` keeps every pair that could be among the k best within that margin,
both for its query and for its reference, and decides between them in float64, ties by index. The
outcome is that of a float64 brute force, whatever the block size or the number of jobs.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from ecgeval.parallel import Progress, map_shards, quiet, shards

__all__ = ["Kernel", "Nearest", "Rows", "best_of", "search"]

MEMORY = 512 * 2**20
"""Default limit on the temporary arrays of a search, bytes; the inputs themselves not counted."""

SERIAL_PAIRS = 500_000
"""Pairs below which starting processes costs more than it saves."""

ROUNDING = 1e-5
"""Relative rounding margin of a float32 product of norms: several times what was ever measured."""


class Nearest(NamedTuple):
    """The k most similar partners of each of n records, best first.

    Attributes
    ----------
    similarity : ndarray of float64, shape (n, k)
        Exact similarity; NaN where there is no partner.
    partner : ndarray of int64, shape (n, k)
        Row of the partner; -1 where there is none.
    """

    similarity: np.ndarray
    partner: np.ndarray

    @classmethod
    def none(cls, n: int, k: int) -> Nearest:
        """Return n records without partners."""
        return cls(np.full((n, k), np.nan), np.full((n, k), -1, np.int64))


@dataclass(frozen=True, eq=False)
class Rows:
    """Some records of an array that may lie on disk, read where they are asked for.

    Parameters
    ----------
    x : ndarray, shape (all, leads, samples)
    rows : ndarray of int, shape (n,)
    """

    x: np.ndarray
    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    def __getitem__(self, index: Any) -> np.ndarray:
        return self.x[self.rows[index]]


class Compared:
    """Queries and references, which every kernel holds.

    Parameters
    ----------
    queries : ndarray of float32 or Rows, shape (n, leads, samples)
    references : ndarray of float32, shape (m, leads, samples)
    """

    def __init__(self, queries: np.ndarray | Rows, references: np.ndarray) -> None:
        self.queries, self.references = queries, references

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.queries), len(self.references)


class Kernel(Protocol):
    """Similarities of queries to references, fast in a block and exact for single pairs."""

    @property
    def shape(self) -> tuple[int, int]:
        """Queries and references."""
        ...

    def block(self, rows: slice) -> tuple[np.ndarray, np.ndarray | float]:
        """Return float32 similarities of these queries to all references, and their margin."""
        ...

    def exact(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Return the float64 similarity of query ``i[p]`` to reference ``j[p]``, pair by pair."""
        ...


def search(
    kernel: Kernel,
    *,
    k: int = 1,
    groups: tuple[np.ndarray, np.ndarray] | None = None,
    memory: int = MEMORY,
    jobs: int = 1,
    stage: str = "search",
    progress: Progress = quiet,
) -> tuple[Nearest, Nearest]:
    """Return each query's k most similar references, and each reference's k most similar queries.

    Parameters
    ----------
    kernel : Kernel
    k : int
        Partners a record; fewer where there are fewer.
    groups : pair of integer arrays, shapes (n,) and (m,), optional
        Pairs of the same group are left out (a patient's other records, a record itself).
    memory : int
        Bytes that temporary arrays may take.
    jobs, stage, progress
        As in `map_shards`.

    Returns
    -------
    by_query, by_reference : Nearest
        Equal to a float64 brute force; ties go to the lower row.
    """
    n, m = kernel.shape
    if n == 0 or m == 0:
        return Nearest.none(n, k), Nearest.none(m, k)
    size = max(1, min(memory // (32 * m), max(256, n // 64)))  # the same for any number of jobs
    parts = shards(n, size)
    work = partial(_block, kernel=kernel, k=k, groups=groups)
    found = map_shards(
        work,
        parts,
        jobs=jobs if n * m > SERIAL_PAIRS else 1,
        stage=stage,
        progress=progress,
        weights=[p.stop - p.start for p in parts],
    )
    by_query = Nearest(*(np.concatenate([f[0][x] for f in found]) for x in (0, 1)))
    value, index = (np.concatenate([f[1][x] for f in found], axis=1) for x in (0, 1))
    order = np.lexsort((index, np.where(index < 0, np.inf, -value)), axis=1)[:, :k]
    return by_query, Nearest(*(np.take_along_axis(a, order, axis=1) for a in (value, index)))


def _block(
    rows: slice, *, kernel: Kernel, k: int, groups: tuple[np.ndarray, np.ndarray] | None
) -> tuple[Nearest, Nearest]:
    """Return the k best of both sides among these queries and all references."""
    close, margin = kernel.block(rows)
    if groups is not None:
        close[groups[0][rows, None] == groups[1][None]] = -np.inf
    lower = close - margin
    close += margin
    # Could be among the k largest of its row or of its column.
    could_win = close >= _kth(lower, k, axis=1)
    could_win |= close >= _kth(lower, k, axis=0)
    could_win &= close > -np.inf
    i, j = np.nonzero(could_win)
    exact = np.empty(len(i))
    for part in shards(len(i), 256):
        exact[part] = kernel.exact(i[part] + rows.start, j[part])
    n, m = close.shape
    return best_of(exact, i, j, n, k, 0), best_of(exact, j, i, m, k, rows.start)


def _kth(value: np.ndarray, k: int, axis: int) -> np.ndarray:
    """Return the k-th largest along an axis, kept as an axis of length 1."""
    k = min(k, value.shape[axis])
    if k == 1:
        return value.max(axis=axis, keepdims=True)
    return np.take(np.partition(value, -k, axis=axis), [-k], axis=axis)


def best_of(
    value: np.ndarray, of: np.ndarray, partner: np.ndarray, n: int, k: int, offset: int = 0
) -> Nearest:
    """Return the k best partners of each of n records from a list of pairs, ties by partner."""
    out = Nearest.none(n, k)
    order = np.lexsort((partner, -value, of))
    of = of[order]
    rank = np.arange(len(of)) - np.searchsorted(of, of)
    keep = rank < k
    at = of[keep], rank[keep]
    out.similarity[at], out.partner[at] = value[order][keep], partner[order][keep] + offset
    return out
