"""ECGs on ECG paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline

from ecgeval.ecgset import DERIVABLE
from ecgeval.report.figures.axes import new_axes
from ecgeval.report.figures.data import rate
from ecgeval.report.figures.kind import Cells, Kind, Rows
from ecgeval.report.figures.style import COLOURS, INK, MUTED, REAL, SYNTH, label

__all__ = ["KIND", "with_limb_leads"]

_GRID_3X4 = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))
_MM = 1 / 25.4
_SHEETS = 4  # drawn on paper; the viewer of the HTML page shows the rest
_PULSE = np.array([(1.5, 0), (3, 0), (3, 10), (8, 10), (8, 0), (9.5, 0)])
_MARK_COLOURS = {"P": COLOURS["third"], "QRS": REAL, "R": REAL, "T": COLOURS["fourth"]}


def _cells(data: Mapping[str, Any]) -> Cells:
    """Sheets of ECG paper: 25 mm/s, 10 mm/mV, 3 x 4 leads and a rhythm strip; 1 unit is 1 mm.

    ``records``: id, set (real or synth), uv (integer µV by lead), marks (sample indices by name,
    or null); ``fs`` in Hz. Each lead is drawn about its median.
    """
    fs = rate(data)
    for record in _alternate(data.get("records", ()))[:_SHEETS]:
        traces = with_limb_leads(record.get("uv", {}))
        traces = {lead: np.asarray(v, float) / 1000 for lead, v in traces.items()}
        if not traces:
            continue
        seconds = min(10.0, max(len(v) for v in traces.values()) / fs)
        strips = _strips(traces)
        pitch = 28 if len(strips) < 5 else 22
        width, height = 10 + 25 * seconds + 5, 10 + pitch * len(strips) + 4
        fig, ax = new_axes(width * _MM, height * _MM, left=0, right=0, bottom=0, top=0)
        ax.set(xlim=(0, width), ylim=(0, height))
        ax.axis("off")
        _paper(ax, width, height)
        for r, leads in enumerate(strips):
            base = height - 10 - pitch * (r + 0.5)
            ax.plot(_PULSE[:, 0], base - 4 + _PULSE[:, 1], color=INK, lw=0.9)
            _strip(ax, leads, traces, fs, seconds, base)
            if len(leads) == 1 and r == len(strips) - 1:
                _marks(ax, record.get("marks"), fs, seconds, base)
        is_real = record.get("set") == "real"
        word, sign, colour = ("real", "■", REAL) if is_real else ("synthetic", "┅", SYNTH)
        line: dict[str, Any] = {"y": height - 6.5, "va": "center"}
        ax.text(3, s=f"{sign} {word}", size=15, weight="bold", color=colour, **line)
        ax.text(38, s=label(record.get("id", ""), 60), size=13, **line)
        ax.text(width - 3, 3, "25 mm/s   10 mm/mV", size=11, ha="right", color=MUTED)
        yield f"{word} ECG {record.get('id', '')} on ECG paper", fig


def _alternate(records: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Return real and synthetic records in turn, so that two in a row are one of each."""
    split: tuple[list[Any], list[Any]] = ([], [])
    for r in records:
        split[r.get("set") != "real"].append(r)
    pairs = [r for pair in zip(*split, strict=False) for r in pair]
    return pairs + max(split, key=len)[len(pairs) // 2 :]


def _strips(traces: Mapping[str, Any]) -> list[tuple[str, ...]]:
    """Return which leads stand in which line, and the rhythm strip; few leads have a line each."""
    in_grid = [lead for row in _GRID_3X4 for lead in row if lead in traces]
    if len(in_grid) < 6:
        return [(lead,) for lead in traces]
    return [*_GRID_3X4, ("II" if "II" in traces else in_grid[0],)]


def _paper(ax: Axes, width: float, height: float) -> None:
    """Draw the lines of the paper, each colour as one outline."""
    ax.axhspan(0, height, color=COLOURS["paper"], lw=0, zorder=0)
    for step, colour, weight in ((1, COLOURS["fine"], 0.4), (5, COLOURS["coarse"], 0.6)):
        xs, ys = np.arange(0, width + 1e-6, step), np.arange(0, height + 1e-6, step)
        ends = [((x, 0), (x, height)) for x in xs] + [((0, y), (width, y)) for y in ys]
        codes = [Outline.MOVETO, Outline.LINETO] * len(ends)
        outline = Outline(np.concatenate(ends), codes)
        ax.add_patch(PathPatch(outline, fill=False, ec=colour, lw=weight, zorder=0.5))


def _strip(
    ax: Axes,
    leads: Sequence[str],
    traces: Mapping[str, np.ndarray],
    fs: float,
    seconds: float,
    base: float,
) -> None:
    """Draw the leads of one line, each its share of the time."""
    span = seconds / len(leads)
    behind = {"fc": COLOURS["paper"], "lw": 0, "pad": 1}
    for c, lead in enumerate(leads):
        if lead not in traces:
            continue
        trace, edge = traces[lead], 10 + 25 * c * span
        a, b = round(c * span * fs), round((c + 1) * span * fs)
        part = trace[a:b] - np.nanmedian(trace) if trace.size else trace
        x = 10 + 25 * (a + np.arange(len(part))) / fs
        ax.plot(x, base + 10 * part, color=INK, lw=0.95, solid_joinstyle="round")
        ax.text(edge + 1, base + 9, lead, size=13, weight="bold", zorder=1, bbox=behind)
        if c:
            ax.plot([edge, edge], [base - 4, base + 4], color=INK, lw=0.7)


def _marks(ax: Axes, marks: Any, fs: float, seconds: float, base: float) -> None:
    """Tick the marks (name to sample indices) under a strip."""
    for name, samples in (marks or {}).items():
        at = np.asarray([s for s in samples if s is not None and 0 <= s < seconds * fs], float)
        colour = _MARK_COLOURS.get(name.partition("_")[0], MUTED)
        tall = 3.5 if name.endswith("peak") else 2.2
        if at.size:
            ax.vlines(10 + 25 * at / fs, base - 11, base - 11 + tall, color=colour, lw=0.9)


def with_limb_leads(uv: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return the traces with III, aVR, aVL and aVF derived from I and II where they are missing."""
    out: dict[str, Any] = dict(uv)
    if "I" in uv and "II" in uv:
        i, ii = np.asarray(uv["I"], float), np.asarray(uv["II"], float)
        out |= {lead: a * i + b * ii for lead, (a, b) in DERIVABLE.items() if lead not in uv}
    return out


def _rows(data: Mapping[str, Any]) -> Rows:
    fs = rate(data)
    for r in data.get("records", ()):
        uv = r.get("uv", {})
        for i, values in enumerate(zip(*uv.values(), strict=True)):
            microvolts = {f"{lead}_uv": v for lead, v in zip(uv, values, strict=True)}
            yield {"id": r.get("id", ""), "set": r.get("set", ""), "ms": i / fs * 1000} | microvolts


KIND = Kind(_cells, _rows, 2)
