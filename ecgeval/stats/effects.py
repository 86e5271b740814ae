"""Two samples of one measure: how far apart, in which sense. Plain arrays in, plain numbers out.

Arguments are 1-D arrays without NaN, real first. Signed statistics are positive where the
synthetic values are larger, so exchanging the sets flips the sign.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ecgeval.stats.arrays import Floats

__all__ = [
    "auc",
    "circular_mean_diff",
    "circular_wasserstein",
    "cliffs_delta",
    "harrell_davis",
    "hedges_g",
    "ks_pvalue",
    "ks_statistic",
    "log_sd_ratio",
    "median_diff",
    "tied_share",
    "wasserstein",
    "watson_u2",
]

EXACT_CELLS = 2_000_000
"""The exact p-value of D is computed while n * m stays below this, the asymptotic one above."""


def _ecdfs(real: ArrayLike, synth: ArrayLike) -> tuple[Floats, Floats, Floats]:
    """Return the pooled distinct values and both distribution functions there."""
    x, y = np.sort(np.asarray(real, float)), np.sort(np.asarray(synth, float))
    at = np.unique(np.concatenate([x, y]))
    return (
        at,
        np.searchsorted(x, at, side="right") / len(x),
        np.searchsorted(y, at, side="right") / len(y),
    )


def tied_share(real: ArrayLike, synth: ArrayLike) -> float:
    """Return the share of pooled values that repeat another one, 0 for continuous data."""
    pooled = np.concatenate([np.asarray(real, float), np.asarray(synth, float)])
    return 1 - len(np.unique(pooled)) / len(pooled)


def ks_statistic(real: ArrayLike, synth: ArrayLike) -> float:
    """Return D = sup |F - G|, the two-sample Kolmogorov-Smirnov statistic.

    References
    ----------
    Massey 1951, J Am Stat Assoc 46:68, doi:10.1080/01621459.1951.10500769
    """
    _, f, g = _ecdfs(real, synth)
    return float(np.abs(f - g).max())


def ks_pvalue(real: ArrayLike, synth: ArrayLike) -> tuple[float, str]:
    """Return the p-value of D for untied, independent values, and which one it is.

    Returns
    -------
    p : float
        Never 0: an underflow is reported as the smallest positive float.
    method : {"exact", "asymptotic"}
        Exact (Hodges 1958, doi:10.1007/BF02589501) for small samples, else asymptotic.
    """
    from scipy.stats import ks_2samp

    exact = np.size(real) * np.size(synth) <= EXACT_CELLS
    p = ks_2samp(real, synth, method="exact" if exact else "asymp").pvalue
    p = float(np.clip(p, np.finfo(float).tiny, 1))
    return p, "exact" if exact else "asymptotic"


def auc(real: ArrayLike, synth: ArrayLike) -> float:
    """Return P(S > R) + P(S = R) / 2, the common-language effect size.

    References
    ----------
    Mann and Whitney 1947, Ann Math Stat 18:50, doi:10.1214/aoms/1177730491
    """
    from scipy.stats import rankdata

    n, m = np.size(real), np.size(synth)
    ranks = rankdata(np.concatenate([np.asarray(real, float), np.asarray(synth, float)]))
    return float((ranks[n:].sum() - m * (m + 1) / 2) / (n * m))


def cliffs_delta(real: ArrayLike, synth: ArrayLike) -> float:
    """Return P(S > R) - P(S < R), in [-1, 1].

    References
    ----------
    Cliff 1993, Psychol Bull 114:494, doi:10.1037/0033-2909.114.3.494
    """
    return 2 * auc(real, synth) - 1


def _sd(values: ArrayLike) -> float:
    """Return the SD (n - 1), exactly 0 for a constant whatever its rounding."""
    x = np.asarray(values, float)
    return float(x.std(ddof=1)) if np.ptp(x) > 0 else 0.0


def hedges_g(real: ArrayLike, synth: ArrayLike) -> float:
    """Return the mean difference in pooled SDs, corrected for small samples; NaN where SD is 0.

    References
    ----------
    Hedges 1981, J Educ Stat 6:107, doi:10.3102/10769986006002107
    """
    x, y = np.asarray(real, float), np.asarray(synth, float)
    n, m = len(x), len(y)
    pooled = np.sqrt(((n - 1) * _sd(x) ** 2 + (m - 1) * _sd(y) ** 2) / (n + m - 2))
    if pooled == 0:
        return float("nan")
    return float((1 - 3 / (4 * (n + m) - 9)) * (y.mean() - x.mean()) / pooled)


def log_sd_ratio(real: ArrayLike, synth: ArrayLike) -> float:
    """Return ln(SD of S / SD of R); infinite where one set is constant, NaN where both are.

    References
    ----------
    Nakagawa et al. 2015, Methods Ecol Evol 6:143, doi:10.1111/2041-210X.12309
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        return float(np.log(_sd(synth)) - np.log(_sd(real)))


def wasserstein(real: ArrayLike, synth: ArrayLike) -> float:
    """Return the integral of |F - G|, in the unit of the values.

    References
    ----------
    Vallender 1974, Theory Probab Appl 18:784, doi:10.1137/1118101
    """
    at, f, g = _ecdfs(real, synth)
    return float(np.abs(f - g)[:-1] @ np.diff(at))


def harrell_davis(values: ArrayLike, p: float = 0.5) -> float:
    """Return the Harrell-Davis quantile: a mean of all order statistics, weighted by a beta law.

    References
    ----------
    Harrell and Davis 1982, Biometrika 69:635, doi:10.1093/biomet/69.3.635
    """
    from scipy.special import betainc

    x = np.sort(np.asarray(values, float))
    n = len(x)
    weights = np.diff(betainc((n + 1) * p, (n + 1) * (1 - p), np.arange(n + 1) / n))
    return float(weights @ x)


def median_diff(real: ArrayLike, synth: ArrayLike) -> float:
    """Return the difference of Harrell-Davis medians, synthetic minus real."""
    return harrell_davis(synth) - harrell_davis(real)


# ---- angles, in degrees --------------------------------------------------------------------


def circular_mean_diff(real: ArrayLike, synth: ArrayLike) -> float:
    """Return the mean direction of S minus that of R, in degrees within [-180, 180).

    References
    ----------
    Mardia and Jupp 2000, Directional Statistics, section 2.2, doi:10.1002/9780470316979
    """

    def direction(degrees: ArrayLike) -> complex:
        return complex(np.exp(1j * np.deg2rad(np.asarray(degrees, float))).mean())

    difference = np.angle(direction(synth)) - np.angle(direction(real))
    return float((np.rad2deg(difference) + 180) % 360 - 180)


def circular_wasserstein(real: ArrayLike, synth: ArrayLike) -> float:
    """Return the Wasserstein-1 distance on the circle, in degrees.

    The least of the integral of |F - G - a| over the constant a: the weighted median of F - G.

    References
    ----------
    Rabin, Delon and Gousseau 2011, J Math Imaging Vis 41:147, doi:10.1007/s10851-011-0284-0
    """
    at, f, g = _ecdfs(np.mod(real, 360), np.mod(synth, 360))
    gap = np.diff(at, append=at[0] + 360)
    difference = f - g
    order = np.argsort(difference, kind="stable")
    middle = np.searchsorted(np.cumsum(gap[order]), 180)
    return float(np.abs(difference - difference[order[middle]]) @ gap)


def watson_u2(real: ArrayLike, synth: ArrayLike) -> float:
    """Return Watson's two-sample U squared, ties included; it does not depend on the origin.

    References
    ----------
    Watson 1962, Biometrika 49:57, doi:10.1093/biomet/49.1-2.57
    """
    x, y = np.mod(real, 360), np.mod(synth, 360)
    n, m = len(x), len(y)
    _, f, g = _ecdfs(x, y)
    share = np.diff((n * f + m * g) / (n + m), prepend=0)
    difference = f - g
    return float(n * m / (n + m) * (share @ difference**2 - (share @ difference) ** 2))
