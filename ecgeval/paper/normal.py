"""The share of normal ECGs of every set, and the differences between them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from ecgeval.comparison.plausibility.checks import NORMAL as RULES
from ecgeval.comparison.plausibility.rules import judge
from ecgeval.comparison.plausibility.section import compare_plausibility
from ecgeval.paper.arms import rule_input
from ecgeval.paper.checks import NORMAL
from ecgeval.paper.setting import Setting, described, estimate, published_figures
from ecgeval.results import Figure, Results, Table
from ecgeval.stats.intervals import wilson
from ecgeval.stats.sample import effective_n
from ecgeval.wording import fixed, interval

__all__ = ["normal"]


def normal(setting: Setting) -> Results:
    """Return the share of rule-normal ECGs of every set, and the differences between them."""
    head = described(
        "normal",
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
    rows, estimates = [], []
    for arm in arms:
        side = sides[arm.key]
        for strict in (False, True):
            limits = "strict" if strict else "alternative"
            low, high, ci = _share(inputs[arm.key][shared], side.patients, strict)
            count = {"n_real" if arm in setting.arms.real else "n_synth": len(side)}
            estimates.append(
                estimate(
                    f"paper.{arm.key}.{limits}.normal_share",
                    50 * (low + high),
                    ci=(100 * ci[0], 100 * ci[1]),
                    label=f"{arm.title}: share of rule-normal ECGs, {limits} limits",
                    method="Wilson, on records over the design effect of patients; between the "
                    "shares under the limits of women and of men, the interval over both",
                    **count,
                )
            )
            rows.append(
                {
                    "set": arm.title,
                    "real": arm in setting.arms.real,
                    "limits": limits,
                    "n": len(side),
                    "percent": 50 * (low + high),
                    "ci_low": 100 * ci[0],
                    "ci_high": 100 * ci[1],
                    "percent_women_or_men_low": 100 * low,
                    "percent_women_or_men_high": 100 * high,
                }
            )
    study = published_figures()
    rows.append(
        {
            "set": "published DeepFakes (Pulse2Pulse)",
            "real": False,
            "limits": study["interpreter"],
            "n": study["generated"],
            "percent": 100 * study["normal"] / study["generated"],
        }
    )
    for key, percent in setting.article.get("normal_percent", {}).items():
        rows.append(
            {
                "set": f"{key} (article)",
                "real": False,
                "limits": "the article's",
                "percent": percent,
            }
        )
    out = Results(sections=(head,), estimates=tuple(estimates))
    differences = []
    pairs = setting.pairs + [
        (a, b) for k, a in enumerate(setting.arms.synth) for b in setting.arms.synth[k + 1 :]
    ]
    for a, b in pairs:
        found = compare_plausibility(
            inputs[a.key][shared],
            inputs[b.key][shared],
            patients_real=sides[a.key].patients,
            patients_synth=sides[b.key].patients,
            seed=setting.seed,
            margins=setting.margins,
            quick=setting.quick,
            section="plausibility",
        )
        ids = []
        for name, limits in (("pass_diff_alternative", "alternative"), ("pass_diff", "strict")):
            e = found.estimate(f"plausibility.normal.{name}")
            ids.append(f"paper.{a.key}.{b.key}.normal.{name}")
            label = f"rule-normal ECGs, {limits} limits: {b.title} - {a.title}"
            out += Results(estimates=(replace(e, id=ids[-1], label=label),))
            ends: list[Any] = [*(e.ci or (None, None)), *(e.floor or (None, None))]
            differences.append(
                {
                    "set": b.title,
                    "against": a.title,
                    "limits": limits,
                    "n_set": e.n_synth,
                    "n_against": e.n_real,
                    "difference": e.value,
                    **dict(
                        zip(("ci_low", "ci_high", "floor_low", "floor_high"), ends, strict=True)
                    ),
                }
            )
        (conclusion,) = (f for f in found.findings if f.code == RULES.code)
        out += Results(
            findings=(
                NORMAL.finding(
                    conclusion.verdict,
                    _difference(differences[-2:]),
                    section="normal",
                    estimates=tuple(ids),
                    rule=conclusion.rule,
                ),
            )
        )
    caption = (
        f"Rules of ecgeval (see ecgeval explain {RULES.code}), 95 % CI. "
        f"{study['interpreter']}: {study['source']}. Shares by the rules and by another "
        "interpreter are not to be compared with each other. "
        + "; ".join(arm.source for arm in arms)
        + "."
    )
    shown = [
        {
            "label": row["set"],
            "value": row["percent"],
            "ci": [row["ci_low"], row["ci_high"]],
            "floor": None,
            "group": f"{row['limits']} limits",
        }
        for row in rows
        if "ci_low" in row
    ]
    return out + Results(
        tables=(
            Table.of(
                pd.DataFrame(rows),
                "normal",
                "Share of normal ECGs",
                caption=caption,
                section="normal",
            ),
            Table.of(
                pd.DataFrame(differences),
                "normal_differences",
                "Differences in the share of rule-normal ECGs",
                caption="Percentage points, set minus the other; 95 % CI (Newcombe). Floor: "
                "halves of the other set.",
                section="normal",
            ),
        ),
        figures=(
            Figure(
                "normal",
                "effects",
                "Share of rule-normal ECGs",
                {"rows": shown, "xlabel": "records that keep all rules, %", "null": None},
                "Bars: 95 % CI. "
                + "; ".join(f"{a.title} n {len(sides[a.key]):,}" for a in arms)
                + ".",
                "normal",
            ),
        ),
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


def _share(
    table: pd.DataFrame, patients: np.ndarray, strict: bool
) -> tuple[float, float, tuple[float, float]]:
    """Return the least and the greatest share under anybody's limits, and an interval over all."""
    passed = judge(table, strict=strict).with_normal()[0][:, -1]
    code = np.unique(patients.astype(str), return_inverse=True)[1]
    shares = [float(p.mean()) for p in passed]
    ends = [wilson(s, effective_n(p, code)) for s, p in zip(shares, passed, strict=True)]
    return min(shares), max(shares), (min(e[0] for e in ends), max(e[1] for e in ends))
