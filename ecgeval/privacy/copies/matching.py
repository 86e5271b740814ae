"""Detectors at work: who is nearest to whom, what the copy rule names, what of planted copies.

Sets of up to `COMPLETE_PAIRS` pairs are compared completely. In larger ones a detector finds every
partner above its floors, or looks at the records that another one finds nearest; the costliest
always does that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from ecgeval.parallel import Progress, quiet
from ecgeval.privacy.copies.detectors import COMPLETE_PAIRS, Detector
from ecgeval.privacy.copies.disguises import TRANSFORMS
from ecgeval.privacy.copies.neighbours import (
    Partners,
    RangeSearch,
    Side,
    nearest_of_another,
    nearest_records,
)
from ecgeval.privacy.copies.pairs import pairwise
from ecgeval.privacy.copies.rule import CopyRule, calibrate
from ecgeval.privacy.copies.search import Nearest, best_of
from ecgeval.privacy.copies.signals import Signals

__all__ = ["Match", "Matching", "complete"]

_BASELINE_IN_RANGE = 8_000_000  # pairs for the limit of a detector that works by range
_OTHERS = 6  # nearest training records looked at for one of another person, without a holdout


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


@dataclass(eq=False)
class Matching:
    """The searches of an audit, detector by detector.

    Parameters
    ----------
    train : Side
    holdout : Side or None
    synth : Side
    planted : mapping of Signals
        Planted copies, a block of rows a transform.
    planted_rows : ndarray of int
        Training records they were made of.
    jobs, device, progress
        As in `audit_sets`.
    """

    train: Side
    holdout: Side | None
    synth: Side
    planted: Mapping[str, Signals]
    planted_rows: np.ndarray
    jobs: int = 1
    device: str = "cpu"
    progress: Progress = quiet
    _keep: dict[str, int] = field(default_factory=dict)  # nearest records others look at
    _screen: dict[tuple[str, str, str], tuple[Nearest, Nearest]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.sides = {"train": self.train}
        if self.holdout is not None:
            self.sides["holdout"] = self.holdout
        self.complete = complete(len(self.synth), *map(len, self.sides.values()))

    def matches(self, detectors: Sequence[Detector]) -> tuple[Match, ...]:
        """Return what every detector found that can run, in the order given."""
        compares = {d.id: d.signals for d in detectors}
        screened = {d.id: d.screened(self.complete) for d in detectors}

        def can_run(d: Detector) -> bool:
            needs = {d.signals, compares.get(d.screen, "")} if screened[d.id] else {d.signals}
            return needs <= set(self.synth.signals)

        run = [d for d in detectors if can_run(d)]
        for d in run:
            if screened[d.id]:
                self._keep[d.screen] = max(self._keep.get(d.screen, 0), d.nearest)
        done = {d.id: self.match(d) for d in sorted(run, key=lambda d: screened[d.id])}
        return tuple(done[d.id] for d in run)

    def match(self, detector: Detector) -> Match:
        """Run one detector over everything it is needed for."""
        synth, planted = (s[detector.signals] for s in (self.synth.signals, self.planted))
        k = 1 if self.holdout is not None else _OTHERS
        baseline = self._baseline(detector)
        rule = calibrate(baseline, int(synth.usable.sum()), detector.limits)
        if self._by_range(detector):
            search = RangeSearch(
                detector,
                self.train,
                self.holdout,
                jobs=self.jobs,
                device=self.device,
                progress=self.progress,
            )
            near, near_planted = search(synth, k), search(planted, k, rule)
        else:
            near = self._partners(detector, "synth", synth, k)
            near_planted = self._partners(detector, "planted", planted, k)
        train, other = near.train.similarity[:, 0], near.other.similarity[:, 0]
        return Match(
            detector,
            rule,
            train,
            other,
            near.train.partner[:, 0],
            named=rule(train, other),
            control=rule(other, train) if self.holdout is not None else np.zeros(len(train), bool),
            real=np.concatenate([back.similarity[:, 0] for back in near.back]),
            baseline=baseline,
            stages=near.stages,
            found=self._found(rule, near_planted),
        )

    def _by_range(self, detector: Detector) -> bool:
        return detector.by_range and not self.complete

    def _partners(self, detector: Detector, name: str, queries: Signals, k: int) -> Partners:
        """Return the partners of the queries of this name in training set and holdout."""
        train, back = self._nearest(detector, name, queries, "train", k)
        if self.holdout is None:
            return Partners(train, nearest_of_another(train, self.train.person), (back,))
        other, back_other = self._nearest(detector, name, queries, "holdout")
        return Partners(train, other, (back, back_other))

    def _found(self, rule: CopyRule, near: Partners) -> np.ndarray:
        """Return which planted copies the rule names, with the right partner."""
        found = rule(near.train.similarity[:, 0], near.other.similarity[:, 0])
        found = found.reshape(len(TRANSFORMS), len(self.planted_rows))
        partner = self.train.person[near.train.partner[:, 0]].reshape(found.shape)
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
        pairs = _BASELINE_IN_RANGE if self._by_range(detector) else COMPLETE_PAIRS
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
            return self._screened(
                detector, queries, b, *self._screen[detector.screen, name, side], k
            )
        keep = self._keep.get(detector.id, 0)
        found = nearest_records(
            detector,
            queries,
            b,
            max(k, keep),
            groups=None if own is None else (own.person, other.person),
            jobs=self.jobs,
            device=self.device,
            progress=self.progress,
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
