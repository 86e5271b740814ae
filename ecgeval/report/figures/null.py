"""Figures of the kind null."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ecgeval.report.figures.style import COLOURS, MUTED, SYNTH, density_of, new_axes
from ecgeval.report.figures.svg import Cells
from ecgeval.wording import number, pvalue

__all__ = ["data_rows", "draw_cells"]


def draw_cells(data: Mapping[str, Any]) -> Cells:
    """The statistic under permuted labels, and where the observed one lies.

    ``values_edges`` (k + 1), ``counts`` (k), ``observed``, ``p``, ``xlabel``.
    """
    edges = np.asarray(data.get("values_edges", ()), float)
    fig, ax = new_axes(4.6, 2.5, left=0.2, right=0.2, bottom=0.48, top=0.42)
    density = density_of(data.get("counts", ()), edges)
    if not density.size:
        return
    ax.stairs(density, edges, fill=True, color=COLOURS["floor"], lw=0)
    ax.stairs(density, edges, color=MUTED, lw=0.8)
    observed, p = data.get("observed"), data.get("p")
    if observed is not None:
        ax.axvline(observed, color=SYNTH, lw=2)
        text = f"observed {number(observed)}" + (f", p = {pvalue(p)}" if p is not None else "")
        span = ax.get_xlim()
        left = observed < (span[0] + span[1]) / 2
        ax.text(
            observed,
            1.04,
            text,
            transform=ax.get_xaxis_transform(),
            color=SYNTH,
            ha="left" if left else "right",
            weight="bold",
        )
    ax.set(yticks=[], xlabel=str(data.get("xlabel", "")), ylim=(0, None))
    ax.spines["left"].set_visible(False)
    yield "Permutation null and observed statistic", fig


def data_rows(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    edges = data.get("values_edges", ())
    for low, high, count in zip(edges[:-1], edges[1:], data.get("counts", ()), strict=True):
        yield {"low": low, "high": high, "count": count}
