"""The nearest records of a set, by one detector: among all pairs, or among those in range."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, cast

import numpy as np

from ecgeval.ecgset import EcgSet
from ecgeval.parallel import Progress, quiet
from ecgeval.privacy.copies.detectors import COMPLETE_PAIRS, FLOORS, NEAR_S, Detector
from ecgeval.privacy.copies.kernels.lagged import Lagged
from ecgeval.privacy.copies.range_search import Bound, LagBound, search_above
from ecgeval.privacy.copies.rule import CopyRule
from ecgeval.privacy.copies.search import Nearest, Rows, search
from ecgeval.privacy.copies.signals import BAND_HZ, FS_HZ, Signals

__all__ = ["Partners", "RangeSearch", "Side", "lag_range", "nearest_of_another", "nearest_records"]

_BIN_S = 0.5  # lags that share one bound


@dataclass(frozen=True, eq=False)
class Side:
    """One set as the detectors see it.

    Parameters
    ----------
    ecgs : EcgSet
        Harmonised records.
    person : ndarray of int, shape (n,)
        Who a record belongs to, over train and holdout; patients who share a recording are one.
    signals : mapping
        ``record``; ``single`` in sets of a size to search completely; ``beat`` where given.
    """

    ecgs: EcgSet
    person: np.ndarray
    signals: Mapping[str, Signals]

    def __len__(self) -> int:
        return len(self.ecgs)

    def people(self) -> int:
        """Return how many people the records belong to."""
        return len(np.unique(self.person))

    def only(self, rows: np.ndarray) -> Side:
        """Return the records in `rows`."""
        signals = {name: s.only(rows) for name, s in self.signals.items()}
        return Side(self.ecgs.select(rows), self.person[rows], signals)


class Partners(NamedTuple):
    """Who is nearest to synthetic or planted records, and to whom of them a real record is.

    Attributes
    ----------
    train, other : Nearest
        Training records; holdout records, or, without a holdout, training records of another
        person than the nearest one's.
    back : tuple of Nearest
        Of training and holdout records, the nearest of these.
    stages : tuple of int
        As in `Match`.
    """

    train: Nearest
    other: Nearest
    back: tuple[Nearest, ...]
    stages: tuple[int, ...] = ()


def nearest_records(
    detector: Detector,
    a: Signals,
    b: Signals,
    k: int = 1,
    *,
    groups: tuple[np.ndarray, np.ndarray] | None = None,
    jobs: int = 1,
    device: str = "cpu",
    progress: Progress = quiet,
) -> tuple[Nearest, Nearest]:
    """Return the k nearest of `b` to each of `a`, and the other way round, as correlations.

    Parameters
    ----------
    detector : Detector
    a, b : Signals
        Unusable records get no partner.
    k : int
    groups : pair of integer arrays, optional
        Records of the same group are not compared.
    jobs, device, progress
        As in `audit_sets`.
    """
    rows = np.flatnonzero(a.usable)
    if b.parts is None or b.owner is None:
        owner = np.flatnonzero(b.usable)
        references = b.x[owner]
    else:
        owner, references = b.owner, b.parts
    if not len(rows) or not len(owner):
        return Nearest.none(len(a.x), k), Nearest.none(len(b.x), k)
    by_query, by_part = search(
        detector.kernel(Rows(a.x, rows), references, device),
        k=k,
        groups=None if groups is None else (groups[0][rows], groups[1][owner]),
        jobs=jobs if device == "cpu" else 1,  # processes cannot share a device
        stage=f"copy search {detector.id}",
        progress=progress,
    )
    by_query, by_part = (
        Nearest(detector.correlation(f.similarity), f.partner) for f in (by_query, by_part)
    )
    if b.parts is not None:  # the best part of each record
        order = np.lexsort((-np.nan_to_num(by_part.similarity[:, 0], nan=-2), owner))
        whose, first = np.unique(owner[order], return_index=True)
        best = order[first]
        by_part = Nearest(by_part.similarity[best], by_part.partner[best])
        back = _placed(by_part, len(b.x), whose, rows)
    else:
        back = _placed(by_part, len(b.x), owner, rows)
    return _placed(by_query, len(a.x), rows, owner), back


def _placed(found: Nearest, n: int, rows: np.ndarray, partners: np.ndarray) -> Nearest:
    """Return what was found among usable records, over all records."""
    out = Nearest.none(n, found.similarity.shape[1])
    out.similarity[rows] = found.similarity
    out.partner[rows] = np.where(found.partner < 0, -1, partners[found.partner])
    return out


def nearest_of_another(found: Nearest, person: np.ndarray) -> Nearest:
    """Return the nearest training record of another person than the nearest one's."""
    person = np.where(found.partner < 0, -1, person[found.partner])
    other = (person != person[:, :1]) & (person >= 0)
    first = other.argmax(axis=1)[:, None]
    none = ~other.any(axis=1)[:, None]
    similarity = np.take_along_axis(found.similarity, first, axis=1)
    # All k nearest belong to one person: the last of them bounds everybody else from above.
    similarity = np.where(none, found.similarity[:, -1:], similarity)
    return Nearest(similarity, np.where(none, -1, np.take_along_axis(found.partner, first, axis=1)))


def lag_range(kernel: Lagged, device: str = "cpu") -> tuple[np.ndarray, Bound]:
    """Return the floors at each absolute lag, and the bound that excludes pairs below them."""
    floors = np.where(np.arange(kernel.max_lag + 1) <= NEAR_S * FS_HZ, *FLOORS)
    if device != "cpu":
        from ecgeval.privacy.copies.on_device import LagScores

        return floors, LagScores(kernel, floors)
    band = (BAND_HZ[0] / FS_HZ - 0.005, BAND_HZ[1] / FS_HZ + 0.01)
    return floors, LagBound(kernel, floors, round(_BIN_S * FS_HZ), band)


class RangeSearch:
    """All partners above the floors, in sets too large to correlate every pair.

    Bounds are made once a side and serve synthetic and planted records alike, so that the planted
    ones tell what this search finds.

    Parameters
    ----------
    detector : Detector
        One that works by range.
    train : Side
    holdout : Side or None
    jobs, device, progress
        As in `audit_sets`.
    """

    def __init__(
        self,
        detector: Detector,
        train: Side,
        holdout: Side | None,
        *,
        jobs: int,
        device: str,
        progress: Progress,
    ) -> None:
        self.train, self.holdout = train, holdout
        self._nearest = partial(
            nearest_records, detector, jobs=jobs, device=device, progress=progress
        )
        self._above = partial(
            search_above,
            jobs=jobs if device == "cpu" else 1,
            stage=f"copy search {detector.id}",
            progress=progress,
        )
        self._kind = detector.signals
        self._made: list[tuple[Side, np.ndarray, Lagged, np.ndarray, Bound]] = []
        for side in (train, holdout):
            if side is None:
                continue
            signals = side.signals[detector.signals]
            rows = np.flatnonzero(signals.usable)
            x = signals.x[rows]
            kernel = cast(Lagged, detector.kernel(x[:0], x, device))
            self._made.append((side, rows, kernel, *lag_range(kernel, device)))

    def __call__(self, queries: Signals, k: int, rule: CopyRule | None = None) -> Partners:
        """Return partners above the floors, train and holdout treated alike.

        The copy rule compares both sides, so where only one has a partner above the floor the
        other is searched completely: everywhere, or, given a rule, where that decides. With too
        many such records the others are taken to lie at the floor, which names fewer.
        """
        rows = np.flatnonzero(queries.usable)
        to, back = [], []
        stages = np.zeros(4, int)
        for side, other, kernel, floors, bound in self._made:
            above = self._above(kernel.of(Rows(queries.x, rows)), floors, bound=bound, k=k)
            stages += above.stages
            to.append(_placed(above.by_query, len(queries.x), rows, other))
            back.append(_placed(above.by_reference, len(side), other, rows))
        if self.holdout is None:
            to.append(nearest_of_another(to[0], self.train.person))
            to[1].similarity[np.isnan(to[1].similarity)] = max(FLOORS)
        else:
            self._complete(self.holdout, to[1], to[0], queries, rule)
            self._complete(self.train, to[0], to[1], queries, rule)
        return Partners(to[0], to[1], tuple(back), tuple(stages.tolist()))

    def _complete(
        self, side: Side, own: Nearest, theirs: Nearest, queries: Signals, rule: CopyRule | None
    ) -> None:
        """Fill in the similarity to this side of records with a partner on the other side alone."""
        known, alone = (~np.isnan(x.similarity[:, 0]) for x in (own, theirs))
        rest = np.flatnonzero(alone & ~known)
        own.similarity[rest] = max(FLOORS)
        if rule is not None:
            rest = rest[~rule(theirs.similarity[rest, 0], own.similarity[rest, 0])]
        rest = rest[: COMPLETE_PAIRS // len(side)]
        exact, _ = self._nearest(queries.only(rest), side.signals[self._kind])
        own.similarity[rest] = exact.similarity
