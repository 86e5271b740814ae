"""Matrices as coloured cells."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes

from ecgeval.report.figures.axes import heading, new_axes
from ecgeval.report.figures.kind import Cells, Kind, Rows
from ecgeval.report.figures.style import DIVERGING, MUTED, label
from ecgeval.wording import clean


def _cells(data: Mapping[str, Any]) -> Cells:
    """Matrices as coloured cells with the value of each, a panel a cell.

    ``panels``: title, rows, columns, values (null where there is none), low, high, unit.
    """
    for panel in data.get("panels", ()):
        values = np.array(
            [[np.nan if v is None else v for v in row] for row in panel.get("values", ())], float
        )
        if not values.size:
            continue
        rows, columns = ([label(name, 22) for name in panel[key]] for key in ("rows", "columns"))
        left, bottom = 0.2 + 0.065 * max(map(len, rows)), 0.2 + 0.06 * max(map(len, columns))
        cell = 0.3 if len(columns) <= 10 else 0.22
        width, height = left + cell * len(columns) + 0.15, bottom + cell * len(rows) + 0.4
        fig, ax = new_axes(width, height, left=left, right=0.15, bottom=bottom, top=0.4)
        low, high = float(panel.get("low", np.nanmin(values))), float(panel.get("high", 1))
        look: dict[str, Any] = {"cmap": DIVERGING, "edgecolors": "white", "linewidth": 0.5}
        ax.pcolormesh(np.ma.masked_invalid(values), vmin=low, vmax=high, **look)
        _numbers(ax, values, low, high, 18 * cell)
        ax.set(ylim=(len(rows), 0), aspect="equal")
        ax.set(xticks=[], yticks=[])
        name: dict[str, Any] = {"size": 7.5, "color": MUTED}
        for i, text in enumerate(rows):
            ax.text(-0.15, i + 0.5, text, ha="right", va="center", **name)
        name |= {"ha": "center", "va": "top", "rotation": 90}
        for j, text in enumerate(columns):
            ax.text(j + 0.5, len(rows) + 0.15, text, **name)
        for side in ("left", "bottom"):
            ax.spines[side].set_visible(False)
        title = clean(panel.get("title", ""))
        heading(fig, title, str(panel.get("unit", "")), [])
        yield title or "Matrix", fig


def _numbers(ax: Axes, values: np.ndarray, low: float, high: float, size: float) -> None:
    """Write its value on each cell."""
    middle = (low + high) / 2
    for (i, j), value in np.ndenumerate(values):
        if np.isfinite(value):
            strong = abs(value - middle) > 0.62 * (high - low) / 2
            text = f"{round(value, 1) + 0:.1f}".replace("-", "−").replace("0.", ".")
            # Not the page's ink: a light cell stays light in dark mode.
            look: dict[str, Any] = {"size": size, "color": "white" if strong else "#222222"}
            ax.text(j + 0.5, i + 0.5, text, ha="center", va="center", **look)


def _rows(data: Mapping[str, Any]) -> Rows:
    for panel in data.get("panels", ()):
        for name, row in zip(panel.get("rows", ()), panel.get("values", ()), strict=True):
            for column, value in zip(panel.get("columns", ()), row, strict=True):
                title = panel.get("title", "")
                yield {"panel": title, "row": name, "column": column, "value": value}


KIND = Kind(_cells, _rows, 3)
