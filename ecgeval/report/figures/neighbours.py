"""Similarity of records to their nearest neighbours."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ecgeval.report.figures.axes import new_axes
from ecgeval.report.figures.data import bins, density
from ecgeval.report.figures.kind import Cells, Kind, Rows
from ecgeval.report.figures.style import DASHES, INK, SERIES, label
from ecgeval.wording import number


def _cells(data: Mapping[str, Any]) -> Cells:
    """Similarity to the nearest neighbour, a line a series, and the threshold of a copy.

    ``edges`` (k + 1), ``series``: name, counts (k); ``threshold`` or null, ``xlabel``.
    """
    series = list(data.get("series", ()))
    if not series:
        return
    edges = np.asarray(data.get("edges", ()), float)
    fig, ax = new_axes(5.2, 2.9, left=0.55, right=0.2, bottom=0.48, top=0.3)
    for k, s in enumerate(series):
        counts = np.asarray(s.get("counts", ()), float)
        name = f"{label(s.get('name', ''), 40)} (n {int(np.sum(counts)):,})"
        look: dict[str, Any] = {"color": SERIES[k % 4], "ls": DASHES[k % 4], "lw": 1.5}
        ax.stairs(density(counts, edges), edges, label=name, **look)
    threshold = data.get("threshold")
    if threshold is not None:
        ax.axvline(threshold, color=INK, lw=1)
        text = f"copy threshold {number(threshold)}"
        ax.text(threshold, 1.02, text, ha="right", transform=ax.get_xaxis_transform())
    ax.set(xlabel=str(data.get("xlabel", "")), ylabel="density", ylim=(0, None))
    ax.legend(loc="upper left")
    yield "Similarity to the nearest neighbour", fig


def _rows(data: Mapping[str, Any]) -> Rows:
    for s in data.get("series", ()):
        for row in bins(data.get("edges", ()), count=s.get("counts", ())):
            yield {"series": s.get("name", ""), **row}


KIND = Kind(_cells, _rows, 1, width=60)
