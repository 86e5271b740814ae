"""QT against RR, as the study drew it, with the slopes and their difference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ecgeval.comparison.joint.relations import LINE, Lines, compare_lines
from ecgeval.paper.arms import Arm, Side
from ecgeval.paper.checks import QTRR, STATISTICS
from ecgeval.paper.setting import Setting, described, estimate, published_figures
from ecgeval.parallel import child_rng
from ecgeval.results import Figure, Results, Table, Verdict
from ecgeval.stats.equivalence import tost
from ecgeval.stats.sample import Effort, Sample
from ecgeval.wording import fixed, interval

__all__ = ["qt_rr"]


_DRAWN = 1000  # points of each set in the plane of QT and RR


_DOWN_MS = -1.0  # the study's shift of the DeepFakes' dots, which lie on the same grid of QT


def qt_rr(setting: Setting) -> Results:
    """Return QT against RR as the study drew it, with the slopes and their difference."""
    head = described(
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
                    QTRR.finding(Verdict.NOT_ASSESSABLE, f"{against}: {lines}", section="qt_rr"),
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
    against = f"{synth.title} against {real.title}"
    slope = lines.difference["slope"]
    units = {"slope": "ms/ms", "residual_sd": "ms", "r2": ""}
    estimates = [
        estimate(
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
    conclusion = QTRR.finding(
        tost(slope.ci90, -margin, margin),
        f"{against}: slopes {fixed(lines.synth['slope'], 3)} and "
        f"{fixed(lines.real['slope'], 3)} ms/ms, difference {fixed(slope.value, 3)} "
        f"({interval(slope.ci, 3)}); r² {lines.synth['r2']:.2f} and {lines.real['r2']:.2f}",
        section="qt_rr",
        estimates=(f"{place}.slope_diff",),
        rule=f"PASS where the 90 % interval of the difference of slopes lies inside "
        f"±{margin:g} ms/ms, FAIL where it lies wholly outside.",
    )
    return Results(
        estimates=tuple(estimates),
        findings=(conclusion,),
        figures=(_figure(setting, arms, sides, lines, place),),
    )


def _figure(
    setting: Setting, arms: tuple[Arm, Arm], sides: tuple[Side, Side], lines: Lines, place: str
) -> Figure:
    """Return both sets in the plane of QT and RR, the dots of the DeepFakes lower."""
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
    most = f"; at most {_DRAWN:,} dots a set are drawn, at random" if max(lines.n) > _DRAWN else ""
    return Figure(
        f"qt_rr.{real.key}.{synth.key}",
        "scatter",
        f"QT against RR: {synth.title} against {real.title}",
        {"sets": shown, "xlabel": "RR, ms", "ylabel": "QT, ms"},
        f"n {lines.n[0]:,} ({real.source}) and {lines.n[1]:,} ({synth.source}). Dots of "
        f"the DeepFakes are drawn {-_DOWN_MS:g} ms lower, as in the study; lines and r² "
        f"are of the measured values{most}.",
        "qt_rr",
    )
