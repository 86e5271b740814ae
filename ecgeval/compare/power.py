"""How likely equivalence is to be shown, and how many records that takes."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecgeval.compare.equivalence import Margins
from ecgeval.compare.univariate import DECIDING, MIN_PATIENTS
from ecgeval.measures import measure_info

__all__ = ["n_for_power", "planned_power", "power_equivalence", "power_text"]

ALPHA = 0.05
POWER = 0.8

Floats = NDArray[np.float64]


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


# ---- what one record contributes to a statistic (its influence) -------------------------------


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


def _parts(influence: Floats, patient: NDArray[np.intp]) -> tuple[float, float]:
    """Return the variance of one record's contribution, and the design effect of the patients."""
    n = len(influence)
    sums = np.bincount(patient, influence)
    people = int((np.bincount(patient) > 0).sum())
    variance = float((influence**2).mean())
    if variance == 0:
        return 0.0, 1.0
    return variance, float((sums**2).sum() / (n * variance) * people / (people - 1))


def planned_power(
    real: pd.DataFrame, n_synth: int, margins: Margins, *, patients_real: ArrayLike
) -> pd.DataFrame:
    """Return the power to show equivalence of each declared measure if nothing differs.

    Needs no synthetic record: the synthetic set is taken to vary as the real one does, each record
    on its own. From the influence of each patient on the statistic (infinitesimal jackknife).

    Parameters
    ----------
    real : DataFrame
        Measures, one row a record.
    n_synth : int
        Records of the synthetic set.
    margins : Margins
    patients_real : array_like, shape (n,)

    Returns
    -------
    DataFrame
        One row for each declared measure and statistic ("median", or "direction" of an angle,
        "SD ratio", "percentiles" for the hardest of the 5th, 25th, 75th and 95th): ``column
        measure statistic margin unit power at_most needed records patients``. `at_most` is the
        power with any number of synthetic records, `needed` the records of each set for 80 %.
        Powers are None where fewer than 20 patients have a value.

    References
    ----------
    Schuirmann 1987, J Pharmacokinet Biopharm 15:657, doi:10.1007/BF01068419; Efron 1982, The
    Jackknife, the Bootstrap and Other Resampling Plans, chapter 6, doi:10.1137/1.9781611970319
    """
    code = np.unique(np.asarray(patients_real, dtype=object).astype(str), return_inverse=True)[1]
    rows = []
    for column in margins.primary:
        values = (
            real[column].to_numpy(float, na_value=np.nan)
            if column in real
            else np.full(len(real), np.nan)
        )
        have = np.flatnonzero(np.isfinite(values))
        have = have[np.argsort(values[have], kind="stable")]
        rows += _rows(column, values[have], code[have], n_synth, margins)
    return pd.DataFrame(rows)


def _rows(
    column: str, x: Floats, patient: NDArray[np.intp], n_synth: int, margins: Margins
) -> list[dict[str, object]]:
    info = measure_info(column)
    median = 0.0 if info.circular or not len(x) else float(np.median(x))
    margin, wide = margins.of(column, median), margins.shape("quantiles", column, median)
    assert margin is not None  # load_margins saw to it
    assert wide is not None
    ratio = min(math.log(margins.sd_ratio[1]), -math.log(margins.sd_ratio[0]))
    kinds: list[tuple[str, float, str, list[Callable[[], Floats]]]] = (
        [("direction", margin, info.unit, [lambda: _direction_influence(x)])]
        if info.circular
        else [
            ("median", margin, info.unit, [lambda: _quantile_influence(x, 0.5)]),
            ("SD ratio", ratio, "ln", [lambda: _log_sd_influence(x)]),
            (
                "percentiles",
                wide,
                info.unit,
                [lambda p=p: _quantile_influence(x, p) for p in DECIDING.values()],
            ),  # type: ignore[misc]
        ]
    )
    people = len(np.unique(patient))
    rows = []
    for statistic, limit, unit, influences in kinds:
        row: dict[str, object] = {
            "column": column,
            "measure": info.label,
            "statistic": statistic,
            "margin": limit,
            "unit": unit,
            "power": None,
            "at_most": None,
            "needed": None,
            "records": len(x),
            "patients": people,
        }
        if people >= MIN_PATIENTS and np.ptp(x) > 0:
            parts = [_parts(influence(), patient) for influence in influences]
            variance, effect = max(parts, key=lambda part: part[0] * (part[1] + 1))
            real, synth = variance * effect / len(x), variance / max(n_synth, 1)
            row["power"] = power_equivalence(math.sqrt(real + synth), limit)
            row["at_most"] = power_equivalence(math.sqrt(real), limit)
            row["needed"] = n_for_power(variance, limit, design_effect=effect)
        rows.append(row)
    return rows


def power_text(plan: pd.DataFrame) -> str:
    """Return one line for before a run: what these sizes can show at best."""
    known = plan.dropna(subset="power")
    if known.empty:
        return "Power: no declared measure has enough values."
    weak = known[known["power"].astype(float) < POWER]
    if weak.empty:
        return f"Power: at least {POWER:.0%} for every declared measure if nothing differs."
    worst = weak.loc[weak["needed"].astype(int).idxmax()]
    return (
        f"Power: {len(weak)} of {len(known)} tests of equivalence have less than {POWER:.0%} if "
        f"nothing differs; the weakest, {worst['measure']} ({worst['statistic']}), has "
        f"{float(worst['power']):.0%} and needs {int(worst['needed']):,} records in each set."
    )
