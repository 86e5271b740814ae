"""Tables and the data behind figures of joint structure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgeval.comparison.figures import scatter
from ecgeval.comparison.joint.correlation import Correlations
from ecgeval.comparison.joint.part import CHEST, FITTED, Part, statistics
from ecgeval.comparison.joint.relations import Curves, Lines
from ecgeval.measures import measure_info
from ecgeval.parallel import child_rng
from ecgeval.results import Figure, Table
from ecgeval.stats.arrays import Floats
from ecgeval.stats.kernels import Tested
from ecgeval.wording import between

__all__ = [
    "heat",
    "lines_table",
    "null_figure",
    "pairs_table",
    "progression_figure",
    "qt_rr_figure",
    "transition_table",
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


def lines_table(part: Part, found: dict[str, Lines | str]) -> tuple[Table, ...]:
    rows = []
    for relation in FITTED:
        lines = found[relation.name]
        for key, _, unit in statistics(relation):
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
                    "95 % CI": f"{stat.ci[0]:.3g} to {stat.ci[1]:.3g}".replace("-", "−"),
                    "real against real": f"{stat.floor[0]:.3g} to {stat.floor[1]:.3g}".replace(
                        "-", "−"
                    ),
                }
            rows.append(row)
    return (
        Table.of(
            pd.DataFrame(rows),
            part.name("relations"),
            "Relations between measures",
            section=part.common.section,
        ),
    )


def qt_rr_figure(part: Part, lines: Lines | str) -> tuple[Figure, ...]:
    """Return the plane of QT and RR with as many points of either set (its density is seen)."""
    if isinstance(lines, str):
        return ()
    tables = [pd.DataFrame(s.values, columns=list(part.columns)) for s in part.common.samples]
    rng = child_rng(part.common.seed, part.name("qt_rr", "figure"))
    data = scatter(tables[0], tables[1], "rr_ms", "qt_ms", rng)
    n = min(len(s["x"]) for s in data["sets"])
    for s, fit in zip(data["sets"], (lines.real, lines.synth), strict=True):
        chosen = np.sort(rng.choice(len(s["x"]), n, replace=False))
        s |= {
            "x": s["x"][chosen],
            "y": s["y"][chosen],
            "r": math.copysign(math.sqrt(fit["r2"]), fit["slope"]),
            **{k: fit[k] for k in ("slope", "intercept", "residual_sd", "r2")},
        }
    return (
        Figure(
            part.name("qtrr"),
            "scatter",
            "QT against RR",
            data,
            caption=f"As many points of either set ({n:,}), drawn at random; lines and r² are "
            "those of all patients.",
            section=part.common.section,
        ),
    )


def pairs_table(
    part: Part, columns: Sequence[str], found: Correlations, top: NDArray[np.intp]
) -> Table:
    rows = [
        {
            "measure": measure_info(columns[found.pairs[k][0]]).label,
            "with": measure_info(columns[found.pairs[k][1]]).label,
            "real": found.real[k],
            "synthetic": found.synth[k],
            "difference": found.synth[k] - found.real[k],
            "95 % CI": between((float(found.ci[k][0]), float(found.ci[k][1]))),
            "adjusted p": found.p_adjusted[k],
        }
        for k in top
    ]
    return Table.of(
        pd.DataFrame(rows),
        part.name("pairs"),
        "Correlations that differ most",
        caption="Spearman's ρ. Pairs were chosen for their size, so their differences overstate; "
        "the adjusted p allows for that.",
        section=part.common.section,
    )


def heat(part: Part, columns: Sequence[str], found: Correlations) -> Figure:
    chosen = [columns.index(c) for c in SHOWN if c in columns] or list(range(len(columns)))[:16]
    labels = [measure_info(columns[i]).label for i in chosen]
    panels = []
    for title, values in (
        ("real", found.real),
        ("synthetic", found.synth),
        ("difference", found.synth - found.real),
    ):
        full = np.eye(len(columns)) * (title != "difference")
        full[tuple(found.pairs.T)] = values
        full[tuple(found.pairs[:, ::-1].T)] = values
        part_of = np.round(full[np.ix_(chosen, chosen)], 3)
        panels.append(
            {
                "title": title,
                "rows": labels,
                "columns": labels,
                "values": part_of.tolist(),
                "low": -1,
                "high": 1,
                "unit": "Spearman's ρ",
            }
        )
    return Figure(
        part.name("correlation"),
        "heat",
        "Rank correlations among measures",
        {"panels": panels},
        caption=f"{len(chosen)} of {len(columns)} measures.",
        section=part.common.section,
    )


def transition_table(part: Part, zone: Curves) -> Table:
    rows = [
        {
            "transition": lead,
            "real %": 100 * zone.real[i],
            "synthetic %": 100 * zone.synth[i],
            "95 % band of the difference": between(
                (100 * zone.band[i, 0], 100 * zone.band[i, 1]), "points"
            ),
        }
        for i, lead in enumerate((*CHEST, "none"))
    ]
    return Table.of(
        pd.DataFrame(rows),
        part.name("transition"),
        "Where R reaches S",
        caption="First lead of V1 to V6 in which R is at least as tall as S is deep; share of "
        "patients.",
        section=part.common.section,
    )


def progression_figure(part: Part, curve: Curves, zone: Curves) -> Figure:
    def series(name: str, y: Floats, band: Floats | None, role: str) -> dict[str, Any]:
        out: dict[str, Any] = {
            "name": name,
            "x": list(range(1, len(y) + 1)),
            "y": np.round(y, 4).tolist(),
            "low": None,
            "high": None,
            "role": role,
        }
        if band is not None:
            out |= {
                "low": np.round(band[:, 0], 4).tolist(),
                "high": np.round(band[:, 1], 4).tolist(),
            }
        return out

    x = "chest lead, V1 to V6"
    panels = [
        {
            "title": "Mean R amplitude",
            "xlabel": x,
            "ylabel": "mV",
            "null": None,
            "series": [
                series("real", curve.real, curve.bands[0], "real"),
                series("synthetic", curve.synth, curve.bands[1], "synth"),
            ],
        },
        {
            "title": "Difference, synthetic − real",
            "xlabel": x,
            "ylabel": "mV",
            "null": 0,
            "series": [
                series("real against real", np.zeros(6), curve.floor, "floor"),
                series("difference", curve.difference, curve.band, "synth"),
            ],
        },
        {
            "title": "First lead with R ≥ S",
            "xlabel": f"{x}; 7: none",
            "ylabel": "share",
            "null": None,
            "series": [
                series("real", zone.real, zone.bands[0], "real"),
                series("synthetic", zone.synth, zone.bands[1], "synth"),
            ],
        },
    ]
    return Figure(
        part.name("progression"),
        "curves",
        "R progression",
        {"panels": panels},
        caption="Bands: 95 %, over all leads together, patients resampled.",
        section=part.common.section,
    )


def null_figure(part: Part, key: str, stat: Tested, title: str) -> Figure:
    assert stat.null is not None
    counts, edges = np.histogram(stat.null, 30)
    return Figure(
        part.name(key),
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
        section=part.common.section,
    )
