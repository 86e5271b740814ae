"""Normalised cross-correlation of multi-lead records, best over shifts."""

from __future__ import annotations

import copy

import numpy as np

from ecgeval.parallel import shards
from ecgeval.privacy.copies.search import ROUNDING, Compared, Rows

__all__ = ["Lagged"]


class Lagged(Compared):
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

        super().__init__(queries, references)
        self.max_lag = max_lag
        self.length = next_fast_len(references.shape[2] + max_lag, real=True)
        self.margin = ROUNDING / self.MIN_SHARE
        self._spectra = _by_frequency(references, self.length).transpose(0, 2, 1)
        self._weights = self._overlap(references, -1)

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
