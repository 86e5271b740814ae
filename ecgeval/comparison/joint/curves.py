"""Mean curves over leads, compared as wholes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgeval.comparison.joint.differences import (
    chunks,
    complete,
    norm_statistic,
    patient_means,
    too_few,
)
from ecgeval.parallel import child_rng
from ecgeval.stats.arrays import Floats
from ecgeval.stats.intervals import pair as ends
from ecgeval.stats.kernels import Assessed
from ecgeval.stats.resampling import resample_weights, subset_weights
from ecgeval.stats.sample import Effort, Sample, rescale

__all__ = ["Curves", "compare_curves", "largest", "total_variation", "transition_lead"]


@dataclass(frozen=True)
class Curves:
    """Means of several columns in both sets, and their differences, synthetic minus real.

    `bands` and `band` are simultaneous over the columns (95 %); `distance` is a norm of the
    difference with its own interval, floor and p.
    """

    real: Floats
    synth: Floats
    bands: tuple[Floats, Floats]
    difference: Floats
    band: Floats
    floor: Floats
    distance: Assessed
    n: tuple[int, int]
    patients: tuple[int, int]

    def at(self, column: int) -> Assessed:
        """Return the difference of one column, its interval from the band over all of them."""
        value, band, floor = self.difference[column], self.band[column], self.floor[column]
        return Assessed(float(value), ends(band), ends(floor))


def largest(difference: Floats) -> Floats:
    """Return the largest absolute difference over columns, shape (draws,)."""
    return np.abs(difference).max(axis=0)


def total_variation(difference: Floats) -> Floats:
    """Return half the sum of absolute differences of shares, shape (draws,)."""
    return np.abs(difference).sum(axis=0) / 2


def compare_curves(
    real: Sample,
    synth: Sample,
    norm: Callable[[Floats], Floats],
    *,
    seed: int,
    name: str,
    effort: Effort,
) -> Curves | str:
    """Compare the means of all columns together.

    Parameters
    ----------
    real, synth : Sample
        Records without a value in every column are left out; a patient counts once.
    norm : callable
        From differences, shape (columns, draws), to their size, shape (draws,).
    seed : int
    name : str
    effort : Effort

    Returns
    -------
    Curves, or str
        The reason where there are too few patients.

    References
    ----------
    Simultaneous bands: Degras 2017, WIREs Comput Stat 9:e1397, doi:10.1002/wics.1397
    """
    pair = complete(real), complete(synth)
    if problem := too_few(*pair):
        return problem
    points = [patient_means(sample.values, sample.patient).T for sample in pair]
    sizes = pair[0].n_patients, pair[1].n_patients
    half, rest = sizes[0] // 2, sizes[0] - sizes[0] // 2
    means = [x.mean(axis=1) for x in points]
    rng = child_rng(seed, name, "bootstrap")
    moved = [
        np.concatenate(
            [x @ resample_weights(n, k, rng) / n for k in chunks(effort.bootstrap)], axis=1
        )
        - mean[:, None]
        for x, n, mean in zip(points, sizes, means, strict=True)
    ]
    difference, change = means[1] - means[0], moved[1] - moved[0]
    pooled = np.concatenate(points, axis=1)
    total = pooled.sum(axis=1, keepdims=True)
    rng = child_rng(seed, name, "permutation")
    null = []
    for draws in chunks(effort.permutations):
        one = pooled @ subset_weights(sum(sizes), sizes[0], draws, rng)
        null.append(norm((total - one) / sizes[1] - one / sizes[0]))
    chosen = subset_weights(sizes[0], half, effort.floor, child_rng(seed, name, "floor"))
    floor = points[0] @ chosen / half - points[0] @ (1 - chosen) / rest
    floor *= rescale(*sizes, half, rest)
    value = float(norm(difference[:, None])[0])
    return Curves(
        means[0],
        means[1],
        (_band(means[0], moved[0]), _band(means[1], moved[1])),
        difference,
        _band(difference, change),
        np.quantile(floor, [0.025, 0.975], axis=1).T,
        norm_statistic(value, norm(change), norm(floor), np.concatenate(null)),
        (len(pair[0].patient), len(pair[1].patient)),
        sizes,
    )


def _band(centre: Floats, moved: Floats) -> Floats:
    """Return a 95 % band of all columns, one multiple of each column's SD, shape (columns, 2)."""
    spread = moved.std(axis=1)
    size = np.abs(moved) / np.where(spread > 0, spread, 1)[:, None]
    reach = float(np.quantile(size.max(axis=0), 0.95)) * spread
    return np.stack([centre - reach, centre + reach], axis=1)


def transition_lead(r: Floats, s: Floats) -> NDArray[np.float64]:
    """Return where R first reaches S in V1 to V6, as one indicator a lead and one for nowhere.

    Parameters
    ----------
    r, s : ndarray, shape (n, leads)
        R (0 or more) and S (0 or less) amplitudes, mV.

    Returns
    -------
    ndarray, shape (n, leads + 1)
        0 and 1; NaN where an amplitude is missing.
    """
    reached = np.column_stack([r >= -s, np.ones(len(r), bool)])
    out = np.zeros(reached.shape)
    out[np.arange(len(r)), reached.argmax(axis=1)] = 1
    out[np.isnan(r + s).any(axis=1)] = np.nan
    return out
