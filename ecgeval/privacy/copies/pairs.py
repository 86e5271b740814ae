"""Similarities of given pairs, and of all pairs of two small sets."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from typing import NamedTuple

import numpy as np

from ecgeval.parallel import Progress, map_shards, quiet, shards
from ecgeval.privacy.copies.detectors import Detector
from ecgeval.privacy.copies.search import Kernel, Rows
from ecgeval.privacy.copies.signals import Signals

__all__ = ["pairwise", "similarities"]


class _Parts(NamedTuple):
    """The parts of every record: sorted by record, how many, and where a record's begin."""

    order: np.ndarray
    counts: np.ndarray
    first: np.ndarray

    @classmethod
    def of(cls, owner: np.ndarray, m: int) -> _Parts:
        counts = np.bincount(owner, minlength=m)
        return cls(np.argsort(owner, kind="stable"), counts, np.cumsum(counts) - counts)


def pairwise(
    detector: Detector,
    a: Signals,
    b: Signals,
    pairs: np.ndarray,
    *,
    jobs: int = 1,
    stage: str = "",
    progress: Progress = quiet,
) -> np.ndarray:
    """Return the exact similarity of pairs of records, best over the second one's parts.

    Parameters
    ----------
    detector : Detector
    a, b : Signals
        Of n and m records.
    pairs : ndarray of int, shape (pairs,)
        ``row * m + other row``, sorted.
    jobs, stage, progress
        As in `map_shards`.

    Returns
    -------
    ndarray, shape (pairs,)
    """
    m, parts = len(b.x), shards(len(pairs), 2048)
    found = map_shards(
        partial(
            _some_pairs,
            kernel=detector.kernel(a.x, b.x if b.parts is None else b.parts),
            parts=None if b.owner is None else _Parts.of(b.owner, m),
            m=m,
        ),
        [pairs[part] for part in parts],
        jobs=jobs,
        stage=stage or f"copy search {detector.id}",
        progress=progress,
        weights=[p.stop - p.start for p in parts],
    )
    return np.concatenate(found) if found else np.zeros(0)


def _some_pairs(pairs: np.ndarray, *, kernel: Kernel, parts: _Parts | None, m: int) -> np.ndarray:
    i, j = pairs // m, pairs % m
    each = np.ones(len(pairs), int)
    if parts is not None:
        each, first = parts.counts[j], parts.first[j]
        i = np.repeat(i, each)
        j = parts.order[np.arange(each.sum()) + np.repeat(first - (np.cumsum(each) - each), each)]
    value = np.concatenate([kernel.exact(i[p], j[p]) for p in shards(len(i), 256)])
    return np.maximum.reduceat(value, np.cumsum(each) - each)


def similarities(
    detectors: Sequence[Detector],
    a: Mapping[str, Signals],
    b: Mapping[str, Signals],
    *,
    without: np.ndarray | None = None,
    nearest_to: str = "a",
    jobs: int = 1,
    progress: Progress = quiet,
) -> Iterator[tuple[str, np.ndarray]]:
    """Yield the correlations of all pairs by each detector in float32, -1 where there is none.

    A detector that always looks at the nearest of another one does so here.

    Parameters
    ----------
    detectors : sequence of Detector
        A detector after the one that it looks to.
    a, b : mapping of Signals
        Of n and m records.
    without : ndarray of int, shape (n,), optional
        Record of `b` that each of `a` is not compared with: itself.
    nearest_to : {"a", "b"}
        Whose nearest such a detector looks at. What is asked of one side must depend on nobody
        else on it: the smaller of two sides would be compared more often, record by record.
    jobs, progress
        As in `map_shards`.

    Yields
    ------
    (str, ndarray of shape (n, m))
        Id of the detector.
    """
    screens = {d.screen for d in detectors if d.always}
    kept: dict[str, np.ndarray] = {}
    for d in detectors:
        x, y = a[d.signals], b[d.signals]
        if d.always:
            axis = 1 if nearest_to == "a" else 0
            out = _among_nearest(d, x, y, kept[d.screen], axis, jobs, progress)
        else:
            out = _all_pairs(d, x, y)
            if without is not None:
                out[np.arange(len(without)), without] = -1
        if d.id in screens:
            kept[d.id] = out
        yield d.id, out


def _all_pairs(detector: Detector, a: Signals, b: Signals) -> np.ndarray:
    rows = np.flatnonzero(a.usable)
    owner = np.flatnonzero(b.usable) if b.owner is None else b.owner
    references = b.x[owner] if b.parts is None else b.parts
    out = np.full((len(a.x), len(b.x)), -1, np.float32)
    if not len(rows) or not len(owner):
        return out
    kernel = detector.kernel(Rows(a.x, rows), references)
    for part in shards(len(rows), 256):
        close = detector.correlation(kernel.block(part)[0])
        # The best part of each record.
        np.maximum.at(out.T, owner, _at(close, rows[part], len(a.x)))
    return out


def _among_nearest(
    detector: Detector,
    a: Signals,
    b: Signals,
    screen: np.ndarray,
    axis: int,
    jobs: int,
    progress: Progress,
) -> np.ndarray:
    """Return the correlations of rows (1) or columns (0) with their nearest by the screen."""
    out = np.full(screen.shape, -1, np.float32)
    near = np.zeros(screen.shape, bool)
    if k := min(detector.nearest, screen.shape[axis]):
        best = np.argpartition(-screen, k - 1, axis=axis).take(range(k), axis=axis)
        np.put_along_axis(near, best, True, axis=axis)
    near &= screen > -1
    near &= a.usable[:, None] & b.usable
    i, j = np.nonzero(near)
    out[i, j] = pairwise(
        detector, a, b, i * len(b.x) + j, jobs=jobs, stage="planted-leak bench", progress=progress
    )
    return out


def _at(close: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """Return similarities by reference, at the rows of all queries, -1 elsewhere."""
    out = np.full((close.shape[1], n), -1, np.float32)
    out[:, rows] = close.T
    return out
