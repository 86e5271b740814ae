"""Lines with their bands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ecgeval.report.figures.axes import LINE, heading, new_axes, wrapped
from ecgeval.report.figures.kind import Cells, Kind, Rows
from ecgeval.report.figures.style import COLOURS, DASHES, DOTTED, MUTED, SERIES, label, set_name
from ecgeval.wording import clean

_ROLES = ("real", "synth", "third", "fourth")


def _cells(data: Mapping[str, Any]) -> Cells:
    """Lines with their bands, a panel a cell.

    ``panels``: title, xlabel, ylabel, null (a dashed line, or null) and ``series``: name, x, y,
    low and high (or null), role (real, synth, floor, third or fourth).
    """
    for panel in data.get("panels", ()):
        series = list(panel.get("series", ()))
        roles = [str(s.get("role") or _ROLES[k % 4]) for k, s in enumerate(series)]
        colours = [
            MUTED if role == "floor" else COLOURS.get(role, SERIES[k % 4])
            for k, role in enumerate(roles)
        ]
        legend = _legend(series, roles, colours)
        more = LINE * (len(wrapped(legend, 3.2)) - 1)
        fig, ax = new_axes(3.2, 2.2 + more, left=0.55, right=0.1, bottom=0.45, top=0.45 + more)
        for k, s in enumerate(series):
            _curve(ax, s, roles[k], colours[k], DASHES[k % 4])
        if panel.get("null") is not None:
            ax.axhline(panel["null"], color=MUTED, lw=0.8, ls=DOTTED, zorder=0)
        ax.set(xlabel=str(panel.get("xlabel", "")), ylabel=str(panel.get("ylabel", "")))
        ax.locator_params(axis="both", nbins=6)
        title = clean(panel.get("title", ""))
        heading(fig, title, "", legend)
        yield title or "Curves", fig


def _legend(
    series: Sequence[Mapping[str, Any]], roles: Sequence[str], colours: Sequence[str]
) -> list[tuple[str, str]]:
    signs = ["■" if role in ("real", "floor") else "┅" for role in roles]
    names = [label(set_name(s.get("name", "")), 30) for s in series]
    return [(f"{signs[k]} {names[k]}", colours[k]) for k in range(len(series))]


def _curve(ax: Axes, s: Mapping[str, Any], role: str, colour: str, dash: Any) -> None:
    style = {"real": "-", "floor": ":"}.get(role, dash)
    x, y = (np.asarray(s.get(key, ()), float) for key in "xy")
    low, high = s.get("low"), s.get("high")
    if low is not None and high is not None:
        band = np.asarray(low, float), np.asarray(high, float)
        shade, alpha = (COLOURS["floor"], 0.5) if role == "floor" else (colour, 0.2)
        ax.fill_between(x, *band, color=shade, alpha=alpha, lw=0)
    ax.plot(x, y, color=colour, ls=style, lw=1.4, marker="o" if len(x) < 12 else "", ms=2.8)


def _rows(data: Mapping[str, Any]) -> Rows:
    for panel in data.get("panels", ()):
        for s in panel.get("series", ()):
            for i, (x, y) in enumerate(zip(s.get("x", ()), s.get("y", ()), strict=True)):
                yield {
                    "panel": panel.get("title", ""),
                    "series": s.get("name", ""),
                    "x": x,
                    "y": y,
                    "low": s["low"][i] if s.get("low") else None,
                    "high": s["high"][i] if s.get("high") else None,
                }


KIND = Kind(_cells, _rows, 3, width=50)
