"""How one measure goes with another: straight lines."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecgeval.comparison.joint.differences import chunks, complete, patient_means, too_few
from ecgeval.measures import measure_info
from ecgeval.parallel import child_rng
from ecgeval.stats.arrays import Floats
from ecgeval.stats.intervals import percentile_interval
from ecgeval.stats.kernels import Assessed
from ecgeval.stats.resampling import monte_carlo_p, resample_weights, subset_weights
from ecgeval.stats.sample import Effort, Sample, rescale

__all__ = ["LINE", "RELATIONS", "Lines", "Relation", "compare_lines", "fit_line"]

LINE = ("slope", "residual_sd", "r2")


@dataclass(frozen=True)
class Relation:
    """Two measures that physiology ties together; `log` takes logarithms of (x, y)."""

    name: str
    x: str
    y: str
    label: str
    unit: str
    log: tuple[bool, bool] = (False, False)

    @property
    def statistics(self) -> tuple[tuple[str, str, str], ...]:
        """What is reported: key of `LINE`, name of the statistic, unit."""
        slope = ("slope", "slope_diff", self.unit)
        if all(self.log):
            return (slope,)
        unit = "" if self.log[1] else measure_info(self.y).unit
        return (slope, ("residual_sd", "residual_sd_diff", unit), ("r2", "r2_diff", ""))


RELATIONS = (
    Relation("qt_rr", "rr_ms", "qt_ms", "QT on RR", "ms/ms"),
    Relation("qt_rr_loglog", "rr_ms", "qt_ms", "ln QT on ln RR", "", (True, True)),
    Relation("pr_hr", "hr_bpm", "pr_ms", "PR on heart rate", "ms/bpm"),
    Relation("rr_sd_hr", "hr_bpm", "rr_sd_ms", "ln SD of RR on heart rate", "1/bpm", (False, True)),
    Relation("r_qrs", "qrs_ms", "r_amp_V5_mv", "R amplitude V5 on QRS", "mV/ms"),
)


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
    difference: dict[str, Assessed]
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
    if problem := too_few(*pair):
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
    rng = child_rng(seed, name, "bootstrap")
    draws = [
        [m @ resample_weights(n, count, rng) for m, n in zip(moments, sizes, strict=True)]
        for count in chunks(effort.bootstrap)
    ]
    moved = np.concatenate([_gap(*sums) for sums in draws], axis=1)
    chosen = subset_weights(sizes[0], half, effort.floor, child_rng(seed, name, "floor"))
    floor = rescale(*sizes, half, sizes[0] - half) * _gap(
        moments[0] @ (1 - chosen), moments[0] @ chosen
    )
    pooled = np.concatenate(moments, axis=1)
    rng = child_rng(seed, name, "permutation")
    labels = (
        subset_weights(sum(sizes), sizes[0], count, rng) for count in chunks(effort.permutations)
    )
    null = np.abs(np.concatenate([_gap(pooled @ a, pooled @ (1 - a)) for a in labels], axis=1))
    difference = {}
    for i, key in enumerate(LINE):
        value = fits[1][key] - fits[0][key]
        difference[key] = Assessed(
            value,
            percentile_interval(moved[i]),
            percentile_interval(floor[i]),
            monte_carlo_p(null[i], abs(value)),
            null[i],
            percentile_interval(moved[i], 0.9),
        )
    records = len(pair[0].patient), len(pair[1].patient)
    return Lines(fits[0], fits[1], difference, records, sizes)


def _moments(sample: Sample, centre: Floats) -> Floats:
    """Return the mean over a patient's records of 1, x, y, x^2, xy, y^2, shape (6, patients)."""
    x, y = (sample.values - centre).T
    parts = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y], axis=1)
    return patient_means(parts, sample.patient).T


def _gap(real: Floats, synth: Floats) -> Floats:
    """Return `LINE` of one side's moments less that of the other's, shape (3, draws)."""
    lines = [fit_line(moments) for moments in (real, synth)]
    return np.stack([lines[1][key] - lines[0][key] for key in LINE])
