"""Fidelity of a synthetic set, measure by measure: estimates, findings, tables and figure data."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecgeval.compare import figures
from ecgeval.compare.c2st import FITS, C2st, classifier_test
from ecgeval.compare.equivalence import Margins, load_margins, tost
from ecgeval.compare.multiplicity import benjamini_hochberg
from ecgeval.compare.rates import effective_n, newcombe
from ecgeval.compare.univariate import (
    CIRCULAR,
    LINEAR,
    Comparison,
    Effort,
    Sample,
    Stat,
    compare_columns,
)
from ecgeval.errors import UsageError
from ecgeval.measures import Measure, measure_info
from ecgeval.parallel import Progress, child_rng, quiet
from ecgeval.results import (
    Better,
    Estimate,
    Figure,
    Finding,
    Results,
    Section,
    Table,
    Verdict,
    worst,
)

__all__ = ["compare_measures"]

FDR = 0.05
LEAK_P = 0.001
MIN_IDENTICAL = 10

_NEAR: Better = "near_null"
# label, null value, direction, unit ("" none, None the measure's own), method
STATS: dict[str, tuple[str, float, Better, str | None, str]] = {
    "ks": ("Kolmogorov-Smirnov D", 0, "lower", "", "sup |F - G|"),
    "cliffs_delta": ("Cliff's delta", 0, _NEAR, "", "P(S > R) - P(S < R)"),
    "hedges_g": ("Hedges g", 0, _NEAR, "", "mean difference / pooled SD, small-sample corrected"),
    "wasserstein": ("Wasserstein-1 distance", 0, "lower", None, "integral of |F - G|"),
    "log_sd_ratio": ("log SD ratio", 0, _NEAR, "", "ln(SD of S / SD of R)"),
    "median_diff": ("median difference", 0, _NEAR, None, "Harrell-Davis medians, S - R"),
    "watson_u2": ("Watson U2", 0, "lower", "", "Watson's two-sample U squared"),
    "circ_mean_diff": ("mean direction difference", 0, _NEAR, None, "mean directions, S - R"),
    "circ_wasserstein": ("circular Wasserstein-1", 0, "lower", None, "least over rotations"),
    "missing_diff": ("missing-share difference", 0, _NEAR, "", "share without a value, S - R"),
}
_INTERVAL = {
    "ks": "directional bootstrap of F - G",
    "wasserstein": "directional bootstrap of F - G",
    "watson_u2": "bootstrap of F - G, triangle inequality",
    "circ_wasserstein": "bootstrap of F - G, triangle inequality",
}


@dataclass(frozen=True)
class _Missing:
    """The share without a value in either set, and the interval of the difference."""

    real: float
    synth: float
    ci: tuple[float, float]
    ci90: tuple[float, float]

    @classmethod
    def of(cls, real: Sample, synth: Sample, column: int) -> _Missing:
        shares, sizes = [], []
        for sample in (real, synth):
            gone = np.isnan(sample.values[:, column])
            shares.append(float(gone.mean()))
            sizes.append(effective_n(gone, sample.patient))
        wide, narrow = (newcombe(shares[0], sizes[0], shares[1], sizes[1], q) for q in (0.95, 0.9))
        return cls(shares[0], shares[1], wide, narrow)


@dataclass(frozen=True)
class _Row:
    """All that is known of one column."""

    column: str
    info: Measure
    result: Comparison
    missing: _Missing
    real: NDArray[np.float64]
    synth: NDArray[np.float64]

    @property
    def location(self) -> str:
        return "circ_mean_diff" if self.info.circular else "median_diff"


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
        Fewer draws (500 instead of 2000) and only the linear classifier.
    progress : callable

    Returns
    -------
    Results
        One section. Estimates ``{section}.{column}.{statistic}``, each with its interval, floor and
        sizes. Findings: FID-EQUIV (medians), FID-SPREAD (standard deviations), FID-MISSING, and
        where they apply FID-EMPTY, FID-COPIES and FID-C2ST-LEAK decide; FID-KS and FID-C2ST
        describe. Too little data gives NOT_ASSESSABLE, not an error.

    Raises
    ------
    UsageError
        If ids and rows do not match, or no column is a measure.
    """
    margins = load_margins(margins) if isinstance(margins, str) else margins
    columns, absent = _columns(real, synth)
    samples = (
        _sample(real, columns, patients_real, "real"),
        _sample(synth, columns, patients_synth, "synthetic"),
    )
    infos = [measure_info(column) for column in columns]
    circular = [info.circular for info in infos]
    summary = _summary(*samples)
    head = Section(section, "Fidelity: do the synthetic ECGs measure like the real ones?", summary)
    if min(len(sample.patient) for sample in samples) == 0:
        return Results(sections=(head,), findings=(_nothing(section, *samples),))
    results = compare_columns(
        *samples, circular, seed=seed, name=section, effort=Effort.of(quick), jobs=jobs,
        progress=progress,
    )  # fmt: skip
    rows = [
        _Row(
            column, infos[i], results[i], _Missing.of(*samples, i),
            *(s.values[~np.isnan(s.values[:, i]), i] for s in samples),
        )
        for i, column in enumerate(columns)
    ]  # fmt: skip
    tests = {}
    for i, (kind, fit) in enumerate(FITS.items()):
        if quick and kind != "logistic":
            continue
        progress("classifier two-sample test", i, len(FITS))
        tests[kind] = classifier_test(
            *samples, circular, fit, seed=seed, name=f"{section}.c2st.{kind}",
            permutations=Effort.of(quick).permutations, halves=20 if quick else 40,
        )  # fmt: skip
    adjusted = _adjusted(rows)
    common = _Common(section, seed, margins, samples)
    estimates = [e for row in rows for e in _estimates(row, adjusted.get(row.column), common)]
    estimates += [e for kind, test in tests.items() for e in _c2st_estimates(kind, test, common)]
    findings = [
        *_equivalence(rows, common),
        *_missing_findings(rows, absent, common),
        *_copies(real[columns], synth[columns], samples, common),
        *_c2st_findings(tests, columns, infos, common),
        _ks_finding(rows, adjusted, common),
    ]
    return Results(
        sections=(head,),
        estimates=tuple(estimates),
        findings=tuple(findings),
        tables=tuple(_tables(rows, adjusted, tests, common)),
        figures=tuple(_figures(rows, tests, real, synth, common)),
    )


@dataclass(frozen=True)
class _Common:
    """What every part of the answer needs."""

    section: str
    seed: int
    margins: Margins
    samples: tuple[Sample, Sample]

    def finding(
        self, code: str, verdict: Verdict, title: str, *, gate: bool = True, **rest: Any
    ) -> Finding:
        return Finding(code, verdict, title, section=self.section, gate=gate, **rest)


# ---- input -----------------------------------------------------------------------------------


def _columns(real: pd.DataFrame, synth: pd.DataFrame) -> tuple[list[str], dict[str, str]]:
    """Return the measures in both tables, and those in one only with the set that lacks them."""

    def known(column: Any) -> bool:
        try:
            measure_info(str(column))
        except KeyError:
            return False
        return True

    in_real = [c for c in real.columns if known(c)]
    in_synth = [c for c in synth.columns if known(c)]
    columns = [c for c in in_real if c in set(in_synth)]
    if not columns:
        raise UsageError(
            f"no measure is in both tables ({len(in_real)} measures in the real table, "
            f"{len(in_synth)} in the synthetic one); expected columns such as hr_bpm or qrs_ms, "
            "as `ecgeval measure` writes them"
        )
    absent = {c: "synthetic" for c in in_real if c not in columns}
    return columns, absent | {c: "real" for c in in_synth if c not in columns}


def _sample(table: pd.DataFrame, columns: list[str], patients: ArrayLike, which: str) -> Sample:
    ids = np.asarray(patients, dtype=object)
    if ids.shape != (len(table),):
        raise UsageError(
            f"{ids.size} patient ids for {len(table)} rows of the {which} table; "
            "expected one id a record"
        )
    if pd.isna(ids).any():
        raise UsageError(
            f"{int(pd.isna(ids).sum())} records of the {which} table have no patient id; give each "
            "an id of its own if they are different people"
        )
    bad = [c for c in columns if not pd.api.types.is_numeric_dtype(table[c])]
    if bad:
        raise UsageError(f"column {bad[0]} of the {which} table is not numeric")
    return Sample.of(table, columns, ids)


def _summary(real: Sample, synth: Sample) -> str:
    return (
        f"{len(real.patient):,} real records of {real.n_patients:,} patients against "
        f"{len(synth.patient):,} synthetic records, {real.values.shape[1]} measures."
    )


def _nothing(section: str, real: Sample, synth: Sample) -> Finding:
    which = "real" if len(real.patient) == 0 else "synthetic"
    return Finding(
        "FID-EQUIV", Verdict.NOT_ASSESSABLE, f"There is nothing to compare: the {which} set is empty",
        section=section, rule="Needs records in both sets.",
    )  # fmt: skip


# ---- estimates -------------------------------------------------------------------------------


def _adjusted(rows: Sequence[_Row]) -> dict[str, float]:
    """Return the p-values adjusted over measures, by column."""
    tested = [row for row in rows if row.result.p is not None]
    values = benjamini_hochberg([row.result.p or 1 for row in tested])
    return {row.column: float(q) for row, q in zip(tested, values, strict=True)}


def _estimates(row: _Row, adjusted: float | None, common: _Common) -> list[Estimate]:
    draws = "percentile bootstrap of patients"
    out = []
    for name in CIRCULAR if row.info.circular else LINEAR:
        label, null, better, unit, how = STATS[name]
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
                unit=row.info.unit if unit is None else unit,
                better=better,
                null=null,
                method=method,
                seed=common.seed,
                label=f"{row.info.label}: {label}",
                **_sizes(row, common),
            )
        )
    label, null, better, _, how = STATS["missing_diff"]
    out.append(
        Estimate(
            id=f"{common.section}.{row.column}.missing_diff",
            value=row.missing.synth - row.missing.real,
            ci=row.missing.ci,
            n_real=len(common.samples[0].patient),
            n_synth=len(common.samples[1].patient),
            patients_real=common.samples[0].n_patients,
            patients_synth=common.samples[1].n_patients,
            better=better,
            null=null,
            method=f"{how}; CI Newcombe, on records over the design effect of patients",
            label=f"{row.info.label}: {label}",
        )
    )
    return out


def _sizes(row: _Row, common: _Common) -> dict[str, int]:
    return {
        "n_real": len(row.real),
        "n_synth": len(row.synth),
        "patients_real": common.samples[0].n_patients,
        "patients_synth": common.samples[1].n_patients,
    }


def _finite(value: float) -> float | None:
    return float(value) if math.isfinite(value) else None


def _finite_pair(pair: tuple[float, float]) -> tuple[float, float] | None:
    return (float(pair[0]), float(pair[1])) if all(map(math.isfinite, pair)) else None


def _c2st_estimates(kind: str, test: C2st | str, common: _Common) -> list[Estimate]:
    id, label = f"{common.section}.c2st.{kind}_auc", f"classifier two-sample test ({kind}): AUC"
    if isinstance(test, str):
        return [Estimate(id, None, null=0.5, label=label, method=f"not computed: {test}")]
    sizes = {
        "n_real": test.n_real,
        "n_synth": test.n_synth,
        "patients_real": test.patients_real,
        "patients_synth": test.patients_synth,
    }
    return [
        Estimate(
            id, test.auc, test.ci, test.p, test.floor, better="near_null", null=0.5, label=label,
            seed=common.seed,
            method="held-out half of the patients; CI bootstrap of held-out patients, the "
            "classifier given; p permutation of held-out patients' labels, one-sided (AUC > 0.5)",
            **sizes,
        ),
        Estimate(
            f"{common.section}.c2st.{kind}_shuffled", test.shuffled, better="near_null", null=0.5,
            label=f"classifier two-sample test ({kind}): AUC with shuffled labels",
            seed=common.seed, method="mean over shuffles; checks the procedure, not the data",
            **sizes,
        ),
    ]  # fmt: skip


# ---- findings --------------------------------------------------------------------------------


def _number(value: float, unit: str = "", sign: bool = False) -> str:
    """Return a value with the digits that its unit deserves."""
    digits = {"ms": 1, "bpm": 1, "deg": 1, "mV": 3}.get(unit, 2)
    shown = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    return shown.replace("-", "−") + (f" {unit}" if unit else "")


def _between(pair: tuple[float, float], unit: str = "") -> str:
    digits = _number(pair[0], unit).removesuffix(f" {unit}") if unit else _number(pair[0])
    return f"{digits} to {_number(pair[1], unit)}"


_MORE = {"hr_bpm": ("faster", "slower"), "qrs_axis_deg": ("more rightward", "more leftward")}


def _location_sentence(row: _Row, margin: float) -> str:
    stat = row.result.stats[row.location]
    unit = row.info.unit
    more, less = _MORE.get(
        row.column, ("longer", "shorter") if unit == "ms" else ("higher", "lower")
    )
    word = more if stat.value > 0 else less
    return (
        f"{row.info.label} is {_number(abs(stat.value), unit)} {word} in the synthetic set "
        f"(90 % CI of the difference {_between(stat.ci90, unit)}; margin ±{_number(margin, unit)})"
    )


def _spread_sentence(row: _Row, low: float, high: float) -> str:
    stat = row.result.stats["log_sd_ratio"]
    ratio, ends = math.exp(stat.value), (math.exp(stat.ci90[0]), math.exp(stat.ci90[1]))
    return (
        f"{row.info.label} varies {ratio:.2f} times as much in the synthetic set "
        f"(ratio of SDs, 90 % CI {_between(ends)}; margins {low:g} to {high:g})"
    )


def _equivalence(rows: Sequence[_Row], common: _Common) -> list[Finding]:
    """Return FID-EQUIV and FID-SPREAD: all declared measures must lie inside their margins."""
    by_column = {row.column: row for row in rows}
    margins = common.margins
    return [
        _intersection(
            "FID-EQUIV", "median", [(c, *location_verdict(by_column.get(c), margins)) for c in
            margins.primary], [by_column[c].location for c in margins.primary if c in by_column],
            common,
            rule=f"Each of {len(margins.primary)} declared measures: 90 % CI of the difference of "
            f"medians (mean directions for angles) inside the {margins.level} margin of "
            f"{margins.source}. PASS if all are inside, FAIL if one lies wholly outside, else "
            "INCONCLUSIVE.",
        ),
        _intersection(
            "FID-SPREAD", "standard deviation",
            [(c, *spread_verdict(by_column.get(c), margins)) for c in margins.primary
             if not measure_info(c).circular],
            ["log_sd_ratio"] * sum(not by_column[c].info.circular for c in margins.primary
                                   if c in by_column),
            common,
            rule="Each declared measure that is not an angle: 90 % CI of the ratio of standard "
            f"deviations inside {margins.sd_ratio[0]:g} to {margins.sd_ratio[1]:g}. PASS if all "
            "are inside, FAIL if one lies wholly outside, else INCONCLUSIVE.",
        ),
    ]  # fmt: skip


def location_verdict(row: _Row | None, margins: Margins) -> tuple[Verdict, str, float]:
    """Return the verdict on a median, a sentence on it, and how far off in margins it is."""
    if row is None or row.result.too_few:
        return Verdict.NOT_ASSESSABLE, _unassessed(row), math.inf
    median = 0.0 if row.info.circular else float(np.median(row.real))
    margin = margins.of(row.column, median)
    assert margin is not None  # load_margins saw to it
    stat = row.result.stats[row.location]
    verdict = tost(stat.ci90, -margin, margin)
    return verdict, _location_sentence(row, margin), abs(stat.value) / margin


def spread_verdict(row: _Row | None, margins: Margins) -> tuple[Verdict, str, float]:
    """Return the verdict on a standard deviation, a sentence on it, and how far off it is."""
    if row is None or row.result.too_few:
        return Verdict.NOT_ASSESSABLE, _unassessed(row), math.inf
    low, high = margins.sd_ratio
    stat = row.result.stats["log_sd_ratio"]
    if math.isinf(stat.value):
        which = "synthetic" if stat.value < 0 else "real"
        return Verdict.FAIL, f"{row.info.label} is the same in every {which} record", math.inf
    if math.isnan(stat.value):
        return Verdict.NOT_ASSESSABLE, f"{row.info.label} is one constant in both sets", math.inf
    verdict = tost(stat.ci90, math.log(low), math.log(high))
    edge = math.log(high) if stat.value > 0 else -math.log(low)
    return verdict, _spread_sentence(row, low, high), abs(stat.value) / edge


def _unassessed(row: _Row | None) -> str:
    if row is None:
        return "a declared measure is not in both tables"
    return f"{row.info.label} cannot be compared: {row.result.too_few}"


def _intersection(
    code: str,
    what: str,
    parts: Sequence[tuple[str, Verdict, str, float]],
    stats: Sequence[str],
    common: _Common,
    *,
    rule: str,
) -> Finding:
    """Return one finding on all parts (intersection-union: no correction is needed)."""
    verdict = worst(part[1] for part in parts)
    order = [Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_ASSESSABLE, Verdict.PASS]
    ranked = sorted(parts, key=lambda part: (order.index(part[1]), -part[3]))
    sentence = ranked[0][2] if ranked else ""
    counts = {v: sum(part[1] == v for part in parts) for v in order}
    n = len(parts)
    if verdict == Verdict.PASS:
        title = f"All {n} declared measures have an equivalent {what}; the furthest off: {sentence}"
    else:
        tail = {
            Verdict.FAIL: "outside its margin",
            Verdict.INCONCLUSIVE: "not decided: the interval crosses the margin",
            Verdict.NOT_ASSESSABLE: "not assessable",
        }[verdict]
        title = f"{sentence}: {tail}"
        if counts[verdict] > 1:
            title += f"; likewise {counts[verdict] - 1} more of {n} declared measures"
    tally = ", ".join(f"{count} {v}" for v, count in counts.items() if count)
    return common.finding(
        code,
        verdict,
        title,
        explanation=f"{tally}. " + "; ".join(part[2] for part in ranked) + ".",
        estimates=tuple(
            f"{common.section}.{part[0]}.{stat}" for part, stat in zip(parts, stats, strict=False)
        ),
        rule=rule + " (Schuirmann 1987; intersection-union, Berger and Hsu 1996.)",
    )


def _missing_findings(
    rows: Sequence[_Row], absent: Mapping[str, str], common: _Common
) -> list[Finding]:
    """Return FID-MISSING, and FID-EMPTY for what a set has no value of at all."""
    out = []
    limit = common.margins.missing
    primary = [row for row in rows if row.column in common.margins.primary]
    parts = []
    for row in primary:
        sentence = (
            f"{row.info.label} is missing in {_percent(row.missing.synth)} of synthetic and "
            f"{_percent(row.missing.real)} of real records (difference, 90 % CI "
            f"{100 * row.missing.ci90[0]:.1f} to {100 * row.missing.ci90[1]:.1f} percentage "
            f"points; margin ±{100 * limit:g})"
        )
        verdict = tost(row.missing.ci90, -limit, limit)
        parts.append(
            (row.column, verdict, sentence, abs(row.missing.synth - row.missing.real) / limit)
        )
    out.append(
        _intersection(
            "FID-MISSING", "share of missing values", parts, ["missing_diff"] * len(parts), common,
            rule="Each declared measure: 90 % CI (Newcombe) of the difference of the shares without "
            f"a value inside ±{100 * limit:g} percentage points. PASS if all are inside, FAIL if one "
            "lies wholly outside, else INCONCLUSIVE.",
        )
    )  # fmt: skip
    for which, other in (("synthetic", "real"), ("real", "synthetic")):
        empty = [
            row
            for row in rows
            if (row.missing.synth if which == "synthetic" else row.missing.real) == 1
            and (row.missing.real if which == "synthetic" else row.missing.synth) < 1
        ]
        if empty:
            names = _names([row.info.label for row in empty])
            out.append(
                common.finding(
                    "FID-EMPTY", Verdict.FAIL,
                    f"No {which} record has a value of {names}, while {other} records do",
                    explanation="Either the waves are not there, or the signals are not what the "
                    "delineation expects (unit, rate, leads). Look at a few records first.",
                    estimates=tuple(
                        f"{common.section}.{row.column}.missing_diff" for row in empty
                    ),
                    rule="A measure without any value in one set only is a failure.",
                )
            )  # fmt: skip
    neither = [row for row in rows if row.missing.synth == row.missing.real == 1]
    if neither:
        out.append(
            common.finding(
                "FID-EMPTY", Verdict.NOT_ASSESSABLE,
                f"No record of either set has a value of {_names([r.info.label for r in neither])}",
                explanation="The delineation that was used may not give these measures.",
                rule="A measure without any value in both sets cannot be compared.",
                gate=any(row.column in common.margins.primary for row in neither),
            )
        )  # fmt: skip
    for which in ("synthetic", "real"):
        gone = [c for c, lacking in absent.items() if lacking == which]
        if gone:
            out.append(
                common.finding(
                    "FID-EMPTY", Verdict.NOT_ASSESSABLE,
                    f"The {which} table has no column for "
                    f"{_names([measure_info(c).label for c in gone])}",
                    explanation="Columns of one table only are not compared.",
                    rule="A measure needs a column in both tables.",
                    gate=any(c in common.margins.primary for c in gone),
                )
            )  # fmt: skip
    return out


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def _names(labels: Sequence[str], shown: int = 3) -> str:
    more = len(labels) - shown
    return ", ".join(labels[:shown]) + (f" and {more} more measures" if more > 0 else "")


def _copies(
    real: pd.DataFrame, synth: pd.DataFrame, samples: tuple[Sample, Sample], common: _Common
) -> list[Finding]:
    """Return FID-COPIES where synthetic rows equal real ones in every measure."""
    rows = []
    for sample in samples:
        # Rows with few distinct values (a flat line, nothing measured) are alike without copying.
        kept = sample.values[(~np.isnan(sample.values)).sum(axis=1) >= MIN_IDENTICAL]
        distinct = np.array([len(np.unique(row[~np.isnan(row)])) for row in kept])
        rows.append(kept[distinct >= MIN_IDENTICAL] if len(kept) else kept)
    known = {row.tobytes() for row in rows[0].astype(np.float32)}
    copies = sum(row.tobytes() in known for row in rows[1].astype(np.float32))
    if not copies:
        return []
    return [
        common.finding(
            "FID-COPIES", Verdict.FAIL,
            f"{copies:,} synthetic records equal a real record in every measure",
            explanation="Records that were generated do not agree with a real one in every digit of "
            f"{real.shape[1]} measures: these are copies, or both sets hold the same files. All "
            "other agreement of the two sets then says nothing. Run `ecgeval audit`.",
            rule=f"FAIL if one synthetic row equals a real row in all measures (at least "
            f"{MIN_IDENTICAL} different values, in single precision).",
        )
    ]  # fmt: skip


def _c2st_findings(
    tests: Mapping[str, C2st | str],
    columns: Sequence[str],
    infos: Sequence[Measure],
    common: _Common,
) -> list[Finding]:
    out = []
    for kind, test in tests.items():
        ids = (f"{common.section}.c2st.{kind}_auc",)
        if isinstance(test, str):
            out.append(
                common.finding(
                    "FID-C2ST", Verdict.NOT_ASSESSABLE,
                    f"The classifier two-sample test ({kind}) was not run: {test}", gate=False,
                    estimates=ids, rule="Descriptive: it decides nothing.",
                )
            )  # fmt: skip
            continue
        apart = test.p < 0.05 and test.ci[0] > test.floor[1]
        top = [i for i in np.argsort(-test.importance)[:3] if test.importance[i] > 0]
        given = _names([infos[i].label for i in top]) if apart and top else ""
        out.append(
            common.finding(
                "FID-C2ST", Verdict.FAIL if apart else Verdict.INCONCLUSIVE,
                f"A classifier ({kind}) on the measures "
                + ("tells the sets apart: " if apart else "does not clearly tell the sets apart: ")
                + f"AUC {test.auc:.2f} (95 % CI {test.ci[0]:.2f} to {test.ci[1]:.2f}; real against "
                f"real {test.floor[0]:.2f} to {test.floor[1]:.2f})",
                explanation=(f"What gives the synthetic records away most: {given}. " if given else "")
                + "Not telling them apart is no proof of likeness: another classifier may.",
                estimates=ids,
                rule="Descriptive, no gate: told apart if p < 0.05 and the 95 % CI lies above the "
                "real-against-real floor; never a PASS.",
                gate=False,
            )
        )  # fmt: skip
        if test.p_below < LEAK_P and test.auc < test.floor[0]:
            out.append(
                common.finding(
                    "FID-C2ST-LEAK", Verdict.FAIL,
                    f"A classifier ({kind}) does far worse than chance, AUC {test.auc:.2f}: "
                    "synthetic records are near-copies of real ones",
                    explanation="An AUC below 0.5 arises where a held-out record has its near-twin, "
                    "with the other label, among the training records. Run `ecgeval audit`.",
                    estimates=ids,
                    rule=f"FAIL if the AUC is below the real-against-real floor and permutation "
                    f"p (AUC this low) < {LEAK_P:g}; here p = {test.p_below:.2g}.",
                )
            )  # fmt: skip
    return out


def _ks_finding(rows: Sequence[_Row], adjusted: Mapping[str, float], common: _Common) -> Finding:
    tested = [row for row in rows if row.column in adjusted]
    different = [row for row in tested if adjusted[row.column] <= FDR]
    linear = [row for row in tested if "cliffs_delta" in row.result.stats]
    largest = sorted(linear, key=lambda r: -abs(r.result.stats["cliffs_delta"].value))[:3]
    effects = "; ".join(
        f"{row.info.label} {_number(row.result.stats['cliffs_delta'].value, sign=True)} "
        f"({_between(row.result.stats['cliffs_delta'].ci)})"
        for row in largest
    )
    if not tested:
        return common.finding(
            "FID-KS", Verdict.NOT_ASSESSABLE, "No measure has enough values to be compared",
            gate=False, rule="Descriptive: it decides nothing.",
        )  # fmt: skip
    return common.finding(
        "FID-KS",
        Verdict.INCONCLUSIVE,
        f"{len(different)} of {len(tested)} measures differ in distribution at a false discovery "
        f"rate of 5 %; largest Cliff's delta (95 % CI): {effects}",
        explanation="With many records any difference, however small, is found, and with few none: "
        "read the sizes of the effects and the equivalence findings instead.",
        estimates=tuple(f"{common.section}.{row.column}.cliffs_delta" for row in largest),
        rule="Descriptive, no gate: Kolmogorov-Smirnov (Watson U2 for angles), Benjamini-Hochberg "
        "q = 0.05 over measures. Significance is never a verdict.",
        gate=False,
    )


# ---- tables and figures ----------------------------------------------------------------------


def _tables(
    rows: Sequence[_Row],
    adjusted: Mapping[str, float],
    tests: Mapping[str, C2st | str],
    common: _Common,
) -> list[Table]:
    section = common.section
    by_column = {row.column: row for row in rows}
    summary = []
    for column in common.margins.primary:
        if column not in by_column:
            continue
        row = by_column[column]
        stat: Stat | None = row.result.stats.get(row.location)
        margin = common.margins.of(
            column, float(np.median(row.real)) if len(row.real) and not row.info.circular else 0.0
        )
        summary.append(
            {
                "measure": row.info.label,
                "unit": row.info.unit,
                "real": _median_iqr(row.real, row.info),
                "synthetic": _median_iqr(row.synth, row.info),
                "difference": stat.value if stat else None,
                "90 % CI low": stat.ci90[0] if stat else None,
                "90 % CI high": stat.ci90[1] if stat else None,
                "margin ±": margin,
                "verdict": str(location_verdict(row, common.margins)[0]),
                "SD ratio": _ratio(row),
                "spread verdict": ""
                if row.info.circular
                else str(spread_verdict(row, common.margins)[0]),
            }
        )
    everything = [
        {
            "measure": row.info.label,
            "unit": row.info.unit,
            "real": _median_iqr(row.real, row.info),
            "synthetic": _median_iqr(row.synth, row.info),
            **{name: _value(row, name) for name in (*LINEAR, *CIRCULAR)},
            "p": row.result.p,
            "p adjusted": adjusted.get(row.column),
            "note": row.result.too_few,
        }
        for row in rows
    ]
    missing = [
        {
            "measure": row.info.label,
            "real": row.missing.real,
            "synthetic": row.missing.synth,
            "difference": row.missing.synth - row.missing.real,
            "95 % CI low": row.missing.ci[0],
            "95 % CI high": row.missing.ci[1],
            "implausible real": _implausible(row.real, row.info),
            "implausible synthetic": _implausible(row.synth, row.info),
        }
        for row in rows
    ]
    out = [
        Table.of(
            pd.DataFrame(summary), f"{section}.summary", "Declared measures against their margins",
            caption="Median [quartiles]; for angles the mean direction. Difference: synthetic minus "
            f"real. Margins: {common.margins.level}, {common.margins.source}.", section=section,
        ),
        Table.of(
            pd.DataFrame(everything), f"{section}.measures", "All measures",
            caption="Signed numbers are positive where synthetic values are larger.",
            section=section,
        ),
        Table.of(
            pd.DataFrame(missing), f"{section}.missing", "Missing and implausible values",
            caption="Shares of records without a value; shares of values outside the plausible range.",
            section=section,
        ),
    ]  # fmt: skip
    fitted = {kind: test for kind, test in tests.items() if isinstance(test, C2st)}
    if fitted:
        frame = pd.DataFrame(
            {
                "measure": [row.info.label for row in rows],
                **{f"AUC lost ({kind})": test.importance for kind, test in fitted.items()},
                "Cliff's delta": [_value(row, "cliffs_delta") for row in rows],
            }
        )
        first = frame.columns[-2]
        frame = frame.sort_values(str(first), ascending=False, kind="stable").head(20)
        out.append(
            Table.of(
                frame, f"{section}.giveaways", "What gives the synthetic records away",
                caption="Fall of the held-out AUC when a measure is permuted among records. "
                "Measures that say the same share the loss.", section=section,
            )
        )  # fmt: skip
    return out


def _value(row: _Row, name: str) -> float | None:
    stat = row.result.stats.get(name)
    return None if stat is None else _finite(stat.value)


def _ratio(row: _Row) -> float | None:
    value = _value(row, "log_sd_ratio")
    return None if value is None else math.exp(value)


def _median_iqr(values: NDArray[np.float64], info: Measure) -> str:
    if not len(values):
        return "–"
    if info.circular:
        return _number(float(np.rad2deg(np.angle(np.exp(1j * np.deg2rad(values)).mean()))), "deg")
    low, middle, high = (
        _number(q, info.unit).removesuffix(f" {info.unit}")
        for q in np.quantile(values, [0.25, 0.5, 0.75])
    )
    return f"{middle} [{low} to {high}]"


def _implausible(values: NDArray[np.float64], info: Measure) -> float | None:
    if not len(values):
        return None
    return float(((values < info.low) | (values > info.high)).mean())


def _figures(
    rows: Sequence[_Row],
    tests: Mapping[str, C2st | str],
    real: pd.DataFrame,
    synth: pd.DataFrame,
    common: _Common,
) -> list[Figure]:
    section = common.section
    shown = [row for row in rows if row.column in common.margins.primary]
    shown = [row for row in shown if len(row.real) and len(row.synth)]
    out = []
    if shown:
        data = figures.distributions([(row.column, row.info, row.real, row.synth) for row in shown])
        out.append(
            Figure(
                f"{section}.distributions", "distributions", "Declared measures, real and synthetic",
                data, "Density of either set on common bins; the outermost bins hold the rest.",
                section,
            )
        )  # fmt: skip
    effects = [
        (row.info, row.result.stats["cliffs_delta"])
        for row in rows
        if "cliffs_delta" in row.result.stats
    ]
    if effects:
        out.append(
            Figure(
                f"{section}.effects", "effects", "Cliff's delta of every measure",
                figures.effects(effects),
                "Positive: larger in the synthetic set. Bars: 95 % CI by patient; grey: real "
                "against real at the same sizes.",
                section,
            )
        )  # fmt: skip
    if {"rr_ms", "qt_ms"} <= set(real.columns) & set(synth.columns):
        data = figures.scatter(real, synth, "rr_ms", "qt_ms", child_rng(common.seed, section, "qt"))
        if data["sets"]:
            out.append(
                Figure(
                    f"{section}.qt_rr", "scatter", "QT against RR", data,
                    "Lines: least squares over all records. At most "
                    f"{figures.SCATTER_POINTS:,} records of a set are drawn.", section,
                )
            )  # fmt: skip
    curves = {kind: test for kind, test in tests.items() if isinstance(test, C2st)}
    if curves:
        out.append(
            Figure(
                f"{section}.roc", "roc", "Classifier two-sample test, held-out patients",
                figures.roc(curves), "On the diagonal the sets cannot be told apart.", section,
            )
        )  # fmt: skip
    return out
