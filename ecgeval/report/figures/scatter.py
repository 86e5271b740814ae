"""Points of two measures with a line through each set."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ecgeval.report.figures.axes import new_axes
from ecgeval.report.figures.kind import Cells, Kind, Rows
from ecgeval.report.figures.style import DASHES, label, set_colour, set_name
from ecgeval.wording import number

_POINTS = 2000
"""Points drawn of a set: more than that are a blot, and megabytes."""


def _cells(data: Mapping[str, Any]) -> Cells:
    """Points and least-squares line of each set.

    ``sets``: name (real or synth decides the colour), title, x, y, n, r2, slope, intercept, shift
    (its points are drawn so much higher: on a grid of times dots hide each other); ``xlabel``,
    ``ylabel``.
    """
    sets = list(data.get("sets", ()))
    if not sets:
        return
    fig, ax = new_axes(5.2, 3.6, left=0.55, right=0.15, bottom=0.5, top=0.2)
    for k, s in enumerate(sets):
        _set(ax, s, k)
    ax.set(xlabel=str(data.get("xlabel", "")), ylabel=str(data.get("ylabel", "")))
    ax.legend(loc="best")
    yield f"{data.get('ylabel', 'y')} against {data.get('xlabel', 'x')}", fig


def _set(ax: Axes, s: Mapping[str, Any], k: int) -> None:
    """Draw the points of set `k` and its line, which carries the legend."""
    colour, marker = set_colour(s.get("name", ""), k), "ox^s"[k % 4]
    x, y = np.asarray(s.get("x", ()), float), np.asarray(s.get("y", ()), float)
    ends = np.array([np.nanmin(x), np.nanmax(x)]) if x.size else x
    step = -(-len(x) // _POINTS) or 1
    n, drawn = len(x), len(x[::step])
    x, y = x[::step], y[::step]
    face, edge = (colour, "none") if marker == "o" else ("none", colour)
    alpha = float(np.clip(250 / max(len(x), 1), 0.45, 0.95))
    look: dict[str, Any] = {"mfc": face, "mec": edge, "ms": 2.8, "mew": 0.7, "alpha": alpha}
    ax.plot(x, y + float(s.get("shift") or 0), marker, zorder=1 + k, **look)
    words = [label(set_name(s.get("title") or s.get("name", f"set {k + 1}")), 40)]
    words += [f"n {s['n']:,}"] if s.get("n") is not None else []
    words += [f"{drawn:,} drawn"] if drawn < n else []
    words += [f"r² {s['r2']:.2f}"] if s.get("r2") is not None else []
    slope, intercept = s.get("slope"), s.get("intercept")
    if slope is None or intercept is None or not x.size:
        ax.plot([], [], marker, color=colour, label=", ".join(words))
        return
    line = intercept + slope * ends
    words.append(f"slope {number(slope)}")
    dash = DASHES[k % 4]
    ax.plot(ends, line, color="white", lw=3.2, zorder=8)
    ax.plot(ends, line, color=colour, lw=1.6, ls=dash, zorder=9, label=", ".join(words))


def _rows(data: Mapping[str, Any]) -> Rows:
    for s in data.get("sets", ()):
        shift = s.get("shift")
        for x, y in zip(s.get("x", ()), s.get("y", ()), strict=True):
            row = {"set": s.get("name", ""), "x": x, "y": y}
            yield row if shift is None else {**row, "drawn_y": y + shift}


KIND = Kind(_cells, _rows, 1, width=60)
