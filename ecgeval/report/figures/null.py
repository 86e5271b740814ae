"""Distributions of a statistic under permuted labels."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ecgeval.report.figures.axes import new_axes
from ecgeval.report.figures.data import bins, density
from ecgeval.report.figures.kind import Cells, Kind, Rows
from ecgeval.report.figures.style import COLOURS, MUTED, SYNTH
from ecgeval.wording import number, pvalue


def _cells(data: Mapping[str, Any]) -> Cells:
    """The statistic under permuted labels, and where the observed one lies.

    ``values_edges`` (k + 1), ``counts`` (k), ``observed``, ``p``, ``xlabel``.
    """
    edges = np.asarray(data.get("values_edges", ()), float)
    heights = density(data.get("counts", ()), edges)
    if not heights.size:
        return
    fig, ax = new_axes(4.6, 2.5, left=0.2, right=0.2, bottom=0.48, top=0.42)
    ax.stairs(heights, edges, fill=True, color=COLOURS["floor"], lw=0)
    ax.stairs(heights, edges, color=MUTED, lw=0.8)
    observed, p = data.get("observed"), data.get("p")
    if observed is not None:
        ax.axvline(observed, color=SYNTH, lw=2)
        text = f"observed {number(observed)}" + (f", p = {pvalue(p)}" if p is not None else "")
        at_left = observed < sum(ax.get_xlim()) / 2
        look: dict[str, Any] = {"color": SYNTH, "ha": "left" if at_left else "right"}
        above = ax.get_xaxis_transform()
        ax.text(observed, 1.04, text, transform=above, weight="bold", **look)
    ax.set(yticks=[], xlabel=str(data.get("xlabel", "")), ylim=(0, None))
    ax.spines["left"].set_visible(False)
    yield "Permutation null and observed statistic", fig


def _rows(data: Mapping[str, Any]) -> Rows:
    yield from bins(data.get("values_edges", ()), count=data.get("counts", ()))


KIND = Kind(_cells, _rows, 1, width=50)
