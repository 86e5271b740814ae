"""Figures of the kind distributions."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ecgeval.report.figures.style import (
    _LINE,
    DASHES,
    REAL,
    SYNTH,
    _lines,
    add_headline,
    density_of,
    new_axes,
    support_of,
)
from ecgeval.report.figures.svg import Cells
from ecgeval.wording import fixed, places

__all__ = ["data_rows", "draw_cells"]


def draw_cells(data: Mapping[str, Any]) -> Cells:
    """Densities of each measure: real filled, synthetic as a dashed outline, medians marked.

    ``measures``: name, label, unit, edges (k + 1), real and synth (k counts each),
    median_real, median_synth.
    """
    for m in data.get("measures", ()):
        edges = np.asarray(m["edges"], float)
        label, unit = m.get("label") or m.get("name", ""), m.get("unit", "")
        parts = _medians(m)
        more = _LINE * (len(_lines(parts, 2.5)) - 1)  # long numbers take a second line
        fig, ax = new_axes(2.5, 1.75 + more, left=0.12, right=0.12, bottom=0.3, top=0.42 + more)
        top = 0.0
        for name, colour, style in (("real", REAL, "-"), ("synth", SYNTH, DASHES[1])):
            density = density_of(m[name], edges)
            top = max(top, density.max(initial=0))
            if name == "real":
                ax.stairs(density, edges, fill=True, color=colour, alpha=0.22, lw=0)
            ax.stairs(density, edges, color=colour, ls=style, lw=1.3)
            median = m.get(f"median_{name}")
            if median is not None:
                ax.plot(
                    [median] * 2,
                    [-0.06, 0],
                    color=colour,
                    lw=2,
                    clip_on=False,
                    zorder=3,
                    transform=ax.get_xaxis_transform(),
                )
        ax.set(ylim=(0, (top or 1) * 1.04), yticks=[], xlim=support_of(m, edges))
        ax.spines["left"].set_visible(False)
        ax.locator_params(axis="x", nbins=5)
        add_headline(fig, label, unit, parts)
        yield f"{label}: real and synthetic", fig


def _medians(m: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the second line of a histogram: whose median is what, in the set's own colour.

    An angle has a mean direction instead.
    """
    parts: list[tuple[str, str]] = []
    centre = "mean" if m.get("circular") else "median"
    width = abs(m["edges"][-1] - m["edges"][0]) / 20
    decimals = places(0, width)
    for name, mark, word, colour in (
        ("real", "■", "real", REAL),
        ("synth", "┅", "synthetic", SYNTH),
    ):
        value = m.get(f"median_{name}")
        text = f"{mark} {word} {fixed(value, decimals)}" if value is not None else ""
        if text and not parts:
            text = f"{centre} {text}"
        parts.append((text, colour))
    return parts


def data_rows(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for m in data.get("measures", ()):
        for low, high, real, synth in zip(
            m["edges"][:-1], m["edges"][1:], m["real"], m["synth"], strict=True
        ):
            yield {
                "measure": m.get("name", ""),
                "unit": m.get("unit", ""),
                "low": low,
                "high": high,
                "real": real,
                "synth": synth,
            }
