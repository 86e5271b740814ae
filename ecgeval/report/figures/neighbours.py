"""Figures of the kind neighbours."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ecgeval.report.figures.style import DASHES, INK, SERIES, cut_to, density_of, new_axes
from ecgeval.report.figures.svg import Cells
from ecgeval.wording import number

__all__ = ["data_rows", "draw_cells"]


def draw_cells(data: Mapping[str, Any]) -> Cells:
    """Similarity to the nearest neighbour, a line a series, and the threshold of a copy.

    ``edges`` (k + 1), ``series``: name, counts (k); ``threshold`` or null, ``xlabel``.
    """
    edges = np.asarray(data.get("edges", ()), float)
    fig, ax = new_axes(5.2, 2.9, left=0.55, right=0.2, bottom=0.48, top=0.3)
    for k, s in enumerate(data.get("series", ())):
        density = density_of(s.get("counts", ()), edges)
        n = int(np.sum(np.asarray(s.get("counts", ()), float)))
        ax.stairs(
            density,
            edges,
            color=SERIES[k % 4],
            ls=DASHES[k % 4],
            lw=1.5,
            label=f"{cut_to(s.get('name', ''), 40)} (n {n:,})",
        )
    threshold = data.get("threshold")
    if threshold is not None:
        ax.axvline(threshold, color=INK, lw=1)
        ax.text(
            threshold,
            1.02,
            "copy threshold " + number(threshold),
            ha="right",
            transform=ax.get_xaxis_transform(),
        )
    xlabel = str(data.get("xlabel", ""))
    ax.set(xlabel=xlabel, ylabel="density", ylim=(0, None))
    if data.get("series"):
        ax.legend(loc="upper left")
        yield "Similarity to the nearest neighbour", fig


def data_rows(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    edges = data.get("edges", ())
    for s in data.get("series", ()):
        for low, high, count in zip(edges[:-1], edges[1:], s.get("counts", ()), strict=True):
            yield {"series": s.get("name", ""), "low": low, "high": high, "count": count}
