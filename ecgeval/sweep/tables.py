"""The table of checkpoints, and the curves of their scores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from ecgeval.results import Figure, Table
from ecgeval.sweep.ranking import Energy
from ecgeval.sweep.scoring import Score

__all__ = ["score_curves"]


def with_interval(e: Energy) -> str:
    return f"{e.value:.3f} ({range_text(e.ci, 3)})"


def range_text(pair: tuple[float, float], digits: int = 2) -> str:
    return f"{pair[0]:.{digits}f} to {pair[1]:.{digits}f}".replace("-", "−")


def checkpoint_table(scores: Sequence[Score], chosen: Score) -> Table:
    def row(s: Score) -> tuple[Any, ...]:
        look = s.look
        auc: list[Any] = [f"{a:.2f} ({range_text(ci)})" for _, a, ci in look.auc] if look else []
        share = s.normal
        return (
            s.name,
            "chosen" if s is chosen else "",
            with_interval(s.energy),
            f"{s.gates[0]} of {s.gates[1]}",
            None
            if share.value is None
            else f"{share.value:+.1f}" + (f" ({range_text(share.ci, 1)})" if share.ci else ""),
            *(auc or [None, None]),
            look.p if look and look.auc else None,
            look.copies if look else None,
            look.control if look else None,
            f"{s.usable} of {s.n}",
        )

    return Table(
        "sweep.checkpoints",
        "Every checkpoint",
        (
            "checkpoint",
            "",
            "energy distance (95 % CI)",
            "equivalent",
            "rule-normal, points",
            "AUC D2",
            "AUC D4",
            "memory p",
            "copies",
            "copies of others",
            "measured",
        ),
        tuple(map(row, scores)),
        "Against the choosing patients. AUC: training against other patients, 0.5 is no trace.",
        "sweep",
    )


def score_curves(rows: Sequence[Mapping[str, Any]], best: tuple[float, Energy] | None) -> Figure:
    """Return the scores over epochs, each beside its real-against-real floor.

    Parameters
    ----------
    rows : sequence of mapping
        As `Score.row` gives them, one or more.
    best : (float, Energy) or None
        Epoch of the chosen checkpoint and its confirmed distance.
    """
    x = [row["epoch"] for row in rows]

    def line(name: str, column: str, role: str, low: str = "", high: str = "") -> dict[str, Any]:
        kept = [r for r in rows if r.get(column) is not None]
        low, high = low or f"{column}_low", high or f"{column}_high"
        band = [[r.get(key) for r in kept] for key in (low, high)]
        known = all(v is not None for values in band for v in values)
        return {
            "name": name,
            "x": [r["epoch"] for r in kept],
            "y": [r[column] for r in kept],
            "low": band[0] if known else None,
            "high": band[1] if known else None,
            "role": role,
        }

    def floor(low: str, high: str) -> dict[str, Any]:
        ends = [[r.get(key) for r in rows] for key in (low, high)]
        middle = [None if None in pair else sum(pair) / 2 for pair in zip(*ends, strict=True)]
        known = None not in middle
        return {
            "name": "real against real",
            "x": x if known else [],
            "y": middle if known else [],
            "low": ends[0] if known else None,
            "high": ends[1] if known else None,
            "role": "floor",
        }

    energy = [floor("floor_low", "floor_high"), line("choosing patients", "energy", "synth")]
    if best is not None:
        e = best[1]
        energy.append(
            {
                "name": "confirmed",
                "x": [best[0]],
                "y": [e.value],
                "low": [e.ci[0]],
                "high": [e.ci[1]],
                "role": "real",
            }
        )
    panels: list[tuple[str, str, float | None, list[dict[str, Any]]]] = [
        ("Energy distance", "declared measures", 0, energy),
        (
            "Equivalent measures",
            f"of {rows[0]['gates_of']:g}",
            None,
            [line("passed", "gates", "synth")],
        ),
        (
            "Rule-normal records",
            "difference, points",
            0,
            [
                floor("normal_floor_low", "normal_floor_high"),
                line("strict limits", "normal_diff", "synth", "normal_low", "normal_high"),
            ],
        ),
    ]
    if any(r.get("memory_p") is not None for r in rows):
        panels.append(
            (
                "Memory of patients",
                "AUC of training",
                0.5,
                [line("D2, record", "auc_D2", "synth"), line("D4, beat", "auc_D4", "third")],
            )
        )
    return Figure(
        "sweep.scores",
        "curves",
        "Scores over training",
        {
            "panels": [
                {
                    "title": title,
                    "xlabel": "epoch",
                    "ylabel": ylabel,
                    "null": null,
                    "series": series,
                }
                for title, ylabel, null, series in panels
            ]
        },
        "Bands are 95 % intervals; grey: the same statistic between halves of the real patients, "
        "scaled to these sizes. Measures: medians and spreads. Rule-normal: synthetic less real. "
        "Memory: training patients against others.",
        "sweep",
    )
