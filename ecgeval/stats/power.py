"""How likely equivalence is to be shown, and how many records that takes."""

from __future__ import annotations

import math

import numpy as np

from ecgeval.stats.arrays import Floats

__all__ = ["n_for_power", "power_equivalence"]


ALPHA = 0.05


POWER = 0.8


def power_equivalence(
    se: float, margin: float, *, shift: float = 0.0, alpha: float = ALPHA
) -> float:
    """Return the probability that two one-sided tests show equivalence, by normal approximation.

    Parameters
    ----------
    se : float
        Standard error of the difference. With n real records of SD s, m a patient with
        intra-class correlation r, and k independent synthetic ones it is
        ``s sqrt((1 + (m - 1) r) / n + 1 / k)`` for a mean.
    margin : float
        The same on both sides, in the unit of `se`.
    shift : float
        True difference.
    alpha : float
        Level of each test.

    References
    ----------
    Schuirmann 1987, J Pharmacokinet Biopharm 15:657, doi:10.1007/BF01068419
    """
    from scipy.special import ndtr, ndtri

    if se <= 0:
        return float(abs(shift) < margin)
    z = ndtri(1 - alpha)
    return float(max(ndtr((margin - shift) / se - z) + ndtr((margin + shift) / se - z) - 1, 0))


def n_for_power(
    variance: float, margin: float, *, design_effect: float = 1.0, power: float = POWER
) -> int:
    """Return the records a side at which equivalence is shown with this power if nothing differs.

    Parameters
    ----------
    variance : float
        Variance of one record's contribution: that of the values for a mean, pi / 2 times that
        for the median of a normal distribution.
    margin : float
    design_effect : float
        Of the real records, 1 + (m - 1) ICC; synthetic ones are independent.
    power : float

    References
    ----------
    Schuirmann 1987, J Pharmacokinet Biopharm 15:657, doi:10.1007/BF01068419; design effect: Kish
    1965, Survey Sampling
    """
    from scipy.special import ndtri

    z = ndtri(1 - ALPHA) + ndtri((1 + power) / 2)
    return max(math.ceil((1 + design_effect) * variance * (z / margin) ** 2), 2)


def _quantile_influence(x: Floats, p: float) -> Floats:
    """Return each value's influence on the Harrell-Davis quantile; `x` is sorted.

    The quantile is the largest value less the integral of I(F), so its derivative towards one more
    record at x_j is the integral of beta(F) (F - 1[t >= x_j]).
    """
    from scipy.stats import beta

    n = len(x)
    share = np.arange(1, n) / n
    weight = beta.pdf(share, (n + 1) * p, (n + 1) * (1 - p)) * np.diff(x)
    above = np.append(np.cumsum(weight[::-1])[::-1], 0)
    return np.asarray(weight @ share - above)


def _log_sd_influence(x: Floats) -> Floats:
    return np.asarray(((x - x.mean()) ** 2 / x.var() - 1) / 2)


def _direction_influence(degrees: Floats) -> Floats:
    unit = np.exp(1j * np.deg2rad(degrees))
    mean = unit.mean()
    return np.asarray(np.rad2deg((unit * np.conj(mean)).imag / abs(mean) ** 2))
