"""A set that was filtered: a hard edge in one distribution where the other has a tail."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from ecgeval.parallel import child_rng
from ecgeval.stats.arrays import Floats
from ecgeval.stats.intervals import percentile_interval, wilson
from ecgeval.stats.kernels import Assessed
from ecgeval.stats.resampling import resample_weights, subset_weights
from ecgeval.stats.sample import MIN_PATIENTS, Effort, Sample, rescale

__all__ = ["SHORT_TAIL", "Edge", "find_edges", "log_tail", "one_record_each", "precedence"]


STRAY = 0.005
"""Share of the synthetic values that may lie beyond their end."""
SHORT_TAIL = 0.6
"""Length of the synthetic tail over the real one below which it counts as cut."""
TAIL = (0.01, 0.10, 0.50)
"""Quantiles of a tail: its end, where the body begins, the middle."""


@dataclass(frozen=True)
class Edge:
    """One end of one measure.

    Parameters
    ----------
    low : bool
        Whether it is the lower end.
    at : float
        Where the synthetic values end, but for a share of `STRAY`.
    beyond : Assessed
        Share of real patients beyond it, with an exact p.
    tail : Assessed or None
        Log ratio of the lengths of the tails, synthetic over real; None where a set has none.
    null : float
        Share expected beyond if both sets had one distribution.
    patients : (int, int)
    """

    low: bool
    at: float
    beyond: Assessed
    tail: Assessed | None
    null: float
    patients: tuple[int, int]

    @property
    def end(self) -> str:
        return "low" if self.low else "high"

    def is_cut(self, level: float) -> bool:
        """Return whether real patients lie beyond it (at this level) and its tail is too short."""
        return (
            (self.beyond.p or 1) <= level
            and self.tail is not None
            and self.tail.value < math.log(SHORT_TAIL)
            and self.tail.ci[1] < 0
        )


def one_record_each(sample: Sample, rng: np.random.Generator) -> Sample:
    """Return one record of each patient, drawn at random: patients are then exchangeable."""
    order = rng.permutation(len(sample.patient))
    patient, first = np.unique(sample.patient[order], return_index=True)
    return Sample(sample.values[order[first]], patient)


def precedence(k: int, j: int, n: int, m: int) -> float:
    """Return P(at least k of n values lie below the j-th smallest of m others), one distribution.

    The k + j - 1 smallest of all then hold at most j - 1 of the others. Exact for values without
    ties; conservative where only values strictly below are counted.

    References
    ----------
    Balakrishnan and Ng 2006, Precedence-Type Tests and Applications, doi:10.1002/0471776238
    """
    from scipy.stats import hypergeom

    return float(hypergeom.cdf(j - 1, n + m, m, k + j - 1))


def log_tail(values: Floats, weights: Floats) -> Floats:
    """Return the log of how long the lower tail is, in units of the body, for every weighting.

    ln((q10 - q01) / (q50 - q10)), the same after any change of location or scale: 0.8 (as a ratio)
    for a normal distribution, near 0.2 where a filter has cut the tail off. Shift, collapse or
    inflation of a distribution leave it as it is.

    Parameters
    ----------
    values : ndarray, shape (n,)
    weights : ndarray, shape (n, draws)

    Returns
    -------
    ndarray, shape (draws,)
        NaN where a quantile repeats.
    """
    order = np.argsort(values, kind="stable")
    at = np.append(values[order], values[order[-1]])
    reach = np.cumsum(weights[order], axis=0, dtype=np.float64)
    # The mid-point of each value's weight is its place, between places values are linear.
    place = (reach - weights[order] / 2) / reach[-1]
    q = []
    for share in TAIL:
        above = np.argmax(place >= share, axis=0)[None]
        below = np.maximum(above - 1, 0)
        p0, p1 = (np.take_along_axis(place, i, axis=0)[0] for i in (below, above))
        step = np.divide(share - p0, p1 - p0, out=np.ones_like(p0), where=p1 > p0)
        q.append(at[below[0]] + np.clip(step, 0, 1) * (at[above[0]] - at[below[0]]))
    tail, body = q[1] - q[0], q[2] - q[1]
    ok = (tail > 0) & (body > 0)
    return np.log(np.divide(tail, body, out=np.full_like(tail, np.nan), where=ok))


def find_edges(
    real: Floats, synth: Floats, *, seed: int, name: str, effort: Effort
) -> list[Edge] | str:
    """Return both ends of one measure.

    Parameters
    ----------
    real, synth : ndarray, shape (n,) and (m,)
        One value a patient.
    seed : int
    name : str
    effort : Effort

    Returns
    -------
    list of Edge, or str
        The reason where there are too few values.
    """
    n, m = len(real), len(synth)
    if min(n, m) < MIN_PATIENTS:
        return f"{min(n, m)} patients with a value (at least {MIN_PATIENTS} needed)"
    return [_edge(real, synth, low, seed, f"{name}.{low}", effort) for low in (True, False)]


def _edge(real: Floats, synth: Floats, low: bool, seed: int, name: str, effort: Effort) -> Edge:
    from scipy.stats import nhypergeom

    sign = 1.0 if low else -1.0
    r, s = sign * real, sign * synth
    n, m = len(r), len(s)
    j = 1 + int(STRAY * m)
    at = np.sort(s)[j - 1]
    k = int((r < at).sum())
    # How many of n values lie below the j-th of m: negative hypergeometric.
    ends = nhypergeom.ppf([0.025, 0.975], n + m, n, j) / n
    beyond = Assessed(
        k / n, wilson(k / n, n), (float(ends[0]), float(ends[1])), precedence(k, j, n, m)
    )
    return Edge(low, sign * at, beyond, _tails(r, s, seed, name, effort), j / (m + 1), (n, m))


def _tails(r: Floats, s: Floats, seed: int, name: str, effort: Effort) -> Assessed | None:
    value = _log_ratio(r, s, np.ones((len(r), 1)), np.ones((len(s), 1)))[0]
    if not np.isfinite(value):
        return None
    n, half = len(r), len(r) // 2
    rng = child_rng(seed, name, "bootstrap")
    drawn = [resample_weights(len(x), effort.bootstrap, rng) for x in (r, s)]
    chosen = subset_weights(n, half, effort.floor, child_rng(seed, name, "floor"))
    floor = rescale(n, len(s), half, n - half) * _log_ratio(r, r, chosen, 1 - chosen)
    pair = [
        percentile_interval(x[np.isfinite(x)]) if np.isfinite(x).mean() > 0.9 else None
        for x in (_log_ratio(r, s, *drawn), floor)
    ]
    if pair[0] is None or pair[1] is None:
        return None
    return Assessed(float(value), pair[0], pair[1])


def _log_ratio(r: Floats, s: Floats, weights_r: Floats, weights_s: Floats) -> Floats:
    return log_tail(s, weights_s) - log_tail(r, weights_r)
