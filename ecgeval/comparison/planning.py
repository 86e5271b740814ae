"""How likely equivalence is to be shown, and how many records that takes."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecgeval.comparison.margins import Margins
from ecgeval.measures import measure_info
from ecgeval.stats.arrays import Floats
from ecgeval.stats.power import (
    POWER,
    _direction_influence,
    _log_sd_influence,
    _quantile_influence,
    n_for_power,
    power_equivalence,
)
from ecgeval.stats.sample import MIN_PATIENTS
from ecgeval.stats.univariate import DECIDING

__all__ = ["planned_power", "power_text"]


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
        values = np.full(len(real), np.nan)
        if column in real:
            values = real[column].to_numpy(float, na_value=np.nan)
        have = np.flatnonzero(np.isfinite(values))
        have = have[np.argsort(values[have], kind="stable")]
        rows += _rows(column, values[have], code[have], n_synth, margins)
    return pd.DataFrame(rows)


def _rows(
    column: str, x: Floats, patient: NDArray[np.intp], n_synth: int, margins: Margins
) -> list[dict[str, object]]:
    """Return the rows of one measure; `x` is sorted and without missing values."""
    info = measure_info(column)
    people = len(np.unique(patient))
    median = 0.0 if info.circular or not len(x) else float(np.median(x))
    rows = []
    for statistic, margin, unit, influences in _statistics(column, median, margins):
        power = at_most = needed = None
        if people >= MIN_PATIENTS and np.ptp(x) > 0:
            parts = [_parts(influence(x), patient) for influence in influences]
            variance, effect = max(parts, key=lambda part: part[0] * (part[1] + 1))
            real, synth = variance * effect / len(x), variance / max(n_synth, 1)
            power = power_equivalence(math.sqrt(real + synth), margin)
            at_most = power_equivalence(math.sqrt(real), margin)
            needed = n_for_power(variance, margin, design_effect=effect)
        rows.append(
            {
                "column": column,
                "measure": info.label,
                "statistic": statistic,
                "margin": margin,
                "unit": unit,
                "power": power,
                "at_most": at_most,
                "needed": needed,
                "records": len(x),
                "patients": people,
            }
        )
    return rows


def _statistics(
    column: str, median: float, margins: Margins
) -> list[tuple[str, float, str, list[Callable[[Floats], Floats]]]]:
    """Return name, margin, unit and influences of what is tested; the percentiles have four."""
    info = measure_info(column)
    margin, wide = margins.of(column, median), margins.of(column, median, "quantiles")
    assert margin is not None  # load_margins saw to it
    assert wide is not None
    if info.circular:
        return [("direction", margin, info.unit, [_direction_influence])]
    ratio = min(math.log(margins.sd_ratio[1]), -math.log(margins.sd_ratio[0]))
    quantiles = [partial(_quantile_influence, p=p) for p in DECIDING.values()]
    return [
        ("median", margin, info.unit, [partial(_quantile_influence, p=0.5)]),
        ("SD ratio", ratio, "ln", [_log_sd_influence]),
        ("percentiles", wide, info.unit, [*quantiles]),
    ]


def _parts(influence: Floats, patient: NDArray[np.intp]) -> tuple[float, float]:
    """Return the variance of one record's contribution, and the design effect of the patients."""
    n = len(influence)
    sums = np.bincount(patient, influence)
    people = int((np.bincount(patient) > 0).sum())
    variance = float((influence**2).mean())
    if variance == 0:
        return 0.0, 1.0
    return variance, float((sums**2).sum() / (n * variance) * people / (people - 1))


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
