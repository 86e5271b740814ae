"""One detector at work: who is nearest to whom, what the copy rule names, what of planted copies.

Sets of up to `COMPLETE_PAIRS` pairs are compared completely. In larger ones D2 finds every partner
above its floors, and the costly detectors look at the records that another one finds nearest; the
costliest always does.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import NamedTuple, cast

import numpy as np

from ecgeval.ecgset import EcgSet
from ecgeval.parallel import Progress, map_shards, quiet, shards
from ecgeval.privacy.copies.detectors import (
    BAND_HZ,
    BIN_S,
    COMPLETE_PAIRS,
    FLOORS,
    FS_HZ,
    NEAR_S,
    Detector,
    Signals,
)
from ecgeval.privacy.copies.disguises import TRANSFORMS
from ecgeval.privacy.copies.kernels.lagged import Lagged
from ecgeval.privacy.copies.lag_range import Bound, LagBound, search_above
from ecgeval.privacy.copies.rule import CopyRule, calibrate
from ecgeval.privacy.copies.search import Kernel, Nearest, Rows, best_of, search

__all__ = ["Match", "Matching", "Side", "complete", "lag_range", "pairwise"]

_BASELINE = 8_000_000  # pairs for the limit of D2 in sets too large for a complete search
_OTHERS = 6  # nearest training records looked at for one of another person, without a holdout


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


@dataclass(frozen=True, eq=False)
class Match:
    """What one detector found.

    Parameters
    ----------
    detector : Detector
    rule : CopyRule
    train, holdout : ndarray, shape (n_synth,)
        Similarity of each synthetic record to its nearest record of either set. Without a
        holdout, `holdout` is the nearest training record of another person than the first.
    partner : ndarray of int, shape (n_synth,)
        Row of the nearest training record; -1 without.
    named, control : ndarray of bool, shape (n_synth,)
        Copies of training records, and of holdout records by the same rule.
    real : ndarray, shape (n_train + n_holdout,)
        Similarity of each real record to its nearest synthetic one.
    baseline : ndarray
        Similarity of real records to their nearest of another person.
    found : ndarray of bool, shape (transforms, planted)
        Which planted copies the rule names, with the right partner.
    stages : tuple of int
        Empty where every pair was compared; else, of the range query: pairs, pairs left by either
        bound, and pairs found.
    """

    detector: Detector
    rule: CopyRule
    train: np.ndarray
    holdout: np.ndarray
    partner: np.ndarray
    named: np.ndarray
    control: np.ndarray
    real: np.ndarray
    baseline: np.ndarray
    found: np.ndarray
    stages: tuple[int, ...] = ()


def complete(synth: int, *real: int) -> bool:
    """Return whether sets of these sizes are compared completely."""
    return synth * max(real) <= COMPLETE_PAIRS


class Matching:
    """The searches of an audit, detector by detector.

    Parameters
    ----------
    train, synth : Side
    holdout : Side or None
    planted : mapping of Signals
        Planted copies, a block of rows a transform.
    planted_rows : ndarray of int
        Training records they were made of.
    jobs : int
    device : str
    progress : callable
    """

    def __init__(
        self,
        train: Side,
        holdout: Side | None,
        synth: Side,
        planted: Mapping[str, Signals],
        planted_rows: np.ndarray,
        *,
        jobs: int,
        device: str,
        progress: Progress,
    ) -> None:
        self.train, self.holdout, self.synth = train, holdout, synth
        self.planted, self.planted_rows = planted, planted_rows
        self.jobs, self.device, self.progress = jobs, device, progress
        self.sides = {"train": train} | ({} if holdout is None else {"holdout": holdout})
        self.complete = complete(len(synth), *map(len, self.sides.values()))
        self._keep: dict[str, int] = {}  # nearest records that others look at, by detector
        self._screen: dict[tuple[str, str, str], tuple[Nearest, Nearest]] = {}

    def matches(self, detectors: Sequence[Detector]) -> tuple[Match, ...]:
        """Return what every detector found that can run, in the order given."""
        looks = {d.id: d.screened(self.complete) for d in detectors}
        run = [
            d
            for d in detectors
            if d.signals in self.synth.signals and (not looks[d.id] or "beat" in self.synth.signals)
        ]
        for d in run:
            if looks[d.id]:
                self._keep[d.screen] = max(self._keep.get(d.screen, 0), d.nearest)
        done = {d.id: self.match(d) for d in sorted(run, key=lambda d: looks[d.id])}
        return tuple(done[d.id] for d in run)

    def match(self, detector: Detector) -> Match:
        """Run one detector over everything it is needed for."""
        kind = detector.signals
        s, p, train = self.synth.signals[kind], self.planted[kind], self.train
        k = 1 if self.holdout is not None else _OTHERS
        stages: tuple[int, ...] = ()
        baseline = self._baseline(detector)
        rule = calibrate(baseline, int(s.usable.sum()), detector.limits)
        if self._ranged(detector):
            ranges = _Ranges(
                detector, train, self.holdout, self._search_jobs, self.device, self.progress
            )
            to_train, from_train, to_other, from_holdout, stages = ranges(s, k)
            planted_train, _, planted_other, _, _ = ranges(p, k, rule)
        else:
            to_train, from_train = self._nearest(detector, "synth", s, "train", k)
            planted_train, _ = self._nearest(detector, "planted", p, "train", k)
            if self.holdout is not None:
                to_other, from_holdout = self._nearest(detector, "synth", s, "holdout")
                planted_other, _ = self._nearest(detector, "planted", p, "holdout")
            else:
                to_other, planted_other = _other(to_train, train), _other(planted_train, train)
        real = from_train.similarity[:, 0]
        if self.holdout is not None:
            real = np.concatenate([real, from_holdout.similarity[:, 0]])
        a, b = to_train.similarity[:, 0], to_other.similarity[:, 0]
        return Match(
            detector,
            rule,
            a,
            b,
            to_train.partner[:, 0],
            named=rule(a, b),
            control=rule(b, a) if self.holdout is not None else np.zeros(len(a), bool),
            real=real,
            baseline=baseline,
            stages=stages,
            found=self._found(rule, planted_train, planted_other),
        )

    @property
    def _search_jobs(self) -> int:
        return self.jobs if self.device == "cpu" else 1  # processes cannot share a device

    def _ranged(self, detector: Detector) -> bool:
        return detector.id == "D2" and not self.complete

    def _found(self, rule: CopyRule, to_train: Nearest, to_other: Nearest) -> np.ndarray:
        """Return which planted copies the rule names, with the right partner."""
        found = rule(to_train.similarity[:, 0], to_other.similarity[:, 0])
        found = found.reshape(len(TRANSFORMS), len(self.planted_rows))
        partner = self.train.person[to_train.partner[:, 0]].reshape(found.shape)
        person = self.train.person[self.planted_rows]
        for row, transform in enumerate(TRANSFORMS):
            sources = [np.roll(person, shift) for shift in range(transform.sources)]
            found[row] &= np.logical_or.reduce([partner[row] == source for source in sources])
        return found

    def _baseline(self, detector: Detector) -> np.ndarray:
        """Return similarities of real records to their nearest of another person.

        Of sets too large for all pairs, those of evenly spaced records to the whole training set.
        """
        whole = self.train if self.holdout is None else self.holdout
        pairs = _BASELINE if self._ranged(detector) else COMPLETE_PAIRS
        most, side = max(pairs // len(self.train), 1), whole
        if len(whole) > most:
            side = whole.only(np.linspace(0, len(whole) - 1, most).round().astype(int))
        to_train, from_train = self._nearest(
            detector, "baseline", side.signals[detector.signals], "train", own=side
        )
        if self.holdout is None or len(side) < len(whole):
            return to_train.similarity[:, 0]
        return np.concatenate([to_train.similarity[:, 0], from_train.similarity[:, 0]])

    def _nearest(
        self,
        detector: Detector,
        name: str,
        queries: Signals,
        side: str,
        k: int = 1,
        own: Side | None = None,
    ) -> tuple[Nearest, Nearest]:
        """Return partners of the queries of this name in a side, and the other way round.

        With `own`, whose signals the queries are, without the records of the same person.
        """
        other = self.sides[side]
        b = other.signals[detector.signals]
        if detector.screened(self.complete):
            screen = self._screen[detector.screen, name, side]
            return self._screened(detector, queries, b, *screen, k)
        keep = self._keep.get(detector.id, 0)
        found = _search(
            detector,
            queries,
            b,
            max(k, keep),
            None if own is None else (own.person, other.person),
            self._search_jobs,
            self.device,
            self.progress,
        )
        if keep:
            self._screen[detector.id, name, side] = found
        return found

    def _screened(
        self, detector: Detector, a: Signals, b: Signals, to: Nearest, back: Nearest, k: int
    ) -> tuple[Nearest, Nearest]:
        """Return the best partners among those of the screen, either side among its own.

        What a record is compared with does not depend on which side it is on.
        """
        n, m = len(a.x), len(b.x)
        nearest = max(detector.nearest, k)
        i, j = _listed(to, nearest)
        back_j, back_i = _listed(back, nearest)
        mine, theirs = i * m + j, back_i * m + back_j
        pairs = np.unique(np.concatenate([mine, theirs]))
        pairs = pairs[a.usable[pairs // m] & b.usable[pairs % m]]
        value = pairwise(detector, a, b, pairs, jobs=self.jobs, progress=self.progress)
        mine, theirs = np.isin(pairs, mine), np.isin(pairs, theirs)
        return (
            best_of(value[mine], pairs[mine] // m, pairs[mine] % m, n, k),
            best_of(value[theirs], pairs[theirs] % m, pairs[theirs] // m, m, k),
        )


def _listed(found: Nearest, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Return the pairs of each record with its k nearest as rows and partners."""
    row, rank = np.nonzero(found.partner[:, :k] >= 0)
    return row, found.partner[row, rank]


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


class _Ranges:
    """D2 in sets too large to correlate every pair: all partners above the floors.

    Bounds are made once a side and serve synthetic and planted records alike, so that the planted
    ones tell what this search finds.
    """

    def __init__(
        self,
        detector: Detector,
        train: Side,
        holdout: Side | None,
        jobs: int,
        device: str,
        progress: Progress,
    ) -> None:
        self.detector, self.train, self.holdout = detector, train, holdout
        self.jobs, self.device, self.progress = jobs, device, progress
        self._made: list[tuple[np.ndarray, Lagged, np.ndarray, Bound]] = []
        for side in (train, holdout):
            if side is None:
                continue
            signals = side.signals[detector.signals]
            rows = np.flatnonzero(signals.usable)
            x = signals.x[rows]
            kernel = cast(Lagged, detector.kernel(x[:0], x, device))
            self._made.append((rows, kernel, *lag_range(kernel, device)))

    def __call__(
        self, queries: Signals, k: int, rule: CopyRule | None = None
    ) -> tuple[Nearest, Nearest, Nearest, Nearest, tuple[int, ...]]:
        """Return partners above the floors, train and holdout treated alike; who else is near.

        The copy rule compares both sides, so where only one has a partner above the floor the
        other is searched completely: everywhere, or, given a rule, where that decides. With too
        many such records the others are taken to lie at the floor, which names fewer.
        """
        rows = np.flatnonzero(queries.usable)
        found: list[tuple[Nearest, Nearest]] = []
        stages = np.zeros(4, int)
        sides = [side for side in (self.train, self.holdout) if side is not None]
        for side, (other, kernel, floors, bound) in zip(sides, self._made, strict=True):
            above = search_above(
                kernel.of(Rows(queries.x, rows)),
                floors,
                bound=bound,
                k=k,
                jobs=self.jobs,
                stage=f"copy search {self.detector.id}",
                progress=self.progress,
            )
            stages += above.stages
            found.append(
                (
                    _placed(above.by_query, len(queries.x), rows, other),
                    _placed(above.by_reference, len(side), other, rows),
                )
            )
        counts = tuple(stages.tolist())
        to_train, from_train = found[0]
        if self.holdout is None:
            to_other = _other(to_train, self.train)
            to_other.similarity[np.isnan(to_other.similarity)] = max(FLOORS)
            return to_train, from_train, to_other, from_train, counts
        to_other, from_other = found[1]
        for side, own, theirs in (
            (self.holdout, to_other, to_train),
            (self.train, to_train, to_other),
        ):
            known, alone = (~np.isnan(x.similarity[:, 0]) for x in (own, theirs))
            alone &= ~known
            rest = np.flatnonzero(alone)
            own.similarity[rest] = max(FLOORS)
            if rule is not None:
                rest = rest[~rule(theirs.similarity[rest, 0], own.similarity[rest, 0])]
            rest = rest[: COMPLETE_PAIRS // len(side)]
            exact, _ = _search(
                self.detector,
                queries.only(rest),
                side.signals[self.detector.signals],
                1,
                None,
                self.jobs,
                self.device,
                self.progress,
            )
            own.similarity[rest] = exact.similarity
        return to_train, from_train, to_other, from_other, counts


def lag_range(kernel: Lagged, device: str = "cpu") -> tuple[np.ndarray, Bound]:
    """Return D2's floors at each absolute lag, and the bound that excludes pairs below them."""
    floors = np.where(np.arange(kernel.max_lag + 1) <= NEAR_S * FS_HZ, *FLOORS)
    if device != "cpu":
        from ecgeval.privacy.copies.on_device import LagScores

        return floors, LagScores(kernel, floors)
    band = (BAND_HZ[0] / FS_HZ - 0.005, BAND_HZ[1] / FS_HZ + 0.01)
    return floors, LagBound(kernel, floors, round(BIN_S * FS_HZ), band)


def _placed(found: Nearest, n: int, rows: np.ndarray, partners: np.ndarray) -> Nearest:
    """Return what was found among usable records, over all records."""
    k = found.similarity.shape[1]
    out = Nearest(np.full((n, k), np.nan), np.full((n, k), -1))
    out.similarity[rows] = found.similarity
    out.partner[rows] = np.where(found.partner < 0, -1, partners[found.partner])
    return out


def _search(
    detector: Detector,
    a: Signals,
    b: Signals,
    k: int,
    groups: tuple[np.ndarray, np.ndarray] | None,
    jobs: int,
    device: str,
    progress: Progress,
) -> tuple[Nearest, Nearest]:
    """Search usable records only; the others get no partner. Similarities are correlations."""
    rows = np.flatnonzero(a.usable)
    if b.parts is None or b.owner is None:
        owner = np.flatnonzero(b.usable)
        references = b.x[owner]
    else:
        owner, references = b.owner, b.parts
    none = (Nearest(np.full((len(s.x), k), np.nan), np.full((len(s.x), k), -1)) for s in (a, b))
    if not len(rows) or not len(owner):
        return next(none), next(none)
    by_query, by_part = search(
        detector.kernel(Rows(a.x, rows), references, device),
        k=k,
        groups=None if groups is None else (groups[0][rows], groups[1][owner]),
        jobs=jobs,
        stage=f"copy search {detector.id}",
        progress=progress,
    )
    by_query, by_part = (Nearest(detector.correlation(f), f.partner) for f in (by_query, by_part))
    if b.parts is not None:  # the best part of each record
        order = np.lexsort((-np.nan_to_num(by_part.similarity[:, 0], nan=-2), owner))
        whose, first = np.unique(owner[order], return_index=True)
        best = order[first]
        by_part = Nearest(by_part.similarity[best], by_part.partner[best])
        back = _placed(by_part, len(b.x), whose, rows)
    else:
        back = _placed(by_part, len(b.x), owner, rows)
    return _placed(by_query, len(a.x), rows, owner), back


def _other(found: Nearest, train: Side) -> Nearest:
    """Return the nearest training record of another person than the nearest one's."""
    person = np.where(found.partner < 0, -1, train.person[found.partner])
    other = (person != person[:, :1]) & (person >= 0)
    first = other.argmax(axis=1)[:, None]
    none = ~other.any(axis=1)[:, None]
    similarity = np.take_along_axis(found.similarity, first, axis=1)
    # All k nearest belong to one person: the last of them bounds everybody else from above.
    similarity = np.where(none, found.similarity[:, -1:], similarity)
    return Nearest(similarity, np.where(none, -1, np.take_along_axis(found.partner, first, axis=1)))
