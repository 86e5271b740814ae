"""Figures of the kind beats."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ecgeval.report.figures.style import DASHES, add_headline, colour_of, new_axes, word_of
from ecgeval.report.figures.svg import Cells

__all__ = ["data_rows", "draw_cells"]


def draw_cells(data: Mapping[str, Any]) -> Cells:
    """Median representative beat with its 5-95 % band, a lead a cell.

    ``sets``: name; median, low and high (mV by lead); ``fs``, ``zero`` (sample of R), ``leads``.
    """
    fs, zero = float(data.get("fs", 500)), data.get("zero", 0)
    for lead in data.get("leads", ()):
        fig, ax = new_axes(2.5, 1.75, left=0.42, right=0.1, bottom=0.3, top=0.4)
        for k, s in enumerate(data.get("sets", ())):
            median = np.asarray(s.get("median", {}).get(lead, ()), float)
            t = (np.arange(len(median)) - zero) / fs * 1000
            colour = colour_of(s.get("name", ""), k)
            low, high = (s.get(end, {}).get(lead) for end in ("low", "high"))
            if low is not None and high is not None:
                ax.fill_between(
                    t,
                    np.asarray(low, float),
                    np.asarray(high, float),
                    color=colour,
                    alpha=0.16,
                    lw=0,
                )
            ax.plot(
                t, median, color=colour, ls=DASHES[k % 4], lw=1.4, label=word_of(s.get("name", ""))
            )
        ax.locator_params(axis="both", nbins=5)
        names = [
            (f"{'■┅'[k % 2]} {word_of(s.get('name', ''))}", colour_of(s.get("name", ""), k))
            for k, s in enumerate(data.get("sets", ()))
        ]
        first = lead == data["leads"][0]
        add_headline(fig, lead, "mV against ms" if first else "", names if first else [])
        yield f"Median beat in {lead}", fig


def data_rows(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    fs, zero = float(data.get("fs", 500)), data.get("zero", 0)
    for s in data.get("sets", ()):
        for lead, median in s.get("median", {}).items():
            low, high = s.get("low", {}).get(lead), s.get("high", {}).get(lead)
            for i, value in enumerate(median):
                yield {
                    "set": s.get("name", ""),
                    "lead": lead,
                    "ms": (i - zero) / fs * 1000,
                    "median_mv": value,
                    "low_mv": low[i] if low else None,
                    "high_mv": high[i] if high else None,
                }
