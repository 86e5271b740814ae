"""What the kernels of this section share: patients, draws in pieces, the norm of a difference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecgeval.stats.arrays import Floats
from ecgeval.stats.intervals import percentile_interval
from ecgeval.stats.kernels import Assessed
from ecgeval.stats.resampling import monte_carlo_p
from ecgeval.stats.sample import MIN_PATIENTS, Sample

__all__ = ["chunks", "complete", "norm_statistic", "patient_means", "too_few"]

CHUNK = 250


def complete(sample: Sample) -> Sample:
    """Return the records with a value in every column, patients renumbered."""
    keep = ~np.isnan(sample.values).any(axis=1)
    return Sample(
        sample.values[keep], np.unique(sample.patient[keep], return_inverse=True)[1].ravel()
    )


def patient_means(values: Floats, patient: NDArray[np.intp]) -> Floats:
    """Return each patient's mean over its records, shape (patients, columns)."""
    sums = np.stack([np.bincount(patient, column) for column in values.T], axis=1)
    return sums / np.bincount(patient)[:, None]


def too_few(real: Sample, synth: Sample) -> str:
    """Return which set has too few patients; empty where both have enough."""
    text = " and ".join(
        f"{sample.n_patients} patients with all values in the {which} set"
        for which, sample in (("real", real), ("synthetic", synth))
        if sample.n_patients < MIN_PATIENTS
    )
    return f"{text} (at least {MIN_PATIENTS} needed)" if text else ""


def chunks(draws: int) -> list[int]:
    """Return a number of draws in pieces that fit into memory."""
    return [min(CHUNK, draws - start) for start in range(0, draws, CHUNK)]


def norm_statistic(value: float, moves: Floats, floor: Floats, null: Floats) -> Assessed:
    """Return the norm of a difference with its interval, floor and p.

    The interval is that of the triangle inequality: it holds at the null and away from it.

    Parameters
    ----------
    value : float
    moves, floor, null : ndarray, shape (draws,)
        The norm of how far the difference moves in a bootstrap, of real against real, and of the
        difference under permuted labels.
    """
    radius = float(np.quantile(moves, 0.95))
    return Assessed(
        value,
        (max(value - radius, 0.0), value + radius),
        percentile_interval(floor),
        monte_carlo_p(null, value),
        null,
    )
