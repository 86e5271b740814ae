"""Tables and the data behind figures of joint structure."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from ecgeval.comparison.figures import scatter
from ecgeval.comparison.joint.correlation import Correlations
from ecgeval.comparison.joint.curves import Curves
from ecgeval.comparison.joint.estimates import CHEST, SLUG, pick
from ecgeval.comparison.joint.relations import RELATIONS, Lines
from ecgeval.comparison.pair import Pair
from ecgeval.measures import measure_info
from ecgeval.parallel import child_rng
from ecgeval.results import Figure, Table
from ecgeval.stats.arrays import Floats
from ecgeval.stats.intervals import pair as ends
from ecgeval.stats.kernels import Assessed
from ecgeval.wording import between

__all__ = [
    "correlation_matrices",
    "correlations",
    "null_distribution",
    "progression",
    "qt_rr",
    "relations",
    "transition",
]

SHOWN = (
    "hr_bpm",
    "rr_sd_ms",
    "p_dur_ms",
    "pr_ms",
    "qrs_ms",
    "qt_ms",
    "qrst_angle_deg",
    "p_amp_II_mv",
    "r_amp_II_mv",
    "r_amp_V1_mv",
    "r_amp_V5_mv",
    "s_amp_V2_mv",
    "t_amp_II_mv",
    "t_amp_V2_mv",
    "t_amp_V5_mv",
    "st60_V2_mv",
)
"""Measures in the figure of correlations; the first sixteen where none of them is there."""


def relations(found: Mapping[str, Lines | str]) -> Table:
    """Return the table of the lines of `RELATIONS`; the reason in place of an interval."""
    rows = []
    for relation in RELATIONS:
        lines = found[relation.name]
        for key, _, unit in relation.statistics:
            row: dict[str, Any] = {
                "relation": relation.label,
                "statistic": key.replace("_", " "),
                "unit": unit,
            }
            if isinstance(lines, str):
                row |= {"real": None, "synthetic": None, "difference": None, "95 % CI": lines}
            else:
                stat = lines.difference[key]
                row |= {
                    "real": lines.real[key],
                    "synthetic": lines.synth[key],
                    "difference": stat.value,
                    "95 % CI": _interval(stat.ci),
                    "real against real": _interval(stat.floor),
                }
            rows.append(row)
    return Table.of(
        pd.DataFrame(rows), f"{SLUG}.relations", "Relations between measures", section=SLUG
    )


def _interval(ends: tuple[float, float]) -> str:
    return f"{ends[0]:.3g} to {ends[1]:.3g}".replace("-", "−")


def qt_rr(pair: Pair, lines: Lines) -> Figure:
    """Return the plane of QT and RR with as many points of either set (its density is seen)."""
    columns = ["rr_ms", "qt_ms"]
    picked = pick(pair, columns)
    assert not isinstance(picked, str)
    real, synth = (pd.DataFrame(s.values, columns=columns) for s in picked)
    rng = child_rng(pair.seed, f"{SLUG}.qt_rr.figure")
    data = scatter(real, synth, "rr_ms", "qt_ms", rng)
    n = min(len(s["x"]) for s in data["sets"])
    for s, fit in zip(data["sets"], (lines.real, lines.synth), strict=True):
        chosen = np.sort(rng.choice(len(s["x"]), n, replace=False))
        s |= {
            "x": s["x"][chosen],
            "y": s["y"][chosen],
            "r": math.copysign(math.sqrt(fit["r2"]), fit["slope"]),
            **{k: fit[k] for k in ("slope", "intercept", "residual_sd", "r2")},
        }
    return Figure(
        f"{SLUG}.qtrr",
        "scatter",
        "QT against RR",
        data,
        caption=f"As many points of either set ({n:,}), drawn at random; lines and r² are those of "
        "all patients.",
        section=SLUG,
    )


def correlations(columns: Sequence[str], found: Correlations, top: Sequence[int]) -> Table:
    """Return the table of the pairs of measures whose correlations differ most."""
    rows = [
        {
            "measure": measure_info(columns[found.pairs[k][0]]).label,
            "with": measure_info(columns[found.pairs[k][1]]).label,
            "real": found.real[k],
            "synthetic": found.synth[k],
            "difference": found.synth[k] - found.real[k],
            "95 % CI": between(ends(found.ci[k])),
            "adjusted p": found.p_adjusted[k],
        }
        for k in top
    ]
    return Table.of(
        pd.DataFrame(rows),
        f"{SLUG}.pairs",
        "Correlations that differ most",
        caption="Spearman's ρ. Pairs were chosen for their size, so their differences overstate; "
        "the adjusted p allows for that.",
        section=SLUG,
    )


def correlation_matrices(columns: Sequence[str], found: Correlations) -> Figure:
    """Return the matrices of correlations of either set, and their difference."""
    chosen = [columns.index(c) for c in SHOWN if c in columns] or list(range(len(columns)))[:16]
    labels = [measure_info(columns[i]).label for i in chosen]
    panels = []
    for title, values in (
        ("real", found.real),
        ("synthetic", found.synth),
        ("difference", found.synth - found.real),
    ):
        matrix = np.eye(len(columns)) * (title != "difference")
        matrix[tuple(found.pairs.T)] = values
        matrix[tuple(found.pairs[:, ::-1].T)] = values
        panels.append(
            {
                "title": title,
                "rows": labels,
                "columns": labels,
                "values": np.round(matrix[np.ix_(chosen, chosen)], 3).tolist(),
                "low": -1,
                "high": 1,
                "unit": "Spearman's ρ",
            }
        )
    return Figure(
        f"{SLUG}.correlation",
        "heat",
        "Rank correlations among measures",
        {"panels": panels},
        caption=f"{len(chosen)} of {len(columns)} measures.",
        section=SLUG,
    )


def transition(zone: Curves) -> Table:
    """Return the table of the leads in which R reaches S."""
    rows = [
        {
            "transition": lead,
            "real %": 100 * zone.real[i],
            "synthetic %": 100 * zone.synth[i],
            "95 % band of the difference": between(ends(100 * zone.band[i]), "points"),
        }
        for i, lead in enumerate((*CHEST, "none"))
    ]
    return Table.of(
        pd.DataFrame(rows),
        f"{SLUG}.transition",
        "Where R reaches S",
        caption="First lead of V1 to V6 in which R is at least as tall as S is deep; share of "
        "patients.",
        section=SLUG,
    )


def progression(curve: Curves, zone: Curves) -> Figure:
    """Return the curves of mean R over V1 to V6 and of the lead in which it reaches S."""
    x = "chest lead, V1 to V6"

    def panel(title: str, xlabel: str, ylabel: str, *series: dict[str, Any]) -> dict[str, Any]:
        return {
            "title": title,
            "xlabel": xlabel,
            "ylabel": ylabel,
            "null": 0 if title.startswith("Difference") else None,
            "series": list(series),
        }

    def both(curves: Curves) -> tuple[dict[str, Any], dict[str, Any]]:
        return (
            _series("real", curves.real, curves.bands[0], "real"),
            _series("synthetic", curves.synth, curves.bands[1], "synth"),
        )

    difference = (
        _series("real against real", np.zeros(6), curve.floor, "floor"),
        _series("difference", curve.difference, curve.band, "synth"),
    )
    panels = [
        panel("Mean R amplitude", x, "mV", *both(curve)),
        panel("Difference, synthetic − real", x, "mV", *difference),
        panel("First lead with R ≥ S", f"{x}; 7: none", "share", *both(zone)),
    ]
    return Figure(
        f"{SLUG}.progression",
        "curves",
        "R progression",
        {"panels": panels},
        caption="Bands: 95 %, over all leads together, patients resampled.",
        section=SLUG,
    )


def _series(name: str, y: Floats, band: Floats, role: str) -> dict[str, Any]:
    low, high = np.round(band.T, 4).tolist()
    return {
        "name": name,
        "x": list(range(1, len(y) + 1)),
        "y": np.round(y, 4).tolist(),
        "low": low,
        "high": high,
        "role": role,
    }


def null_distribution(name: str, stat: Assessed, title: str) -> Figure:
    """Return a statistic of all measures at once among those under permuted labels."""
    assert stat.null is not None
    counts, edges = np.histogram(stat.null, 30)
    return Figure(
        f"{SLUG}.{name}",
        "null",
        f"All measures at once: {title}",
        {
            "values_edges": edges.tolist(),
            "counts": counts.tolist(),
            "observed": stat.value,
            "p": stat.p,
            "xlabel": title,
        },
        caption="Grey: labels permuted among patients.",
        section=SLUG,
    )
