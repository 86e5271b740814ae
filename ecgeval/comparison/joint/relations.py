"""How one measure goes with another: straight lines, and mean curves over leads."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgeval.parallel import child_rng
from ecgeval.stats.arrays import Floats
from ecgeval.stats.intervals import percentile_interval
from ecgeval.stats.kernels import Tested
from ecgeval.stats.resampling import monte_carlo_p, resample_weights, subset_weights
from ecgeval.stats.sample import MIN_PATIENTS, Effort, Sample, rescale

__all__ = [
    "LINE",
    "Curves",
    "Lines",
    "compare_curves",
    "compare_lines",
    "complete",
    "fit_line",
    "patient_means",
    "transition_lead",
]


LINE = ("slope", "residual_sd", "r2")
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


def fit_line(moments: Floats) -> dict[str, Floats]:
    """Return the least-squares line of y on x from weighted sums.

    Parameters
    ----------
    moments : ndarray, shape (6, draws)
        Sums of 1, x, y, x^2, xy, y^2.

    Returns
    -------
    dict
        ``slope``, ``intercept``, ``residual_sd`` (n - 2 degrees of freedom), ``r2``, ``sd_x``; NaN
        where x is constant.
    """
    n, x, y, xx, xy, yy = moments
    sxx, sxy, syy = xx - x * x / n, xy - x * y / n, yy - y * y / n
    ok = sxx > 1e-12 * np.maximum(xx, 1e-300)
    slope = np.divide(sxy, sxx, out=np.full_like(sxx, np.nan), where=ok)
    rest = np.maximum(syy - slope * sxy, 0)
    varies = syy > 1e-12 * np.maximum(yy, 1e-300)
    return {
        "slope": slope,
        "intercept": (y - slope * x) / n,
        "residual_sd": np.sqrt(rest / (n - 2)),
        "r2": np.divide(slope * sxy, syy, out=np.zeros_like(syy), where=varies),
        "sd_x": np.sqrt(np.maximum(sxx, 0) / (n - 1)),
    }


@dataclass(frozen=True)
class Lines:
    """The line of each set, and slope, residual SD and r^2 compared, synthetic minus real."""

    real: dict[str, float]
    synth: dict[str, float]
    difference: dict[str, Tested]
    n: tuple[int, int]
    patients: tuple[int, int]


def compare_lines(
    real: Sample, synth: Sample, *, seed: int, name: str, effort: Effort
) -> Lines | str:
    """Compare the regression of the second column on the first.

    Parameters
    ----------
    real, synth : Sample
        Two columns, x and y; records without either are left out.
    seed : int
    name : str
        Names the random streams.
    effort : Effort

    Returns
    -------
    Lines, or str
        The reason where a line cannot be fitted. A patient counts once whatever its records.
    """
    pair = complete(real), complete(synth)
    if problem := _too_few(pair):
        return problem
    # About each set's own means: no digits are lost, and a shift of a set, which changes no slope,
    # does not enter the permutations.
    centres = [patient_means(sample.values, sample.patient).mean(axis=0) for sample in pair]
    moments = [_moments(sample, centre) for sample, centre in zip(pair, centres, strict=True)]
    fits = []
    for which, sums, centre in zip(("real", "synthetic"), moments, centres, strict=True):
        fit = {k: float(v[0]) for k, v in fit_line(sums.sum(axis=1, keepdims=True)).items()}
        if np.isnan(fit["slope"]):
            return f"the {which} set has one value of the first measure only"
        fit["intercept"] += centre[1] - fit["slope"] * centre[0]
        fits.append(fit)
    sizes = pair[0].n_patients, pair[1].n_patients
    half = sizes[0] // 2
    draws: dict[str, list[Floats]] = {key: [] for key in LINE}
    rng = child_rng(seed, name, "bootstrap")
    for count in _chunks(effort.bootstrap):
        ends = [fit_line(m @ resample_weights(m.shape[1], count, rng)) for m in moments]
        for key, out in draws.items():
            out.append(ends[1][key] - ends[0][key])
    chosen = subset_weights(sizes[0], half, effort.floor, child_rng(seed, name, "floor"))
    one, other = (fit_line(moments[0] @ weights) for weights in (chosen, 1 - chosen))
    scale = rescale(*sizes, half, sizes[0] - half)
    pooled = np.concatenate(moments, axis=1)
    rng = child_rng(seed, name, "permutation")
    nulls: dict[str, list[Floats]] = {key: [] for key in LINE}
    for count in _chunks(effort.permutations):
        labels = subset_weights(sum(sizes), sizes[0], count, rng)
        a, b = (fit_line(pooled @ weights) for weights in (labels, 1 - labels))
        for key, out in nulls.items():
            out.append(np.abs(b[key] - a[key]))
    difference = {}
    for key, parts in draws.items():
        moved, null = np.concatenate(parts), np.concatenate(nulls[key])
        value = fits[1][key] - fits[0][key]
        difference[key] = Tested(
            value,
            percentile_interval(moved),
            percentile_interval(scale * (one[key] - other[key])),
            monte_carlo_p(null, abs(value)),
            null,
            percentile_interval(moved, 0.9),
        )
    return Lines(fits[0], fits[1], difference, _records(pair), sizes)


def _moments(sample: Sample, centre: Floats) -> Floats:
    """Return the mean over a patient's records of 1, x, y, x^2, xy, y^2, shape (6, patients)."""
    x, y = (sample.values - centre).T
    parts = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    return patient_means(parts, sample.patient).T


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
    distance: Tested
    n: tuple[int, int]
    patients: tuple[int, int]


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
    if problem := _too_few(pair):
        return problem
    points = [patient_means(sample.values, sample.patient).T for sample in pair]
    sizes = pair[0].n_patients, pair[1].n_patients
    half = sizes[0] // 2
    means = [x.mean(axis=1) for x in points]
    rng = child_rng(seed, name, "bootstrap")
    moved = [
        np.concatenate(
            [x @ resample_weights(n, k, rng) / n for k in _chunks(effort.bootstrap)], axis=1
        )
        - mean[:, None]
        for x, n, mean in zip(points, sizes, means, strict=True)
    ]
    difference = means[1] - means[0]
    pooled = np.concatenate(points, axis=1)
    sums = pooled.sum(axis=1, keepdims=True)
    rng = child_rng(seed, name, "permutation")
    null = np.concatenate(
        [_halves(pooled, sums, sizes[0], k, rng, norm) for k in _chunks(effort.permutations)]
    )
    chosen = subset_weights(sizes[0], half, effort.floor, child_rng(seed, name, "floor"))
    floor = points[0] @ chosen / half - points[0] @ (1 - chosen) / (sizes[0] - half)
    floor *= rescale(*sizes, half, sizes[0] - half)
    change = moved[1] - moved[0]
    value = float(norm(difference[:, None])[0])
    radius = float(np.quantile(norm(change), 0.95))
    distance = Tested(
        value,
        (max(value - radius, 0.0), value + radius),
        percentile_interval(norm(floor)),
        monte_carlo_p(null, value),
        null,
    )
    reach = [_simultaneous(part) for part in (*moved, change)]
    return Curves(
        means[0],
        means[1],
        (
            np.stack([means[0] - reach[0], means[0] + reach[0]], axis=1),
            np.stack([means[1] - reach[1], means[1] + reach[1]], axis=1),
        ),
        difference,
        np.stack([difference - reach[2], difference + reach[2]], axis=1),
        np.quantile(floor, [0.025, 0.975], axis=1).T,
        distance,
        _records(pair),
        sizes,
    )


def _halves(
    points: Floats,
    sums: Floats,
    n: int,
    draws: int,
    rng: np.random.Generator,
    norm: Callable[[Floats], Floats],
) -> Floats:
    """Return the norm of the difference of means under permuted labels, shape (draws,)."""
    one = points @ subset_weights(points.shape[1], n, draws, rng)
    return norm((sums - one) / (points.shape[1] - n) - one / n)


def _simultaneous(moved: Floats) -> Floats:
    """Return the half-width of a 95 % band of all columns: one multiple of each column's SD."""
    spread = moved.std(axis=1)
    size = np.abs(moved) / np.where(spread > 0, spread, 1)[:, None]
    return float(np.quantile(size.max(axis=0), 0.95)) * spread


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


def _too_few(pair: tuple[Sample, Sample]) -> str:
    text = " and ".join(
        f"{sample.n_patients} patients with all values in the {which} set"
        for which, sample in zip(("real", "synthetic"), pair, strict=True)
        if sample.n_patients < MIN_PATIENTS
    )
    return f"{text} (at least {MIN_PATIENTS} needed)" if text else ""


def _records(pair: tuple[Sample, Sample]) -> tuple[int, int]:
    return len(pair[0].patient), len(pair[1].patient)


def _chunks(draws: int) -> list[int]:
    return [min(CHUNK, draws - start) for start in range(0, draws, CHUNK)]
