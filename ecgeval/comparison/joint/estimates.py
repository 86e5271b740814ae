"""What every step here needs of a pair: some of its measures, and an estimate written down."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

from ecgeval.comparison.joint.checks import STATISTICS
from ecgeval.comparison.pair import Pair
from ecgeval.measures import measure_info
from ecgeval.results import Estimate
from ecgeval.stats.kernels import Assessed
from ecgeval.stats.sample import Sample
from ecgeval.wording import listed

__all__ = ["CHEST", "SLUG", "Sizes", "estimate", "pick", "samples_of"]

SLUG = "joint"
Sizes = tuple[tuple[int, int], tuple[int, int]]
CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")


def pick(pair: Pair, columns: Sequence[str]) -> tuple[Sample, Sample] | str:
    """Return these measures of both sets, or which of them are not in both tables."""
    absent = [measure_info(c).label for c in columns if c not in pair.columns]
    if absent:
        return f"{listed(absent)} not in both tables"
    return samples_of(pair, columns)


def samples_of(pair: Pair, columns: Sequence[str]) -> tuple[Sample, Sample]:
    """Return some of the measures that both tables have."""
    at = [pair.columns.index(c) for c in columns]
    real, synth = (Sample(s.values[:, at], s.patient) for s in pair.samples)
    return real, synth


def estimate(
    pair: Pair,
    id: str,
    stat: Assessed | str,
    label: str,
    method: str,
    sizes: Sizes | None = None,
    *,
    unit: str | None = None,
    scale: float = 1.0,
    null: float | None = None,
    p_adjusted: float | None = None,
) -> Estimate:
    """Return an estimate with what is declared of its statistic.

    Parameters
    ----------
    id : str
        Without the section: ``measure.statistic``.
    stat : Assessed or str
        The reason where it could not be computed.
    sizes : ((int, int), (int, int)), optional
        Records and patients of (real, synth); those of the whole sets by default.
    unit, null
        Those of the statistic by default.
    scale : float
        From the statistic to the unit.
    """
    about = STATISTICS[id.rpartition(".")[2]]
    samples = pair.samples
    n, patients = sizes or (
        (len(samples[0].patient), len(samples[1].patient)),
        (samples[0].n_patients, samples[1].n_patients),
    )
    reason = stat if isinstance(stat, str) else "no finite value"
    unknown = Estimate(
        f"{SLUG}.{id}",
        None,
        n_real=n[0],
        n_synth=n[1],
        unit=(about.unit if unit is None else unit) or "",
        better=about.better,
        method=f"not computed: {reason}",
        seed=pair.seed,
        label=label,
        null=about.null if null is None else null,
        p_adjusted=p_adjusted,
        patients_real=patients[0],
        patients_synth=patients[1],
    )
    if isinstance(stat, str) or not math.isfinite(stat.value):
        return unknown
    return replace(
        unknown,
        value=scale * stat.value,
        ci=_finite(stat.ci, scale),
        floor=_finite(stat.floor, scale),
        p=stat.p,
        method=method,
    )


def _finite(ends: tuple[float, float], scale: float) -> tuple[float, float] | None:
    return (scale * ends[0], scale * ends[1]) if all(map(math.isfinite, ends)) else None
