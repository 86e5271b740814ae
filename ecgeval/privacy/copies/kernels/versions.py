"""One record in several versions, moved or stretched, against another."""

from __future__ import annotations

import numpy as np

from ecgeval.parallel import shards
from ecgeval.privacy.copies.search import ROUNDING, Compared, Rows

__all__ = ["Versions"]


class Versions(Compared):
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
        super().__init__(queries, references)
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

    def _project(self, x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return coordinates, and an upper limit of the norm of what they leave out."""
        inside = x @ self.basis
        left = np.einsum("...d,...d->...", x, x) - np.einsum("...k,...k->...", inside, inside)
        return inside, np.sqrt(np.maximum(left, 0) + ROUNDING)

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
        margin += np.float32(ROUNDING)
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
