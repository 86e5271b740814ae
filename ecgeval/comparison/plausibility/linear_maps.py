"""Linear maps between limb and chest leads, and what they leave of a record."""

from __future__ import annotations

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgeval.comparison.pair import Pair
from ecgeval.comparison.plausibility.checks import SLUG
from ecgeval.parallel import child_rng
from ecgeval.signal_checks import CHEST, FITTED, INDEPENDENT, LIMB, covariances
from ecgeval.stats.arrays import Floats

__all__ = ["map_residuals", "with_map_residuals"]

_RIDGE = 1e-3


def with_map_residuals(
    checks: tuple[pd.DataFrame, pd.DataFrame], pair: Pair
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the checks of either set with the columns of `FITTED`.

    Maps are fitted on one half of the real patients and read on the other half; each half of the
    synthetic records is read under one map. So no record is read under a map fitted on it, and all
    maps are fitted on equally many patients.
    """
    cov = [covariances(c) for c in checks]
    found = [np.full((len(c), len(FITTED)), np.nan) for c in cov]
    whole = [np.isfinite(c).all(axis=(1, 2)) for c in cov]
    real, synth = pair.samples_of([])
    order = child_rng(pair.seed, SLUG, "maps").permutation(real.n_patients)
    halves = [order[real.patient] % 2, synth.patient % 2]
    for half in (0, 1):
        fitted = whole[0] & (halves[0] != half)
        if not fitted.any():
            continue
        pooled = cov[0][fitted].mean(axis=0)
        for k in (0, 1):
            read = whole[k] & (halves[k] == half)
            found[k][read] = map_residuals(cov[k][read], pooled)
    first, second = (
        c.assign(**dict(zip(FITTED, f.T, strict=True))) for c, f in zip(checks, found, strict=True)
    )
    return first, second


def map_residuals(cov: Floats, fit: Floats) -> Floats:
    """Return what ridge maps fitted on covariance `fit` leave of records with covariances `cov`.

    Parameters
    ----------
    cov : ndarray, shape (n, 8, 8)
        mV².
    fit : ndarray, shape (8, 8)

    Returns
    -------
    ndarray, shape (n, 3)
        The columns of `FITTED`.
    """
    limb = np.array([INDEPENDENT.index(lead) for lead in LIMB])
    chest = np.array([INDEPENDENT.index(lead) for lead in CHEST])

    def residual(to: NDArray[np.intp], by: NDArray[np.intp]) -> tuple[Floats, Floats]:
        # min over W of |x_to − W x_by|² + λ |W|²; its residual on another record's covariance
        inner = fit[np.ix_(by, by)]
        ridge = _RIDGE * np.trace(inner) / len(by) * np.eye(len(by))
        w = np.linalg.solve(inner + ridge, fit[np.ix_(by, to)]).T
        own = np.trace(cov[:, to[:, None], to], axis1=1, axis2=2)
        cross = np.einsum("tb,nbt->n", w, cov[:, by[:, None], to])
        explained = np.einsum("tb,nbc,tc->n", w, cov[:, by[:, None], by], w)
        return own - 2 * cross + explained, own

    left, own = residual(limb, chest)
    back, own_back = residual(chest, limb)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack(
            [1e3 * np.sqrt(np.maximum(left, 0) / len(limb)), 1 - left / own, 1 - back / own_back],
            axis=1,
        )
