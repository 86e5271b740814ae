"""The declared measures within subgroups: like against like, by sex, age band or any label."""

from __future__ import annotations

import re
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecgeval.comparison.declared import FDR, intersection, location_verdict
from ecgeval.comparison.labels import groups_of
from ecgeval.comparison.margins import Margins, load_margins
from ecgeval.comparison.rows import Common, Missing, Row, median_iqr, shares
from ecgeval.comparison.subgroups.checks import EQUIV, HETERO, LIKE, STATISTICS
from ecgeval.errors import UsageError
from ecgeval.measures import measure_info
from ecgeval.parallel import Progress, child_rng, quiet
from ecgeval.results import Estimate, Figure, Finding, Results, Section, Table, Verdict
from ecgeval.stats.arrays import Floats
from ecgeval.stats.intervals import percentile_interval
from ecgeval.stats.multiplicity import benjamini_hochberg
from ecgeval.stats.resampling import monte_carlo_p, resample_weights
from ecgeval.stats.sample import MIN_PATIENTS, Effort, Sample
from ecgeval.stats.univariate import compare_columns
from ecgeval.wording import listed, p_text, quantity

__all__ = ["cochran_q", "compare_subgroups"]

MAX_GROUPS = 12
SHUFFLES = 999


def cochran_q(differences: ArrayLike, se: ArrayLike) -> tuple[float, float]:
    """Return Cochran's Q and its p: do groups differ by the same amount?

    Parameters
    ----------
    differences, se : array_like, shape (groups,)
        Estimates of independent groups and their standard errors, above 0.

    References
    ----------
    Cochran 1954, Biometrics 10:101, doi:10.2307/3001666
    """
    from scipy.special import chdtrc

    x, weight = np.asarray(differences, float), 1 / np.square(np.asarray(se, float))
    q = float(weight @ (x - (weight @ x) / weight.sum()) ** 2)
    return q, float(max(chdtrc(len(x) - 1, q), np.finfo(float).tiny))


def compare_subgroups(
    real: pd.DataFrame,
    synth: pd.DataFrame,
    labels_real: pd.DataFrame,
    labels_synth: pd.DataFrame | None,
    by: str | Sequence[str],
    *,
    patients_real: ArrayLike,
    patients_synth: ArrayLike,
    bands: Mapping[str, Sequence[float]] | None = None,
    seed: int = 0,
    jobs: int = 1,
    margins: str | Margins = "lenient",
    quick: bool = False,
    progress: Progress = quiet,
    section: str = "subgroups",
) -> Results:
    """Compare the declared measures of each real subgroup with the same synthetic subgroup.

    Parameters
    ----------
    real, synth : DataFrame
        Measures, one row a record, as in `compare_measures`.
    labels_real, labels_synth : DataFrame
        Labels of the same records in the same order. Where the synthetic set has no such label,
        each real subgroup is set against the whole synthetic set, which describes and decides
        nothing.
    by : str or sequence of str
        Columns of labels.
    patients_real, patients_synth : array_like, shape (n,)
    bands : mapping of str to sequence of float, optional
        Where to cut a numeric label (`groups_of`).
    seed, jobs, margins, quick, progress
        As in `compare_measures`.
    section : str

    Returns
    -------
    Results
        One section that decides nothing. Estimates ``{section}.{label}.{group}.{column}.
        {statistic}`` and ``{section}.{label}.{column}.cochran_q``. Findings of each label:
        SUB-EQUIV, SUB-HETERO, and SUB-LIKE where the synthetic set has no such label. A group of
        fewer than 20 patients in either set is NOT_ASSESSABLE.

    Raises
    ------
    UsageError
        If a label is no column of `labels_real`, or rows and labels do not match.
    """
    margins = load_margins(margins) if isinstance(margins, str) else margins
    wanted = [by] if isinstance(by, str) else list(dict.fromkeys(by))
    for name, table, labels in (("real", real, labels_real), ("synthetic", synth, labels_synth)):
        if labels is not None and len(labels) != len(table):
            raise UsageError(
                f"{len(labels)} rows of labels for {len(table)} {name} records; expected one each"
            )
    for label in wanted:
        if label not in labels_real:
            have = ", ".join(map(str, labels_real.columns)) or "none"
            raise UsageError(f"the real set has no label {label!r}; its labels are {have}")
    columns = [c for c in margins.primary if c in real and c in synth]
    samples = (Sample.of(real, columns, patients_real), Sample.of(synth, columns, patients_synth))
    common = Common(section, seed, margins, samples)
    out = Results()
    for label in wanted:
        own = None if labels_synth is None else labels_synth.get(label)
        own = None if own is None or own.isna().all() else own
        groups = groups_of(labels_real[label], own, (bands or {}).get(label))
        in_none = [
            int(np.sum(~np.any(masks, axis=0)))
            for side in zip(*groups.values(), strict=True)
            if (masks := [mask for mask in side if mask is not None])
        ]
        left = f" {sum(in_none):,} records have no {label} of use." if any(in_none) else ""
        if not columns or not 1 <= len(groups) <= MAX_GROUPS:
            why = (
                f"{len(groups)} values of {label} (1 to {MAX_GROUPS} can be compared)"
                if columns
                else "no declared measure is in both tables"
            )
            out += Results(findings=(_not(label, why, common),))
        elif own is None:
            out += _likeness(label, groups, left, common, columns, Effort.of(quick))
        else:
            parts = [
                _Group.of(label, name, masks, columns, common, Effort.of(quick), jobs, progress)
                for name, masks in groups.items()
            ]
            out += _compared(label, parts, left, common, columns)
    summary = (
        f"{len(columns)} declared measures by {', '.join(wanted)}; at least {MIN_PATIENTS} "
        "patients of a group in either set. Describes: the verdict of the run is that of the "
        "whole sets."
    )
    title = "Subgroups: does the agreement hold within each?"
    return Results(sections=(Section(section, title, summary, gate=False),)) + out


def _not(label: str, why: str, common: Common) -> Finding:
    return EQUIV.finding(
        Verdict.NOT_ASSESSABLE,
        f"By {label}: not compared, {why}",
        rule="Descriptive: it decides nothing.",
        section=common.section,
    )


def _slug(text: str) -> str:
    text = text.replace("<", "below ").replace("≥", "from ")
    plain = re.sub(r"[^0-9a-zA-Z]+", "_", text).strip("_").lower()
    # What other characters said must not be lost: two groups never share an id.
    same = re.sub(r"[\s_]+", "_", text).strip("_").lower() == plain
    return plain if same else f"{plain or 'group'}_{zlib.crc32(text.encode()):08x}"


@dataclass(frozen=True)
class _Group:
    """One subgroup, compared."""

    name: str
    stem: str
    rows: list[Row]

    @classmethod
    def of(
        cls,
        label: str,
        name: str,
        masks: tuple[NDArray[np.bool_], NDArray[np.bool_] | None],
        columns: list[str],
        common: Common,
        effort: Effort,
        jobs: int,
        progress: Progress,
    ) -> _Group:
        stem = f"{_slug(label)}.{_slug(name)}"
        real, synth = (
            _part(sample, np.ones(len(sample.patient), bool) if mask is None else mask)
            for sample, mask in zip(common.samples, masks, strict=True)
        )
        infos = [measure_info(c) for c in columns]
        stream = f"{common.section}.{stem}"
        results = compare_columns(
            real,
            synth,
            [i.circular for i in infos],
            seed=common.seed,
            name=stream,
            effort=effort,
            jobs=jobs,
            progress=progress,
        )
        rng = child_rng(common.seed, stream, "missing")
        if min(len(real.patient), len(synth.patient)):
            absences = Missing.of(real, synth, effort.floor, rng)
        else:
            absences = [Missing(np.nan, np.nan, (0, 0), (0, 0), None)] * len(columns)
        rows = [
            Row(
                column,
                replace(info, label=f"{info.label} ({label} {name})"),
                result,
                absence,
                *(s.values[~np.isnan(s.values[:, i]), i] for s in (real, synth)),
            )
            for i, (column, info, result, absence) in enumerate(
                zip(columns, infos, results, absences, strict=True)
            )
        ]
        return cls(name, stem, rows)


def _part(sample: Sample, mask: NDArray[np.bool_]) -> Sample:
    code = np.unique(sample.patient[mask], return_inverse=True)[1]
    return Sample(sample.values[mask], code.reshape(-1))


def _compared(
    label: str, groups: list[_Group], left: str, common: Common, columns: list[str]
) -> Results:
    tested = [(g, row) for g in groups for row in g.rows if row.result.p is not None]
    q_values = benjamini_hochberg([row.result.p or 1 for _, row in tested])
    adjusted = {
        (g.name, row.column): float(q) for (g, row), q in zip(tested, q_values, strict=True)
    }
    estimates = [
        e
        for g in groups
        for row in g.rows
        for e in _estimates(g, row, adjusted.get((g.name, row.column)), common)
    ]
    unlike = _heterogeneity(label, groups, common, columns)
    parts = [
        (f"{g.stem}.{row.column}", *location_verdict(row, common.margins))
        for g in groups
        for row in g.rows
    ]
    equal = intersection(
        EQUIV,
        "median",
        parts,
        [row.location for g in groups for row in g.rows],
        common,
        things="pairs of declared measure and group",
        rule=f"Each declared measure in each group of {label}: 90 % CI of the difference of "
        f"medians (mean directions for angles) inside the {common.margins.level} margin of "
        f"{common.margins.source}; at least {MIN_PATIENTS} patients of a group in either set. "
        "Descriptive: it decides nothing.",
    )
    equal = replace(equal, title=f"By {label}: {equal.title}", explanation=equal.explanation + left)
    found = sum(q <= FDR for q in adjusted.values())
    varied = _varied(label, unlike, f"{found} of {len(tested)}", common)
    table = [_table_row(g, row, common) for g in groups for row in g.rows]
    drawn = [
        {
            "label": f"{label} {g.name}",
            "group": measure_info(row.column).label,
            **{
                key: np.asarray(value) / row.margin(common.margins)
                for key, value in (("value", stat.value), ("ci", stat.ci), ("floor", stat.floor))
            },
        }
        for column in columns
        for g in groups
        for row in g.rows
        if row.column == column and (stat := row.result.stats.get(row.location)) is not None
    ]
    figures = [
        Figure(
            f"{common.section}.{_slug(label)}",
            "effects",
            f"Declared measures by {label}",
            {"xlabel": "difference of medians / margin", "null": 0, "rows": drawn},
            "Beyond 1 or −1 the difference is larger than its margin. Bars: 95 % CI by patient; "
            "grey: real against real of that group.",
            common.section,
        )
    ]
    return Results(
        estimates=(*estimates, *unlike),
        findings=(equal, varied),
        tables=(
            Table.of(
                pd.DataFrame(table),
                f"{common.section}.{_slug(label)}",
                f"Declared measures by {label}",
                caption="Median [quartiles]; for angles the mean direction. Difference: synthetic "
                "minus real. p of KS (Watson's U² of angles) adjusted over all groups and "
                f"measures (Benjamini-Hochberg). Margins: {common.margins.level}"
                f"{shares((row for g in groups for row in g.rows), common.margins)}.",
                section=common.section,
            ),
        ),
        figures=tuple(figures) if drawn else (),
    )


def _estimates(g: _Group, row: Row, adjusted: float | None, common: Common) -> list[Estimate]:
    out = []
    distance = "watson_u2" if row.info.circular else "ks"
    for name in (row.location, distance, *(() if row.info.circular else ("log_sd_ratio",))):
        stat, about = row.result.stats.get(name), STATISTICS[name]
        fits = stat is not None and np.isfinite([stat.value, *stat.ci, *stat.floor]).all()
        method = "as in the fidelity section, within the group"
        if not fits:
            method = f"not computed: {row.result.too_few or 'a set has standard deviation 0'}"
        out.append(
            Estimate(
                f"{common.section}.{g.stem}.{row.column}.{name}",
                float(stat.value) if stat is not None and fits else None,
                ci=stat.ci if stat is not None and fits else None,
                floor=stat.floor if stat is not None and fits else None,
                p=row.result.p if name == distance else None,
                p_adjusted=adjusted if name == distance else None,
                n_real=len(row.real),
                n_synth=len(row.synth),
                patients_real=row.result.patients[0],
                patients_synth=row.result.patients[1],
                unit=row.info.unit if about.unit is None else about.unit,
                better=about.better,
                null=about.null,
                method=method,
                seed=common.seed,
                label=f"{row.info.label}: {about.title}",
            )
        )
    return out


def _heterogeneity(
    label: str, groups: list[_Group], common: Common, columns: list[str]
) -> list[Estimate]:
    """Return Cochran's Q of each measure, p adjusted over the measures."""
    out = []
    about = STATISTICS["cochran_q"]
    for i, column in enumerate(columns):
        rows = [g.rows[i] for g in groups if not g.rows[i].result.too_few]
        stats = [row.result.stats[row.location] for row in rows]
        values = np.array([stat.value for stat in stats])
        se = np.array([(stat.ci90[1] - stat.ci90[0]) / (2 * 1.6449) for stat in stats])
        if measure_info(column).circular and len(values):
            values = values[0] + (values - values[0] + 180) % 360 - 180
        made = len(values) > 1 and bool((se > 0).all())
        q, p = cochran_q(values, se) if made else (None, None)
        out.append(
            Estimate(
                f"{common.section}.{_slug(label)}.{column}.cochran_q",
                q,
                p=p,
                floor=_chi2_ends(len(values) - 1) if made else None,
                null=float(len(values) - 1) if made else None,
                better=about.better,
                n_real=sum(len(row.real) for row in rows),
                n_synth=sum(len(row.synth) for row in rows),
                patients_real=sum(row.result.patients[0] for row in rows),
                patients_synth=sum(row.result.patients[1] for row in rows),
                label=f"{measure_info(column).label} by {label}: {about.title}",
                seed=common.seed,
                method=f"{len(values)} groups, differences of medians over their bootstrap SE; "
                "floor and p chi-squared"
                if made
                else "not computed: fewer than two groups with enough patients that vary",
            )
        )
    known = [e for e in out if e.p is not None]
    q_values = benjamini_hochberg([e.p or 1 for e in known])
    by_id = {e.id: float(q) for e, q in zip(known, q_values, strict=True)}
    return [replace(e, p_adjusted=by_id.get(e.id)) for e in out]


def _chi2_ends(df: int) -> tuple[float, float]:
    from scipy.special import chdtri

    return float(chdtri(df, 0.975)), float(chdtri(df, 0.025))


def _varied(label: str, unlike: list[Estimate], differ: str, common: Common) -> Finding:
    known = [e for e in unlike if e.p_adjusted is not None]
    rule = (
        "Descriptive, no gate: Cochran's Q of the differences of medians over groups, "
        "Benjamini-Hochberg q = 0.05 over measures. Significance is never a verdict."
    )
    if not known:
        return HETERO.finding(
            Verdict.NOT_ASSESSABLE,
            f"By {label}: fewer than two groups have enough patients to be set against each other",
            rule=rule,
            section=common.section,
        )
    found = sorted(
        (e for e in known if (e.p_adjusted or 1) <= FDR), key=lambda e: e.p_adjusted or 1
    )
    title = (
        f"By {label}: the difference of {len(found)} of {len(known)} measures depends on the group"
    )
    if found:
        title += f" ({listed([e.label.rsplit(f' by {label}')[0] for e in found])})"
    return HETERO.finding(
        Verdict.INCONCLUSIVE,
        title,
        f"Distributions differ in {differ} pairs of group and measure at a false "
        "discovery rate of 5 %. Groups are smaller than the whole: finding no dependence shows "
        "little, and finding a difference in one group alone does not show that the others are "
        "free of it; read the intervals beside each other.",
        rule=rule,
        estimates=tuple(e.id for e in found or known),
        section=common.section,
    )


def _table_row(g: _Group, row: Row, common: Common) -> dict[str, Any]:
    stat = row.result.stats.get(row.location)
    info = measure_info(row.column)
    ends = None if stat is None else [quantity(x, info.unit).split(" ")[0] for x in stat.ci90]
    return {
        "group": g.name,
        "measure": info.label,
        "unit": info.unit,
        "patients real": row.result.patients[0],
        "patients synthetic": row.result.patients[1],
        "real": median_iqr(row.real, info),
        "synthetic": median_iqr(row.synth, info),
        "difference": None if stat is None else stat.value,
        "90 % CI": "–" if ends is None else f"{ends[0]} to {ends[1]}",
        "margin ±": row.margin(common.margins),
        "verdict": str(location_verdict(row, common.margins)[0]),
        "missing real %": 100 * row.missing.real,
        "missing synthetic %": 100 * row.missing.synth,
    }


# ---- a synthetic set without the label -----------------------------------------------------------


def _likeness(
    label: str,
    groups: Mapping[str, tuple[NDArray[np.bool_], NDArray[np.bool_] | None]],
    left: str,
    common: Common,
    columns: list[str],
    effort: Effort,
) -> Results:
    """Return which real group the synthetic set is nearest to, without a verdict."""
    real, synth = common.samples
    linear = [i for i, c in enumerate(columns) if not measure_info(c).circular]
    rank = np.stack([_share_below(synth.values[:, i], real.values[:, i]) for i in linear], axis=1)
    people = {name: len(np.unique(real.patient[m])) for name, (m, _) in groups.items()}
    enough = [name for name, n in people.items() if n >= MIN_PATIENTS]
    missing = f"the synthetic set has no label {label}"
    if len(enough) < 2 or synth.n_patients < MIN_PATIENTS:
        return Results(findings=(_not(label, missing, common),))
    masks = np.stack([groups[name][0] for name in enough], axis=1).astype(float)
    delta = np.nan_to_num(1 - 2 * rank)  # of one record; a group's Cliff's delta is the mean
    known = (~np.isnan(rank)).astype(float)

    def sums(values: Floats, member: Floats) -> Floats:
        """Return sums by patient over a group's records, shape (patients, measures)."""
        weighted = (values * member[:, None]).T
        return np.stack([np.bincount(real.patient, v, real.n_patients) for v in weighted], axis=1)

    def distance(weight: NDArray[Any], total: Floats, n: Floats) -> Floats:
        """Return the mean |delta| of each draw of patients, weights (draws, patients)."""
        return np.asarray(np.abs(weight @ total / np.maximum(weight @ n, 1)).mean(axis=1))

    each = [(sums(delta, mask), sums(known, mask)) for mask in masks.T]
    observed = np.array([distance(np.ones((1, real.n_patients)), *s)[0] for s in each])
    stream = f"{common.section}.{_slug(label)}.likeness"
    weights = resample_weights(
        real.n_patients, effort.bootstrap, child_rng(common.seed, stream, "bootstrap")
    ).T
    draws = np.stack([distance(weights, *s) for s in each], axis=1)
    # Shuffled by patient: one whose records are in two groups takes that of the first.
    first = masks[np.unique(real.patient, return_index=True)[1]]
    rng = child_rng(common.seed, stream, "null")
    total, n = sums(delta, np.ones(len(rank))), sums(known, np.ones(len(rank)))
    orders = (rng.permutation(len(first)) for _ in range(SHUFFLES))
    nulls = np.stack([distance(first[order].T, total, n) for order in orders])
    p = monte_carlo_p(np.ptp(nulls, axis=1), float(np.ptp(observed)))
    about = STATISTICS["mean_abs_delta"]
    estimates = [
        Estimate(
            f"{common.section}.{_slug(label)}.{_slug(name)}.mean_abs_delta",
            float(observed[k]),
            ci=_holding(percentile_interval(draws[:, k]), float(observed[k])),
            floor=percentile_interval(nulls[:, k]),
            better=about.better,
            null=about.null,
            n_real=int(masks[:, k].sum()),
            n_synth=len(synth.patient),
            patients_real=people[name],
            patients_synth=synth.n_patients,
            seed=common.seed,
            label=f"real {label} {name} against the whole synthetic set: {about.title}",
            method=f"mean over {len(linear)} measures; CI percentile bootstrap of real patients; "
            f"floor: {len(nulls):,} random draws of as many real patients",
        )
        for k, name in enumerate(enough)
    ]
    order = np.argsort(observed)
    near, far = (estimates[order[k]] for k in (0, -1))
    told = p <= FDR
    ranked = "; ".join(
        f"{enough[k]} {observed[k]:.2f} (random patients {estimates[k].floor[0]:.2f} to "  # type: ignore[index]
        f"{estimates[k].floor[1]:.2f})"  # type: ignore[index]
        for k in order
    )
    title = f"By {label}, the synthetic set " + (
        f"looks most like real {label} {enough[order[0]]}: mean |δ| {near.value:.2f}, against "
        f"{far.value:.2f} for {enough[order[-1]]}"
        if told
        else "looks no more like one real group than like another"
    )
    return Results(
        estimates=tuple(estimates),
        findings=(
            _not(label, missing, common),
            LIKE.finding(
                Verdict.INCONCLUSIVE,
                f"{title} ({p_text(p, 1 / (len(nulls) + 1))})",
                f"Mean absolute Cliff's δ over the declared measures, by group: "
                f"{ranked}. It says whom the synthetic ECGs resemble, not that they are right for "
                f"anyone.{left}",
                estimates=tuple(e.id for e in estimates),
                rule="Descriptive, no gate: range over groups of the mean |δ| against that of "
                "groups made by shuffling patients.",
                section=common.section,
            ),
        ),
    )


def _share_below(reference: NDArray[Any], values: NDArray[Any]) -> Floats:
    """Return P(S < x) + P(S = x) / 2 of each value, NaN for missing ones."""
    s = np.sort(reference[~np.isnan(reference)])
    if not len(s):
        return np.full(len(values), np.nan)
    below = np.searchsorted(s, values) + np.searchsorted(s, values, side="right")
    return np.where(np.isnan(values), np.nan, below / (2 * len(s)))


def _holding(interval: tuple[float, float], value: float) -> tuple[float, float]:
    return min(interval[0], value), max(interval[1], value)
