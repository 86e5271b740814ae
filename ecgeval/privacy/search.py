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

__all__ = ["Euclid", "Kernel", "Lagged", "Nearest", "search"]

MEMORY = 512 * 2**20
"""Default limit on the temporary arrays of a search, bytes; the inputs themselves not counted."""

_SERIAL = 500_000
"""Pairs below which starting processes costs more than it saves."""

_ROUNDING = 1e-5
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


@dataclass(frozen=True, eq=False)
class Euclid:
    """Minus the squared Euclidean distance.

    |a|^2 + |b|^2 - 2ab in float32 loses the small distances of copies (true d^2 = 0.04 came out
    between -0.08 and 0.25 at squared norms of 4e4), hence the margin and the re-rank.

    Parameters
    ----------
    queries, references : ndarray of float32, shape (n, d) and (m, d)
    """

    queries: np.ndarray
    references: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.queries), len(self.references)

    def block(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        a, b = self.queries[rows], self.references
        norms = np.add.outer(np.einsum("id,id->i", a, a), np.einsum("jd,jd->j", b, b))
        return 2 * (a @ b.T) - norms, np.float32(_ROUNDING) * norms

    def exact(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        a, b = self.queries[i].astype(np.float64), self.references[j]
        return -((a - b) ** 2).sum(axis=1)


class Lagged:
    """Normalised cross-correlation of multi-lead signals, best over lags, on the overlap.

    ``max_tau sum_l <x_l, y_l(. + tau)> / (|x| |y|)``, one lag and one gain for all leads, norms
    taken over the samples where both signals are present, so that what a shift brought in from
    elsewhere does not count. Lags at which either signal keeps less than a quarter of its energy
    are left out. Cross-spectra are products over leads, one frequency at a time; the correlation
    is zero-padded and so not circular.

    Parameters
    ----------
    queries, references : ndarray of float32, shape (n, leads, samples) and (m, leads, samples)
        Not all zero in any record.
    max_lag : int
        Largest lag looked at, samples.

    References
    ----------
    Lewis JP. Fast normalized cross-correlation. Vision Interface 1995:120-123 (norms over the
    overlap from running sums).
    """

    TILE = (16, 32)  # queries x references: their correlations stay in the cache
    MIN_SHARE = 0.25

    def __init__(self, queries: np.ndarray, references: np.ndarray, max_lag: int) -> None:
        from scipy.fft import next_fast_len

        self.queries, self.references, self.max_lag = queries, references, max_lag
        self.length = next_fast_len(queries.shape[2] + max_lag, real=True)
        self.margin = _ROUNDING / self.MIN_SHARE
        self._spectra = self._by_frequency(references).transpose(0, 2, 1)  # (f, leads, m)
        self._weights = [self._overlap(x, side) for x, side in ((queries, 1), (references, -1))]

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.queries), len(self.references)

    @property
    def lags(self) -> np.ndarray:
        """Lags in samples, in the order of the correlations."""
        return np.arange(-self.max_lag, self.max_lag + 1)

    def _by_frequency(self, x: np.ndarray) -> np.ndarray:
        from scipy.fft import rfft

        return np.ascontiguousarray(rfft(x, self.length).transpose(2, 0, 1))  # (f, n, leads)

    def _overlap(self, x: np.ndarray, side: int) -> np.ndarray:
        """Return 1/norm over the overlap at each lag, shape (n, lags); 0 where it is too small."""
        out = np.zeros((len(x), 2 * self.max_lag + 1))
        for rows in shards(len(x), 256):
            energy = np.einsum("nls,nls->ns", x[rows], x[rows], dtype=np.float64)
            front = np.cumsum(energy, axis=1)  # energy of samples 0..s
            back = np.cumsum(energy[:, ::-1], axis=1)[:, ::-1]  # energy of samples s..end
            lag = np.arange(self.max_lag + 1)
            head, tail = front[:, front.shape[1] - 1 - lag], back[:, lag]
            # Query sample n meets reference sample n + lag: at positive lags the query's head is
            # left over the reference's tail.
            later, earlier = (head, tail) if side > 0 else (tail, head)
            kept = np.concatenate([earlier[:, :0:-1], later], axis=1)
            enough = kept >= self.MIN_SHARE * front[:, -1:]
            out[rows] = np.where(enough, 1 / np.sqrt(np.where(enough, kept, 1)), 0)
        return out

    def _lags_of(self, correlation: np.ndarray) -> np.ndarray:
        """Return lags -max_lag..max_lag along the first axis of a circular correlation."""
        m = self.max_lag
        return np.concatenate([correlation[len(correlation) - m :], correlation[: m + 1]])

    def block(self, rows: slice) -> tuple[np.ndarray, float]:
        from scipy.fft import irfft

        start, stop, _ = rows.indices(len(self.queries))
        out = np.empty((stop - start, len(self.references)), np.float32)
        wq, wr = (w.T.astype(np.float32) for w in self._weights)
        for q in shards(stop - start, self.TILE[0]):
            at = slice(start + q.start, start + q.stop)
            spectra = self._by_frequency(self.queries[at]).conj()
            for r in shards(len(self.references), self.TILE[1]):
                cross = spectra @ self._spectra[:, :, r]
                rho = self._lags_of(irfft(cross, self.length, axis=0, overwrite_x=True))
                rho *= wq[:, at, None]
                rho *= wr[:, None, r]
                out[q, r] = rho.max(axis=0)
        return out, self.margin

    def correlations(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Return the float64 correlation at every lag of pairs, shape (pairs, lags)."""
        from scipy.fft import irfft, rfft

        x = rfft(self.queries[i].astype(np.float64), self.length)
        y = rfft(self.references[j].astype(np.float64), self.length)
        circular = irfft((x.conj() * y).sum(axis=1), self.length)
        return self._lags_of(circular.T).T * self._weights[0][i] * self._weights[1][j]

    def exact(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return np.minimum(self.correlations(i, j).max(axis=1), 1.0)

    def lag(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Return the lag in samples at which each pair agrees best: query n meets n + lag."""
        return self.lags[self.correlations(i, j).argmax(axis=1)]


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
        return _none(n, k), _none(m, k)
    size = max(1, min(memory // (32 * m), max(256, n // 64)))  # the same for any number of jobs
    parts = shards(n, size)
    work = partial(_block, kernel=kernel, k=k, groups=groups)
    found = map_shards(
        work, parts, jobs=jobs if n * m > _SERIAL else 1, stage=stage, progress=progress,
        weights=[p.stop - p.start for p in parts],
    )  # fmt: skip
    by_query = Nearest(*(np.concatenate([f[0][x] for f in found]) for x in (0, 1)))
    value, index = (np.concatenate([f[1][x] for f in found], axis=1) for x in (0, 1))
    order = np.lexsort((index, np.where(index < 0, np.inf, -value)), axis=1)[:, :k]
    return by_query, Nearest(*(np.take_along_axis(a, order, axis=1) for a in (value, index)))


def _none(n: int, k: int) -> Nearest:
    return Nearest(np.full((n, k), np.nan), np.full((n, k), -1, np.int64))


def _block(
    rows: slice, *, kernel: Kernel, k: int, groups: tuple[np.ndarray, np.ndarray] | None
) -> tuple[Nearest, Nearest]:
    """Return the k best of both sides among these queries and all references."""
    close, margin = kernel.block(rows)
    if groups is not None:
        close[groups[0][rows, None] == groups[1][None]] = -np.inf
    could_win = _contenders(close, margin, k) | _contenders(close.T, np.transpose(margin), k).T
    i, j = np.nonzero(could_win & (close > -np.inf))
    exact = np.empty(len(i))
    for part in shards(len(i), 256):
        exact[part] = kernel.exact(i[part] + rows.start, j[part])
    n, m = close.shape
    return _top(exact, i, j, n, k, 0), _top(exact, j, i, m, k, rows.start)


def _contenders(close: np.ndarray, margin: Any, k: int) -> np.ndarray:
    """Return which entries could be among the k largest of their row, given the margin."""
    lower = close - margin
    k = min(k, close.shape[1])
    kth = lower.max(axis=1) if k == 1 else np.partition(lower, -k, axis=1)[:, -k]
    return close + margin >= kth[:, None]


def _top(value: np.ndarray, of: np.ndarray, partner: np.ndarray, n: int, k: int,
         offset: int) -> Nearest:  # fmt: skip
    """Return the k best partners of each of n records from a list of pairs, ties by partner."""
    out = _none(n, k)
    order = np.lexsort((partner, -value, of))
    of = of[order]
    rank = np.arange(len(of)) - np.searchsorted(of, of)
    keep = rank < k
    at = of[keep], rank[keep]
    out.similarity[at], out.partner[at] = value[order][keep], partner[order][keep] + offset
    return out
