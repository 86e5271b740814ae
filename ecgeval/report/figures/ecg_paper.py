"""Figures of the kind ecg_paper."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

from ecgeval.ecgset import DERIVABLE
from ecgeval.report.figures.style import COLOURS, INK, MUTED, REAL, SYNTH, cut_to, new_axes
from ecgeval.report.figures.svg import Cells

__all__ = ["data_rows", "draw_cells", "with_limb_leads"]

_MM = 1 / 25.4


_SHEETS = 4  # drawn on paper; the viewer of the HTML page shows the rest


_PULSE = np.array([(1.5, 0), (3, 0), (3, 10), (8, 10), (8, 0), (9.5, 0)])


_MARK_COLOURS = {"P": COLOURS["third"], "QRS": REAL, "R": REAL, "T": COLOURS["fourth"]}


def draw_cells(data: Mapping[str, Any]) -> Cells:
    """Sheets of ECG paper: 25 mm/s, 10 mm/mV, 3 x 4 leads and a rhythm strip; 1 unit is 1 mm.

    ``records``: id, set (real or synth), uv (integer µV by lead), marks (sample indices by name,
    or null); ``fs`` in Hz. Each lead is drawn about its median.
    """
    fs = float(data.get("fs", 500))
    for record in _alternate(data.get("records", ()))[:_SHEETS]:
        traces = with_limb_leads(record.get("uv", {}))
        traces = {lead: np.asarray(v, float) / 1000 for lead, v in traces.items()}
        if not traces:
            continue
        seconds = min(10.0, max(len(v) for v in traces.values()) / fs)
        in_grid = [lead for row in _GRID_3X4 for lead in row if lead in traces]
        if len(in_grid) >= 6:
            rhythm = "II" if "II" in traces else in_grid[0]
            rows: list[tuple[str, ...]] = [*_GRID_3X4, (rhythm,)]
        else:
            rows = [(lead,) for lead in traces]
        pitch = 28 if len(rows) < 5 else 22
        width, height = 10 + 25 * seconds + 5, 10 + pitch * len(rows) + 4
        fig, ax = new_axes(width * _MM, height * _MM, left=0, right=0, bottom=0, top=0)
        ax.set(xlim=(0, width), ylim=(0, height))
        ax.axis("off")
        _paper(ax, width, height)
        for r, names in enumerate(rows):
            base = height - 10 - pitch * (r + 0.5)
            ax.plot(_PULSE[:, 0], base - 4 + _PULSE[:, 1], color=INK, lw=0.9)
            span = seconds / len(names)
            for c, lead in enumerate(names):
                if lead not in traces:
                    continue
                trace = traces[lead]
                a, b = round(c * span * fs), round((c + 1) * span * fs)
                part = trace[a:b] - np.nanmedian(trace) if trace.size else trace
                x = 10 + 25 * (a + np.arange(len(part))) / fs
                ax.plot(x, base + 10 * part, color=INK, lw=0.95, solid_joinstyle="round")
                ax.text(
                    10 + 25 * c * span + 1,
                    base + 9,
                    lead,
                    size=13,
                    weight="bold",
                    zorder=1,
                    bbox={"fc": COLOURS["paper"], "lw": 0, "pad": 1},
                )
                if c:
                    edge = 10 + 25 * c * span
                    ax.plot([edge, edge], [base - 4, base + 4], color=INK, lw=0.7)
            if len(names) == 1 and r == len(rows) - 1:
                _marks_on(ax, record.get("marks"), fs, seconds, base)
        is_real = record.get("set") == "real"
        word = "real" if is_real else "synthetic"
        ax.text(
            3,
            height - 6.5,
            f"{'■' if is_real else '┅'} {word}",
            size=15,
            weight="bold",
            color=REAL if is_real else SYNTH,
            va="center",
        )
        ax.text(38, height - 6.5, cut_to(record.get("id", ""), 60), size=13, va="center")
        ax.text(width - 3, 3, "25 mm/s   10 mm/mV", size=11, ha="right", color=MUTED)
        yield f"{word} ECG {record.get('id', '')} on ECG paper", fig


def _alternate(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return real and synthetic records in turn, so that two in a row are one of each."""
    split: tuple[list[Any], list[Any]] = ([], [])
    for r in records:
        split[r.get("set") != "real"].append(r)
    pairs = [r for pair in zip(*split, strict=False) for r in pair]
    return pairs + max(split, key=len)[len(pairs) // 2 :]


def _paper(ax: Axes, width: float, height: float) -> None:
    ax.axhspan(0, height, color=COLOURS["paper"], lw=0, zorder=0)
    for step, colour, weight in ((1, COLOURS["fine"], 0.4), (5, COLOURS["coarse"], 0.6)):
        xs, ys = np.arange(0, width + 1e-6, step), np.arange(0, height + 1e-6, step)
        ends = [((x, 0), (x, height)) for x in xs] + [((0, y), (width, y)) for y in ys]
        codes = [Outline.MOVETO, Outline.LINETO] * len(ends)
        outline = Outline(np.concatenate(ends), codes)
        ax.add_patch(PathPatch(outline, fill=False, ec=colour, lw=weight, zorder=0.5))


def _marks_on(ax: Axes, marks: Any, fs: float, seconds: float, base: float) -> None:
    """Tick the marks (name to sample indices) under a strip."""
    for name, samples in (marks or {}).items():
        at = np.asarray([s for s in samples if s is not None and 0 <= s < seconds * fs], float)
        colour = _MARK_COLOURS.get(name.partition("_")[0], MUTED)
        tall = 3.5 if name.endswith("peak") else 2.2
        if at.size:
            ax.vlines(10 + 25 * at / fs, base - 11, base - 11 + tall, color=colour, lw=0.9)


def data_rows(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    fs = float(data.get("fs", 500))
    for r in data.get("records", ()):
        uv = r.get("uv", {})
        for i, values in enumerate(zip(*uv.values(), strict=True)):
            yield {
                "id": r.get("id", ""),
                "set": r.get("set", ""),
                "ms": i / fs * 1000,
                **{f"{lead}_uv": v for lead, v in zip(uv, values, strict=True)},
            }


_GRID_3X4 = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))


def with_limb_leads(uv: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return the traces with III, aVR, aVL and aVF derived from I and II where they are missing."""
    out: dict[str, Any] = dict(uv)
    if "I" in uv and "II" in uv:
        i, ii = np.asarray(uv["I"], float), np.asarray(uv["II"], float)
        out |= {lead: a * i + b * ii for lead, (a, b) in DERIVABLE.items() if lead not in uv}
    return out
