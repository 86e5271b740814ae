"""The table of measures by group, and the data of its figure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from ecgeval.comparison.declared import decide_location
from ecgeval.comparison.margins import Margins
from ecgeval.comparison.rows import Row, median_iqr, relative_margins
from ecgeval.comparison.subgroups.checks import SLUG
from ecgeval.comparison.subgroups.groups import Group, id_part
from ecgeval.measures import measure_info
from ecgeval.results import Figure, Table
from ecgeval.wording import quantity

__all__ = ["effects_figure", "measures_table"]


def measures_table(label: str, groups: Sequence[Group], margins: Margins) -> Table:
    """Return the medians of each group in either set, their difference and its verdict."""
    rows = [row for group in groups for row in group.rows]
    return Table.of(
        pd.DataFrame([{"group": g.name, **_table_row(row)} for g in groups for row in g.rows]),
        f"{SLUG}.{id_part(label)}",
        f"Declared measures by {label}",
        caption="Median [quartiles]; for angles the mean direction. Difference: synthetic minus "
        "real. p of KS (Watson's U² of angles) adjusted over all groups and measures "
        f"(Benjamini-Hochberg). Margins: {margins.level}{relative_margins(rows)}.",
        section=SLUG,
    )


def _table_row(row: Row) -> dict[str, Any]:
    stat = row.result.stats.get(row.location)
    info = measure_info(row.column)
    ends = None if stat is None else [quantity(x, info.unit).split(" ")[0] for x in stat.ci90]
    return {
        "measure": info.label,
        "unit": info.unit,
        "patients real": row.result.patients[0],
        "patients synthetic": row.result.patients[1],
        "real": median_iqr(row.real, info),
        "synthetic": median_iqr(row.synth, info),
        "difference": None if stat is None else stat.value,
        "90 % CI": "–" if ends is None else f"{ends[0]} to {ends[1]}",
        "margin ±": row.margin,
        "verdict": str(decide_location(row).verdict),
        "missing real %": 100 * row.missing.real,
        "missing synthetic %": 100 * row.missing.synth,
    }


def effects_figure(label: str, groups: Sequence[Group]) -> Figure:
    """Return the differences of medians over their margins, measure by measure."""
    drawn = [
        {
            "label": f"{label} {group.name}",
            "group": measure_info(row.column).label,
            **{
                key: np.asarray(value) / row.margin
                for key, value in (("value", stat.value), ("ci", stat.ci), ("floor", stat.floor))
            },
        }
        for rows in zip(*(group.rows for group in groups), strict=True)
        for group, row in zip(groups, rows, strict=True)
        if (stat := row.result.stats.get(row.location)) is not None
    ]
    return Figure(
        f"{SLUG}.{id_part(label)}",
        "effects",
        f"Declared measures by {label}",
        {"xlabel": "difference of medians / margin", "null": 0, "rows": drawn},
        "Beyond 1 or −1 the difference is larger than its margin. Bars: 95 % CI by patient; grey: "
        "real against real of that group.",
        SLUG,
    )
