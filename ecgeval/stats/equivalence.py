"""Equivalence by two one-sided tests."""

from __future__ import annotations

import math

from ecgeval.results import Verdict

__all__ = ["tost"]


def tost(interval: tuple[float, float] | None, low: float, high: float) -> Verdict:
    """Return whether an interval lies inside, outside or across the margins.

    With the 90 % interval this is two one-sided tests at 5 %.

    Parameters
    ----------
    interval : (float, float) or None
    low, high : float
        The margins, which belong to neither side.

    Returns
    -------
    Verdict
        PASS inside, FAIL wholly outside, INCONCLUSIVE across, NOT_ASSESSABLE without an interval.

    References
    ----------
    Schuirmann 1987, J Pharmacokinet Biopharm 15:657, doi:10.1007/BF01068419
    """
    if interval is None or any(math.isnan(end) for end in interval):
        return Verdict.NOT_ASSESSABLE
    if low < interval[0] and interval[1] < high:
        return Verdict.PASS
    if interval[1] < low or interval[0] > high:
        return Verdict.FAIL
    return Verdict.INCONCLUSIVE
