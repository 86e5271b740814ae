"""Figures of the kind scatter."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ecgeval.report.figures.style import DASHES, colour_of, cut_to, new_axes, word_of
from ecgeval.report.figures.svg import Cells
from ecgeval.wording import number

__all__ = ["data_rows", "draw_cells"]

_POINTS = 2000


def draw_cells(data: Mapping[str, Any]) -> Cells:
    """Points and least-squares line of each set.

    ``sets``: name (real or synth decides the colour), title, x, y, n, r2, slope, intercept, shift
    (its points are drawn so much higher: on a grid of times dots hide each other); ``xlabel``,
    ``ylabel``.
    """
    sets = list(data.get("sets", ()))
    fig, ax = new_axes(5.2, 3.6, left=0.55, right=0.15, bottom=0.5, top=0.2)
    for k, s in enumerate(sets):
        colour, marker = colour_of(s.get("name", ""), k), "ox^s"[k % 4]
        x, y = np.asarray(s.get("x", ()), float), np.asarray(s.get("y", ()), float)
        ends = np.array([np.nanmin(x), np.nanmax(x)]) if x.size else x
        step = -(-len(x) // _POINTS) or 1  # more points than that are a blot, and megabytes
        n, drawn = len(x), len(x[::step])
        x, y = x[::step], y[::step]
        face, edge = (colour, "none") if marker == "o" else ("none", colour)
        alpha = float(np.clip(250 / max(len(x), 1), 0.45, 0.95))
        ax.plot(
            x,
            y + float(s.get("shift") or 0),
            marker,
            mfc=face,
            mec=edge,
            ms=2.8,
            mew=0.7,
            alpha=alpha,
            zorder=1 + k,
        )
        label = [cut_to(word_of(s.get("title") or s.get("name", f"set {k + 1}")), 40)]
        label += [f"n {s['n']:,}"] if s.get("n") is not None else []
        label += [f"{drawn:,} drawn"] if drawn < n else []
        label += [f"r² {s['r2']:.2f}"] if s.get("r2") is not None else []
        slope, intercept = s.get("slope"), s.get("intercept")
        if slope is not None and intercept is not None and x.size:
            ax.plot(ends, intercept + slope * ends, color="white", lw=3.2, zorder=8)
            ax.plot(
                ends,
                intercept + slope * ends,
                color=colour,
                lw=1.6,
                ls=DASHES[k % 4],
                zorder=9,
                label=", ".join([*label, f"slope {number(slope)}"]),
            )
        else:
            ax.plot([], [], marker, color=colour, label=", ".join(label))
    ax.set(xlabel=str(data.get("xlabel", "")), ylabel=str(data.get("ylabel", "")))
    if sets:
        ax.legend(loc="best")
        yield f"{data.get('ylabel', 'y')} against {data.get('xlabel', 'x')}", fig


def data_rows(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for s in data.get("sets", ()):
        drawn = {"drawn_y": s["shift"]} if s.get("shift") is not None else {}
        for x, y in zip(s.get("x", ()), s.get("y", ()), strict=True):
            yield {
                "set": s.get("name", ""),
                "x": x,
                "y": y,
                **{key: y + shift for key, shift in drawn.items()},
            }
