"""Figures of the kind heat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ecgeval.report.figures.style import DIVERGING, MUTED, add_headline, cut_to, new_axes
from ecgeval.report.figures.svg import Cells
from ecgeval.wording import clean

__all__ = ["data_rows", "draw_cells"]


def draw_cells(data: Mapping[str, Any]) -> Cells:
    """Matrices as coloured cells with the value of each, a panel a cell.

    ``panels``: title, rows, columns, values (null where there is none), low, high, unit.
    """
    for panel in data.get("panels", ()):
        rows_, columns = list(panel.get("rows", ())), list(panel.get("columns", ()))
        values = np.array(
            [[np.nan if v is None else v for v in row] for row in panel.get("values", ())], float
        )
        if not values.size:
            continue
        left = 0.2 + 0.065 * max(len(cut_to(r, 22)) for r in rows_)
        bottom = 0.2 + 0.06 * max(len(cut_to(c, 22)) for c in columns)
        cell = 0.3 if len(columns) <= 10 else 0.22
        fig, ax = new_axes(
            left + cell * len(columns) + 0.15,
            bottom + cell * len(rows_) + 0.4,
            left=left,
            right=0.15,
            bottom=bottom,
            top=0.4,
        )
        low, high = float(panel.get("low", np.nanmin(values))), float(panel.get("high", 1))
        middle = (low + high) / 2
        ax.pcolormesh(
            np.ma.masked_invalid(values),
            cmap=DIVERGING,
            vmin=low,
            vmax=high,
            edgecolors="white",
            linewidth=0.5,
        )
        for (i, j), value in np.ndenumerate(values):
            if np.isfinite(value):
                strong = abs(value - middle) > 0.62 * (high - low) / 2
                text = f"{round(value, 1) + 0:.1f}".replace("-", "−").replace("0.", ".")
                # Not the page's ink: a light cell stays light in dark mode.
                ax.text(
                    j + 0.5,
                    i + 0.5,
                    text,
                    ha="center",
                    va="center",
                    size=18 * cell,
                    color="white" if strong else "#222222",
                )
        ax.set(ylim=(len(rows_), 0), aspect="equal")
        ax.set(xticks=[], yticks=[])
        name: dict[str, Any] = {"size": 7.5, "color": MUTED}
        for i, text in enumerate(rows_):
            ax.text(-0.15, i + 0.5, cut_to(text, 22), ha="right", va="center", **name)
        for j, text in enumerate(columns):
            ax.text(
                j + 0.5,
                len(rows_) + 0.15,
                cut_to(text, 22),
                ha="center",
                va="top",
                rotation=90,
                **name,
            )
        for side in ("left", "bottom"):
            ax.spines[side].set_visible(False)
        title = clean(str(panel.get("title", "")))
        add_headline(fig, title, str(panel.get("unit", "")), [])
        yield title or "Matrix", fig


def data_rows(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in data.get("panels", ()):
        for name, row in zip(panel.get("rows", ()), panel.get("values", ()), strict=True):
            for column, value in zip(panel.get("columns", ()), row, strict=True):
                yield {
                    "panel": panel.get("title", ""),
                    "row": name,
                    "column": column,
                    "value": value,
                }
