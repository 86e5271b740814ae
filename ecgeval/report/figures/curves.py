"""Figures of the kind curves."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ecgeval.report.figures.style import (
    COLOURS,
    DASHES,
    MUTED,
    SERIES,
    _lines,
    add_headline,
    cut_to,
    new_axes,
    word_of,
)
from ecgeval.report.figures.svg import Cells
from ecgeval.wording import clean

__all__ = ["data_rows", "draw_cells"]


def draw_cells(data: Mapping[str, Any]) -> Cells:
    """Lines with their bands, a panel a cell.

    ``panels``: title, xlabel, ylabel, null (a dashed line, or null) and ``series``: name, x, y,
    low and high (or null), role (real, synth, floor, third or fourth).
    """
    for panel in data.get("panels", ()):
        series = list(panel.get("series", ()))
        roles = [
            str(s.get("role") or ("real", "synth", "third", "fourth")[k % 4])
            for k, s in enumerate(series)
        ]
        colours = [
            MUTED if role == "floor" else COLOURS.get(role, SERIES[k % 4])
            for k, role in enumerate(roles)
        ]
        names = [
            (
                f"{'■' if role in ('real', 'floor') else '┅'} "
                f"{cut_to(word_of(s.get('name', '')), 30)}",
                colour,
            )
            for s, role, colour in zip(series, roles, colours, strict=True)
        ]
        extra = 0.16 * (len(_lines(names, 3.2)) - 1)
        fig, ax = new_axes(3.2, 2.2 + extra, left=0.55, right=0.1, bottom=0.45, top=0.45 + extra)
        for k, (s, role, colour) in enumerate(zip(series, roles, colours, strict=True)):
            style = {"real": "-", "floor": ":"}.get(role, DASHES[k % 4])
            x, y = (np.asarray(s.get(key, ()), float) for key in "xy")
            low, high = s.get("low"), s.get("high")
            if low is not None and high is not None:
                band = np.asarray(low, float), np.asarray(high, float)
                shade = COLOURS["floor"] if role == "floor" else colour
                ax.fill_between(x, *band, color=shade, alpha=0.5 if role == "floor" else 0.2, lw=0)
            ax.plot(x, y, color=colour, ls=style, lw=1.4, marker="o" if len(x) < 12 else "", ms=2.8)
        if panel.get("null") is not None:
            ax.axhline(panel["null"], color=MUTED, lw=0.8, ls=(0, (2, 2)), zorder=0)
        ax.set(xlabel=str(panel.get("xlabel", "")), ylabel=str(panel.get("ylabel", "")))
        ax.locator_params(axis="both", nbins=6)
        title = clean(str(panel.get("title", "")))
        add_headline(fig, title, "", names)
        yield title or "Curves", fig


def data_rows(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
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
