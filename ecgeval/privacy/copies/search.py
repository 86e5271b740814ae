"""Exact nearest neighbours: fast float32 candidates, then a float64 re-rank of what could win.

A kernel gives float32 similarities of a block of queries to all references, and how far rounding
may have moved them. `search` keeps every pair that could be among the k best within that margin,
both for its query and for its reference, and decides between them in float64, ties by index. The
outcome is that of a float64 brute force, whatever the block size or the number of jobs.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol

import numpy as np

from ecgeval.parallel import Progress, map_shards, quiet, shards

__all__ = [
    "Above",
    "Bound",
    "Euclid",
    "Kernel",
    "LagBound",
    "Lagged",
    "Leadwise",
    "Nearest",
    "Rows",
    "Versions",
    "Windowed",
    "best_of",
    "search",
    "search_above",
]

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
    """Minus the squared Euclidean distance over all leads and samples.

    |a|^2 + |b|^2 - 2ab in float32 loses the small distances of copies (true d^2 = 0.04 came out
    between -0.08 and 0.25 at squared norms of 4e4), hence the margin and the re-rank.

    Parameters
    ----------
    queries : ndarray of float32 or Rows, shape (n, ...)
    references : ndarray of float32, shape (m, ...)
    """

    queries: np.ndarray | Rows
    references: np.ndarray

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.queries), len(self.references)

    def block(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        a, b = (x.reshape(len(x), -1) for x in (self.queries[rows], self.references))
        close = a @ b.T
        norms = np.add.outer(np.einsum("id,id->i", a, a), np.einsum("jd,jd->j", b, b))
        close *= 2
        close -= norms
        norms *= np.float32(_ROUNDING)
        return close, norms

    def exact(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        a, b = self.queries[i].astype(np.float64), self.references[j]
        return -((a - b) ** 2).reshape(len(a), -1).sum(axis=1)


class Leadwise:
    """Largest absolute correlation of single leads, sample by sample; a flat lead has none.

    Parameters
    ----------
    queries : ndarray of float32 or Rows, shape (n, leads, samples)
        Zero mean a lead.
    references : ndarray of float32, shape (m, leads, samples)
    """

    def __init__(self, queries: np.ndarray | Rows, references: np.ndarray) -> None:
        self.queries, self.references = queries, references
        self._unit = _unit_leads(references)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.queries), len(self.references)

    def block(self, rows: slice) -> tuple[np.ndarray, float]:
        a, b = _unit_leads(self.queries[rows]), self._unit
        out = np.zeros((len(a), len(b)), np.float32)
        for lead in range(a.shape[1]):
            close = a[:, lead] @ b[:, lead].T
            np.maximum(out, np.abs(close, out=close), out=out)
        return out, _ROUNDING

    def by_lead(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Return the float64 correlation of each lead of pairs, shape (pairs, leads)."""
        a, b = (x.astype(np.float64) for x in (self.queries[i], self.references[j]))
        norms = np.sqrt((a**2).sum(axis=2) * (b**2).sum(axis=2))
        return (a * b).sum(axis=2) / np.where(norms > 0, norms, np.inf)

    def exact(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return np.minimum(np.abs(self.by_lead(i, j)).max(axis=1), 1.0)


def _unit_leads(x: np.ndarray) -> np.ndarray:
    norm = np.sqrt(np.einsum("nls,nls->nl", x, x))[:, :, None]
    return x / np.where(norm > 0, norm, np.inf)


class Lagged:
    """Normalised cross-correlation of multi-lead signals, best over lags, on the overlap.

    ``max_tau sum_l <x_l, y_l(. + tau)> / (|x| |y|)``, one lag and one gain for all leads, norms
    taken over the samples where both signals are present, so that what a shift brought in from
    elsewhere does not count. Lags at which either signal keeps less than a quarter of its energy
    are left out. Cross-spectra are products over leads, one frequency at a time; the correlation
    is zero-padded and so not circular.

    Parameters
    ----------
    queries : ndarray of float32 or Rows, shape (n, leads, samples)
        A record of zeros correlates with nothing.
    references : ndarray of float32, shape (m, leads, samples)
    max_lag : int
        Largest lag looked at, samples.

    References
    ----------
    Lewis JP. Fast normalized cross-correlation. Vision Interface 1995:120-123 (norms over the
    overlap from running sums).
    """

    TILE = (16, 32)  # queries x references: their correlations stay in the cache
    MIN_SHARE = 0.25

    def __init__(self, queries: np.ndarray | Rows, references: np.ndarray, max_lag: int) -> None:
        from scipy.fft import next_fast_len

        self.queries, self.references, self.max_lag = queries, references, max_lag
        self.length = next_fast_len(references.shape[2] + max_lag, real=True)
        self.margin = _ROUNDING / self.MIN_SHARE
        self._spectra = _by_frequency(references, self.length).transpose(0, 2, 1)
        self._weights = self._overlap(references, -1)

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.queries), len(self.references)

    def of(self, queries: np.ndarray | Rows) -> Lagged:
        """Return the kernel of other queries to the same references."""
        out = copy.copy(self)
        out.queries = queries
        return out

    @property
    def lags(self) -> np.ndarray:
        """Lags in samples, in the order of the correlations."""
        return np.arange(-self.max_lag, self.max_lag + 1)

    def _overlap(self, x: np.ndarray, side: int) -> np.ndarray:
        """Return 1/norm over the overlap at each lag, shape (n, lags); 0 where it is too small."""
        out = np.zeros((len(x), 2 * self.max_lag + 1))
        for rows in shards(len(x), 256):
            kept, whole = _kept(x[rows], np.arange(self.max_lag + 1), side)
            enough = (kept >= self.MIN_SHARE * whole[:, None]) & (kept > 0)
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
        wr = self._weights.T.astype(np.float32)
        for q in shards(stop - start, self.TILE[0]):
            x = self.queries[slice(start + q.start, start + q.stop)]
            spectra = _by_frequency(x, self.length).conj()
            wq = self._overlap(x, 1).T.astype(np.float32)
            for r in shards(len(self.references), self.TILE[1]):
                cross = spectra @ self._spectra[:, :, r]
                rho = self._lags_of(irfft(cross, self.length, axis=0, overwrite_x=True))
                rho *= wq[:, :, None]
                rho *= wr[:, None, r]
                out[q, r] = rho.max(axis=0)
        return out, self.margin

    def correlations(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Return the float64 correlation at every lag of pairs, shape (pairs, lags)."""
        from scipy.fft import irfft, rfft

        x = self.queries[i]
        a, b = (rfft(v.astype(np.float64), self.length) for v in (x, self.references[j]))
        circular = irfft((a.conj() * b).sum(axis=1), self.length)
        return self._lags_of(circular.T).T * self._overlap(x, 1) * self._weights[j]

    def exact(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return np.minimum(self.correlations(i, j).max(axis=1), 1.0)

    def lag(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        """Return the lag in samples at which each pair agrees best: query n meets n + lag."""
        return self.lags[self.correlations(i, j).argmax(axis=1)]


def _by_frequency(x: np.ndarray, length: int) -> np.ndarray:
    from scipy.fft import rfft

    return np.ascontiguousarray(rfft(x, length).transpose(2, 0, 1))  # (f, n, leads)


def _kept(x: np.ndarray, lag: np.ndarray, side: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the energy in the overlap at lags -lag[::-1] and lag (0 once), and the whole.

    Query sample n meets reference sample n + lag: at positive lags the query's head (`side` 1) is
    left over the reference's tail (-1).
    """
    energy = np.einsum("nls,nls->ns", x, x, dtype=np.float64)
    front = np.cumsum(energy, axis=1)  # energy of samples 0..s
    back = np.cumsum(energy[:, ::-1], axis=1)[:, ::-1]  # energy of samples s..end
    head, tail = front[:, front.shape[1] - 1 - lag], back[:, lag]
    later, earlier = (head, tail) if side > 0 else (tail, head)
    return np.concatenate([earlier[:, :0:-1], later], axis=1), front[:, -1]


class Windowed:
    """Correlation of windows of a query with every stretch of a reference of their length.

    ``max_w max_p sum_l <x_l(w), y_l(p)> / (|x(w)| |y(p)|)`` with windows w of the query, stretches
    p of the reference and norms of each alone: a part of one record anywhere in the other. Windows
    and stretches with less than a quarter of their share of the record's energy count as having
    that much.

    Parameters
    ----------
    queries : ndarray of float32 or Rows, shape (n, leads, samples)
        Unit norm.
    references : ndarray of float32, shape (m, leads, samples)
        Unit norm.
    starts : tuple of int
        First sample of each window.
    width : int
        Samples of a window.

    References
    ----------
    Mueen A, et al. The fastest similarity search algorithm for time series subsequences under
    Euclidean distance (MASS). 2017. Yeh CM, et al. Matrix profile I. ICDM 2016:1317-1322.
    doi:10.1109/ICDM.2016.0179
    """

    TILE = (16, 32)
    MIN_SHARE = 0.25

    def __init__(
        self,
        queries: np.ndarray | Rows,
        references: np.ndarray,
        starts: tuple[int, ...],
        width: int,
    ) -> None:
        self.queries, self.references = queries, references
        self.starts, self.width, self.length = starts, width, references.shape[2]
        self.margin = _ROUNDING / (self.MIN_SHARE * width / self.length)
        self._spectra = _by_frequency(references, self.length).transpose(0, 2, 1)
        self._weights = np.concatenate(
            [self._norms(references[r]) for r in shards(len(references), 256)]
        )

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.queries), len(self.references)

    def _norms(self, x: np.ndarray) -> np.ndarray:
        """Return 1/norm of every stretch, shape (n, positions)."""
        energy = np.einsum("nls,nls->ns", x, x, dtype=np.float64)
        sums = np.cumsum(np.pad(energy, ((0, 0), (1, 0))), axis=1)
        kept = sums[:, self.width :] - sums[:, : -self.width]
        least = self.MIN_SHARE * self.width / self.length * sums[:, -1:]
        return 1 / np.sqrt(np.maximum(kept, np.maximum(least, 1e-12)))

    def _windows(self, x: np.ndarray) -> list[np.ndarray]:
        norms = self._norms(x)
        return [
            x[:, :, s : s + self.width] * norms[:, s, None, None].astype(x.dtype)
            for s in self.starts
        ]

    def block(self, rows: slice) -> tuple[np.ndarray, float]:
        from scipy.fft import irfft

        start, stop, _ = rows.indices(len(self.queries))
        out = np.full((stop - start, len(self.references)), -np.inf, np.float32)
        positions = self.length - self.width + 1
        wr = self._weights.T.astype(np.float32)
        for q in shards(stop - start, self.TILE[0]):
            x = self.queries[slice(start + q.start, start + q.stop)]
            for window in self._windows(x):
                spectra = _by_frequency(window, self.length).conj()
                for r in shards(len(self.references), self.TILE[1]):
                    cross = spectra @ self._spectra[:, :, r]
                    rho = irfft(cross, self.length, axis=0, overwrite_x=True)[:positions]
                    rho *= wr[:, None, r]
                    np.maximum(out[q, r], rho.max(axis=0), out=out[q, r])
        return out, self.margin

    def exact(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        from scipy.fft import irfft, rfft

        y = rfft(self.references[j].astype(np.float64), self.length)
        positions, best = self.length - self.width + 1, np.full(len(i), -np.inf)
        for window in self._windows(self.queries[i].astype(np.float64)):
            cross = (rfft(window, self.length).conj() * y).sum(axis=1)
            rho = irfft(cross, self.length)[:, :positions] * self._weights[j]
            best = np.maximum(best, rho.max(axis=1))
        return np.minimum(best, 1.0)


class Versions:
    """Correlation of a reference with the best of several versions of a query.

    Versions are linear maps of the samples (moved, stretched), each brought to zero mean a lead
    and unit norm. Both sides are first compared in the references' main directions: what these
    leave out, of norms r and s, moves a correlation by at most r s, which is the margin.

    Parameters
    ----------
    queries : ndarray of float32 or Rows, shape (n, leads, samples)
    references : ndarray of float32, shape (m, leads, samples)
    maps : ndarray, shape (versions, samples, kept)
        The first is the version of the references.
    rank : int, optional
        Directions; by default all of them up to 2,000 references, 128 beyond.
    """

    def __init__(
        self,
        queries: np.ndarray | Rows,
        references: np.ndarray,
        maps: np.ndarray,
        rank: int | None = None,
    ) -> None:
        self.queries = queries
        maps = maps - maps.mean(axis=2, keepdims=True)
        self.maps = np.ascontiguousarray(maps.transpose(1, 0, 2).reshape(maps.shape[1], -1))
        self.versions, self.kept = len(maps), maps.shape[2]
        self.references = np.concatenate(
            [_versions(references[r], maps[0], 1)[:, 0] for r in shards(len(references), 1024)]
        )
        if rank is None:
            rank = self.references.shape[1] if len(references) <= 2000 else 128
        seen = self.references[:: max(1, len(references) // 4096)]
        self.basis = np.linalg.eigh(seen.T @ seen)[1][:, ::-1][:, :rank].astype(np.float32)
        self._reduced, self._left = self._project(self.references.astype(np.float32))

    @property
    def shape(self) -> tuple[int, int]:
        return len(self.queries), len(self.references)

    def _project(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return coordinates, and an upper limit of the norm of what they leave out."""
        inside = x @ self.basis
        left = np.einsum("...d,...d->...", x, x) - np.einsum("...k,...k->...", inside, inside)
        return inside, np.sqrt(np.maximum(left, 0) + _ROUNDING)

    def block(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        x = self.queries[rows]
        out = np.full((len(x), len(self.references)), -np.inf, np.float32)
        margin = np.empty_like(out)
        for q in shards(len(x), 128):
            many = _versions(x[q], self.maps.astype(np.float32), self.versions)
            inside, left = self._project(many)
            for version in range(self.versions):
                np.maximum(out[q], inside[:, version] @ self._reduced.T, out=out[q])
            np.outer(left.max(axis=1), self._left, out=margin[q])
        margin += np.float32(_ROUNDING)
        return out, margin

    def exact(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        best = np.empty(len(i))
        for row in np.unique(i):
            at = i == row
            many = _versions(self.queries[[row]].astype(np.float64), self.maps, self.versions)[0]
            # einsum sums each pair alike, however many there are; a matrix product need not.
            best[at] = np.einsum("vd,pd->pv", many, self.references[j[at]]).max(axis=1)
        return np.minimum(best, 1.0)


def _versions(x: np.ndarray, maps: np.ndarray, versions: int) -> np.ndarray:
    """Return unit-norm versions, shape (n, versions, leads * kept), zeros for zeros."""
    n, leads, _ = x.shape
    # One product a record, of the same shape whatever the block: sums come out the same.
    many = np.matmul(x, maps).reshape(n, leads, versions, -1).transpose(0, 2, 1, 3)
    many = many.reshape(n, versions, -1)
    norm = np.sqrt((many**2).sum(axis=2, keepdims=True))
    return many / np.where(norm > 0, norm, np.inf)


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
        work,
        parts,
        jobs=jobs if n * m > _SERIAL else 1,
        stage=stage,
        progress=progress,
        weights=[p.stop - p.start for p in parts],
    )
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
    out = _none(n, k)
    order = np.lexsort((partner, -value, of))
    of = of[order]
    rank = np.arange(len(of)) - np.searchsorted(of, of)
    keep = rank < k
    at = of[keep], rank[keep]
    out.similarity[at], out.partner[at] = value[order][keep], partner[order][keep] + offset
    return out


class Above(NamedTuple):
    """All that a range query found, and what each of its stages left over.

    Attributes
    ----------
    by_query, by_reference : Nearest
        Best partners at or above the floor; NaN and -1 where there is none.
    stages : tuple of int
        Pairs, pairs left by the bound, by the bound on every lag, and hits.
    """

    by_query: Nearest
    by_reference: Nearest
    stages: tuple[int, int, int, int]


class Bound(Protocol):
    """Upper bounds of a correlation over its floor, in two stages."""

    def over_floor(self, x: np.ndarray) -> np.ndarray:
        """Return a bound of these queries with all references, within 1e-4, shape (n, m)."""
        ...

    def correlated(self, x: np.ndarray, possible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return which of the possible pairs are left."""
        ...


class LagBound:
    """Two upper bounds of `Lagged` over a floor: one matrix product a bin of lags, and a part.

    At lags a to b, what a query and a reference share lies in the query's first N - a samples and
    the reference's last N - a (or the other way round). With the spectra X and Y of these parts,
    ``sum_l <x_l, y_l(. + tau)> <= sum_f w_f sum_l |X_l(f)| |Y_l(f)|`` (triangle inequality), and
    Cauchy-Schwarz joins leads, and all frequencies out of the band, to one coordinate each. Leads
    are rotated to their principal directions first, which changes no correlation: the first two
    are kept apart, the others joined. The norms are those of the shortest overlap of the bin.

    The second bound correlates the first three directions in the band, at every lag, and adds the
    product of the norms of what they leave out.

    Parameters
    ----------
    kernel : Lagged
    floors : ndarray, shape (max_lag + 1,)
        Smallest correlation of interest at each absolute lag.
    width : int
        Lags of a bin.
    band : (float, float)
        Frequencies kept one by one, cycles a sample.
    """

    APART = 2
    CORRELATED = 3

    def __init__(
        self, kernel: Lagged, floors: np.ndarray, width: int, band: tuple[float, float]
    ) -> None:
        references = kernel.references
        self.kernel, self.band, self.max_lag = kernel, band, len(floors) - 1
        self.over = (1 / floors[np.abs(kernel.lags)]).astype(np.float32)
        spread = np.einsum("nls,nms->lm", references, references, dtype=np.float64)
        self.rotation = np.linalg.eigh(spread)[1][:, ::-1].T.astype(np.float32)
        starts = range(0, max(self.max_lag, 1), width)
        self.bins = [(side, a, min(a + width, self.max_lag)) for side in (1, -1) for a in starts]
        self._features = []
        for side, a, b in self.bins:
            parts = [
                self.features(references[r], -side, a, b) for r in shards(len(references), 256)
            ]
            least = np.float32(floors[a : b + 1].min())
            self._features.append(np.concatenate(parts) / least)
        main = [self._main(references[r]) for r in shards(len(references), 256)]
        self._spectra, self._left = (np.concatenate(p) for p in zip(*main, strict=True))
        self._weights = kernel._weights.astype(np.float32)

    def features(self, x: np.ndarray, side: int, a: int, b: int) -> np.ndarray:
        """Return non-negative features whose products bound the correlation at lags a to b."""
        from scipy.fft import next_fast_len, rfft

        part = x[:, :, : x.shape[2] - a] if side > 0 else x[:, :, a:]
        length = next_fast_len(part.shape[2] + b - a, real=True)
        power = np.abs(rfft(np.matmul(self.rotation, part), length)) ** 2 * np.float32(2 / length)
        hz = np.arange(power.shape[2]) / length
        power[:, :, (hz == 0) | (hz == 0.5)] /= 2
        kept = power[:, :, (hz >= self.band[0]) & (hz <= self.band[1])]
        joined = kept[:, self.APART :].sum(axis=1)
        out = np.concatenate([kept[:, : self.APART].reshape(len(x), -1), joined], axis=1)
        # Rounding up what is left over keeps it a bound.
        rest = power.sum(axis=(1, 2)) - out.sum(axis=1) + _ROUNDING
        out = np.sqrt(np.concatenate([out, np.maximum(rest, 0)[:, None]], axis=1))
        energy = np.einsum("nls,nls->ns", x, x, dtype=np.float64)
        front = np.cumsum(energy if side > 0 else energy[:, ::-1], axis=1)
        longest, shortest, whole = (front[:, front.shape[1] - 1 - lag] for lag in (a, b, 0))
        least = Lagged.MIN_SHARE * whole
        norm = np.sqrt(np.maximum(np.maximum(shortest, least), 1e-12))
        return out * np.where(longest >= least, 1 / norm, 0)[:, None].astype(np.float32)

    def over_floor(self, x: np.ndarray) -> np.ndarray:
        """Return an upper bound of correlation over floor, shape (n, m)."""
        best = np.zeros((len(x), len(self._features[0])), np.float32)
        for (side, a, b), references in zip(self.bins, self._features, strict=True):
            np.maximum(best, self.features(x, side, a, b) @ references.T, out=best)
        return best

    def _main(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the spectra of the main directions in the band, and the norm of all else."""
        from scipy.fft import rfft

        length = self.kernel.length
        first, last = (round(hz * length) for hz in self.band)
        kept = rfft(np.matmul(self.rotation[: self.CORRELATED], x), length)[:, :, first : last + 1]
        inside = (np.abs(kept) ** 2).sum(axis=(1, 2)) * np.float32(2 / length)
        left = np.einsum("nls,nls->n", x, x) - inside
        return kept, np.sqrt(np.maximum(left, 0) + np.float32(_ROUNDING))

    def correlated(self, x: np.ndarray, possible: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the possible pairs that the second bound cannot exclude either."""
        from scipy.fft import irfft

        spectra, left = self._main(x)
        weights = self.kernel._overlap(x, 1).astype(np.float32) * self.over
        first = round(self.band[0] * self.kernel.length)
        out = []
        for q in np.flatnonzero(possible.any(axis=1)):
            others, mine = np.flatnonzero(possible[q]), spectra[q].conj()
            for part in shards(len(others), 64):
                j = others[part]
                cross = np.zeros((len(j), self.kernel.length // 2 + 1), np.complex64)
                here = self._spectra[j]
                here *= mine
                here.sum(axis=1, out=cross[:, first : first + here.shape[2]])
                rho = self.kernel._lags_of(irfft(cross, self.kernel.length).T).T
                rho += (left[q] * self._left[j])[:, None]
                rho *= weights[q]
                rho *= self._weights[j]
                out += [(q, other) for other in j[rho.max(axis=1) >= 1 - 1e-4]]
        i, j = np.array(out, int).reshape(-1, 2).T
        return i, j


def search_above(
    kernel: Lagged,
    floors: np.ndarray,
    *,
    bound: Bound,
    k: int = 1,
    jobs: int = 1,
    stage: str = "search",
    progress: Progress = quiet,
) -> Above:
    """Return best partners among all pairs whose correlation reaches the floor at some lag.

    Exact: no such pair is missed, and none is listed that does not reach it. The bound excludes
    nearly all pairs, float64 decides about the others.

    Parameters
    ----------
    kernel : Lagged
        Its largest lag is that of `floors`.
    floors : ndarray, shape (max_lag + 1,)
        Smallest correlation wanted at each absolute lag, samples; above 0.
    bound : Bound
        What excludes pairs before they are correlated: a `LagBound` of the same references and
        floors.
    k : int
        Partners a record.
    jobs, stage, progress
        As in `map_shards`.
    """
    n, m = kernel.shape
    parts = shards(n, 256)
    found = map_shards(
        partial(_above_block, kernel=kernel, bound=bound, floors=floors),
        parts,
        jobs=jobs if n * m > _SERIAL else 1,
        stage=stage,
        progress=progress,
        weights=[p.stop - p.start for p in parts],
    )
    i, j, rho = (np.concatenate([f[x] for f in found]) for x in range(3))
    counts = np.sum([f[3] for f in found], axis=0)
    stages = n * m, int(counts[0]), int(counts[1]), len(i)
    return Above(best_of(rho, i, j, n, k, 0), best_of(rho, j, i, m, k, 0), stages)


def _above_block(
    rows: slice, *, kernel: Lagged, bound: Bound, floors: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray, tuple[int, int]]:
    """Return the hits of these queries: query, reference, correlation; and pairs after a stage."""
    x = kernel.queries[rows]
    possible = bound.over_floor(x) >= 1 - 1e-4  # more than rounding does
    i, j = bound.correlated(x, possible)
    floor = floors[np.abs(kernel.lags)]
    best = np.empty(len(i))
    for part in shards(len(i), 64):
        rho = kernel.correlations(i[part] + rows.start, j[part])
        best[part] = np.where(rho >= floor, rho, -np.inf).max(axis=1)
    hit = best > -np.inf
    counts = int(possible.sum()), len(i)
    return i[hit] + rows.start, j[hit], np.minimum(best[hit], 1.0), counts
