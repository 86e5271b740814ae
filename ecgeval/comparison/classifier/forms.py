"""Which waveforms are compared, and in which form: rounding, rate, near-duplicates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ecgeval.comparison.classifier.near_duplicates import near_twins
from ecgeval.ecgset import resample
from ecgeval.errors import UsageError
from ecgeval.parallel import shards
from ecgeval.stats.arrays import Floats
from ecgeval.stats.sample import MIN_PATIENTS
from ecgeval.stats.two_sample import Pool, joined_groups

__all__ = ["BLOCK", "Chosen", "checked", "choose", "low_pass", "rounding_step"]


LOW_HZ = 100.0
"""Rate at which whole waveforms are compared, Hz."""

FINE_HZ = 250.0
FINE_S = 4.0
"""Rate and length of the beginning of each record that is compared for its texture, Hz and s."""

UNLIKE_CLUSTERS = 1.1
BLOCK = 64


@dataclass(frozen=True)
class Chosen:
    """The records compared, both sets pooled, real first.

    `low` is the form at about 100 Hz, `fine` the first seconds at a higher rate (None where the
    sets have none), `twins` how many synthetic records repeat a real one, `repeats` another
    synthetic one, `step` the rounding of each record, µV (0 for none).
    """

    low: Floats
    fs: float
    fine: Floats | None
    fine_fs: float
    label: NDArray[np.bool_]
    patient: NDArray[np.intp]
    group: NDArray[np.intp]
    row: NDArray[np.intp]
    step: NDArray[np.floating]
    common_step: float
    twins: int
    repeats: int
    notes: str

    def pool(self, x: NDArray[np.floating], keep: NDArray[np.bool_] | None = None) -> Pool:
        """Return `x`, one row a record (a kept one), with patients numbered anew."""
        keep = np.ones(len(self.label), bool) if keep is None else keep
        patient = np.unique(self.patient[keep], return_inverse=True)[1]
        return Pool(x, patient, self.group[keep])


def checked(
    signals: Any, patients: ArrayLike, beats: NDArray[np.floating], leads: Sequence[str], which: str
) -> NDArray[np.intp]:
    """Return patient codes, numbered by name so that the order of records moves no draw."""
    who = np.asarray(patients, dtype=object)
    if len(signals.shape) != 3 or signals.shape[1] != len(leads):
        raise UsageError(
            f"the {which} signals have shape {tuple(signals.shape)}; expected (records, "
            f"{len(leads)} leads, samples)"
        )
    if who.shape != (len(signals),) or len(beats) != len(signals):
        raise UsageError(
            f"{len(signals)} {which} records, {who.size} patient ids and {len(beats)} beats; "
            "expected one of each a record"
        )
    return np.unique(who.astype(str), return_inverse=True)[1]


def choose(
    sets: tuple[Any, Any],
    fs: float,
    patients: list[NDArray[np.intp]],
    most: int,
    rng: np.random.Generator,
) -> Chosen | str:
    """Draw as many patients of either set and bring their records to one form."""
    each = [np.bincount(who) for who in patients]
    n = min(map(len, each))
    if n < 2 * MIN_PATIENTS:
        return f"{n} patients in the smaller set (at least {2 * MIN_PATIENTS} needed)"
    ratio = each[0].mean() / each[1].mean()
    single = max(ratio, 1 / ratio) > UNLIKE_CLUSTERS
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
    step = [_steps(signals, row) for signals, row in zip(sets, rows, strict=True)]
    common = max(float(np.quantile(s, 0.95, method="lower")) for s in step)
    forms = [
        _forms(signals, row, fs, common, own)
        for signals, row, own in zip(sets, rows, step, strict=True)
    ]
    whole = [np.isfinite(low).all(axis=(1, 2)) for low, _ in forms]
    lost = sum(int((~ok).sum()) for ok in whole)
    label = np.repeat([False, True], [ok.sum() for ok in whole])
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
    low, fine = (
        np.concatenate([form[k][ok] for form, ok in zip(forms, whole, strict=True)]) for k in (0, 1)
    )
    patient = np.concatenate([codes[0], codes[0].max() + 1 + codes[1]])
    twin = near_twins(low)
    notes = (
        "One record a patient, drawn at random, because patients have more records in one "
        "set than in the other. "
        if single
        else ""
    )
    notes += f"{lost} records with gaps were left out. " if lost else ""
    return Chosen(
        low,
        min(fs, LOW_HZ),
        fine if fs > LOW_HZ else None,
        min(fs, FINE_HZ),
        label,
        patient,
        joined_groups(patient, twin),
        np.concatenate([row[ok] for row, ok in zip(rows, whole, strict=True)]),
        np.concatenate([s[ok] for s, ok in zip(step, whole, strict=True)]),
        common,
        int(np.isin(twin[label], twin[~label]).sum()),
        int((np.bincount(twin[label])[twin[label]] > 1).sum()),
        notes,
    )


def rounding_step(samples: NDArray[np.floating]) -> float:
    """Return the step that a record's samples are rounded to, µV; 0 where there is none.

    The median distance between neighbouring values among the samples between the quartiles. Where
    more than half of these are values of their own, no step can be seen.

    Parameters
    ----------
    samples : ndarray
        mV, of any shape.
    """
    values = np.sort(np.rint(samples.ravel() * 1e5))  # hundredths of a microvolt
    values = values[len(values) // 4 : 3 * len(values) // 4 + 1]
    distinct = np.unique(values)
    if len(distinct) < 2 or len(distinct) > len(values) / 2 or not np.isfinite(distinct).all():
        return 0.0
    return float(np.median(np.diff(distinct)) / 100)


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
