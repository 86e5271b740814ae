"""Fidelity of a synthetic set, measure by measure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ecgeval.comparison.margins import Margins, load_margins
from ecgeval.comparison.measures import findings
from ecgeval.comparison.measures.checks import EQUIV, STATISTICS
from ecgeval.comparison.measures.tables import figures_of, power_table, tables
from ecgeval.comparison.planning import planned_power
from ecgeval.comparison.rows import Common, Missing, Row, sample_of, shared_columns
from ecgeval.measures import measure_info
from ecgeval.parallel import Progress, child_rng, one_thread, quiet
from ecgeval.results import Estimate, Finding, Results, Section, Verdict
from ecgeval.stats.classifiers import FITS
from ecgeval.stats.multiplicity import benjamini_hochberg
from ecgeval.stats.sample import Effort, Sample
from ecgeval.stats.two_sample import C2st, classifier_test
from ecgeval.stats.univariate import CIRCULAR, DECIDING, LINEAR, compare_columns

__all__ = ["compare_measures"]

# label and method; direction, null value and unit are in the catalogue
STATS: dict[str, tuple[str, str]] = {
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
_INTERVAL = {
    "ks": "directional bootstrap of F - G",
    "wasserstein": "directional bootstrap of F - G",
    "watson_u2": "bootstrap of F - G, triangle inequality",
    "circ_wasserstein": "bootstrap of F - G, triangle inequality",
}


def compare_measures(
    real: pd.DataFrame,
    synth: pd.DataFrame,
    *,
    patients_real: ArrayLike,
    patients_synth: ArrayLike,
    seed: int = 0,
    jobs: int = 1,
    section: str = "fidelity",
    margins: str | Margins = "lenient",
    quick: bool = False,
    progress: Progress = quiet,
) -> Results:
    """Compare two tables of measures: what differs, by how much, and whether that is small enough.

    Parameters
    ----------
    real, synth : DataFrame
        One row a record, columns among those of `ecgeval.measure`; other columns are ignored.
        NaN (or infinity) is "no value", which is compared as an outcome of its own.
    patients_real, patients_synth : array_like, shape (n,)
        One patient id a record. Synthetic records drawn independently are each their own.
    seed : int
    jobs : int
        Processes; the result does not depend on it.
    section : str
        Slug of the section and first part of every id.
    margins : {"lenient", "strict"} or Margins
        Equivalence margins; `load_margins` reads a file of your own.
    quick : bool
        Fewer draws (500 instead of 2000 for intervals) and no boosted classifier.
    progress : callable

    Returns
    -------
    Results
        One section. Estimates ``{section}.{column}.{statistic}``, each with its interval, floor and
        sizes. Findings: FID-EQUIV (medians), FID-SPREAD (standard deviations), FID-SHAPE (other
        quantiles, Wasserstein distance), FID-MISSING, and where they apply FID-EMPTY, FID-COPIES
        and FID-C2ST-LEAK decide; FID-KS and FID-C2ST describe. Too little data gives
        NOT_ASSESSABLE, not an error.

    Raises
    ------
    UsageError
        If ids and rows do not match, or no column is a measure.
    """
    margins = load_margins(margins) if isinstance(margins, str) else margins
    columns, absent = shared_columns(real, synth)
    samples = (
        sample_of(real, columns, patients_real, "real"),
        sample_of(synth, columns, patients_synth, "synthetic"),
    )
    infos = [measure_info(column) for column in columns]
    circular = [info.circular for info in infos]
    summary = _summary(*samples, quick)
    head = Section(section, "Fidelity: do the synthetic ECGs measure like the real ones?", summary)
    if min(len(sample.patient) for sample in samples) == 0:
        return Results(sections=(head,), findings=(_nothing(section, *samples),))
    effort = Effort.of(quick)
    results = compare_columns(
        *samples,
        circular,
        seed=seed,
        name=section,
        effort=effort,
        jobs=jobs,
        progress=progress,
        shift=[column in margins.primary for column in columns],
    )
    absences = Missing.of(*samples, effort.floor, child_rng(seed, section, "missing"))
    rows = [
        Row(
            column,
            infos[i],
            results[i],
            absences[i],
            *(s.values[~np.isnan(s.values[:, i]), i] for s in samples),
        )
        for i, column in enumerate(columns)
    ]
    import sklearn.ensemble  # noqa: F401  (its threads can be limited only once it is loaded)

    tests = {}
    for i, (kind, fit) in enumerate(FITS.items()):
        if quick and kind == "boosting":
            continue
        progress("classifier two-sample test", i, len(FITS))
        with one_thread():
            tests[kind] = classifier_test(
                *samples,
                circular,
                fit,
                seed=seed,
                name=f"{section}.c2st.{kind}",
                permutations=effort.permutations,
                jobs=jobs,
                halves=20 if quick or kind == "boosting" else 40,
            )
    adjusted = _adjusted(rows)
    plan = planned_power(real, samples[1].values.shape[0], margins, patients_real=patients_real)
    common = Common(section, seed, margins, samples)
    estimates = [e for row in rows for e in _estimates(row, adjusted.get(row.column), common)]
    estimates += [e for kind, test in tests.items() for e in _c2st_estimates(kind, test, common)]
    conclusions = [
        *findings.equivalence(rows, common),
        *findings.missing(rows, absent, common),
        *findings.copies(common),
        *findings.classifier(tests, rows, common),
        findings.differences(rows, adjusted, common, quick=quick),
    ]
    return Results(
        sections=(head,),
        estimates=tuple(estimates),
        findings=tuple(conclusions),
        tables=(*tables(rows, adjusted, tests, common), power_table(plan, common)),
        figures=tuple(figures_of(rows, tests, common)),
    )


# ---- input -----------------------------------------------------------------------------------


def _summary(real: Sample, synth: Sample, quick: bool) -> str:
    text = (
        f"{len(real.patient):,} real records of {real.n_patients:,} patients against "
        f"{len(synth.patient):,} synthetic records, {real.values.shape[1]} measures."
    )
    return f"{text} Quick run: fewer resamples, no boosted classifier." if quick else text


def _nothing(section: str, real: Sample, synth: Sample) -> Finding:
    which = "real" if len(real.patient) == 0 else "synthetic"
    return EQUIV.finding(
        Verdict.NOT_ASSESSABLE,
        f"There is nothing to compare: the {which} set is empty",
        section=section,
        rule="Needs records in both sets.",
    )


# ---- estimates -------------------------------------------------------------------------------


def _adjusted(rows: Sequence[Row]) -> dict[str, float]:
    """Return the p-values adjusted over measures, by column."""
    tested = [row for row in rows if row.result.p is not None]
    values = benjamini_hochberg([row.result.p or 1 for row in tested])
    return {row.column: float(q) for row, q in zip(tested, values, strict=True)}


def _estimates(row: Row, adjusted: float | None, common: Common) -> list[Estimate]:
    draws = "percentile bootstrap of patients"
    out = []
    shifts = DECIDING if row.column in common.margins.primary and not row.info.circular else ()
    for name in (*(CIRCULAR if row.info.circular else LINEAR), *shifts):
        label, how = STATS[name]
        about = STATISTICS[name]
        stat = row.result.stats.get(name)
        tested = name in ("ks", "watson_u2")
        method = f"not computed: {row.result.too_few}"
        if stat is not None:
            method = f"{how}; CI {_INTERVAL.get(name, draws)}"
            if not math.isfinite(stat.value):
                method += "; no finite value: a set has standard deviation 0"
            if tested:
                method += f"; p {row.result.p_method}"
        out.append(
            Estimate(
                id=f"{common.section}.{row.column}.{name}",
                value=_finite(stat.value) if stat else None,
                ci=_finite_pair(stat.ci) if stat else None,
                floor=_finite_pair(stat.floor) if stat else None,
                p=row.result.p if tested else None,
                p_adjusted=adjusted if tested else None,
                unit=row.info.unit if about.unit is None else about.unit,
                better=about.better,
                null=about.null,
                method=method,
                seed=common.seed,
                label=f"{row.info.label}: {label}",
                **_sizes(row),
            )
        )
    label, how = STATS["missing_diff"]
    about = STATISTICS["missing_diff"]
    ends = (row.missing.ci, row.missing.floor)
    ci, floor = ((100 * e[0], 100 * e[1]) if e else None for e in ends)
    out.append(
        Estimate(
            id=f"{common.section}.{row.column}.missing_diff",
            value=100 * (row.missing.synth - row.missing.real),
            ci=ci,
            floor=floor,
            unit=about.unit or "",
            seed=common.seed,
            n_real=len(common.samples[0].patient),
            n_synth=len(common.samples[1].patient),
            patients_real=common.samples[0].n_patients,
            patients_synth=common.samples[1].n_patients,
            better=about.better,
            null=about.null,
            method=f"{how}; CI Newcombe, on records over the design effect of patients",
            label=f"{row.info.label}: {label}",
        )
    )
    return out


def _sizes(row: Row) -> dict[str, Any]:
    return {
        "n_real": len(row.real),
        "n_synth": len(row.synth),
        "patients_real": row.result.patients[0],
        "patients_synth": row.result.patients[1],
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _finite_pair(pair: tuple[float, float]) -> tuple[float, float] | None:
    return (float(pair[0]), float(pair[1])) if all(map(math.isfinite, pair)) else None


def _c2st_estimates(kind: str, test: C2st | str, common: Common) -> list[Estimate]:
    id, label = f"{common.section}.c2st.{kind}_auc", f"classifier two-sample test ({kind}): AUC"
    if isinstance(test, str):
        return [Estimate(id, None, null=0.5, label=label, method=f"not computed: {test}")]
    sizes: dict[str, Any] = {
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
            better="near_null",
            null=0.5,
            label=label,
            seed=common.seed,
            method="held-out half of the patients; CI bootstrap of held-out patients, the "
            f"classifier given; p {permutations} of held-out patients' labels, "
            "one-sided (AUC > 0.5)",
            **sizes,
        ),
        Estimate(
            f"{common.section}.c2st.{kind}_shuffled",
            test.shuffled,
            better="near_null",
            null=0.5,
            label=f"classifier two-sample test ({kind}): AUC with shuffled labels",
            seed=common.seed,
            method="mean over shuffles; checks the procedure, not the data",
            **sizes,
        ),
    ]
