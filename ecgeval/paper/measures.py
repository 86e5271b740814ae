"""Intervals and amplitudes of each generator against each real set."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ecgeval.comparison import figures
from ecgeval.measures import measure_info
from ecgeval.paper.arms import Arm, Side, keeps_rules, rule_input
from ecgeval.paper.checks import MEASURES, STATISTICS
from ecgeval.paper.setting import Setting, described, estimate
from ecgeval.results import Estimate, Figure, Results, Table, Verdict, worst
from ecgeval.stats.arrays import Floats
from ecgeval.stats.equivalence import tost
from ecgeval.stats.sample import MIN_PATIENTS, Effort, Sample
from ecgeval.stats.univariate import Comparison, compare_columns

__all__ = ["COLUMNS", "measures"]


SLUG = "measures"
COLUMNS = (
    "hr_bpm",
    "rr_ms",
    "p_dur_ms",
    "pr_ms",
    "qrs_ms",
    "qt_ms",
    "qtcf_ms",
    "r_amp_I_mv",
    "r_amp_II_mv",
    "r_amp_V1_mv",
    "r_amp_V5_mv",
    "r_amp_V6_mv",
    "stj_V5_mv",
    "t_amp_V5_mv",
)
"""Intervals and amplitudes of the study, as far as its public outputs tell them."""


def measures(setting: Setting) -> Results:
    """Return means, SDs, Cliff's delta and medians of each generator against each real set.

    Twice: of all records, and of those that keep the rules for a normal ECG in both sets, for the
    study compared normal with normal ECGs.
    """
    head = described(
        SLUG,
        "Intervals and amplitudes",
        "Means and SDs as the study gave them; Cliff's δ and the difference of medians with their "
        "intervals, and whether the medians are equivalent. No difference found is no equivalence.",
    )
    out = Results(sections=(head,))
    for real, synth in setting.pairs:
        a, b, notes = setting.arms.pair(real, synth)
        for kind in ("all", "normal"):
            sides = (a, b)
            if kind == "normal":
                columns = [c for c in rule_input(a) if c in set(rule_input(b))]
                sides = tuple(  # type: ignore[assignment]
                    s.select(keeps_rules(rule_input(s)[columns])) for s in sides
                )
            out += _measured(setting, (real, synth), sides, kind, notes)
    return out


def _measured(
    setting: Setting,
    arms: tuple[Arm, Arm],
    sides: tuple[Side, Side],
    kind: str,
    notes: Sequence[str],
) -> Results:
    real, synth = arms
    place = f"{real.key}.{synth.key}.{kind}"
    against = f"{synth.title} against {real.title}"
    which = "all records" if kind == "all" else "records that keep the rules for a normal ECG"
    columns = [c for c in COLUMNS if all(c in s.measures for s in sides)]
    samples = [Sample.of(s.measures, columns, s.patients) for s in sides]
    if not columns or min(s.n_patients for s in samples) < MIN_PATIENTS:
        few = MEASURES.finding(
            Verdict.NOT_ASSESSABLE,
            f"{against}, {which}: too few to compare ({samples[0].n_patients} patients and "
            f"{samples[1].n_patients} generated records; at least {MIN_PATIENTS} needed)",
            section=SLUG,
        )
        return Results(findings=(few,))
    found = compare_columns(
        samples[0],
        samples[1],
        [False] * len(columns),
        seed=setting.seed,
        name=f"paper.{place}",
        effort=Effort.of(setting.quick),
        jobs=setting.arms.jobs,
        progress=setting.arms.progress,
    )
    values = [
        [s.values[~np.isnan(s.values[:, i]), i] for s in samples] for i in range(len(columns))
    ]
    rows, verdicts, estimates = [], {}, []
    for column, result, pair in zip(columns, found, values, strict=True):
        row, verdicts[column] = _row(column, result, pair, setting)
        rows.append(row)
        estimates += _stats(f"paper.{place}.{column}", column, result, pair, arms, setting.seed)
    source = f"n {len(sides[0]):,} ({real.source}) and {len(sides[1]):,} ({synth.source})"
    caption = (
        f"{source}; a measure's own n in the CSV. Cliff's δ positive: larger in the DeepFakes. "
        f"Margins: {setting.margins.level}, {setting.margins.source}."
    )
    if where := setting.article.get("where"):
        caption += f" Article: {where}."
    same = sum(v is Verdict.PASS for v in verdicts.values())
    other = [measure_info(c).label for c, v in verdicts.items() if v is Verdict.FAIL]
    conclusion = MEASURES.finding(
        worst(verdicts.values()),
        f"{against}, {which}: {same} of {len(columns)} medians equivalent"
        + (f"; not: {', '.join(other)}" if other else ""),
        " ".join(notes),
        section=SLUG,
        estimates=[f"paper.{place}.{c}.median_diff" for c in columns],
        rule="A median is equivalent where the 90 % interval of the difference lies inside "
        "the declared margin, and not where it lies wholly outside; all must be.",
    )
    table = Table.of(
        pd.DataFrame(rows),
        f"measures.{place}",
        f"{against}, {which}",
        caption=caption,
        section=SLUG,
    )
    pictures = _figures(place, against, source, columns, found, values) if kind == "all" else ()
    return Results(
        estimates=tuple(estimates), findings=(conclusion,), tables=(table,), figures=pictures
    )


def _figures(
    place: str,
    against: str,
    source: str,
    columns: Sequence[str],
    found: Sequence[Comparison],
    values: Sequence[Sequence[Floats]],
) -> tuple[Figure, Figure]:
    """Return the densities of every measure, and the effects beside their floors."""
    drawn = [
        (column, measure_info(column), pair[0], pair[1])
        for column, pair in zip(columns, values, strict=True)
        if len(pair[0]) and len(pair[1])
    ]
    effects = [
        (measure_info(c), r.stats["cliffs_delta"])
        for c, r in zip(columns, found, strict=True)
        if "cliffs_delta" in r.stats
    ]
    return (
        Figure(
            f"measures.{place}",
            "distributions",
            f"Measures: {against}",
            figures.distributions(drawn),
            f"Densities on common bins. {source}.",
            SLUG,
        ),
        Figure(
            f"effects.{place}",
            "effects",
            f"Cliff's δ: {against}",
            figures.effects(effects),
            "Positive: larger in the DeepFakes. Bars: 95 % CI by "
            f"patient; grey: real against real at the same sizes. {source}.",
            SLUG,
        ),
    )


def _row(
    column: str, result: Comparison, values: Sequence[Floats], setting: Setting
) -> tuple[dict[str, Any], Verdict]:
    info = measure_info(column)
    row: dict[str, Any] = {"measure": info.label, "column": column, "unit": info.unit}
    for name, v in zip(("real", "synth"), values, strict=True):
        row |= {
            f"n_{name}": len(v),
            f"mean_{name}": float(v.mean()) if len(v) else None,
            f"sd_{name}": float(v.std(ddof=1)) if len(v) > 1 else None,
            f"median_{name}": float(np.median(v)) if len(v) else None,
        }
    delta, shift = result.stats.get("cliffs_delta"), result.stats.get("median_diff")
    for name, stat in (("cliffs_delta", delta), ("median_diff", shift)):
        row[name] = stat.value if stat else None
        for end, pair in (("ci", stat and stat.ci), ("floor", stat and stat.floor)):
            row[f"{name}_{end}_low"], row[f"{name}_{end}_high"] = pair or (None, None)
    low, high = row["median_diff_ci90_low"], row["median_diff_ci90_high"] = (
        shift.ci90 if shift else (None, None)
    )
    margin = setting.margins.of(column, row["median_real"] or 0.0)
    pair = None if low is None or high is None else (low, high)
    verdict = Verdict.NOT_ASSESSABLE if margin is None else tost(pair, -margin, margin)
    row |= {"margin": margin, "verdict": str(verdict)}
    article = setting.article.get("real", {}).get(column, {})
    if setting.article.get("real"):
        row |= {
            "article_real_mean": article.get("mean"),
            "article_real_sd": article.get("sd"),
            "article_n_real": setting.article.get("n_real"),
        }
    return row, verdict


def _stats(
    place: str,
    column: str,
    result: Comparison,
    values: Sequence[Floats],
    arms: tuple[Arm, Arm],
    seed: int,
) -> list[Estimate]:
    info, out = measure_info(column), []
    for name, unit in (("cliffs_delta", ""), ("median_diff", info.unit)):
        stat = result.stats.get(name)
        out.append(
            estimate(
                f"{place}.{name}",
                stat.value if stat else None,
                ci=stat.ci if stat else None,
                floor=stat.floor if stat else None,
                unit=unit,
                seed=seed,
                n_real=len(values[0]),
                n_synth=len(values[1]),
                patients_real=result.patients[0],
                patients_synth=result.patients[1],
                label=f"{info.label}: {STATISTICS[name].title}, {arms[1].title} - {arms[0].title}",
                method="percentile bootstrap of patients"
                if stat
                else f"not computed: {result.too_few}",
            )
        )
    return out
