"""All pairs that agree at some shift better than a floor: bounds exclude nearly all others."""

from __future__ import annotations

from functools import partial
from typing import NamedTuple, Protocol

import numpy as np

from ecgeval.parallel import Progress, map_shards, quiet, shards
from ecgeval.privacy.copies.kernels.lagged import Lagged
from ecgeval.privacy.copies.search import ROUNDING, SERIAL_PAIRS, Nearest, best_of

__all__ = ["Above", "Bound", "LagBound", "search_above"]


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
        rest = power.sum(axis=(1, 2)) - out.sum(axis=1) + ROUNDING
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
        return kept, np.sqrt(np.maximum(left, 0) + np.float32(ROUNDING))

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
        jobs=jobs if n * m > SERIAL_PAIRS else 1,
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
