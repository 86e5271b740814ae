"""What the study showed, one function a product: tables, figures, estimates and findings."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.resources import files
from typing import Any

import numpy as np
import pandas as pd

from ecgeval.comparison import figures
from ecgeval.comparison.joint.relations import LINE, Lines, compare_lines, fit_line
from ecgeval.comparison.margins import Margins
from ecgeval.comparison.plausibility.rules import judge
from ecgeval.comparison.plausibility.section import compare_plausibility
from ecgeval.ecgset import EcgSet
from ecgeval.measures import measure_info
from ecgeval.paper.arms import Arm, Arms, Side, keeps_rules, rule_input
from ecgeval.paper.checks import STATISTICS
from ecgeval.parallel import child_rng
from ecgeval.pipeline import run as pipeline
from ecgeval.results import Estimate, Figure, Finding, Results, Section, Table, Verdict, worst
from ecgeval.stats.arrays import Floats
from ecgeval.stats.equivalence import tost
from ecgeval.stats.intervals import percentile_interval, wilson
from ecgeval.stats.resampling import resample_weights
from ecgeval.stats.sample import MIN_PATIENTS, Effort, Sample, effective_n
from ecgeval.stats.univariate import Comparison, compare_columns
from ecgeval.wording import fixed, interval

__all__ = [
    "COLUMNS",
    "Setting",
    "measures",
    "normal",
    "privacy",
    "published",
    "published_figures",
    "qt_rr",
    "strips",
]

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

STUDY = "Thambawita et al., Sci Rep 2021;11:21896, doi:10.1038/s41598-021-01295-2"
_DRAWN = 1000  # points of each set in the plane of QT and RR
_DOWN_MS = -1.0  # the study's shift of the DeepFakes' dots, which lie on the same grid of QT
_STRIPS = 2  # records of either set on ECG paper


@dataclass(frozen=True, eq=False)
class Setting:
    """What every product needs.

    Parameters
    ----------
    arms : Arms
    margins : Margins
    seed : int
    quick : bool
    article : mapping
        As of `ecgeval.paper.article.read_article`.
    """

    arms: Arms
    margins: Margins
    seed: int
    quick: bool
    article: Mapping[str, Any]

    @property
    def pairs(self) -> list[tuple[Arm, Arm]]:
        return [(real, synth) for real in self.arms.real for synth in self.arms.synth]


@cache
def published_figures() -> dict[str, Any]:
    """Return what the authors printed of the published normal DeepFakes (``published.toml``)."""
    text = files("ecgeval.paper").joinpath("published.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)


def _section(slug: str, title: str, summary: str = "") -> Section:
    return Section(slug, title, summary, gate=False)


def _finding(code: str, verdict: Verdict, title: str, section: str, **rest: Any) -> Finding:
    return Finding(code, verdict, title, section=section, gate=False, **rest)


def _estimate(id: str, value: float | None, **rest: Any) -> Estimate:
    """Return an estimate with direction, null value and unit of the catalogue."""
    about = STATISTICS[id.rpartition(".")[2]]
    given: dict[str, Any] = {"better": about.better, "null": about.null, "unit": about.unit or ""}
    if value is not None and not math.isfinite(value):
        value = None
    return Estimate(id, value, **(given | rest))


# ---- 1: strips ----------------------------------------------------------------------------------


def strips(setting: Setting) -> Results:
    """Return real ECGs beside those of each generator, drawn at random, on ECG paper."""
    drawn = []
    arms = setting.arms
    with_waves = [arm for arm in arms.real if isinstance(arm.ecgs, EcgSet)]
    real = _drawn(setting, with_waves, "real")
    for arm in arms.synth:
        shown = real + _drawn(setting, [arm], "synth")
        whence = "; ".join(a.source for a in (*with_waves, arm))
        text = f"Drawn at random, 25 mm/s and 10 mm/mV. {whence}."
        if not with_waves:
            text += " No waveforms of real ECGs could be had: only DeepFakes are shown."
        if shown:
            data = {"fs": 250.0, "leads": list(arm.ecgs.leads), "records": shown}
            title = f"Real ECGs beside {arm.title}" if real else arm.title
            drawn.append(Figure(f"strips.{arm.key}", "ecg_paper", title, data, text, "strips"))
    beside = "Real ECGs beside DeepFakes" if real else "DeepFakes"
    head = _section("strips", "Example ECGs", f"{beside}, none of them chosen.")
    return Results(sections=(head,), figures=tuple(drawn))


def _drawn(setting: Setting, arms: Sequence[Arm], role: str) -> list[dict[str, Any]]:
    """Return records on which waves could be measured, by turns from each arm."""
    turns = []
    for arm in arms:
        assert isinstance(arm.ecgs, EcgSet)
        usable = np.flatnonzero(setting.arms.features(arm, arm.ecgs).outcome == "")
        rng = child_rng(setting.seed, "strips", arm.key)
        rows = np.sort(rng.permutation(usable)[:_STRIPS])
        traces = [pipeline.trace(arm.ecgs, int(row), role) for row in rows]
        turns.append([t | {"id": f"{arm.title}, {t['id']}"} for t in traces])
    return [t for k in range(_STRIPS) for turn in turns for t in turn[k : k + 1]][:_STRIPS]


# ---- 2: intervals and amplitudes ----------------------------------------------------------------


def measures(setting: Setting) -> Results:
    """Return means, SDs, Cliff's delta and medians of each generator against each real set.

    Twice: of all records, and of those that keep the rules for a normal ECG in both sets, for the
    study compared normal with normal ECGs.
    """
    head = _section(
        "measures",
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
    columns = [c for c in COLUMNS if all(c in s.measures for s in sides)]
    samples = [Sample.of(s.measures, columns, s.patients) for s in sides]
    which = "all records" if kind == "all" else "records that keep the rules for a normal ECG"
    if not columns or min(s.n_patients for s in samples) < MIN_PATIENTS:
        return Results(
            findings=(
                _finding(
                    "PAPER-MEASURES",
                    Verdict.NOT_ASSESSABLE,
                    f"{synth.title} against {real.title}, {which}: too few to compare "
                    f"({samples[0].n_patients} patients and {samples[1].n_patients} generated "
                    f"records; at least {MIN_PATIENTS} needed)",
                    "measures",
                ),
            )
        )
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
    rows, verdicts, estimates = [], {}, []
    for i, (column, result) in enumerate(zip(columns, found, strict=True)):
        values = [s.values[~np.isnan(s.values[:, i]), i] for s in samples]
        row, verdicts[column] = _row(column, result, values, setting)
        rows.append(row)
        estimates += _stats(f"paper.{place}.{column}", column, result, values, arms, setting.seed)
    source = f"n {len(sides[0]):,} ({real.source}) and {len(sides[1]):,} ({synth.source})"
    caption = (
        f"{source}; a measure's own n in the CSV. Cliff's δ positive: larger in the DeepFakes. "
        f"Margins: {setting.margins.level}, {setting.margins.source}."
    )
    if where := setting.article.get("where"):
        caption += f" Article: {where}."
    same = [c for c in columns if verdicts[c] is Verdict.PASS]
    other = [measure_info(c).label for c in columns if verdicts[c] is Verdict.FAIL]
    title = (
        f"{synth.title} against {real.title}, {which}: {len(same)} of {len(columns)} medians "
        "equivalent" + (f"; not: {', '.join(other)}" if other else "")
    )
    effects = [
        (measure_info(c), r.stats["cliffs_delta"])
        for c, r in zip(columns, found, strict=True)
        if "cliffs_delta" in r.stats
    ]
    drawn = [
        (c, measure_info(c), *(s.values[~np.isnan(s.values[:, i]), i] for s in samples))
        for i, c in enumerate(columns)
    ]
    drawn = [item for item in drawn if len(item[2]) and len(item[3])]
    against = f"{synth.title} against {real.title}"
    pictures = []
    if kind == "all":
        pictures = [
            Figure(
                f"measures.{place}",
                "distributions",
                f"Measures: {against}",
                figures.distributions(drawn),
                f"Densities on common bins. {source}.",
                "measures",
            ),
            Figure(
                f"effects.{place}",
                "effects",
                f"Cliff's δ: {against}",
                figures.effects(effects),
                "Positive: larger in the DeepFakes. Bars: 95 % CI by "
                f"patient; grey: real against real at the same sizes. {source}.",
                "measures",
            ),
        ]
    return Results(
        estimates=tuple(estimates),
        findings=(
            _finding(
                "PAPER-MEASURES",
                worst(verdicts.values()),
                title,
                "measures",
                explanation=" ".join(notes),
                estimates=tuple(f"paper.{place}.{c}.median_diff" for c in columns),
                rule="A median is equivalent where the 90 % interval of the difference lies inside "
                "the declared margin, and not where it lies wholly outside; all must be.",
            ),
        ),
        tables=(
            Table.of(
                pd.DataFrame(rows),
                f"measures.{place}",
                f"{against}, {which}",
                caption=caption,
                section="measures",
            ),
        ),
        figures=tuple(pictures),
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
            _estimate(
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


# ---- 3: QT against RR ---------------------------------------------------------------------------


def qt_rr(setting: Setting) -> Results:
    """Return QT against RR as the study drew it, with the slopes and their difference."""
    head = _section(
        "qt_rr",
        "QT against RR",
        "As the study drew it: real blue, DeepFakes red and their dots 1 ms lower, r² printed. "
        "Equal slopes are tested, not looked at.",
    )
    effort = Effort(300, 200, 999) if setting.quick else Effort(2000, 500, 9999)
    margin = setting.margins.joint["qt_rr_slope"]
    out, rows, margins = Results(sections=(head,)), [], f"±{margin:g} ms/ms"
    for real, synth in setting.pairs:
        a, b, _ = setting.arms.pair(real, synth)
        place = f"paper.{real.key}.{synth.key}.qt_rr"
        pair = [
            Sample.of(s.measures, ["rr_ms", "qt_ms"], s.patients)
            if {"rr_ms", "qt_ms"} <= set(s.measures)
            else None
            for s in (a, b)
        ]
        lines: Lines | str = "RR or QT was not measured in both sets"
        if pair[0] is not None and pair[1] is not None:
            lines = compare_lines(pair[0], pair[1], seed=setting.seed, name=place, effort=effort)
        against = f"{synth.title} against {real.title}"
        if isinstance(lines, str):
            out += Results(
                findings=(
                    _finding("PAPER-QTRR", Verdict.NOT_ASSESSABLE, f"{against}: {lines}", "qt_rr"),
                )
            )
            continue
        out += _line(setting, (real, synth), (a, b), lines, place, margin)
        rows.append(_line_row(real, synth, lines, margin))
    if not rows:
        return out
    study = published_figures()
    rows.append(
        {
            "real": "",
            "synth": f"published DeepFakes by {study['interpreter']}",
            "n_synth": study["normal"],
            "slope_synth": study["qt_rr"]["slope"],
            "r2_synth": round(study["qt_rr"]["r"] ** 2, 6),
        }
    )
    article = setting.article.get("qt_rr", {})
    if article:
        rows.append(
            {
                "real": "the article's real ECGs",
                "n_real": setting.article.get("n_real"),
                "slope_real": article.get("slope"),
                "r2_real": article.get("r2"),
            }
        )
    caption = f"Least squares, a patient counting once; 95 % CI by patient; margin {margins}."
    return out + Results(
        tables=(
            Table.of(pd.DataFrame(rows), "qt_rr", "QT on RR", caption=caption, section="qt_rr"),
        )
    )


def _line_row(real: Arm, synth: Arm, lines: Lines, margin: float) -> dict[str, Any]:
    slope = lines.difference["slope"]
    row: dict[str, Any] = {"real": real.title, "synth": synth.title}
    for name, fit, n in zip(("real", "synth"), (lines.real, lines.synth), lines.n, strict=True):
        row |= {
            f"n_{name}": n,
            f"slope_{name}": fit["slope"],
            f"r2_{name}": fit["r2"],
            f"residual_sd_{name}": fit["residual_sd"],
        }
    return row | {
        "slope_diff": slope.value,
        "slope_diff_ci_low": slope.ci[0],
        "slope_diff_ci_high": slope.ci[1],
        "slope_diff_floor_low": slope.floor[0],
        "slope_diff_floor_high": slope.floor[1],
        "margin": margin,
        "verdict": str(tost(slope.ci90, -margin, margin)),
    }


def _line(
    setting: Setting,
    arms: tuple[Arm, Arm],
    sides: tuple[Side, Side],
    lines: Lines,
    place: str,
    margin: float,
) -> Results:
    real, synth = arms
    shown = []
    for name, arm, side, fit, down in zip(
        ("real", "synth"), arms, sides, (lines.real, lines.synth), (0.0, _DOWN_MS), strict=True
    ):
        xy = side.measures[["rr_ms", "qt_ms"]].dropna().to_numpy(float)
        rng = child_rng(setting.seed, place, name)
        rows = np.sort(rng.permutation(len(xy))[:_DRAWN])
        shown.append(
            {
                "name": name,
                "title": arm.title,
                "x": xy[rows, 0],
                "y": xy[rows, 1],
                "n": len(xy),
                "shift": down,
                **{k: fit[k] for k in ("slope", "intercept", "r2")},
            }
        )
    slope = lines.difference["slope"]
    verdict = tost(slope.ci90, -margin, margin)
    against = f"{synth.title} against {real.title}"
    units = {"slope": "ms/ms", "residual_sd": "ms", "r2": ""}
    estimates = [
        _estimate(
            f"{place}.{key}_diff",
            lines.difference[key].value,
            ci=lines.difference[key].ci,
            floor=lines.difference[key].floor,
            p=lines.difference[key].p,
            unit=units[key],
            seed=setting.seed,
            n_real=lines.n[0],
            n_synth=lines.n[1],
            patients_real=lines.patients[0],
            patients_synth=lines.patients[1],
            label=f"QT on RR: {STATISTICS[f'{key}_diff'].title}, {synth.title} - {real.title}",
            method="least squares in each set; percentile bootstrap of patients",
        )
        for key in LINE
    ]
    most = f"; at most {_DRAWN:,} dots a set are drawn, at random" if max(lines.n) > _DRAWN else ""
    return Results(
        estimates=tuple(estimates),
        findings=(
            _finding(
                "PAPER-QTRR",
                verdict,
                f"{against}: slopes {fixed(lines.synth['slope'], 3)} and "
                f"{fixed(lines.real['slope'], 3)} ms/ms, difference {fixed(slope.value, 3)} "
                f"({interval(slope.ci, 3)}); r² {lines.synth['r2']:.2f} and "
                f"{lines.real['r2']:.2f}",
                "qt_rr",
                estimates=(f"{place}.slope_diff",),
                rule=f"PASS where the 90 % interval of the difference of slopes lies inside "
                f"±{margin:g} ms/ms, FAIL where it lies wholly outside.",
            ),
        ),
        figures=(
            Figure(
                f"qt_rr.{real.key}.{synth.key}",
                "scatter",
                f"QT against RR: {against}",
                {"sets": shown, "xlabel": "RR, ms", "ylabel": "QT, ms"},
                f"n {lines.n[0]:,} ({real.source}) and {lines.n[1]:,} ({synth.source}). Dots of "
                f"the DeepFakes are drawn {-_DOWN_MS:g} ms lower, as in the study; lines and r² "
                f"are of the measured values{most}.",
                "qt_rr",
            ),
        ),
    )


# ---- 4: the share of normal ECGs ----------------------------------------------------------------


def normal(setting: Setting) -> Results:
    """Return the share of rule-normal ECGs of every set, and the differences between them."""
    head = _section(
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
                _estimate(
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
        (conclusion,) = (f for f in found.findings if f.code == "PLAUS-NORMAL")
        out += Results(
            findings=(
                _finding(
                    "PAPER-NORMAL",
                    conclusion.verdict,
                    _difference(differences[-2:]),
                    "normal",
                    estimates=tuple(ids),
                    rule=conclusion.rule,
                ),
            )
        )
    caption = (
        "Rules of ecgeval (see ecgeval explain PLAUS-NORMAL), 95 % CI. "
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


# ---- 5: the published set -----------------------------------------------------------------------


def published(setting: Setting, ecgs: EcgSet) -> Results:
    """Return the regenerated published records as measured here, against 12SL's figures.

    An outside check of delineation and measures: the same generator, another program.
    """
    study = published_figures()
    arm = Arm("published", "published DeepFakes, regenerated", "regenerated by id", ecgs)
    found = setting.arms.own(arm)
    table = found.measures
    rate = table["hr_bpm"].between(60, 100).to_numpy()
    keep = keeps_rules(rule_input(found)) & rate
    head = _section(
        "published",
        "The published set, regenerated",
        f"{len(ecgs):,} records by id. Means of the {int(keep.sum()):,} that keep the rules "
        f"(alternative limits, 60 to 100 bpm) against those that {study['interpreter']} gave for "
        f"the {study['normal']:,} it called normal. The generator is the same, so a difference is "
        "one of conventions of measuring, or of what either calls normal.",
    )
    chosen = table[keep]
    draws = 500 if setting.quick else 2000
    rng = child_rng(setting.seed, "paper", "published")
    rows, verdicts, estimates, shown = [], {}, [], []
    if len(chosen) < MIN_PATIENTS:
        text = f"{len(chosen)} of {len(ecgs)} records keep the rules; {MIN_PATIENTS} are needed"
        return Results(
            sections=(head,),
            findings=(_finding("PAPER-12SL", Verdict.NOT_ASSESSABLE, text, "published"),),
        )
    weights = resample_weights(len(chosen), draws, rng).astype(float)
    for column, (mean, sd) in study["measures"].items():
        info, values = measure_info(column), chosen[column].to_numpy(float)
        there = np.isfinite(values)
        filled = np.where(there, values, 0.0)
        means = filled @ weights / (there @ weights)
        spread = np.sqrt(np.maximum(filled**2 @ weights / (there @ weights) - means**2, 0))
        own, own_sd = float(values[there].mean()), float(values[there].std(ddof=1))
        margin = setting.margins.of(column, mean)
        ci, ci90 = (percentile_interval(means - mean, level) for level in (0.95, 0.9))
        ratio_ci = percentile_interval(spread / sd)
        verdict = Verdict.NOT_ASSESSABLE if margin is None else tost(ci90, -margin, margin)
        verdicts[column] = verdict
        every = table[column].dropna()
        rows.append(
            {
                "measure": info.label,
                "column": column,
                "unit": info.unit,
                "mean_12sl": mean,
                "sd_12sl": sd,
                "n": int(there.sum()),
                "mean": own,
                "sd": own_sd,
                "difference": own - mean,
                "ci_low": ci[0],
                "ci_high": ci[1],
                "ci90_low": ci90[0],
                "ci90_high": ci90[1],
                "margin": margin,
                "verdict": str(verdict),
                "sd_ratio": own_sd / sd,
                "sd_ratio_ci_low": ratio_ci[0],
                "sd_ratio_ci_high": ratio_ci[1],
                "n_unselected": len(every),
                "mean_unselected": float(every.mean()),
            }
        )
        estimates.append(
            _estimate(
                f"paper.published.{column}.mean_diff_12sl",
                own - mean,
                ci=ci,
                unit=info.unit,
                n_synth=int(there.sum()),
                seed=setting.seed,
                label=f"{info.label}: mean here less that of 12SL",
                method=f"percentile bootstrap of records; 12SL's mean of {study['normal']:,} is "
                "taken as exact",
            )
        )
        shown.append(
            {
                "label": info.label,
                "value": (own - mean) / sd,
                "ci": [ci[0] / sd, ci[1] / sd],
                "floor": None,
                "group": "means",
            }
        )
    line = _published_line(chosen, weights)
    rate_row = _published_share(setting, found)
    far = [measure_info(c).label for c, v in verdicts.items() if v is Verdict.FAIL]
    good = sum(v is Verdict.PASS for v in verdicts.values())
    caption = (
        f"Mean ± SD. 12SL: n {study['normal']:,}, {study['selection']}; {study['source']}. Here: "
        f"{int(keep.sum()):,} of ids {ecgs.ids[0]} to {ecgs.ids[-1]}. 95 % CI of the difference by "
        f"bootstrap of records. Margins: {setting.margins.level}, as for medians."
    )
    singles = [
        {
            "id": key,
            "rr_12sl_ms": ms,
            "rr_ms": float(table.loc[key, "rr_ms"]),
            "difference_ms": float(table.loc[key, "rr_ms"]) - ms,
        }
        for key, ms in study["rr_ms"].items()
        if key in table.index
    ]
    tables = [
        Table.of(
            pd.DataFrame(rows),
            "published",
            "Published normal DeepFakes: here and by 12SL",
            caption=caption,
            section="published",
        ),
        Table.of(
            pd.DataFrame([*line, rate_row]),
            "published_more",
            "Published DeepFakes: QT on RR, and the share of normal ECGs",
            caption=f"95 % CI by bootstrap of records, of the share by Wilson. {study['source']}.",
            section="published",
        ),
    ]
    if singles:
        tables.append(
            Table.of(
                pd.DataFrame(singles),
                "published_records",
                "Mean RR of single records",
                caption=study["source"] + ".",
                section="published",
            )
        )
    return Results(
        sections=(head,),
        estimates=tuple(estimates),
        findings=(
            _finding(
                "PAPER-12SL",
                worst(verdicts.values()),
                f"{good} of {len(verdicts)} means of the published set within the margin of 12SL's"
                + (f"; beyond it: {', '.join(far)}" if far else ""),
                "published",
                explanation="A difference here is one between two programs on the same generator: "
                "never read measures of this program against limits or tables of another.",
                estimates=tuple(e.id for e in estimates),
                rule="A mean agrees where the 90 % interval of its difference lies inside the "
                "margin declared for the median.",
            ),
        ),
        tables=tuple(tables),
        figures=(
            Figure(
                "published",
                "effects",
                "Published normal DeepFakes: here less 12SL",
                {"rows": shown, "xlabel": "difference of means, SDs of 12SL", "null": 0},
                f"Bars: 95 % CI. n {int(keep.sum()):,} here, {study['normal']:,} by 12SL. "
                f"{study['source']}.",
                "published",
            ),
        ),
    )


def _published_line(chosen: pd.DataFrame, weights: Floats) -> list[dict[str, Any]]:
    """Return correlation and slope of QT on RR beside those of 12SL."""
    study = published_figures()["qt_rr"]
    both = chosen[["rr_ms", "qt_ms"]].notna().all(axis=1).to_numpy()
    xy = chosen.loc[both, ["rr_ms", "qt_ms"]].to_numpy(float)
    x, y = (xy - xy.mean(axis=0)).T
    moments = np.stack([np.ones_like(x), x, y, x * x, x * y, y * y])
    fit = fit_line(moments.sum(axis=1, keepdims=True))
    drawn = fit_line(moments @ weights[both])
    out = []
    for name, key, unit in (
        ("correlation of QT and RR", "r", ""),
        ("slope of QT on RR", "slope", "ms/ms"),
    ):
        if key == "r":
            own, draws = (np.sign(f["slope"]) * np.sqrt(f["r2"]) for f in (fit, drawn))
        else:
            own, draws = fit["slope"], drawn["slope"]
        ci = percentile_interval(draws)
        out.append(
            {
                "what": name,
                "unit": unit,
                "by_12sl": study[key],
                "here": float(own[0]),
                "ci_low": ci[0],
                "ci_high": ci[1],
                "n": len(xy),
            }
        )
    return out


def _published_share(setting: Setting, found: Side) -> dict[str, Any]:
    study = published_figures()
    low, high, ci = _share(rule_input(found), found.patients, strict=False)
    return {
        "what": "normal ECGs (12SL; rules, alternative limits)",
        "unit": "%",
        "by_12sl": 100 * study["normal"] / study["generated"],
        "here": 50 * (low + high),
        "ci_low": 100 * ci[0],
        "ci_high": 100 * ci[1],
        "n": len(found),
    }


# ---- 6: the audit that the study did not have ---------------------------------------------------


def privacy(setting: Setting) -> Results:
    """Return that the study's claim cannot be audited, why, and what can be done."""
    text = (
        "The study holds that its DeepFakes are not linked to patients. That cannot be tested from "
        "outside: all 7,233 real ECGs were training data, so there is no holdout of the same "
        "population, and the ECGs are not public. The real sets named here are outsiders, whom the "
        "generator never saw: to audit it against them is no audit, so none was run."
    )
    can = [
        {
            "who": "the authors, or whoever holds the 7,233 ECGs and as many others of the "
            "hospital",
            "can": "a copy search and an exchangeability test of the published set against "
            "training "
            "patients and others",
            "command": "ecgeval audit --train T --holdout H --synth deepfake:0-149999 --out DIR",
        },
        {
            "who": "whoever trains such a generator again",
            "can": "hold patients out, keep the list, and audit every checkpoint",
            "command": "ecgeval train pulse2pulse --data SET --holdout 0.2 --out RUN; ecgeval run "
            "sweep.toml",
        },
        {
            "who": "whoever has such a generator alone",
            "can": "nothing that clears it; see with planted copies what an audit of these sizes "
            "would find",
            "command": "ecgeval audit ... --bench",
        },
    ]
    known = [
        {"generator": arm.title, "trained_on": arm.trained_on or "unknown"}
        for arm in setting.arms.synth
    ]
    head = _section("privacy", "The privacy audit the study did not have", text)
    return Results(
        sections=(head,),
        findings=(
            _finding(
                "PAPER-PRIVACY",
                Verdict.NOT_ASSESSABLE,
                "Whether the published generator leaks patients cannot be assessed: every real ECG "
                "of the study was training data, and none is public",
                "privacy",
                explanation=text,
                rule="Needs the generator's training patients and others of the same population "
                "that it has never seen.",
            ),
        ),
        tables=(
            Table.of(pd.DataFrame(can), "privacy", "What can be done", section="privacy"),
            Table.of(
                pd.DataFrame(known),
                "privacy_training",
                "What is known of the training sets",
                section="privacy",
            ),
        ),
    )
