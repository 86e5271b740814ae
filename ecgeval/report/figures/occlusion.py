"""Figures of the kind occlusion."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ecgeval.report.figures.style import INK, SYNTH, add_headline, new_axes
from ecgeval.report.figures.svg import Cells

__all__ = ["data_rows", "draw_cells"]


def draw_cells(data: Mapping[str, Any]) -> Cells:
    """Representative beats, shaded where a classifier looks.

    ``leads``: name, uv (µV), weight (0 or more, the same length); ``fs``, ``zero`` (sample of R).
    """
    leads = list(data.get("leads", ()))
    top = max((max(lead.get("weight", [0]), default=0) for lead in leads), default=0) or 1
    fs, zero = float(data.get("fs", 500)), data.get("zero", 0)
    for lead in leads:
        fig, ax = new_axes(2.5, 1.75, left=0.42, right=0.1, bottom=0.3, top=0.4)
        y = np.asarray(lead.get("uv", ()), float) / 1000
        weight = np.clip(np.asarray(lead.get("weight", ()), float) / top, 0, 1)
        t = (np.arange(len(y)) - zero) / fs * 1000
        low, high = (y.min(), y.max()) if y.size else (0, 1)
        pad = 0.08 * ((high - low) or 1)
        base = low - pad
        ax.fill_between(
            t, base, base + weight * (high - low + 2 * pad), color=SYNTH, alpha=0.35, lw=0
        )
        ax.plot(t, y, color=INK, lw=1.1)
        ax.set_ylim(base, high + pad)
        ax.locator_params(axis="both", nbins=5)
        first = lead is leads[0]
        name = str(lead.get("name", ""))
        add_headline(
            fig,
            name,
            "mV against ms" if first else "",
            [("■ where the classifier looks", SYNTH)] if first else [],
        )
        yield f"Where the classifier looks in {name}", fig


def data_rows(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    fs, zero = float(data.get("fs", 500)), data.get("zero", 0)
    for lead in data.get("leads", ()):
        for i, (uv, weight) in enumerate(zip(lead["uv"], lead["weight"], strict=True)):
            yield {
                "lead": lead.get("name", ""),
                "ms": (i - zero) / fs * 1000,
                "uv": uv,
                "weight": weight,
            }
