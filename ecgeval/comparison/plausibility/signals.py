"""How leads belong together and what the signal shows, check by check."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd

from ecgeval.comparison.pair import Pair
from ecgeval.comparison.plausibility.checks import SLUG, STATISTICS
from ecgeval.results import Estimate
from ecgeval.signal_checks import CHECKS, SignalCheck
from ecgeval.stats.arrays import Floats
from ecgeval.stats.multiplicity import benjamini_hochberg
from ecgeval.stats.sample import Sample
from ecgeval.stats.univariate import Comparison, compare_columns
from ecgeval.wording import quantity

__all__ = ["FDR", "OUTSIDE", "CheckComparison", "check_estimates", "compare_checks"]

FDR = 0.05
OUTSIDE = 0.5
"""Share of synthetic records outside the central 95 % of the real ones that is a finding."""


@dataclass(frozen=True)
class CheckComparison:
    """One check in both sets; `real` and `synth` are its values where there are any."""

    check: SignalCheck
    result: Comparison
    real: Floats
    synth: Floats
    p_adjusted: float | None

    @property
    def delta(self) -> float:
        stat = self.result.stats.get("cliffs_delta")
        return stat.value if stat else 0.0

    @property
    def clear(self) -> bool:
        """Whether the sets differ beyond chance and beyond the real-against-real floor."""
        stat = self.result.stats.get("cliffs_delta")
        if stat is None or self.p_adjusted is None or self.p_adjusted > FDR:
            return False
        return stat.ci[0] > stat.floor[1] or stat.ci[1] < stat.floor[0]

    @property
    def outside(self) -> float:
        """Share of synthetic records outside the central 95 % of the real ones."""
        if not len(self.real) or not len(self.synth):
            return np.nan
        low, high = np.quantile(self.real, (0.025, 0.975))
        return float(((self.synth < low) | (self.synth > high)).mean())

    def __str__(self) -> str:
        unit = f" {self.check.unit}" * bool(self.check.unit)
        medians = [f"{np.median(v):.4g}{unit}".replace("-", "−") for v in (self.synth, self.real)]
        words = self.check.higher if self.delta > 0 else self.check.lower
        return (
            f"{self.check.label}: median {medians[0]} against {medians[1]} in real records, "
            f"Cliff's δ {quantity(self.delta, sign=True)}" + (f" ({words})" if words else "")
        )


def compare_checks(pair: Pair, checks: tuple[pd.DataFrame, pd.DataFrame]) -> list[CheckComparison]:
    """Compare the checks of leads and of the signal that both sets have a column for.

    Parameters
    ----------
    pair : Pair
        Of it: patients, and how it is to be compared.
    checks : (DataFrame, DataFrame)
        Signal checks of the real and the synthetic set, with the columns of `FITTED`.
    """
    names = [
        name
        for name, check in CHECKS.items()
        if check.group in ("leads", "signal")
        and all(name in frame for frame in checks)
        and any(frame[name].notna().any() for frame in checks)
    ]
    real, synth = (
        Sample(frame[names].to_numpy(float), sample.patient)
        for frame, sample in zip(checks, pair.samples_of([]), strict=True)
    )
    results = compare_columns(
        real,
        synth,
        [False] * len(names),
        seed=pair.seed,
        name=SLUG,
        # These p-values describe: in a quick run a tenth of the permutations will do.
        effort=replace(pair.effort, permutations=999) if pair.quick else pair.effort,
        jobs=pair.jobs,
        progress=pair.progress,
    )
    adjusted: list[float | None] = [None] * len(names)
    tested = [i for i, result in enumerate(results) if result.p is not None]
    for i, q in zip(tested, benjamini_hochberg([results[i].p or 1 for i in tested]), strict=True):
        adjusted[i] = float(q)
    return [
        CheckComparison(CHECKS[name], result, _known(real, i), _known(synth, i), adjusted[i])
        for i, (name, result) in enumerate(zip(names, results, strict=True))
    ]


def _known(sample: Sample, column: int) -> Floats:
    values = sample.values[:, column]
    return values[~np.isnan(values)]


def check_estimates(rows: Sequence[CheckComparison], seed: int) -> list[Estimate]:
    """Return the estimates of each check."""
    names = {
        "cliffs_delta": "Cliff's delta",
        "median_diff": "median difference",
        "ks": "Kolmogorov-Smirnov D",
    }
    return [_estimate(row, name, label, seed) for row in rows for name, label in names.items()]


def _estimate(row: CheckComparison, name: str, label: str, seed: int) -> Estimate:
    about, stat = STATISTICS[name], row.result.stats.get(name)
    tested = name == "ks" and stat is not None
    how = "percentile bootstrap of patients"
    if tested:
        how = f"directional bootstrap of F - G; p {row.result.p_method}"
    return Estimate(
        id=f"{SLUG}.{row.check.name}.{name}",
        value=stat.value if stat else None,
        ci=stat.ci if stat else None,
        floor=stat.floor if stat else None,
        p=row.result.p if tested else None,
        p_adjusted=row.p_adjusted if tested else None,
        n_real=len(row.real),
        n_synth=len(row.synth),
        patients_real=row.result.patients[0],
        patients_synth=row.result.patients[1],
        unit=row.check.unit if about.unit is None else about.unit,
        better=about.better,
        null=about.null,
        method=f"{row.check.definition}; CI {how}"
        if stat
        else f"not computed: {row.result.too_few}",
        seed=seed,
        label=f"{row.check.label}: {label}",
    )
