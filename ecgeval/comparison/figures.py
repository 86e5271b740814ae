"""The data behind the figures of a comparison; `report` draws them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ecgeval.comparison.rows import centre
from ecgeval.measures import Measure, measure_info
from ecgeval.stats.arrays import Floats
from ecgeval.stats.two_sample import C2st
from ecgeval.stats.univariate import PROBABILITIES, Shift, Stat

__all__ = ["SCATTER_POINTS", "distributions", "effects", "roc", "scatter", "shifts"]

SCATTER_POINTS = 1500
BINS = 12, 48
"""Fewest and most bins; between them 2.5 times the cube root of the smaller set's size, somewhat
more than Freedman and Diaconis (Z Wahrsch 1981;57:453) would have of a normal distribution."""


def distributions(rows: Sequence[tuple[str, Measure, Floats, Floats]]) -> dict[str, Any]:
    """Return histograms on common bins.

    Returns
    -------
    dict
        ``measures``: a list of ``name label unit edges real synth median_real median_synth n_real
        n_synth circular``, with counts of either set in the bins between `edges`. The outermost
        bins, at the pooled 0.5th and 99.5th percentiles, hold what lies beyond.
    """
    measures = []
    for name, info, real, synth in rows:
        edges = _edges(real, synth, info)
        counted = [np.histogram(np.clip(v, edges[0], edges[-1]), edges)[0] for v in (real, synth)]
        measures.append(
            {
                "name": name,
                "label": info.label,
                "unit": info.unit,
                "circular": info.circular,
                "edges": edges,
                "real": counted[0],
                "synth": counted[1],
                "median_real": centre(real, info),
                "median_synth": centre(synth, info),
                "n_real": len(real),
                "n_synth": len(synth),
            }
        )
    return {"measures": measures}


def _edges(real: Floats, synth: Floats, info: Measure) -> Floats:
    if info.circular:
        return np.linspace(-180, 180, 37)
    ends = np.array([np.quantile(v, [0.005, 0.995]) for v in (real, synth)])
    low, high = ends[:, 0].min(), ends[:, 1].max()
    if high <= low:
        return np.linspace(low - 0.5, low + 0.5, 12)
    pooled = np.unique(np.concatenate([real, synth]))
    # Bins narrower than the grid that the values lie on would draw a comb.
    step = np.diff(pooled).min() if len(pooled) < 200 else 0.0
    bins = np.clip(2.5 * min(len(real), len(synth)) ** (1 / 3), *BINS)
    width = (high - low) / round(bins)
    if step:
        width = step * np.ceil(width / step)
        low -= step / 2
    return low + width * np.arange(int(np.ceil((high - low) / width)) + 1)


def effects(rows: Sequence[tuple[Measure, Stat]]) -> dict[str, Any]:
    """Return a forest plot.

    Returns
    -------
    dict
        ``rows``: a list of ``label value ci floor group``, with group ``intervals`` or a wave's
        amplitudes; ``xlabel`` and ``null``.
    """
    return {
        "xlabel": "Cliff's delta",
        "null": 0,
        "rows": [
            {
                "label": info.label,
                "value": stat.value,
                "ci": stat.ci,
                "floor": stat.floor,
                "group": info.label.rsplit(" ", 1)[0] if info.unit == "mV" else "intervals",
            }
            for info, stat in rows
        ],
    }


def shifts(rows: Sequence[tuple[Measure, Shift]]) -> dict[str, Any]:
    """Return shift functions with their bands.

    Returns
    -------
    dict
        ``panels``: one a measure, with ``title xlabel ylabel null`` and ``series``, the floor and
        the difference of quantiles, each ``name x y low high role``.
    """

    def series(name: str, role: str, y: Any, low: Any, high: Any) -> dict[str, Any]:
        return {
            "name": name,
            "role": role,
            "x": list(PROBABILITIES),
            "y": y,
            "low": low,
            "high": high,
        }

    return {
        "panels": [
            {
                "title": info.label,
                "xlabel": "quantile of the records",
                "ylabel": f"synthetic − real ({info.unit})",
                "null": 0,
                "series": [
                    series(
                        "real against real",
                        "floor",
                        np.zeros(len(shift.value)),
                        shift.floor_low,
                        shift.floor_high,
                    ),
                    series("synthetic minus real", "synth", shift.value, shift.low, shift.high),
                ],
            }
            for info, shift in rows
        ]
    }


def scatter(
    real: pd.DataFrame, synth: pd.DataFrame, x: str, y: str, rng: np.random.Generator
) -> dict[str, Any]:
    """Return two measures against each other, as in the reference study (its figure 3).

    Returns
    -------
    dict
        ``xlabel ylabel`` and ``sets``: a list of ``name x y n r r2 slope intercept
        residual_sd``. Everything but the points drawn comes from all records; a set with fewer
        than three complete records, or one value of x, is left out.
    """
    sets = []
    for name, table in (("real", real), ("synth", synth)):
        points = table[[x, y]].to_numpy(float)
        points = points[np.isfinite(points).all(axis=1)]
        n = len(points)
        if n < 3 or np.ptp(points[:, 0]) == 0:
            continue
        slope, intercept = np.polyfit(points[:, 0], points[:, 1], 1)
        residual = points[:, 1] - slope * points[:, 0] - intercept
        spread = points[:, 1].std()
        r = slope * points[:, 0].std() / spread if spread > 0 else 0.0
        drawn = points[np.sort(rng.choice(n, min(n, SCATTER_POINTS), replace=False))]
        sets.append(
            {
                "name": name,
                "x": drawn[:, 0],
                "y": drawn[:, 1],
                "n": n,
                "r": r,
                "r2": r**2,
                "slope": slope,
                "intercept": intercept,
                "residual_sd": np.sqrt((residual**2).sum() / (n - 2)),
            }
        )
    labels = [f"{measure_info(c).label} ({measure_info(c).unit})" for c in (x, y)]
    return {"xlabel": labels[0], "ylabel": labels[1], "sets": sets}


def roc(tests: Mapping[str, C2st]) -> dict[str, Any]:
    """Return ROC curves: ``curves``, a list of ``name fpr tpr auc``."""
    return {
        "curves": [
            {"name": kind, "fpr": test.fpr, "tpr": test.tpr, "auc": test.auc}
            for kind, test in tests.items()
        ]
    }
