"""Synthetic records over the real ones nearest to them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from ecgeval.report.figures.axes import coloured_words, new_axes
from ecgeval.report.figures.data import rate
from ecgeval.report.figures.kind import Cells, Kind, Rows
from ecgeval.report.figures.style import DASHES, MUTED, REAL, SYNTH, label
from ecgeval.wording import number

_PAIRS, _LEADS = 6, 8  # drawn on paper; the viewer of the HTML page shows the rest


def _cells(data: Mapping[str, Any]) -> Cells:
    """Synthetic traces over their nearest real ones, the real one moved right by its lag.

    ``pairs``: title, synth and real (µV by lead; real may be null), real_title, lag_ms,
    similarity; ``fs``, ``leads``.
    """
    fs = rate(data)
    for pair in data.get("pairs", ())[:_PAIRS]:
        synth, real = pair.get("synth") or {}, pair.get("real") or {}
        title, lag = str(pair.get("title", "")), float(pair.get("lag_ms") or 0) / 1000
        leads = [lead for lead in data.get("leads", synth) if lead in synth][:_LEADS]
        height = 0.34 * max(len(leads), 2) + 0.75
        fig, ax = new_axes(6.4, height, left=0.4, right=0.1, bottom=0.42, top=0.3)
        for k, lead in enumerate(leads):
            for trace, shift, look in (
                (real.get(lead), lag, {"color": REAL, "ls": "-", "lw": 1.5}),
                (synth[lead], 0.0, {"color": SYNTH, "ls": DASHES[1] if real else "-", "lw": 0.9}),
            ):
                if trace is not None:
                    y = np.asarray(trace, float) / 1000
                    ax.plot(np.arange(len(y)) / fs + shift, y - np.median(y) - 1.6 * k, **look)
            ax.text(-0.01, -1.6 * k, lead, transform=ax.get_yaxis_transform(), ha="right")
        ax.set(yticks=[], xlabel="s")
        ax.spines["left"].set_visible(False)
        similarity = pair.get("similarity")
        words = [
            (f"┅ synthetic {label(title, 40)}" if real else label(title, 60), SYNTH),
            (f"■ real {label(pair.get('real_title', ''), 40)}" if real else "", REAL),
            (f"similarity {number(similarity)}" if similarity is not None else "", MUTED),
        ]
        coloured_words(fig, 0.15, words)
        yield f"Nearest pair: {title}", fig


def _rows(data: Mapping[str, Any]) -> Rows:
    for k, pair in enumerate(data.get("pairs", ())):
        for name in ("synth", "real"):
            for lead, values in (pair.get(name) or {}).items():
                for i, value in enumerate(values):
                    yield {"pair": k, "set": name, "lead": lead, "sample": i, "uv": value}


KIND = Kind(_cells, _rows, 1)
