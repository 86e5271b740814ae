"""Figures of the kind marked_beat."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from matplotlib.figure import Figure as Canvas

from ecgeval.report.figures.style import DASHES, INK, REAL, SYNTH, add_legend
from ecgeval.report.figures.svg import Cells
from ecgeval.wording import clean

__all__ = ["data_rows", "draw_cells"]


def draw_cells(data: Mapping[str, Any]) -> Cells:
    """Representative beats of one record; annotated marks rise from below, found ones hang above.

    ``uv`` (µV by lead), ``fs``, ``zero`` (sample of R); ``names`` of the marks, and ``reference``
    and ``found``: their times by lead, ms from R, or null; ``title``.
    """
    traces = data.get("uv") or {}
    if not traces:
        return
    fs, zero, columns = float(data.get("fs", 500)), data.get("zero", 0), min(3, len(traces))
    lines = -(-len(traces) // columns)
    width, height = 3.0 * columns, 1.6 * lines + 0.65
    fig = Canvas(figsize=(width, height))
    title = clean(str(data.get("title", "")))
    for k, part in enumerate(title.split("; ", 1)):
        fig.text(
            0.02,
            1 - (0.13 + 0.16 * k) / height,
            part,
            va="center",
            size=8.5 - k,
            weight="normal" if k else "bold",
        )
    add_legend(
        fig, 1 - 0.47 / height, [("■ annotated, from below", REAL), ("┅ found, from above", SYNTH)]
    )
    peaks = [name.endswith("peak") for name in data.get("names", ())]
    for k, (lead, uv) in enumerate(traces.items()):
        x, y = 3.0 * (k % columns) + 0.4, height - 0.6 - 1.6 * (k // columns + 1) + 0.3
        ax = fig.add_axes((x / width, y / height, 2.5 / width, 1.2 / height))
        values = np.asarray(uv, float) / 1000
        ax.plot((np.arange(len(values)) - zero) / fs * 1000, values, color=INK, lw=1.0)
        for key, colour, style, base, way in (
            ("reference", REAL, "-", 0.0, 1),
            ("found", SYNTH, DASHES[1], 1.0, -1),
        ):
            for peak, ms in zip(peaks, (data.get(key) or {}).get(lead, ()), strict=True):
                if ms is not None:
                    tall = 0.12 if peak else 0.5
                    ax.plot(
                        [ms] * 2,
                        [base, base + way * tall],
                        color=colour,
                        ls=style,
                        lw=1.0,
                        transform=ax.get_xaxis_transform(),
                    )
        ax.text(0.01, 0.97, lead, transform=ax.transAxes, weight="bold", va="top")
        ax.locator_params(axis="both", nbins=5)
    yield title, fig


def data_rows(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for lead in data.get("uv") or {}:
        for name, true, own in zip(
            data["names"], data["reference"][lead], data["found"][lead], strict=True
        ):
            yield {"lead": lead, "mark": name, "reference_ms": true, "found_ms": own}
