"""Where on a beat a classifier looks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ecgeval.report.figures.axes import heading, lead_axes
from ecgeval.report.figures.data import times
from ecgeval.report.figures.kind import Cells, Kind, Rows
from ecgeval.report.figures.style import INK, SYNTH


def _cells(data: Mapping[str, Any]) -> Cells:
    """Representative beats, shaded where a classifier looks.

    ``leads``: name, uv (µV), weight (0 or more, the same length); ``fs``, ``zero`` (sample of R).
    """
    leads = list(data.get("leads", ()))
    top = max((max(lead.get("weight", [0]), default=0) for lead in leads), default=0) or 1
    for k, lead in enumerate(leads):
        fig, ax = lead_axes()
        y = np.asarray(lead.get("uv", ()), float) / 1000
        weight = np.clip(np.asarray(lead.get("weight", ()), float) / top, 0, 1)
        t = times(data, len(y))
        low, high = (y.min(), y.max()) if y.size else (0, 1)
        pad = 0.08 * ((high - low) or 1)
        base = low - pad
        shade = base + weight * (high - low + 2 * pad)
        ax.fill_between(t, base, shade, color=SYNTH, alpha=0.35, lw=0)
        ax.plot(t, y, color=INK, lw=1.1)
        ax.set_ylim(base, high + pad)
        ax.locator_params(axis="both", nbins=5)
        name, legend = str(lead.get("name", "")), [("■ where the classifier looks", SYNTH)]
        heading(fig, name, "" if k else "mV against ms", [] if k else legend)
        yield f"Where the classifier looks in {name}", fig


def _rows(data: Mapping[str, Any]) -> Rows:
    for lead in data.get("leads", ()):
        samples = zip(times(data, len(lead["uv"])), lead["uv"], lead["weight"], strict=True)
        for ms, uv, weight in samples:
            yield {"lead": lead.get("name", ""), "ms": ms, "uv": uv, "weight": weight}


KIND = Kind(_cells, _rows, 4)
