"""Which waveforms are compared, and in which form: rounding, rate, near-duplicates."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgeval.comparison.classifier.checks import SLUG
from ecgeval.comparison.classifier.near_duplicates import near_duplicates
from ecgeval.comparison.classifier.rounding import rounding_step
from ecgeval.ecgset import resample
from ecgeval.parallel import shards
from ecgeval.stats.arrays import Floats
from ecgeval.stats.classifiers import wide_ridge_logistic
from ecgeval.stats.sample import MIN_PATIENTS
from ecgeval.stats.two_sample import C2st, Pool, joined_groups, two_sample_test

__all__ = ["BLOCK", "LOW_HZ", "Records", "choose", "low_pass"]


LOW_HZ = 100.0
"""Rate at which whole waveforms are compared, Hz."""

FINE_HZ = 250.0
FINE_S = 4.0
"""Rate and length of the beginning of each record that is compared for its texture, Hz and s."""

UNEQUAL = 1.1
"""Ratio of the sets' records a patient above which one record of each patient is compared."""

BLOCK = 64
"""Records that are read and brought to a form at once."""


@dataclass(frozen=True)
class Records:
    """The records compared, both sets pooled, real first."""

    low: Floats  # (n, leads, samples), mV, at fs: about 100 Hz
    fs: float
    fine: Floats | None  # the first seconds, at fine_fs; None in sets at 100 Hz or less
    fine_fs: float
    label: NDArray[np.bool_]  # True for synthetic
    patient: NDArray[np.intp]  # codes from 0
    group: NDArray[np.intp]  # patients, joined where they have near-duplicates
    row: NDArray[np.intp]  # in its own set
    step: NDArray[np.floating]  # rounding of each record as it came, µV; 0 for none
    common_step: float  # what they were rounded to, µV
    copied: int  # synthetic records that are near-duplicates of a real one
    repeated: int  # ... of another synthetic one
    notes: str  # what was left out, in sentences

    def pool(self, x: NDArray[np.floating], keep: NDArray[np.bool_]) -> Pool:
        """Return `x`, one row a record that is kept, with patients numbered anew."""
        patient = np.unique(self.patient[keep], return_inverse=True)[1]
        return Pool(x, patient, self.group[keep])

    def test(
        self,
        x: NDArray[np.floating],
        name: str,
        *,
        fit: Any = wide_ridge_logistic,
        keep: NDArray[np.bool_] | None = None,
        within: int = 50,
        **settings: Any,
    ) -> C2st | str:
        """Return how well a classifier tells the sets apart by `x`, one row a record (a kept one).

        `settings` as of `ecgeval.stats.classifiers.two_sample_test`.
        """
        keep = np.ones(len(self.label), bool) if keep is None else keep
        label = self.label[keep]
        return two_sample_test(
            self.pool(x, keep),
            label,
            self.pool(x[~label], keep & ~self.label),
            fit,
            name=f"{SLUG}.{name}",
            within=within,
            **settings,
        )


def choose(
    sets: tuple[Any, Any],
    fs: float,
    patients: list[NDArray[np.intp]],
    most: int,
    rng: np.random.Generator,
) -> Records | str:
    """Draw as many patients of either set and bring their records to one form.

    `sets` are real and synthetic signals, (n, leads, samples), mV, or what is read like them by
    arrays of record numbers; `patients` codes from 0; `most` the records of a set. Records with NaN
    are left out and counted. Text says why there are too few.
    """
    each = [np.bincount(who) for who in patients]
    smaller = min(map(len, each))
    if smaller < 2 * MIN_PATIENTS:
        return f"{smaller} patients in the smaller set (at least {2 * MIN_PATIENTS} needed)"
    rows, notes = _draw(patients, each, most, rng)
    steps = [_steps(signals, row) for signals, row in zip(sets, rows, strict=True)]
    common = max(float(np.quantile(step, 0.95, method="lower")) for step in steps)
    forms = [
        _forms(signals, row, fs, common, step)
        for signals, row, step in zip(sets, rows, steps, strict=True)
    ]
    whole = [np.isfinite(low).all(axis=(1, 2)) for low, _ in forms]
    codes = [
        np.unique(who[row[ok]], return_inverse=True)[1]
        for who, row, ok in zip(patients, rows, whole, strict=True)
    ]
    left = min(int(code.max(initial=-1)) + 1 for code in codes)
    if left < 2 * MIN_PATIENTS:
        return (
            f"{left} patients with a record without gaps in the smaller set (at least "
            f"{2 * MIN_PATIENTS} needed)"
        )
    if lost := sum(int((~ok).sum()) for ok in whole):
        notes += f"{lost} records with gaps were left out. "

    def pooled(parts: list[Any]) -> Any:
        return np.concatenate([part[ok] for part, ok in zip(parts, whole, strict=True)])

    low, fine = (pooled([form[k] for form in forms]) for k in (0, 1))
    label = np.repeat([False, True], [ok.sum() for ok in whole])
    patient = np.concatenate([codes[0], codes[0].max() + 1 + codes[1]])
    same = near_duplicates(low)
    return Records(
        low,
        min(fs, LOW_HZ),
        fine if fs > LOW_HZ else None,
        min(fs, FINE_HZ),
        label,
        patient,
        joined_groups(patient, same),
        pooled(rows),
        pooled(steps),
        common,
        int(np.isin(same[label], same[~label]).sum()),
        int((np.bincount(same[label])[same[label]] > 1).sum()),
        notes,
    )


def _draw(
    patients: list[NDArray[np.intp]],
    each: list[NDArray[np.intp]],
    most: int,
    rng: np.random.Generator,
) -> tuple[list[NDArray[np.intp]], str]:
    """Return rows of either set, patient by patient, and what is to be said of the drawing.

    `each` are records a patient. Where the sets differ in these, one record of each is drawn.
    """
    ratio = each[0].mean() / each[1].mean()
    single = max(ratio, 1 / ratio) > UNEQUAL
    n = min(map(len, each))
    if not single:
        n = max(min(n, int(most / max(e.mean() for e in each))), 2 * MIN_PATIENTS)
    n = min(n, most)
    rows = []
    for who, count in zip(patients, each, strict=True):
        drawn = np.sort(rng.choice(len(count), n, replace=False))
        order = rng.permutation(len(who)) if single else np.arange(len(who))
        mine = order[np.isin(who[order], drawn)]
        if single:  # the first of each patient in random order
            mine = mine[np.unique(who[mine], return_index=True)[1]]
        rows.append(mine[np.argsort(who[mine], kind="stable")])
    notes = (
        "One record a patient, drawn at random, because patients have more records in one "
        "set than in the other. "
    )
    return rows, notes if single else ""


def _steps(signals: Any, rows: NDArray[np.intp]) -> NDArray[np.floating]:
    """Return the rounding step of each record, from its first 500 samples."""
    parts = [rows[part] for part in shards(len(rows), BLOCK)]
    return np.array([rounding_step(x[..., :500]) for part in parts for x in signals[part]])


def _forms(
    signals: Any, rows: NDArray[np.intp], fs: float, step: float, own: NDArray[np.floating]
) -> tuple[Floats, Floats]:
    """Return whole records at `LOW_HZ` at most and their beginnings at `FINE_HZ` at most.

    Medians are taken off. Records whose own step is less than half of `step`, µV, are rounded to
    it: the others carry as much noise of rounding already.
    """
    low, fine = [], []
    start = round(FINE_S * fs) if fs > LOW_HZ else 0
    for part in shards(len(rows), BLOCK):
        block = np.asarray(signals[rows[part]], dtype=np.float32)
        smoother = own[part] < step / 2
        if smoother.any():
            unit = np.float32(step / 1000)
            block = np.where(smoother[:, None, None], np.rint(block / unit) * unit, block)
        block = block - np.median(block, axis=-1, keepdims=True)
        low.append(resample(block, fs, min(fs, LOW_HZ)).astype(np.float32))
        fine.append(resample(block[..., :start], fs, min(fs, FINE_HZ)) if start else low[-1][:, :0])
    return np.concatenate(low), np.concatenate(fine)


def low_pass(signals: Floats, fs: float, hz: float) -> Floats:
    """Return signals without what lies above `hz` (ends mirrored, so that they leave no edge)."""
    from scipy.fft import dct, idct

    if 2 * hz >= fs:
        return signals
    spectrum = dct(signals, axis=-1, norm="ortho")
    spectrum[..., np.arange(signals.shape[-1]) * fs / (2 * signals.shape[-1]) > hz] = 0
    return idct(spectrum, axis=-1, norm="ortho").astype(np.float32)
