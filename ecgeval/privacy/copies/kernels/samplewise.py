"""Sample by sample: Euclidean distance over a record, correlation of single leads."""

from __future__ import annotations

import numpy as np

from ecgeval.privacy.copies.search import ROUNDING, Compared, Rows

__all__ = ["Euclid", "Leadwise"]


class Euclid(Compared):
    """Minus the squared Euclidean distance over all leads and samples.

    |a|^2 + |b|^2 - 2ab in float32 loses the small distances of copies (true d^2 = 0.04 came out
    between -0.08 and 0.25 at squared norms of 4e4), hence the margin and the re-rank.

    Parameters
    ----------
    queries : ndarray of float32 or Rows, shape (n, ...)
    references : ndarray of float32, shape (m, ...)
    """

    def block(self, rows: slice) -> tuple[np.ndarray, np.ndarray]:
        a, b = (x.reshape(len(x), -1) for x in (self.queries[rows], self.references))
        close = a @ b.T
        norms = np.add.outer(np.einsum("id,id->i", a, a), np.einsum("jd,jd->j", b, b))
        close *= 2
        close -= norms
        norms *= np.float32(ROUNDING)
        return close, norms

    def exact(self, i: np.ndarray, j: np.ndarray) -> np.ndarray:
        a, b = self.queries[i].astype(np.float64), self.references[j]
        return -((a - b) ** 2).reshape(len(a), -1).sum(axis=1)


class Leadwise(Compared):
    """Largest absolute correlation of single leads, sample by sample; a flat lead has none.

    Parameters
    ----------
    queries : ndarray of float32 or Rows, shape (n, leads, samples)
        Zero mean a lead.
    references : ndarray of float32, shape (m, leads, samples)
    """

    def __init__(self, queries: np.ndarray | Rows, references: np.ndarray) -> None:
        super().__init__(queries, references)
        self._unit = _unit_leads(references)

    def block(self, rows: slice) -> tuple[np.ndarray, float]:
        a, b = _unit_leads(self.queries[rows]), self._unit
        out = np.zeros((len(a), len(b)), np.float32)
        for lead in range(a.shape[1]):
            close = a[:, lead] @ b[:, lead].T
            np.maximum(out, np.abs(close, out=close), out=out)
        return out, ROUNDING

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
