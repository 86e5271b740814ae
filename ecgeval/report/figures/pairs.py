"""Figures of the kind pairs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from ecgeval.report.figures.style import DASHES, MUTED, REAL, SYNTH, add_legend, cut_to, new_axes
from ecgeval.report.figures.svg import Cells
from ecgeval.wording import number

__all__ = ["data_rows", "draw_cells"]


def draw_cells(data: Mapping[str, Any]) -> Cells:
    """Synthetic traces over their nearest real ones, the real one moved right by its lag.

    ``pairs``: title, synth and real (µV by lead; real may be null), real_title, lag_ms,
    similarity; ``fs``, ``leads``.
    """
    fs = float(data.get("fs", 500))
    for pair in data.get("pairs", ())[:6]:
        synth, real = pair.get("synth") or {}, pair.get("real") or {}
        title = str(pair.get("title", ""))
        lag_ms = float(pair.get("lag_ms") or 0)
        leads = [lead for lead in data.get("leads", synth) if lead in synth][:8]
        fig, ax = new_axes(
            6.4, 0.34 * max(len(leads), 2) + 0.75, left=0.4, right=0.1, bottom=0.42, top=0.3
        )
        for k, lead in enumerate(leads):
            for trace, colour, style, lag, width in (
                (real.get(lead), REAL, "-", lag_ms, 1.5),
                (synth[lead], SYNTH, "-" if not real else DASHES[1], 0.0, 0.9),
            ):
                if trace is not None:
                    y = np.asarray(trace, float) / 1000
                    x = np.arange(len(y)) / fs + lag / 1000
                    ax.plot(x, y - np.median(y) - 1.6 * k, color=colour, ls=style, lw=width)
            ax.text(-0.01, -1.6 * k, lead, transform=ax.get_yaxis_transform(), ha="right")
        ax.set(yticks=[], xlabel="s")
        ax.spines["left"].set_visible(False)
        similarity = pair.get("similarity")
        add_legend(
            fig,
            1 - 0.15 / fig.get_figheight(),
            [
                (f"┅ synthetic {cut_to(title, 40)}" if real else cut_to(title, 60), SYNTH),
                (f"■ real {cut_to(pair.get('real_title', ''), 40)}" if real else "", REAL),
                (f"similarity {number(similarity)}" if similarity is not None else "", MUTED),
            ],
        )
        yield f"Nearest pair: {title}", fig


def data_rows(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for k, pair in enumerate(data.get("pairs", ())):
        for name in ("synth", "real"):
            for lead, values in (pair.get(name) or {}).items():
                for i, value in enumerate(values):
                    yield {"pair": k, "set": name, "lead": lead, "sample": i, "uv": value}
