"""Median representative beats of the sets."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ecgeval.report.figures.axes import heading, lead_axes
from ecgeval.report.figures.data import times
from ecgeval.report.figures.kind import Cells, Kind, Rows
from ecgeval.report.figures.style import DASHES, set_colour, set_name


def _cells(data: Mapping[str, Any]) -> Cells:
    """Median representative beat with its 5-95 % band, a lead a cell.

    ``sets``: name; median, low and high (mV by lead); ``fs``, ``zero`` (sample of R), ``leads``.
    """
    sets = list(data.get("sets", ()))
    names = [set_name(s.get("name", "")) for s in sets]
    colours = [set_colour(s.get("name", ""), k) for k, s in enumerate(sets)]
    legend = [(f"{'■┅'[k % 2]} {names[k]}", colours[k]) for k in range(len(sets))]
    for lead in data.get("leads", ()):
        fig, ax = lead_axes()
        for k, s in enumerate(sets):
            median = np.asarray(s.get("median", {}).get(lead, ()), float)
            t = times(data, len(median))
            low, high = (s.get(end, {}).get(lead) for end in ("low", "high"))
            if low is not None and high is not None:
                band = np.asarray(low, float), np.asarray(high, float)
                ax.fill_between(t, *band, color=colours[k], alpha=0.16, lw=0)
            ax.plot(t, median, color=colours[k], ls=DASHES[k % 4], lw=1.4, label=names[k])
        ax.locator_params(axis="both", nbins=5)
        first = lead == data["leads"][0]
        heading(fig, lead, "mV against ms" if first else "", legend if first else [])
        yield f"Median beat in {lead}", fig


def _rows(data: Mapping[str, Any]) -> Rows:
    for s in data.get("sets", ()):
        for lead, median in s.get("median", {}).items():
            low, high = s.get("low", {}).get(lead), s.get("high", {}).get(lead)
            for i, (ms, value) in enumerate(zip(times(data, len(median)), median, strict=True)):
                yield {
                    "set": s.get("name", ""),
                    "lead": lead,
                    "ms": ms,
                    "median_mv": value,
                    "low_mv": low[i] if low else None,
                    "high_mv": high[i] if high else None,
                }


KIND = Kind(_cells, _rows, 4)
