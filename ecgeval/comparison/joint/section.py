"""Joint structure: do the measures go together as they do in real ECGs?

A patient counts once in this part, whatever the number of records: values are means over a
patient's records, or its records share its weight.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from ecgeval.comparison.joint import findings, tables
from ecgeval.comparison.joint.checks import STATISTICS
from ecgeval.comparison.joint.correlation import Correlations, compare_correlations
from ecgeval.comparison.joint.curves import (
    Curves,
    compare_curves,
    largest,
    total_variation,
    transition_lead,
)
from ecgeval.comparison.joint.differences import complete
from ecgeval.comparison.joint.estimates import CHEST, SLUG, Sizes, estimate, pick, samples_of
from ecgeval.comparison.joint.relations import RELATIONS, Lines, Relation, compare_lines
from ecgeval.comparison.joint.rhythm import serial_correlation
from ecgeval.comparison.joint.truncation import Edge, find_edges, one_record_each
from ecgeval.comparison.pair import Pair
from ecgeval.measures import measure_info
from ecgeval.parallel import child_rng
from ecgeval.results import Estimate, Results, Section
from ecgeval.stats.kernels import BANDWIDTHS, Assessed, KernelTest, kernel_test
from ecgeval.stats.sample import MIN_PATIENTS, Effort, Sample
from ecgeval.stats.univariate import Comparison, compare_columns
from ecgeval.wording import quantity

__all__ = ["compare"]

DERIVED = ("rr_ms", "qtcf_ms", "qtcb_ms", "jt_ms")
"""Functions of other measures."""
FILTERED = ("hr_bpm", "p_dur_ms", "pr_ms", "qrs_ms", "qt_ms", "qtcf_ms")
"""What normal limits cut."""
TOP_PAIRS = 8
QUICK, FULL = Effort(300, 200, 999), Effort(1000, 500, 999)


def compare(pair: Pair) -> Results:
    """Compare how the measures of two sets go together.

    Parameters
    ----------
    pair : Pair
        Of it: measures and patients, `Margins.joint`.

    Returns
    -------
    Results
        Findings ``JOINT-QTRR`` (decides), ``JOINT-RELATIONS``, ``JOINT-CORR``,
        ``JOINT-PROGRESSION``, ``JOINT-RHYTHM``, ``JOINT-KERNEL`` and ``JOINT-TRUNCATION``. Too
        little data gives NOT_ASSESSABLE, not an error.

    Raises
    ------
    UsageError
        If no column is a measure.
    """
    effort = QUICK if pair.quick else FULL
    real, synth = pair.samples
    summary = (
        f"{len(real.patient):,} real records of {real.n_patients:,} patients against "
        f"{len(synth.patient):,} synthetic records, {len(pair.columns)} measures; each patient "
        "counts once."
    )
    out = Results(
        sections=(Section(SLUG, "Joint structure: do the measures go together?", summary),)
    )
    steps = (_relations, _correlations, _progression, _rhythm, _kernels, _truncation)
    for i, step in enumerate(steps):
        pair.progress("joint structure", i, len(steps))
        out += step(pair, effort)
    pair.progress("joint structure", len(steps), len(steps))
    return out


def _sizes(found: Lines | Curves | KernelTest | str) -> Sizes | None:
    """Return the records and patients of (real, synth) that a result rests on."""
    return None if isinstance(found, str) else (found.n, found.patients)


# ---- relations between two measures ------------------------------------------------------------


def _relations(pair: Pair, effort: Effort) -> Results:
    """Return slopes, residual SDs and r squared of `RELATIONS`, and the plane of QT and RR."""
    found = {relation.name: _lines(pair, relation, effort) for relation in RELATIONS}
    plane = _qt_rr_plane(pair, effort)
    estimates = [
        estimate(
            pair,
            f"{relation.name}.{statistic}",
            lines if isinstance(lines, str) else lines.difference[key],
            f"{relation.label}: {STATISTICS[statistic].title}",
            "least squares in each set, S - R; CI percentile bootstrap of patients; p "
            f"{effort.permutations:,} permutations of patients, about their set's means",
            _sizes(lines),
            unit=unit,
        )
        for relation in RELATIONS
        for lines in [found[relation.name]]
        for key, statistic, unit in relation.statistics
    ]
    estimates.append(
        estimate(
            pair,
            "qt_rr.energy_distance",
            plane if isinstance(plane, str) else plane.energy,
            "QT and RR together: energy distance",
            "pooled robust scale; CI bootstrap of patients; p permutations of patients",
            _sizes(plane),
        )
    )
    qt_rr = found["qt_rr"]
    return Results(
        estimates=tuple(estimates),
        findings=(findings.qt_rr(pair, found), findings.relations(pair, found)),
        tables=(tables.relations(found),),
        figures=() if isinstance(qt_rr, str) else (tables.qt_rr(pair, qt_rr),),
    )


def _lines(pair: Pair, relation: Relation, effort: Effort) -> Lines | str:
    picked = pick(pair, [relation.x, relation.y])
    if isinstance(picked, str):
        return picked
    logged = np.array(relation.log)
    sides = []
    for sample in picked:
        values = np.where(logged & ~(sample.values > 0), np.nan, sample.values)
        values[:, logged] = np.log(values[:, logged])
        sides.append(Sample(values, sample.patient))
    real, synth = sides
    return compare_lines(real, synth, seed=pair.seed, name=f"{SLUG}.{relation.name}", effort=effort)


def _qt_rr_plane(pair: Pair, effort: Effort) -> KernelTest | str:
    picked = pick(pair, ["rr_ms", "qt_ms"])
    if isinstance(picked, str):
        return picked
    real, synth = map(complete, picked)
    name = f"{SLUG}.qt_rr.energy"
    return kernel_test(
        real, synth, [False, False], seed=pair.seed, name=name, effort=effort, jobs=pair.jobs
    )


# ---- correlations --------------------------------------------------------------------------------


def _correlations(pair: Pair, effort: Effort) -> Results:
    """Return distances between the two matrices of Spearman's rho, and the pairs furthest apart."""
    columns = [
        c
        for c in pair.columns
        if not (c in DERIVED or measure_info(c).circular)
        and all(complete(s).n_patients >= MIN_PATIENTS for s in samples_of(pair, [c]))
    ]
    if len(columns) < 2:
        reason = (
            f"{len(columns)} measures with values of {MIN_PATIENTS} patients in both sets "
            "(at least 2 needed)"
        )
        return Results(
            estimates=_matrix_estimates(pair, reason, reason, 0, effort),
            findings=(findings.correlations(columns, reason),),
        )
    real, synth = samples_of(pair, columns)
    found = compare_correlations(
        real, synth, seed=pair.seed, name=f"{SLUG}.correlation", effort=effort
    )
    top = found.ranked()[:TOP_PAIRS].tolist()
    constant = [
        f"{measure_info(c).label} in the {which} set"
        for i, c in enumerate(columns)
        for which, s in (("real", real), ("synthetic", synth))
        if np.nanmin(s.values[:, i]) == np.nanmax(s.values[:, i])
    ]
    return Results(
        estimates=(
            *_matrix_estimates(pair, found.rms, found.largest, len(columns), effort),
            *(_pair_estimate(pair, columns, found, k) for k in top),
        ),
        findings=(findings.correlations(columns, found, top, constant),),
        tables=(tables.correlations(columns, found, top),),
        figures=(tables.correlation_matrices(columns, found),),
    )


def _matrix_estimates(
    pair: Pair, rms: Assessed | str, most: Assessed | str, columns: int, effort: Effort
) -> tuple[Estimate, ...]:
    return tuple(
        estimate(
            pair,
            f"correlation.{statistic}",
            stat,
            STATISTICS[statistic].title,
            f"Spearman within each set, {columns} measures; CI triangle inequality on a bootstrap "
            f"of patients; p {effort.permutations:,} permutations of patients",
        )
        for statistic, stat in (("corr_rms", rms), ("corr_max", most))
    )


def _pair_estimate(pair: Pair, columns: list[str], found: Correlations, k: int) -> Estimate:
    x, y = (columns[i] for i in found.pairs[k])
    real, synth = map(complete, samples_of(pair, [x, y]))
    return estimate(
        pair,
        f"{x}-{y}.spearman_diff",
        found.at(k),
        f"{measure_info(x).label} and {measure_info(y).label}: {STATISTICS['spearman_diff'].title}",
        "S - R, one of the pairs that differ most; CI percentile bootstrap of patients; p "
        "permutations of patients, adjusted for all pairs by the largest of each permutation",
        ((len(real.patient), len(synth.patient)), (real.n_patients, synth.n_patients)),
        p_adjusted=float(found.p_adjusted[k]),
    )


# ---- R progression -------------------------------------------------------------------------------


def _progression(pair: Pair, effort: Effort) -> Results:
    """Return the mean R of V1 to V6 and where R reaches S, compared."""
    r_columns = [f"r_amp_{lead}_mv" for lead in CHEST]
    curve: Curves | str
    zone: Curves | str
    picked = pick(pair, [*r_columns, *(f"s_amp_{lead}_mv" for lead in CHEST)])
    if isinstance(picked, str):
        curve = zone = picked
    else:
        heights = [Sample(s.values[:, :6], s.patient) for s in picked]
        zones = [
            Sample(transition_lead(s.values[:, :6], s.values[:, 6:]), s.patient) for s in picked
        ]
        options: dict[str, Any] = {"seed": pair.seed, "effort": effort}
        curve = compare_curves(
            heights[0], heights[1], largest, name=f"{SLUG}.progression", **options
        )
        zone = compare_curves(
            zones[0], zones[1], total_variation, name=f"{SLUG}.transition", **options
        )
    how = (
        f"CI triangle inequality on a bootstrap of patients; p {effort.permutations:,} "
        "permutations of patients"
    )
    estimates = [
        estimate(
            pair,
            "progression.max_mean_diff",
            curve if isinstance(curve, str) else curve.distance,
            "R progression V1 to V6: largest difference of mean R",
            f"largest absolute difference of the mean R amplitude of a lead; {how}",
            _sizes(curve),
        ),
        estimate(
            pair,
            "transition.total_variation",
            zone if isinstance(zone, str) else zone.distance,
            "transition zone: total variation distance",
            f"first lead of V1 to V6 with R at least as tall as S is deep; {how}",
            _sizes(zone),
        ),
        *(
            estimate(
                pair,
                f"{column}.mean_diff",
                curve if isinstance(curve, str) else curve.at(i),
                f"R amplitude {lead}: difference of means",
                "S - R; CI is a band over V1 to V6 together, bootstrap of patients",
                _sizes(curve),
                unit="mV",
            )
            for i, (lead, column) in enumerate(zip(CHEST, r_columns, strict=True))
        ),
    ]
    out = Results(estimates=tuple(estimates), findings=(findings.progression(curve, zone),))
    if isinstance(curve, str) or isinstance(zone, str):
        return out
    return out + Results(
        tables=(tables.transition(zone),), figures=(tables.progression(curve, zone),)
    )


# ---- rhythm ------------------------------------------------------------------------------------


def _rhythm(pair: Pair, effort: Effort) -> Results:
    """Return the serial correlation of RR, from SD and RMSSD, compared."""
    picked = pick(pair, ["rr_sd_ms", "rmssd_ms"])
    found: Comparison | str
    values, constant = [], (0, 0)
    if isinstance(picked, str):
        found = picked
    else:
        real, synth = (Sample(serial_correlation(*s.values.T)[:, None], s.patient) for s in picked)
        values = [s.values[np.isfinite(s.values)] for s in (real, synth)]
        still = [int((s.values[:, 0] <= 0).sum()) for s in picked]
        constant = still[0], still[1]
        (result,) = compare_columns(
            real, synth, [False], seed=pair.seed, name=f"{SLUG}.rhythm", effort=effort
        )
        found = result.too_few or result
    estimates = []
    for statistic, name in (("serial_median_diff", "median_diff"), ("serial_ks", "ks")):
        stat: Assessed | str
        method, sizes = "1 - RMSSD^2 / (2 SD^2) of each record; CI bootstrap of patients", None
        if isinstance(found, str):
            stat = found
        else:
            known, tested = found.stats[name], name == "ks"
            stat = Assessed(known.value, known.ci, known.floor, found.p if tested else None)
            sizes = ((len(values[0]), len(values[1])), found.patients)
            method += f"; p {found.p_method}" if tested else ""
        label = f"serial correlation of RR: {STATISTICS[statistic].title}"
        estimates.append(estimate(pair, f"rhythm.{statistic}", stat, label, method, sizes))
    return Results(estimates=tuple(estimates), findings=(findings.rhythm(found, values, constant),))


# ---- all measures at once ------------------------------------------------------------------------


def _kernels(pair: Pair, effort: Effort) -> Results:
    """Return energy distance and MMD over all measures."""
    columns = [c for c in pair.columns if c not in DERIVED]
    found: KernelTest | str = "no measure that is not a function of others"
    if columns:
        found = kernel_test(
            *samples_of(pair, columns),
            [measure_info(c).circular for c in columns],
            seed=pair.seed,
            name=f"{SLUG}.kernel",
            effort=effort,
            jobs=pair.jobs,
            progress=pair.progress,
        )
    out = Results(findings=(findings.kernels(found),))
    titles = {name: STATISTICS[name].title for name in ("energy_distance", "mmd2")}
    if isinstance(found, str):
        return out + Results(
            estimates=tuple(
                estimate(pair, f"measures.{name}", found, title, "")
                for name, title in titles.items()
            )
        )
    how = (
        f"{len(columns)} measures on a pooled robust scale, a missing value as the median and a "
        "flag; unbiased over pairs of patients; CI bootstrap of patients; p "
        f"{effort.permutations:,} permutations of patients"
    )
    several = (
        f", aggregated over bandwidths of {', '.join(f'{f:g}' for f in BANDWIDTHS)} times the "
        "pooled median distance; value and CI at the median"
    )
    blocks = (
        f"; mean over {found.blocks} blocks of patients, labels permuted within each"
        if found.blocks > 1
        else ""
    )
    for statistic, name, stat, method in (
        ("energy_distance", "energy", found.energy, how + blocks),
        ("mmd2", "mmd", found.mmd, how + several + blocks),
    ):
        id, title = f"measures.{statistic}", titles[statistic]
        out += Results(
            estimates=(estimate(pair, id, stat, f"all measures: {title}", method, _sizes(found)),),
            figures=(tables.null_distribution(name, stat, title),),
        )
    return out


# ---- truncation ----------------------------------------------------------------------------------


def _truncation(pair: Pair, effort: Effort) -> Results:
    """Return where the synthetic set ends hard and the real one does not."""
    estimates, cut, tested, reason = [], [], 0, "no measure that normal limits cut"
    columns = [c for c in FILTERED if c in pair.columns]
    level = findings.LEVEL / (2 * max(len(columns), 1))
    for column in columns:
        rng = child_rng(pair.seed, f"{SLUG}.one record.{column}")
        drawn = (one_record_each(s, rng).values[:, 0] for s in samples_of(pair, [column]))
        real, synth = (values[~np.isnan(values)] for values in drawn)
        edges = find_edges(real, synth, seed=pair.seed, name=f"{SLUG}.edge.{column}", effort=effort)
        if isinstance(edges, str):
            reason = f"{measure_info(column).label}: {edges}"
        else:
            tested += 1
            cut += [(column, edge, (real, synth)) for edge in edges if edge.is_cut(level)]
        for i, end in enumerate(("low", "high")):
            edge = edges if isinstance(edges, str) else edges[i]
            estimates += _edge_estimates(pair, column, end, edge)
    return Results(
        estimates=tuple(estimates), findings=(findings.truncation(cut, tested, level, reason),)
    )


def _edge_estimates(pair: Pair, column: str, end: str, edge: Edge | str) -> list[Estimate]:
    info = measure_info(column)
    beyond: Assessed | str
    tail: Assessed | str
    if isinstance(edge, str):
        beyond, tail, null, at, sizes = edge, edge, None, "", None
    else:
        beyond, tail = edge.beyond, edge.tail or "a set without a tail"
        null, at = 100 * edge.null, quantity(edge.at, info.unit)
        sizes = (edge.patients, edge.patients)
    return [
        estimate(
            pair,
            f"{column}.beyond_{end}",
            beyond,
            f"{info.label}: real patients {'below' if end == 'low' else 'above'} the synthetic "
            "range",
            f"share beyond {at}, where the synthetic values but for 0.5 % end; CI Wilson, that end "
            "given; p and floor exact (precedence test), one record of each patient",
            sizes,
            scale=100,
            null=null,
        ),
        estimate(
            pair,
            f"{column}.tail_{end}",
            tail,
            f"{info.label}: log ratio of the length of the {'lower' if end == 'low' else 'upper'} "
            "tail",
            "ln of (q10 - q01) / (q50 - q10), S over R; CI percentile bootstrap of patients",
            sizes,
        ),
    ]
