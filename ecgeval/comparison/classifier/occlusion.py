"""When and in which lead a classifier of representative beats looks."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from ecgeval.parallel import child_rng, map_shards
from ecgeval.stats.arrays import Floats
from ecgeval.stats.classifiers import wide_ridge_weights
from ecgeval.stats.intervals import percentile_interval
from ecgeval.stats.resampling import resample_weights, subset_weights
from ecgeval.stats.sample import rescale
from ecgeval.stats.two_sample import Pool, split_groups

__all__ = ["STRETCH_S", "WAVES", "Falls", "occlude"]


STRETCH_S = 0.04
"""Length of the stretch of a lead that is replaced, s."""

WAVES = (
    ("before_p", "before the P wave", -np.inf, -0.24),
    ("p", "around the P wave", -0.24, -0.06),
    ("qrs", "in the QRS complex", -0.06, 0.06),
    ("st", "in the ST segment", 0.06, 0.14),
    ("t", "around the T wave", 0.14, 0.42),
    ("after_t", "after the T wave", 0.42, np.inf),
)
"""Slug, words, and where each wave lies from the R peak at rest, s."""


@dataclass(frozen=True)
class Falls:
    """What the log-odds lose when parts of a beat are replaced by the mean beat of both sets."""

    gap: float  # mean log-odds of synthetic less real held-out records, nothing replaced
    stretch: Floats  # (leads, samples): fall of the gap without STRETCH_S around a sample
    wave: Floats  # (leads, waves): fall without a whole wave
    ci: Floats  # (leads, waves, 2): bootstrap of patients
    floor: Floats  # (leads, waves, 2): real against real, rescaled to the sizes here
    n_real: int
    n_synth: int
    patients_real: int
    patients_synth: int


def occlude(
    pool: Pool,
    label: NDArray[np.bool_],
    samples: int,
    fs: float,
    zero: int,
    *,
    seed: int,
    name: str,
    draws: int,
    halves: int,
    within: int = 100,
    jobs: int = 1,
) -> Falls:
    """Replace parts of held-out beats by the mean beat and see what the log-odds lose.

    Both halves of the patients are held out in turn. The classifier is additive in the samples, so
    the parts of a beat add up to the gap.

    Parameters
    ----------
    pool : Pool
        Features of both sets from `beats.beat_features`.
    label : ndarray of bool, shape (n,)
    samples : int
        Of a lead of a beat.
    fs : float
        Hz.
    zero : int
        Sample of the R peak.
    seed, name, draws, halves, within, jobs
        As in `ecgeval.stats.classifiers.two_sample_test`.
    """
    rng = child_rng(seed, name)
    at = (np.arange(samples) - zero) / fs
    inside = np.stack([(at >= low) & (at < high) for *_, low, high in WAVES], axis=1)
    falls = _falls(pool, label, samples, split_groups(pool.group, label, rng))
    mean = falls[label].mean(axis=0) - falls[~label].mean(axis=0)
    reach = max(round(STRETCH_S * fs), 1)
    around = ((0, 0), (reach // 2, reach - 1 - reach // 2))
    stretch = sliding_window_view(np.pad(mean, around), reach, axis=1).sum(axis=-1)
    waves = _by_wave(falls, inside)
    drawn, sizes = np.zeros((waves.shape[1], draws)), []
    for side, sign in ((~label, -1), (label, 1)):
        patient = np.unique(pool.patient[side], return_inverse=True)[1]
        total, count = _patient_sums(waves[side], patient)
        weights = resample_weights(len(count), draws, rng).astype(float)
        drawn = drawn + sign * (total.T @ weights) / (count @ weights)
        sizes.append(len(count))
    real = Pool(pool.x[~label], pool.patient[~label], pool.group[~label])
    one = partial(_real_falls, real, inside, within, seed, f"{name}.floor")
    null = np.concatenate(map_shards(one, range(halves), jobs=jobs), axis=1)
    null *= rescale(sizes[0], sizes[1], sizes[0] / 2, sizes[0] / 2)

    def intervals(values: Floats) -> Floats:
        return np.array([percentile_interval(row) for row in values]).reshape(-1, len(WAVES), 2)

    return Falls(
        float(mean.sum()),
        stretch,
        _by_wave(mean[None], inside).reshape(-1, len(WAVES)),
        intervals(drawn),
        intervals(null),
        int((~label).sum()),
        int(label.sum()),
        sizes[0],
        sizes[1],
    )


def _falls(pool: Pool, label: NDArray[np.bool_], samples: int, train: NDArray[np.bool_]) -> Floats:
    """Return what each sample adds to each record's log-odds, shape (n, leads, samples)."""
    out = np.empty((len(label), pool.x.shape[1] // (2 * samples), samples), np.float32)
    for side in (train, ~train):
        prepare, w, _ = wide_ridge_weights(pool.x[side], label[side])
        mean = prepare(np.zeros_like(pool.x[:1]))
        moved = (prepare(pool.x[~side]) - mean) * w
        out[~side] = moved.reshape(len(moved), 2, *out.shape[1:]).sum(axis=1)
    return out


def _by_wave(falls: Floats, inside: NDArray[np.bool_]) -> Floats:
    """Return sums over each lead's waves, shape (n, leads x waves)."""
    return (falls @ inside.astype(falls.dtype)).reshape(len(falls), -1)


def _patient_sums(values: Floats, patient: NDArray[np.intp]) -> tuple[Floats, Floats]:
    """Return sums of rows by patient, and numbers of rows."""
    order = np.argsort(patient, kind="stable")
    count = np.bincount(patient)
    starts = np.concatenate([[0], np.cumsum(count)[:-1]])
    return np.add.reduceat(values[order].astype(float), starts, axis=0), count.astype(float)


def _real_falls(
    real: Pool, inside: NDArray[np.bool_], within: int, seed: int, name: str, index: int
) -> Floats:
    """Return falls by wave between random halves of real patients, shape (parts, within)."""
    rng = child_rng(seed, name, index)
    patient = np.unique(real.patient, return_inverse=True)[1]
    n = int(patient.max()) + 1
    label = rng.permutation(n)[patient] < n // 2
    train = split_groups(real.group, label, rng)
    waves = _by_wave(_falls(real, label, len(inside), train), inside)
    total, count = _patient_sums(waves, patient)
    chosen = subset_weights(n, n // 2, within, rng).astype(float)
    one, other = ((total.T @ w) / (count @ w) for w in (chosen, 1 - chosen))
    return one - other
