"""The numbers of a comparison of measures, each with its interval, floor, sizes and method."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

from ecgeval.comparison.measures.checks import SLUG, STATISTICS
from ecgeval.comparison.pair import Pair
from ecgeval.comparison.rows import Row
from ecgeval.results import Estimate
from ecgeval.stats.arrays import Floats
from ecgeval.stats.two_sample import C2st
from ecgeval.stats.univariate import CIRCULAR, DECIDING, LINEAR

__all__ = ["adjusted_p", "classifier_estimates", "estimates"]

METHODS: dict[str, tuple[str, str]] = {
    "ks": ("Kolmogorov-Smirnov D", "sup |F - G|"),
    "cliffs_delta": ("Cliff's delta", "P(S > R) - P(S < R)"),
    "hedges_g": ("Hedges g", "mean difference / pooled SD, small-sample corrected"),
    "wasserstein": ("Wasserstein-1 distance", "integral of |F - G|"),
    "log_sd_ratio": ("log SD ratio", "ln(SD of S / SD of R)"),
    "median_diff": ("median difference", "Harrell-Davis medians, S - R"),
    "watson_u2": ("Watson U2", "Watson's two-sample U squared"),
    "circ_mean_diff": ("mean direction difference", "mean directions, S - R"),
    "circ_wasserstein": ("circular Wasserstein-1", "least over rotations"),
    "missing_diff": ("difference in missing values", "share without a value, S - R"),
    **{
        name: (f"shift of the {round(100 * p)}th percentile", "Harrell-Davis quantiles, S - R")
        for name, p in DECIDING.items()
    },
}
"""Label and method; direction, null value and unit stand with the statistics themselves."""
_INTERVALS = {
    "ks": "directional bootstrap of F - G",
    "wasserstein": "directional bootstrap of F - G",
    "watson_u2": "bootstrap of F - G, triangle inequality",
    "circ_wasserstein": "bootstrap of F - G, triangle inequality",
}


def adjusted_p(rows: Sequence[Row], adjust: Callable[[list[float]], Floats]) -> dict[str, float]:
    """Return the p-values of the rows that have one, adjusted over measures, by column."""
    p = {row.column: row.result.p for row in rows if row.result.p is not None}
    return dict(zip(p, map(float, adjust([value or 1 for value in p.values()])), strict=True))


def estimates(row: Row, adjusted: float | None, pair: Pair) -> list[Estimate]:
    """Return all estimates of one measure; `adjusted` is its p over all measures."""
    declared = row.column in row.margins.primary and not row.info.circular
    names = (*(CIRCULAR if row.info.circular else LINEAR), *(DECIDING if declared else ()))
    real, synth = pair.samples
    missing = row.missing
    return [
        *(_estimate(row, name, adjusted, pair.seed) for name in names),
        Estimate(
            value=100 * (missing.synth - missing.real),
            ci=_percent(missing.ci),
            floor=_percent(missing.floor) if missing.floor else None,
            method=f"{METHODS['missing_diff'][1]}; CI Newcombe, on records over the design effect "
            "of patients",
            seed=pair.seed,
            n_real=len(real.patient),
            n_synth=len(synth.patient),
            patients_real=real.n_patients,
            patients_synth=synth.n_patients,
            **_declared(row, "missing_diff"),
        ),
    ]


def _estimate(row: Row, name: str, adjusted: float | None, seed: int) -> Estimate:
    stat, result = row.result.stats.get(name), row.result
    tested = name in ("ks", "watson_u2")
    method = f"not computed: {result.too_few}"
    if stat is not None:
        interval = _INTERVALS.get(name, "percentile bootstrap of patients")
        method = f"{METHODS[name][1]}; CI {interval}"
        if not math.isfinite(stat.value):
            method += "; no finite value: a set has standard deviation 0"
        if tested:
            method += f"; p {result.p_method}"
    return Estimate(
        value=float(stat.value) if stat and math.isfinite(stat.value) else None,
        ci=_finite(stat.ci) if stat else None,
        floor=_finite(stat.floor) if stat else None,
        p=result.p if tested else None,
        p_adjusted=adjusted if tested else None,
        method=method,
        seed=seed,
        n_real=len(row.real),
        n_synth=len(row.synth),
        patients_real=result.patients[0],
        patients_synth=result.patients[1],
        **_declared(row, name),
    )


def _declared(row: Row, name: str) -> dict[str, Any]:
    """Return what is known of an estimate before anything is computed."""
    about = STATISTICS[name]
    return {
        "id": f"{SLUG}.{row.column}.{name}",
        "label": f"{row.info.label}: {METHODS[name][0]}",
        "unit": row.info.unit if about.unit is None else about.unit,
        "better": about.better,
        "null": about.null,
    }


def _percent(ends: tuple[float, float]) -> tuple[float, float]:
    return 100 * ends[0], 100 * ends[1]


def _finite(ends: tuple[float, float]) -> tuple[float, float] | None:
    return (float(ends[0]), float(ends[1])) if all(map(math.isfinite, ends)) else None


def classifier_estimates(kind: str, test: C2st | str, pair: Pair) -> list[Estimate]:
    """Return the AUC of a classifier, and that under shuffled labels."""
    id, label = f"{SLUG}.c2st.{kind}_auc", f"classifier two-sample test ({kind}): AUC"
    if isinstance(test, str):
        return [Estimate(id, None, null=0.5, label=label, method=f"not computed: {test}")]
    shared: dict[str, Any] = {
        "better": "near_null",
        "null": 0.5,
        "seed": pair.seed,
        "n_real": test.n_real,
        "n_synth": test.n_synth,
        "patients_real": test.patients_real,
        "patients_synth": test.patients_synth,
    }
    permutations = f"{round(1 / test.p_least) - 1:,} permutations"
    return [
        Estimate(
            id,
            test.auc,
            test.ci,
            test.p,
            test.floor,
            label=label,
            method="held-out half of the patients; CI bootstrap of held-out patients, the "
            f"classifier given; p {permutations} of held-out patients' labels, "
            "one-sided (AUC > 0.5)",
            **shared,
        ),
        Estimate(
            f"{SLUG}.c2st.{kind}_shuffled",
            test.shuffled,
            label=f"{label} with shuffled labels",
            method="mean over shuffles; checks the procedure, not the data",
            **shared,
        ),
    ]
