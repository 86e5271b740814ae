"""The classifier of representative beats, and where in a beat it looks."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgeval.comparison.classifier.checks import SLUG
from ecgeval.comparison.classifier.forms import LOW_HZ, Records
from ecgeval.comparison.classifier.occlusion import Falls, occlude
from ecgeval.ecgset import resample
from ecgeval.stats.arrays import Floats
from ecgeval.stats.sample import MIN_PATIENTS
from ecgeval.stats.two_sample import C2st

__all__ = ["Beats", "beat_features", "compare_beats"]

LEVEL_S = (-0.12, -0.06)
"""Where a lead's level before the QRS complex is read, s from R."""

NOISE_MV = 0.01


@dataclass(frozen=True)
class Beats:
    """The classifier of representative beats."""

    test: C2st
    falls: Falls
    mean: Floats  # the mean beat of both sets, (leads, samples), mV
    fs: float
    zero: int  # sample of its R peak
    without: int  # records without a representative beat


def beat_features(beats: Floats, fs: float, zero: int) -> tuple[Floats, Floats]:
    """Return deviations of each beat from the mean beat, and their squares.

    Squares let a linear classifier see a set that varies more or less at one moment.

    Parameters
    ----------
    beats : ndarray, shape (n, leads, samples)
        Representative beats of both sets, mV; no NaN. Each lead is read from its level before the
        QRS complex.
    fs : float
    zero : int
        Sample of the R peak.

    Returns
    -------
    features : ndarray of float32, shape (n, 2 leads samples)
    mean : ndarray, shape (leads, samples)
        The mean beat, mV.
    """
    first, last = (max(zero + round(s * fs), 0) for s in LEVEL_S)
    beats = beats - np.median(beats[..., first : last + 1], axis=-1, keepdims=True)
    mean = beats.mean(axis=0)
    z = (beats - mean) / np.hypot(beats.std(axis=0), NOISE_MV)
    z = z.reshape(len(z), -1).astype(np.float32)
    return np.hstack([z, z**2]), mean


def compare_beats(
    records: Records,
    beats: tuple[NDArray[np.floating], NDArray[np.floating]],
    fs: float,
    zero: int,
    *,
    seed: int,
    permutations: int,
    draws: int,
    halves: int,
    shuffles: int,
    jobs: int,
) -> Beats | str:
    """Tell representative beats apart and see where in them the difference lies.

    `beats` are those of all real and all synthetic records, (n, leads, samples), mV, NaN where
    there is none; `zero` is their sample of the R peak. What follows is as in
    `ecgeval.stats.classifiers.two_sample_test`. Text says why there are too few beats.
    """
    rows = np.split(records.row, [int((~records.label).sum())])
    own = np.concatenate([np.asarray(b[row]) for b, row in zip(beats, rows, strict=True)])
    known = np.isfinite(own).all(axis=(1, 2))
    sides = (known & ~records.label, known & records.label)
    fewest = min(len(np.unique(records.patient[side])) for side in sides)
    if fewest < 2 * MIN_PATIENTS:
        return (
            f"{fewest} patients with a representative beat in the smaller set (at least "
            f"{2 * MIN_PATIENTS} needed)"
        )
    to = min(fs, LOW_HZ)
    own = resample(own[known].astype(np.float32), fs, to)
    zero = round(zero * to / fs)
    x, mean = beat_features(own, to, zero)
    common = {"seed": seed, "draws": draws, "halves": halves, "jobs": jobs}
    test = records.test(
        x, "beats", keep=known, permutations=permutations, shuffles=shuffles, **common
    )
    if isinstance(test, str):
        return test
    pool, label = records.pool(x, known), records.label[known]
    falls = occlude(pool, label, own.shape[-1], to, zero, name=f"{SLUG}.occlusion", **common)
    return Beats(test, falls, mean, to, zero, int((~known).sum()))
