"""Windows of one record anywhere in another."""

from __future__ import annotations

import numpy as np

from ecgeval.parallel import shards
from ecgeval.privacy.copies.kernels.lagged import _by_frequency
from ecgeval.privacy.copies.search import ROUNDING, Compared, Rows

__all__ = ["Windowed"]


class Windowed(Compared):
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
        super().__init__(queries, references)
        self.starts, self.width, self.length = starts, width, references.shape[2]
        self.margin = ROUNDING / (self.MIN_SHARE * width / self.length)
        self._spectra = _by_frequency(references, self.length).transpose(0, 2, 1)
        self._weights = np.concatenate(
            [self._norms(references[r]) for r in shards(len(references), 256)]
        )

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
