"""The share of normal ECGs of every set, and the differences between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ecgeval.comparison.pair import Pair
from ecgeval.comparison.pair import Side as ComparedSide
from ecgeval.comparison.plausibility.checks import NORMAL as RULES
from ecgeval.comparison.plausibility.rules import judge
from ecgeval.comparison.plausibility.section import compare_normal
from ecgeval.paper.arms import Arm, Side, rule_input
from ecgeval.paper.checks import NORMAL
from ecgeval.paper.setting import Setting, described, estimate, published_figures
from ecgeval.results import Estimate, Figure, Finding, Results, Table
from ecgeval.stats.intervals import wilson
from ecgeval.stats.sample import effective_n
from ecgeval.wording import fixed, interval

__all__ = ["normal", "normal_share"]

SLUG = "normal"


def normal(setting: Setting) -> Results:
    """Return the share of rule-normal ECGs of every set, and the differences between them."""
    head = described(
        SLUG,
        "Share of normal ECGs",
        "Records that keep every rule for a normal adult ECG. All sets are judged on the measures "
        "they share and by the same limits; a share of DeepFakes means nothing without that of "
        "real ECGs beside it.",
    )
    arms = [*setting.arms.real, *setting.arms.synth]
    sides = {arm.key: setting.arms.own(arm) for arm in arms}
    inputs = {key: rule_input(side) for key, side in sides.items()}
    first = next(iter(inputs.values()))
    shared = [c for c in first.columns if all(c in other for other in inputs.values())]
    judged = {key: table[shared] for key, table in inputs.items()}
    shares = [
        _set_share(arm, arm in setting.arms.real, judged[arm.key], sides[arm.key], strict)
        for arm in arms
        for strict in (False, True)
    ]
    pairs = setting.pairs + [
        (a, b) for k, a in enumerate(setting.arms.synth) for b in setting.arms.synth[k + 1 :]
    ]
    compared = [
        _compared(setting, (a, b), (judged[a.key], judged[b.key]), (sides[a.key], sides[b.key]))
        for a, b in pairs
    ]
    rows = [row for row, _ in shares]
    return Results(
        sections=(head,),
        estimates=(*(e for _, e in shares), *(e for _, es, _ in compared for e in es)),
        findings=tuple(finding for _, _, finding in compared),
        tables=_tables(setting, arms, rows, [row for rows, _, _ in compared for row in rows]),
        figures=(_figure(rows, {arm.title: len(sides[arm.key]) for arm in arms}),),
    )


def _set_share(
    arm: Arm, real: bool, table: pd.DataFrame, side: Side, strict: bool
) -> tuple[dict[str, Any], Estimate]:
    """Return the share of one set under one kind of limits: a row and an estimate."""
    limits = "strict" if strict else "alternative"
    low, high, ci = normal_share(table, side.patients, strict)
    number = estimate(
        f"paper.{arm.key}.{limits}.normal_share",
        50 * (low + high),
        ci=(100 * ci[0], 100 * ci[1]),
        label=f"{arm.title}: share of rule-normal ECGs, {limits} limits",
        method="Wilson, on records over the design effect of patients; between the "
        "shares under the limits of women and of men, the interval over both",
        **{"n_real" if real else "n_synth": len(side)},
    )
    row = {
        "set": arm.title,
        "real": real,
        "limits": limits,
        "n": len(side),
        "percent": 50 * (low + high),
        "ci_low": 100 * ci[0],
        "ci_high": 100 * ci[1],
        "percent_women_or_men_low": 100 * low,
        "percent_women_or_men_high": 100 * high,
    }
    return row, number


def _compared(
    setting: Setting,
    arms: tuple[Arm, Arm],
    tables: tuple[pd.DataFrame, pd.DataFrame],
    sides: tuple[Side, Side],
) -> tuple[list[dict[str, Any]], list[Estimate], Finding]:
    """Return how the shares of two sets differ: rows, estimates and the conclusion."""
    a, b = arms
    real, synth = (
        ComparedSide(table, side.patients) for table, side in zip(tables, sides, strict=True)
    )
    pair = Pair(real, synth, margins=setting.margins, seed=setting.seed, quick=setting.quick)
    found = compare_normal(pair)
    rows, estimates = [], []
    for name, limits in (("pass_diff_alternative", "alternative"), ("pass_diff", "strict")):
        e = found.estimate(f"plausibility.normal.{name}")
        id = f"paper.{a.key}.{b.key}.normal.{name}"
        label = f"rule-normal ECGs, {limits} limits: {b.title} - {a.title}"
        estimates.append(replace(e, id=id, label=label))
        (low, high), (floor_low, floor_high) = e.ci or (None, None), e.floor or (None, None)
        rows.append(
            {
                "set": b.title,
                "against": a.title,
                "limits": limits,
                "n_set": e.n_synth,
                "n_against": e.n_real,
                "difference": e.value,
                "ci_low": low,
                "ci_high": high,
                "floor_low": floor_low,
                "floor_high": floor_high,
            }
        )
    (conclusion,) = found.findings
    finding = NORMAL.finding(
        conclusion.verdict,
        _difference(rows),
        section=SLUG,
        estimates=[e.id for e in estimates],
        rule=conclusion.rule,
    )
    return rows, estimates, finding


def _tables(
    setting: Setting,
    arms: Sequence[Arm],
    rows: Sequence[dict[str, Any]],
    differences: Sequence[dict[str, Any]],
) -> tuple[Table, ...]:
    study = published_figures()
    published = {
        "set": "published DeepFakes (Pulse2Pulse)",
        "real": False,
        "limits": study["interpreter"],
        "n": study["generated"],
        "percent": 100 * study["normal"] / study["generated"],
    }
    article = [
        {"set": f"{key} (article)", "real": False, "limits": "the article's", "percent": percent}
        for key, percent in setting.article.get("normal_percent", {}).items()
    ]
    return (
        Table.of(
            pd.DataFrame([*rows, published, *article]),
            SLUG,
            "Share of normal ECGs",
            caption=f"Rules of ecgeval (see ecgeval explain {RULES.code}), 95 % CI. "
            f"{study['interpreter']}: {study['source']}. Shares by the rules and by another "
            "interpreter are not to be compared with each other. "
            + "; ".join(arm.source for arm in arms)
            + ".",
            section=SLUG,
        ),
        Table.of(
            pd.DataFrame(differences),
            "normal_differences",
            "Differences in the share of rule-normal ECGs",
            caption="Percentage points, set minus the other; 95 % CI (Newcombe). Floor: "
            "halves of the other set.",
            section=SLUG,
        ),
    )


def _figure(rows: Sequence[dict[str, Any]], sizes: Mapping[str, int]) -> Figure:
    shown = [
        {
            "label": row["set"],
            "value": row["percent"],
            "ci": [row["ci_low"], row["ci_high"]],
            "floor": None,
            "group": f"{row['limits']} limits",
        }
        for row in rows
    ]
    return Figure(
        SLUG,
        "effects",
        "Share of rule-normal ECGs",
        {"rows": shown, "xlabel": "records that keep all rules, %", "null": None},
        "Bars: 95 % CI. " + "; ".join(f"{title} n {n:,}" for title, n in sizes.items()) + ".",
        SLUG,
    )


def _difference(rows: Sequence[Mapping[str, Any]]) -> str:
    title = f"{rows[0]['set']} against {rows[0]['against']}"
    if rows[0]["difference"] is None:
        return f"{title}: too few records to compare shares"
    parts = [
        f"{fixed(r['difference'], 1)} ({interval((r['ci_low'], r['ci_high']), 1)}) under the "
        f"{r['limits']} limits"
        for r in rows
    ]
    return f"{title}, percentage points of rule-normal ECGs: {' and '.join(parts)}"


def normal_share(
    table: pd.DataFrame, patients: np.ndarray, strict: bool
) -> tuple[float, float, tuple[float, float]]:
    """Return the least and the greatest share under anybody's limits, and an interval over all."""
    passed = judge(table, strict=strict).with_normal()[0][:, -1]
    code = np.unique(patients.astype(str), return_inverse=True)[1]
    shares = [float(p.mean()) for p in passed]
    ends = [wilson(s, effective_n(p, code)) for s, p in zip(shares, passed, strict=True)]
    return min(shares), max(shares), (min(e[0] for e in ends), max(e[1] for e in ends))
