"""Joint structure: do the measures go together as they do in real ECGs?

A patient counts once in this part, whatever the number of records: values are means over a
patient's records, or its records share its weight.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ecgeval.comparison.joint import findings as conclude
from ecgeval.comparison.joint import tables as draw
from ecgeval.comparison.joint.checks import CORR, STATISTICS
from ecgeval.comparison.joint.correlation import Correlations, compare_correlations
from ecgeval.comparison.joint.part import CHEST, FITTED, LEVEL, Part, Relation, fisher_z, statistics
from ecgeval.comparison.joint.relations import (
    Curves,
    Lines,
    compare_curves,
    compare_lines,
    complete,
    transition_lead,
)
from ecgeval.comparison.joint.truncation import Edge, find_edges, one_record_each
from ecgeval.comparison.margins import Margins, load_margins
from ecgeval.comparison.rows import Common, sample_of, shared_columns
from ecgeval.measures import measure_info
from ecgeval.parallel import Progress, child_rng, quiet
from ecgeval.results import Estimate, Results, Section, Verdict
from ecgeval.stats.arrays import Floats
from ecgeval.stats.kernels import BANDWIDTHS, KernelTest, Tested, kernel_test
from ecgeval.stats.sample import MIN_PATIENTS, Effort, Sample
from ecgeval.stats.univariate import Comparison, compare_columns
from ecgeval.wording import quantity

__all__ = ["compare_joint"]

Sizes = tuple[tuple[int, int], tuple[int, int]]

DERIVED = ("rr_ms", "qtcf_ms", "qtcb_ms", "jt_ms")  # functions of other measures
FILTERED = ("hr_bpm", "p_dur_ms", "pr_ms", "qrs_ms", "qt_ms", "qtcf_ms")  # what normal limits cut
TOP_PAIRS = 8
QUICK, FULL = Effort(300, 200, 999), Effort(1000, 500, 999)


def compare_joint(
    real: pd.DataFrame,
    synth: pd.DataFrame,
    *,
    patients_real: ArrayLike,
    patients_synth: ArrayLike,
    seed: int = 0,
    jobs: int = 1,
    margins: str | Margins = "lenient",
    quick: bool = False,
    progress: Progress = quiet,
    section: str = "joint",
) -> Results:
    """Compare how the measures of two sets go together.

    Parameters
    ----------
    real, synth : DataFrame
        One row a record, columns among those of `ecgeval.measure`; other columns are ignored.
    patients_real, patients_synth : array_like, shape (n,)
        One patient id a record. Synthetic records drawn independently are each their own.
    seed : int
    jobs : int
        Processes; the result does not depend on it.
    margins : {"lenient", "strict"} or Margins
    quick : bool
        Fewer resamples (300 instead of 1000 for intervals).
    progress : callable
    section : str
        Slug of the section and first part of every id.

    Returns
    -------
    Results
        One section. JOINT-QTRR decides; JOINT-RELATIONS, JOINT-CORR, JOINT-PROGRESSION,
        JOINT-RHYTHM, JOINT-KERNEL and JOINT-TRUNCATION describe. Too little data gives
        NOT_ASSESSABLE, not an error.

    Raises
    ------
    UsageError
        If ids and rows do not match, or no column is a measure.
    """
    margins = load_margins(margins) if isinstance(margins, str) else margins
    columns, _ = shared_columns(real, synth)
    samples = (
        sample_of(real, columns, patients_real, "real"),
        sample_of(synth, columns, patients_synth, "synthetic"),
    )
    effort = QUICK if quick else FULL
    part = Part(Common(section, seed, margins, samples), columns, effort, jobs, progress)
    summary = (
        f"{len(samples[0].patient):,} real records of {samples[0].n_patients:,} patients against "
        f"{len(samples[1].patient):,} synthetic records, {len(columns)} measures; each patient "
        "counts once."
    )
    head = Section(section, "Joint structure: do the measures go together?", summary)
    out = Results(sections=(head,))
    steps = (_relations, _correlations, _progression, _rhythm, _kernels, _truncation)
    for i, step in enumerate(steps):
        progress("joint structure", i, len(steps))
        out += step(part)
    progress("joint structure", len(steps), len(steps))
    return out


def _sizes(found: Lines | Curves | KernelTest | str) -> Sizes | None:
    return None if isinstance(found, str) else (found.n, found.patients)


# ---- relations between two measures ------------------------------------------------------------


def _relations(part: Part) -> Results:
    """Return slopes, residual SDs and r squared of `FITTED`; JOINT-QTRR, JOINT-RELATIONS."""
    found: dict[str, Lines | str] = {r.name: _lines(part, r) for r in FITTED}
    estimates = [e for r in FITTED for e in _line_estimates(part, r, found[r.name])]
    plane = _qt_rr_plane(part)
    estimates.append(
        part.estimate(
            "qt_rr",
            "energy_distance",
            plane if isinstance(plane, str) else plane.energy,
            "QT and RR together: energy distance",
            "pooled robust scale; CI bootstrap of patients; p permutations of patients",
            sizes=_sizes(plane),
        )
    )
    return Results(
        estimates=tuple(estimates),
        findings=(
            conclude.qt_rr_finding(part, found),
            conclude.relations_finding(part, found, _left_out(part)),
        ),
        tables=draw.lines_table(part, found),
        figures=draw.qt_rr_figure(part, found["qt_rr"]),
    )


def _lines(part: Part, relation: Relation) -> Lines | str:
    picked = part.pick([relation.x, relation.y])
    if isinstance(picked, str):
        return picked
    logged = np.array(relation.log)
    pair = []
    for sample in picked:
        values = np.where(logged & ~(sample.values > 0), np.nan, sample.values)
        values[:, logged] = np.log(values[:, logged])
        pair.append(Sample(values, sample.patient))
    return compare_lines(
        pair[0], pair[1], seed=part.common.seed, name=part.name(relation.name), effort=part.effort
    )


def _left_out(part: Part) -> str:
    """Return how many records have no logarithm of a measure, for it is 0: a sentence, or nothing.

    RR that do not vary at all are what a generator of one repeated beat makes.
    """
    told = []
    both = [(r.x, r.log[0]) for r in FITTED] + [(r.y, r.log[1]) for r in FITTED]
    for column in dict.fromkeys(column for column, logged in both if logged):
        picked = part.pick([column])
        if isinstance(picked, str):
            continue
        zeros = [int((s.values <= 0).sum()) for s in picked]
        if any(zeros):
            told.append(
                f"{measure_info(column).label} is 0 in {zeros[0]:,} of {len(picked[0].values):,} "
                f"real and {zeros[1]:,} of {len(picked[1].values):,} synthetic records"
            )
    return f" Left out, for there is no logarithm: {'; '.join(told)}." if told else ""


def _line_estimates(part: Part, relation: Relation, lines: Lines | str) -> list[Estimate]:
    out = []
    for key, statistic, unit in statistics(relation):
        about = STATISTICS[statistic]
        out.append(
            part.estimate(
                relation.name,
                statistic,
                lines if isinstance(lines, str) else lines.difference[key],
                f"{relation.label}: {about.title}",
                "least squares in each set, S - R; CI percentile bootstrap of patients; p "
                f"{part.effort.permutations:,} permutations of patients, about their set's means",
                unit=unit,
                sizes=_sizes(lines),
            )
        )
    return out


def _qt_rr_plane(part: Part) -> KernelTest | str:
    picked = part.pick(["rr_ms", "qt_ms"])
    if isinstance(picked, str):
        return picked
    real, synth = map(complete, picked)
    return kernel_test(
        real,
        synth,
        [False, False],
        seed=part.common.seed,
        name=part.name("qt_rr", "energy"),
        effort=part.effort,
        jobs=part.jobs,
    )


# ---- correlations --------------------------------------------------------------------------------


def _correlations(part: Part) -> Results:
    """Return distances between the two matrices of Spearman's rho; JOINT-CORR."""
    seen = [
        [len(np.unique(s.patient[~np.isnan(s.values[:, i])])) for s in part.common.samples]
        for i in range(len(part.columns))
    ]
    columns = [
        c
        for c, n in zip(part.columns, seen, strict=True)
        if min(n) >= MIN_PATIENTS and c not in DERIVED and not measure_info(c).circular
    ]
    rule = (
        "Descriptive, no gate: the matrices differ if a permutation p (root mean square, or "
        "largest difference in Fisher's z) is below 0.05 / 2 and the value lies above real against "
        "real."
    )
    stats: dict[str, Tested | str]
    if len(columns) < 2:
        reason = (
            f"{len(columns)} measures with values of {MIN_PATIENTS} patients in both sets "
            "(at least 2 needed)"
        )
        stats = {"corr_rms": reason, "corr_max": reason}
        finding = CORR.finding(
            Verdict.NOT_ASSESSABLE,
            f"Correlations cannot be compared: {reason}",
            rule=rule,
            section=part.common.section,
        )
        return Results(estimates=_distances(part, stats, 0), findings=(finding,))
    picked = part.pick(columns)
    assert not isinstance(picked, str)
    found = compare_correlations(
        *picked, seed=part.common.seed, name=part.name("correlation"), effort=part.effort
    )
    stats = {"corr_rms": found.rms, "corr_max": found.largest}
    top = np.argsort(-np.abs(fisher_z(found.synth) - fisher_z(found.real)), kind="stable")[
        :TOP_PAIRS
    ]
    pairs = [_pair_estimate(part, columns, found, int(k)) for k in top]
    constant = [
        f"{measure_info(c).label} in the {which} set"
        for i, c in enumerate(columns)
        for which, s in zip(("real", "synthetic"), picked, strict=True)
        if np.nanmin(s.values[:, i]) == np.nanmax(s.values[:, i])
    ]
    return Results(
        estimates=(*_distances(part, stats, len(columns)), *pairs),
        findings=(conclude.correlation_finding(part, columns, found, top, constant, rule),),
        tables=(draw.pairs_table(part, columns, found, top),),
        figures=(draw.heat(part, columns, found),),
    )


def _distances(part: Part, stats: dict[str, Tested | str], columns: int) -> tuple[Estimate, ...]:
    return tuple(
        part.estimate(
            "correlation",
            key,
            stat,
            STATISTICS[key].title,
            f"Spearman within each set, {columns} measures; CI triangle inequality on a bootstrap "
            f"of patients; p {part.effort.permutations:,} permutations of patients",
        )
        for key, stat in stats.items()
    )


def _pair_estimate(part: Part, columns: Sequence[str], found: Correlations, k: int) -> Estimate:
    x, y = (columns[i] for i in found.pairs[k])
    both = [
        ~np.isnan(s.values[:, [part.columns.index(x), part.columns.index(y)]]).any(axis=1)
        for s in part.common.samples
    ]
    people = [
        len(np.unique(s.patient[ok])) for s, ok in zip(part.common.samples, both, strict=True)
    ]
    value = float(found.synth[k] - found.real[k])
    ci, floor = found.ci[k], found.floor[k]
    return part.estimate(
        f"{x}-{y}",
        "spearman_diff",
        Tested(
            value,
            (float(ci[0]), float(ci[1])),
            (float(floor[0]), float(floor[1])),
            float(found.p[k]),
        ),
        f"{measure_info(x).label} and {measure_info(y).label}: {STATISTICS['spearman_diff'].title}",
        "S - R, one of the pairs that differ most; CI percentile bootstrap of patients; p "
        "permutations of patients, adjusted for all pairs by the largest of each permutation",
        sizes=((int(both[0].sum()), int(both[1].sum())), (people[0], people[1])),
        p_adjusted=float(found.p_adjusted[k]),
    )


# ---- R progression -------------------------------------------------------------------------------


def _largest(difference: Floats) -> Floats:
    return np.abs(difference).max(axis=0)


def _total_variation(difference: Floats) -> Floats:
    return np.abs(difference).sum(axis=0) / 2


def _progression(part: Part) -> Results:
    """Return the mean R of V1 to V6 and where R reaches S, compared; JOINT-PROGRESSION."""
    r_columns = [f"r_amp_{lead}_mv" for lead in CHEST]
    s_columns = [f"s_amp_{lead}_mv" for lead in CHEST]
    curve: Curves | str
    zone: Curves | str
    picked = part.pick(r_columns + s_columns)
    if isinstance(picked, str):
        curve = zone = picked
    else:
        heights = [Sample(s.values[:, :6], s.patient) for s in picked]
        zones = [
            Sample(transition_lead(s.values[:, :6], s.values[:, 6:]), s.patient) for s in picked
        ]
        options: dict[str, Any] = {"seed": part.common.seed, "effort": part.effort}
        curve = compare_curves(
            heights[0], heights[1], _largest, name=part.name("progression"), **options
        )
        zone = compare_curves(
            zones[0], zones[1], _total_variation, name=part.name("transition"), **options
        )
    how = f"CI triangle inequality on a bootstrap of patients; p {part.effort.permutations:,} "
    how += "permutations of patients"
    estimates = [
        part.estimate(
            "progression",
            "max_mean_diff",
            curve if isinstance(curve, str) else curve.distance,
            "R progression V1 to V6: largest difference of mean R",
            f"largest absolute difference of the mean R amplitude of a lead; {how}",
            sizes=_sizes(curve),
        ),
        part.estimate(
            "transition",
            "total_variation",
            zone if isinstance(zone, str) else zone.distance,
            "transition zone: total variation distance",
            f"first lead of V1 to V6 with R at least as tall as S is deep; {how}",
            sizes=_sizes(zone),
        ),
    ]
    for i, lead in enumerate(CHEST):
        stat: Tested | str
        if isinstance(curve, str):
            stat = curve
        else:
            stat = Tested(
                float(curve.difference[i]),
                (float(curve.band[i, 0]), float(curve.band[i, 1])),
                (float(curve.floor[i, 0]), float(curve.floor[i, 1])),
            )
        estimates.append(
            part.estimate(
                r_columns[i],
                "mean_diff",
                stat,
                f"R amplitude {lead}: difference of means",
                "S - R; CI is a band over V1 to V6 together, bootstrap of patients",
                unit="mV",
                sizes=_sizes(curve),
            )
        )
    out = Results(
        estimates=tuple(estimates), findings=(conclude.progression_finding(part, curve, zone),)
    )
    if isinstance(curve, str) or isinstance(zone, str):
        return out
    return out + Results(
        tables=(draw.transition_table(part, zone),),
        figures=(draw.progression_figure(part, curve, zone),),
    )


# ---- rhythm ------------------------------------------------------------------------------------


def _rhythm(part: Part) -> Results:
    """Return the serial correlation of RR, from SD and RMSSD; JOINT-RHYTHM."""
    rule = (
        "Descriptive, no gate: the rhythm differs if the p of Kolmogorov-Smirnov D of the serial "
        "correlation of RR is below 0.05 and D lies above real against real."
    )
    picked = part.pick(["rr_sd_ms", "rmssd_ms"])
    result: Comparison | str
    values: list[Floats] = []
    left = ""
    if isinstance(picked, str):
        result = picked
    else:
        still = [int((s.values[:, 0] <= 0).sum()) for s in picked]
        if any(still):
            left = (
                f" Left out: {still[0]:,} real and {still[1]:,} synthetic records whose RR does "
                "not vary at all, and so has no serial correlation."
            )
        serial = [Sample(_serial(s.values), s.patient) for s in picked]
        values = [s.values[np.isfinite(s.values)] for s in serial]
        (result,) = compare_columns(
            serial[0],
            serial[1],
            [False],
            seed=part.common.seed,
            name=part.name("rhythm"),
            effort=part.effort,
        )
        if result.too_few:
            result = result.too_few
    estimates = []
    for key, name in (("serial_median_diff", "median_diff"), ("serial_ks", "ks")):
        stat: Tested | str
        method, sizes = "1 - RMSSD^2 / (2 SD^2) of each record; CI bootstrap of patients", None
        if isinstance(result, str):
            stat = result
        else:
            known, tested = result.stats[name], name == "ks"
            stat = Tested(known.value, known.ci, known.floor, result.p if tested else None)
            sizes = ((len(values[0]), len(values[1])), result.patients)
            method += f"; p {result.p_method}" if tested else ""
        label = f"serial correlation of RR: {STATISTICS[key].title}"
        estimates.append(part.estimate("rhythm", key, stat, label, method, sizes=sizes))
    return Results(
        estimates=tuple(estimates),
        findings=(conclude.rhythm_finding(part, result, rule, values, left),),
    )


def _serial(values: Floats) -> Floats:
    """Return the lag-1 correlation of RR from SD and RMSSD, shape (n, 1).

    RMSSD^2 / (2 SD^2) estimates 1 - r_1 (von Neumann 1941); NaN where RR does not vary.
    """
    sd, rmssd = values.T
    ok = sd > 0
    ratio = np.divide(rmssd, sd, out=np.full_like(sd, np.nan), where=ok)
    return (1 - ratio**2 / 2)[:, None]


# ---- all measures at once ------------------------------------------------------------------------


def _kernels(part: Part) -> Results:
    """Return energy distance and MMD over all measures; JOINT-KERNEL."""
    columns = [c for c in part.columns if c not in DERIVED]
    picked = part.pick(columns)
    assert not isinstance(picked, str)
    found: KernelTest | str = "no measure that is not a function of others"
    if columns:
        found = kernel_test(
            *picked,
            [measure_info(c).circular for c in columns],
            seed=part.common.seed,
            name=part.name("kernel"),
            effort=part.effort,
            jobs=part.jobs,
            progress=part.progress,
        )
    how = (
        f"{len(columns)} measures on a pooled robust scale, a missing value as the median and a "
        "flag; unbiased over pairs of patients; CI bootstrap of patients; p "
        f"{part.effort.permutations:,} permutations of patients"
    )
    factors = ", ".join(f"{f:g}" for f in BANDWIDTHS)
    estimates, figures = [], []
    for key, attribute, extra in (
        ("energy_distance", "energy", ""),
        (
            "mmd2",
            "mmd",
            f", aggregated over bandwidths of {factors} times the pooled median "
            "distance; value and CI at the median",
        ),
    ):
        about = STATISTICS[key]
        if isinstance(found, str):
            estimates.append(part.estimate("measures", key, found, about.title, ""))
            continue
        stat: Tested = getattr(found, attribute)
        blocks = (
            f"; mean over {found.blocks} blocks of patients, labels permuted within each"
            if found.blocks > 1
            else ""
        )
        estimates.append(
            part.estimate(
                "measures",
                key,
                stat,
                f"all measures: {about.title}",
                how + extra + blocks,
                sizes=_sizes(found),
            )
        )
        assert stat.null is not None
        figures.append(draw.null_figure(part, attribute, stat, about.title))
    return Results(
        estimates=tuple(estimates),
        findings=(conclude.kernel_finding(part, found),),
        figures=tuple(figures),
    )


# ---- truncation ----------------------------------------------------------------------------------


def _truncation(part: Part) -> Results:
    """Return where the synthetic set ends hard and the real one does not; JOINT-TRUNCATION."""
    estimates, cut, tested, reason = [], [], 0, "no measure that normal limits cut"
    columns = [c for c in FILTERED if c in part.columns]
    least = LEVEL / (2 * max(len(columns), 1))
    for column in columns:
        picked = part.pick([column])
        assert not isinstance(picked, str)
        rng = child_rng(part.common.seed, part.name("one record", column))
        sides = []
        for sample in picked:
            own = one_record_each(sample, rng).values[:, 0] if len(sample.patient) else np.empty(0)
            sides.append(own[~np.isnan(own)])
        edges = find_edges(
            sides[0],
            sides[1],
            seed=part.common.seed,
            name=part.name("edge", column),
            effort=part.effort,
        )
        if isinstance(edges, str):
            reason = f"{measure_info(column).label}: {edges}"
        else:
            tested += 1
        for i, end in enumerate(("low", "high")):
            edge = None if isinstance(edges, str) else edges[i]
            estimates += _edge_estimates(part, column, end, edge, str(edges))
            if edge and conclude.is_cut(edge, least):
                cut.append((column, edge, sides))
    return Results(
        estimates=tuple(estimates),
        findings=(conclude.truncation_finding(part, cut, tested, least, reason),),
    )


def _edge_estimates(
    part: Part, column: str, end: str, edge: Edge | None, reason: str
) -> list[Estimate]:
    info = measure_info(column)
    sizes = (edge.patients, edge.patients) if edge else None
    where = f"{'below' if end == 'low' else 'above'} the synthetic range"
    at = quantity(edge.at, info.unit) if edge else ""
    return [
        part.estimate(
            column,
            f"beyond_{end}",
            edge.beyond if edge else reason,
            f"{info.label}: real patients {where}",
            f"share beyond {at}, where the synthetic values but for 0.5 % end; CI Wilson, that end "
            "given; p and floor exact (precedence test), one record of each patient",
            scale=100,
            sizes=sizes,
            null=100 * edge.null if edge else None,
        ),
        part.estimate(
            column,
            f"tail_{end}",
            (edge.tail or "a set without a tail") if edge else reason,
            f"{info.label}: log ratio of the length of the {'lower' if end == 'low' else 'upper'} "
            "tail",
            "ln of (q10 - q01) / (q50 - q10), S over R; CI percentile bootstrap of patients",
            sizes=sizes,
        ),
    ]
