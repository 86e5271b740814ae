"""Histograms of measures, real and synthetic in one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ecgeval.report.figures.axes import LINE, heading, new_axes, wrapped
from ecgeval.report.figures.data import bins, density
from ecgeval.report.figures.kind import Cells, Kind, Rows
from ecgeval.report.figures.style import DASHES, REAL, SYNTH
from ecgeval.wording import fixed, places


def _cells(data: Mapping[str, Any]) -> Cells:
    """Densities of each measure: real filled, synthetic as a dashed outline, medians marked.

    ``measures``: name, label, unit, edges (k + 1), real and synth (k counts each),
    median_real, median_synth.
    """
    for m in data.get("measures", ()):
        edges = np.asarray(m["edges"], float)
        name, unit = m.get("label") or m.get("name", ""), m.get("unit", "")
        parts = _medians(m)
        more = LINE * (len(wrapped(parts, 2.5)) - 1)  # long numbers take a second line
        fig, ax = new_axes(2.5, 1.75 + more, left=0.12, right=0.12, bottom=0.3, top=0.42 + more)
        top = 0.0
        for side, colour, style in (("real", REAL, "-"), ("synth", SYNTH, DASHES[1])):
            heights = density(m[side], edges)
            top = max(top, heights.max(initial=0))
            if side == "real":
                ax.stairs(heights, edges, fill=True, color=colour, alpha=0.22, lw=0)
            ax.stairs(heights, edges, color=colour, ls=style, lw=1.3)
            median = m.get(f"median_{side}")
            if median is not None:
                mark: dict[str, Any] = {"color": colour, "lw": 2, "clip_on": False, "zorder": 3}
                ax.plot([median] * 2, [-0.06, 0], transform=ax.get_xaxis_transform(), **mark)
        ax.set(ylim=(0, (top or 1) * 1.04), yticks=[], xlim=_support(m, edges))
        ax.spines["left"].set_visible(False)
        ax.locator_params(axis="x", nbins=5)
        heading(fig, name, unit, parts)
        yield f"{name}: real and synthetic", fig


def _medians(m: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the second line of a histogram: whose median is what, in the set's own colour.

    An angle has a mean direction instead.
    """
    parts: list[tuple[str, str]] = []
    centre = "mean" if m.get("circular") else "median"
    decimals = places(0, abs(m["edges"][-1] - m["edges"][0]) / 20)
    for side, words, colour in (("real", "■ real", REAL), ("synth", "┅ synthetic", SYNTH)):
        value = m.get(f"median_{side}")
        text = f"{words} {fixed(value, decimals)}" if value is not None else ""
        if text and not parts:
            text = f"{centre} {text}"
        parts.append((text, colour))
    return parts


def _support(m: Mapping[str, Any], edges: np.ndarray) -> tuple[float, float]:
    """Return the range that holds any count, a bin wider on either side."""
    used = np.flatnonzero(np.asarray(m["real"], float) + np.asarray(m["synth"], float))
    if not used.size:
        return float(edges[0]), float(edges[-1])
    return float(edges[max(used[0] - 1, 0)]), float(edges[min(used[-1] + 2, len(edges) - 1)])


def _rows(data: Mapping[str, Any]) -> Rows:
    for m in data.get("measures", ()):
        for row in bins(m["edges"], real=m["real"], synth=m["synth"]):
            yield {"measure": m.get("name", ""), "unit": m.get("unit", ""), **row}


KIND = Kind(_cells, _rows, 3)
