"""Differences of proportions: missing values and failures, by record, varying by patient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ecgeval.stats.arrays import Floats

__all__ = [
    "auc_interval",
    "clopper_pearson",
    "count_interval",
    "newcombe",
    "norm_interval",
    "pair",
    "percentile_interval",
    "simultaneous_band",
    "wilson",
]


def wilson(share: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion.

    Parameters
    ----------
    share : float
        Observed proportion, 0 to 1.
    n : float
        Number of independent records (may be an effective number).
    level : float

    References
    ----------
    Wilson 1927, J Am Stat Assoc 22:209, doi:10.1080/01621459.1927.10502953
    """
    from scipy.special import ndtri

    z2 = ndtri(0.5 + level / 2) ** 2 / n
    centre = (share + z2 / 2) / (1 + z2)
    half = np.sqrt(z2 * share * (1 - share) + z2**2 / 4) / (1 + z2)
    return float(max(centre - half, 0)), float(min(centre + half, 1))


def newcombe(
    share_real: float, n_real: float, share_synth: float, n_synth: float, level: float = 0.95
) -> tuple[float, float]:
    """Return the interval of ``share_synth - share_real`` (Newcombe's hybrid score, method 10).

    References
    ----------
    Newcombe 1998, Stat Med 17:873,
    doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I
    """
    low_r, high_r = wilson(share_real, n_real, level)
    low_s, high_s = wilson(share_synth, n_synth, level)
    difference = share_synth - share_real
    return (
        float(difference - np.hypot(share_synth - low_s, high_r - share_real)),
        float(difference + np.hypot(high_s - share_synth, share_real - low_r)),
    )


def clopper_pearson(count: int, n: int, level: float = 0.95) -> tuple[float, float]:
    """Return the exact two-sided interval of a proportion; each limit alone holds at (1+level)/2.

    References
    ----------
    Clopper CJ, Pearson ES. Biometrika 1934;26:404-413. doi:10.1093/biomet/26.4.404
    """
    from scipy.stats import beta

    tail = (1 - level) / 2
    low = 0.0 if count == 0 else float(beta.ppf(tail, count, n - count + 1))
    high = 1.0 if count == n else float(beta.ppf(1 - tail, count + 1, n - count))
    return low, high


def pair(values: np.ndarray) -> tuple[float, float]:
    """Return two values as plain numbers."""
    return float(values[0]), float(values[1])


def count_interval(count: int, n: int) -> tuple[float, float] | None:
    """Return the Clopper-Pearson interval as a number of n; None where there is nothing."""
    if not n:
        return None
    low, high = clopper_pearson(count, n)
    return low * n, high * n


def percentile_interval(
    draws: NDArray[np.floating], level: float = 0.95, patients: int | None = None
) -> tuple[float, float]:
    """Return the central `level` of the draws; ends are infinite or NaN where the draws are.

    With few patients that is too narrow, as a z interval is beside a t interval. Where their
    number is given, the tails are those of Student's t instead ("expanded percentile": at 50
    patients .021 instead of .025).

    References
    ----------
    Hesterberg 2015, Am Stat 69:371, doi:10.1080/00031305.2015.1089789
    """
    tail = (1 - level) / 2
    if patients is not None:
        from scipy.special import ndtr, stdtrit

        tail = float(ndtr(np.sqrt(patients / (patients - 1)) * stdtrit(patients - 1, tail)))
    ordered = np.sort(draws)
    last = len(ordered) - 1
    return float(ordered[int(np.floor(tail * last))]), float(
        ordered[int(np.ceil((1 - tail) * last))]
    )


def simultaneous_band(
    draws: NDArray[np.floating], centre: NDArray[np.floating], level: float = 0.95
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Return the band about `centre` that holds a share `level` of the draws as a whole.

    Each point gets the same number of its own SDs, the largest of which over the points has its
    quantile at `level` (max-t). A point at which no draw moves gets no width.

    Parameters
    ----------
    draws : ndarray, shape (points, draws)
    centre : ndarray, shape (points,)
    level : float

    Returns
    -------
    low, high : ndarray, shape (points,)

    References
    ----------
    Davison and Hinkley 1997, Bootstrap Methods and their Application, section 4.2.4,
    doi:10.1017/CBO9780511802843
    """
    away = draws - centre[:, None]
    spread = np.sqrt((away**2).mean(axis=1))
    moves = spread > 1e-6 * max(float(np.abs(draws).max(initial=0)), 1e-30)
    if not moves.any():
        return centre.copy(), centre.copy()
    most = (np.abs(away[moves]) / spread[moves, None]).max(axis=0)
    half = np.where(moves, spread * np.quantile(most, level), 0)
    return centre - half, centre + half


def norm_interval(value: float, moves: Floats, level: float = 0.95) -> tuple[float, float]:
    """Return the interval of a squared norm |h|^2, of which `value` is an unbiased estimate.

    The estimate is |h|^2 + 2 <h, d> + |d|^2 - E |d|^2, d the error of h: normal where h is large, a
    centred quadratic form where h is 0, where a bootstrap of the estimate itself is inconsistent.
    Those values t of |h|^2 are kept in whose central `level` of t + 2 sqrt(t) <h, d> / |h| + |d|^2
    - E |d|^2 the estimate lies.

    Parameters
    ----------
    value : float
    moves : ndarray, shape (2, draws)
        As `bootstrap_moves` gives them.
    level : float

    Returns
    -------
    (float, float)
        0 or more, but for a negative value, which is the lower end then.
    """
    along, square = moves
    far = np.sqrt(max(value, 0) + np.ptp(square)) + 6 * along.std()
    root = np.linspace(0, far, GRID)[:, None]
    tail = (1 - level) / 2
    low, high = np.quantile(root**2 + 2 * root * along + square, [tail, 1 - tail], axis=1)
    kept = root[(low <= value) & (value <= high), 0] ** 2
    ends = (float(kept[0]), float(kept[-1])) if len(kept) else (0.0, 0.0)
    return min(ends[0], value), max(ends[1], value)


def auc_interval(auc: float, n: int, m: int, level: float = 0.95) -> tuple[float, float]:
    """Return a confidence interval for a Mann-Whitney AUC, never of zero width.

    The Hanley-McNeil variance is taken at the limit itself (a pseudo-score interval), with both
    sizes in its covariance terms replaced by their mean.

    Parameters
    ----------
    auc : float
        0 to 1.
    n, m : int
        Patients on either side.
    level : float

    References
    ----------
    Newcombe RG. Confidence intervals for an effect size measure based on the Mann-Whitney
    statistic, part 2 (method 5). Stat Med 2006;25:559-573. doi:10.1002/sim.2324
    """
    from scipy.optimize import brentq
    from scipy.stats import norm

    z, half = norm.ppf(0.5 + level / 2), (n + m) / 2

    def distance(limit: float) -> float:
        shape = 1 + (half - 1) * ((1 - limit) / (2 - limit) + limit / (1 + limit))
        return (limit - auc) ** 2 - z**2 * limit * (1 - limit) * shape / (n * m)

    low = 0.0 if auc <= 0 else float(brentq(distance, 0, min(auc, 1 - 1e-12)))
    high = 1.0 if auc >= 1 else float(brentq(distance, max(auc, 1e-12), 1))
    return low, high


GRID = 201
