"""Beats of one record with annotated and found marks."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure as Canvas

from ecgeval.report.figures.axes import coloured_words
from ecgeval.report.figures.data import times
from ecgeval.report.figures.kind import Cells, Kind, Rows
from ecgeval.report.figures.style import DASHES, INK, REAL, SYNTH
from ecgeval.wording import clean

_LEGEND = [("■ annotated, from below", REAL), ("┅ found, from above", SYNTH)]


def _cells(data: Mapping[str, Any]) -> Cells:
    """Representative beats of one record; annotated marks rise from below, found ones hang above.

    ``uv`` (µV by lead), ``fs``, ``zero`` (sample of R); ``names`` of the marks, and ``reference``
    and ``found``: their times by lead, ms from R, or null; ``title``.
    """
    traces = data.get("uv") or {}
    if not traces:
        return
    columns = min(3, len(traces))
    width, height = 3.0 * columns, 1.6 * -(-len(traces) // columns) + 0.65
    fig = Canvas(figsize=(width, height))
    title = clean(data.get("title", ""))
    for k, part in enumerate(title.split("; ", 1)):
        look: dict[str, Any] = {"size": 8.5 - k, "weight": "normal" if k else "bold"}
        fig.text(0.02, 1 - (0.13 + 0.16 * k) / height, part, va="center", **look)
    coloured_words(fig, 0.47, _LEGEND)
    for k, (lead, uv) in enumerate(traces.items()):
        x, y = 3.0 * (k % columns) + 0.4, height - 0.6 - 1.6 * (k // columns + 1) + 0.3
        ax = fig.add_axes((x / width, y / height, 2.5 / width, 1.2 / height))
        values = np.asarray(uv, float) / 1000
        ax.plot(times(data, len(values)), values, color=INK, lw=1.0)
        _marks(ax, data, lead)
        ax.text(0.01, 0.97, lead, transform=ax.transAxes, weight="bold", va="top")
        ax.locator_params(axis="both", nbins=5)
    yield title, fig


def _marks(ax: Axes, data: Mapping[str, Any], lead: str) -> None:
    """Draw the marks of one lead; peaks are short."""
    peaks = [name.endswith("peak") for name in data.get("names", ())]
    for key, base, way, look in (
        ("reference", 0.0, 1, {"color": REAL, "ls": "-"}),
        ("found", 1.0, -1, {"color": SYNTH, "ls": DASHES[1]}),
    ):
        for peak, ms in zip(peaks, (data.get(key) or {}).get(lead, ()), strict=True):
            if ms is not None:
                ends = [base, base + way * (0.12 if peak else 0.5)]
                ax.plot([ms] * 2, ends, lw=1.0, transform=ax.get_xaxis_transform(), **look)


def _rows(data: Mapping[str, Any]) -> Rows:
    for lead in data.get("uv") or {}:
        marks = zip(data["names"], data["reference"][lead], data["found"][lead], strict=True)
        for name, reference, found in marks:
            yield {"lead": lead, "mark": name, "reference_ms": reference, "found_ms": found}


KIND = Kind(_cells, _rows, 1)
