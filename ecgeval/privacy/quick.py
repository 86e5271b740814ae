"""A look at memory that is quick enough for every checkpoint of a training run.

Two of the audit's detectors and its copy rule, without planted copies and the checks of the sets
that an audit makes. It ranks checkpoints; only `audit_sets` says how sensitive a search was.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecgeval.ecgset import EcgSet
from ecgeval.parallel import child_rng
from ecgeval.privacy.comparable import P_ALIKE, drawn_alike, record_features
from ecgeval.privacy.copies.detectors import (
    BEAT_CORE_S,
    BEAT_FS_HZ,
    BEAT_KEPT_S,
    DETECTORS,
    FS_HZ,
    Detector,
)
from ecgeval.privacy.copies.rule import CopyRule, calibrate
from ecgeval.privacy.copies.search import search
from ecgeval.privacy.copies.signals import Signals, beat_signals, independent_leads, record_signals
from ecgeval.privacy.exchangeability import exchange_test, patient_scores
from ecgeval.stats.intervals import auc_interval

__all__ = ["Look", "Memory"]

QUICK = tuple(d for d in DETECTORS if d.quick)
_BEAT_STEP = 7  # samples at 250 Hz


@dataclass(frozen=True)
class Look:
    """What was found in one synthetic set.

    Parameters
    ----------
    copies, control : int
        Records named copies of training records, and of the others by the same rule.
    auc : tuple of (detector, AUC, (low, high))
        Exchangeability of training and other patients, 95 % interval.
    p : float
        Training patients are closer, all detectors together.
    n : int
        Synthetic records that could be compared.
    """

    copies: int
    control: int
    auc: tuple[tuple[str, float, tuple[float, float]], ...]
    p: float
    n: int


class Memory:
    """Training patients and others, prepared once and compared with many synthetic sets.

    Parameters
    ----------
    train, other : EcgSet
        Of the same leads, rate and length; no patient in both.
    train_beats, other_beats : ndarray, shape (n, leads, samples)
        Representative beats, mV, NaN where missing.
    beats_fs : float
    patients : (array_like, array_like)
        One patient id a record of either set.
    seed : int

    Attributes
    ----------
    alike_p : float
        p of the difference between training and other patients by themselves: below `P_ALIKE`
        they were not drawn alike, and what a generator is closer to shows nothing.
    """

    def __init__(
        self,
        train: EcgSet,
        other: EcgSet,
        train_beats: np.ndarray,
        other_beats: np.ndarray,
        beats_fs: float,
        patients: tuple[np.ndarray, np.ndarray],
        seed: int = 0,
    ) -> None:
        self.leads, self.seconds = independent_leads([train, other]), train.seconds
        self.have, self.fs, self.seed = train.leads, beats_fs, seed
        self.real = [self._signals(train, train_beats), self._signals(other, other_beats)]
        self.people, self.person = np.unique(np.concatenate(patients), return_inverse=True)
        self.n = len(train), len(other)
        self.in_train = np.isin(self.people, patients[0])
        first, stop = (round((at - BEAT_KEPT_S[0]) * BEAT_FS_HZ) for at in BEAT_CORE_S)
        core = slice(first, stop, _BEAT_STEP)
        features = [
            np.column_stack(
                [
                    record_features(s["record"].x, FS_HZ),
                    s["beat"].x[:, :, core].reshape(len(s["beat"].x), -1),
                ]
            )
            for s in self.real
        ]
        usable = np.concatenate([s["record"].usable for s in self.real])
        side = np.arange(sum(self.n)) < self.n[0]
        self.alike_p = drawn_alike(
            np.concatenate(features)[usable],
            self.person[usable],
            side[usable],
            child_rng(seed, "memory", "alike"),
        ).p
        self.between = {
            d.id: np.concatenate(_nearest(d, *(s[d.signals] for s in self.real))) for d in QUICK
        }

    @property
    def alike(self) -> bool:
        """Whether nothing speaks against both sides having been drawn alike."""
        return self.alike_p >= P_ALIKE

    def look(self, synth: EcgSet, beats: np.ndarray) -> Look:
        """Return copies and exchangeability of a synthetic set."""
        mine = self._signals(synth, beats)
        named, control = (np.zeros(len(synth), bool) for _ in range(2))
        scores = np.empty((sum(self.n), len(QUICK)))
        for k, d in enumerate(QUICK):
            of_synth, of_real = [], []
            for side in self.real:
                found = _nearest(d, mine[d.signals], side[d.signals])
                of_synth.append(found[0])
                of_real.append(found[1])
            scores[:, k] = np.concatenate(of_real)
            rule: CopyRule = calibrate(
                self.between[d.id], int(mine[d.signals].usable.sum()), d.limits
            )
            named |= rule(of_synth[0], of_synth[1])
            control |= rule(of_synth[1], of_synth[0])
        n = int(mine["record"].usable.sum())
        best, counts = patient_scores(scores, self.person)
        seen = counts > 0
        if np.isneginf(best[seen]).all():  # no synthetic record could be compared
            return Look(0, 0, (), 1.0, n)
        test = exchange_test(
            best[seen],
            self.in_train[seen],
            names=tuple(d.id for d in QUICK),
            strata=counts[seen],
            permutations=999,
            rng=child_rng(self.seed, "memory", "exchange"),
        )
        sizes = int(self.in_train[seen].sum()), int((~self.in_train[seen]).sum())
        auc = tuple(
            (name, float(value), auc_interval(float(value), *sizes))
            for (name, statistic), value in zip(test.statistics, test.observed, strict=True)
            if statistic == "auc"
        )
        return Look(int(named.sum()), int(control.sum()), auc, test.p, n)

    def _signals(self, ecgs: EcgSet, beats: np.ndarray) -> dict[str, Signals]:
        return {
            "record": record_signals(ecgs, self.leads, self.seconds),
            "beat": beat_signals(beats, self.fs, self.have, self.leads),
        }


def _nearest(detector: Detector, a: Signals, b: Signals) -> tuple[np.ndarray, np.ndarray]:
    """Return the highest correlation of each record to the other side; NaN where unusable."""
    rows = np.flatnonzero(a.usable), np.flatnonzero(b.usable)
    out = np.full(len(a.x), np.nan), np.full(len(b.x), np.nan)
    if len(rows[0]) and len(rows[1]):
        found = search(detector.kernel(a.x[rows[0]], b.x[rows[1]]))
        for whole, part, at in zip(out, found, rows, strict=True):
            whole[at] = detector.correlation(part.similarity)[:, 0]
    return out
