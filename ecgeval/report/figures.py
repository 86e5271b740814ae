"""Figures from the data in `results.json`: one function a kind, deterministic SVG out.

A figure is drawn as cells (one histogram, one ECG sheet), each an SVG of its own, so that a page
can lay them out for its width; the file on disk is the same cells in one grid. Colours follow
Okabe and Ito (https://jfly.uni-koeln.de/color/): real is blue, synthetic vermillion; fills, line
styles and markers differ too, so that a grey copy can be read.
"""

from __future__ import annotations

import io
import json
import re
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple
from xml.sax.saxutils import quoteattr

import matplotlib
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle
from matplotlib.patches import PathPatch
from matplotlib.path import Path as Outline
from matplotlib.ticker import FuncFormatter, NullFormatter

from ecgeval.ecgset import DERIVABLE
from ecgeval.results import Figure
from ecgeval.wording import clean, fixed, number, places, pvalue

__all__ = ["COLOURS", "KINDS", "Cell", "Drawing", "draw", "font_folder", "rows", "with_limb_leads"]

COLOURS = {
    "ink": "#1f2430",
    "muted": "#5c6472",
    "line": "#d5d9e0",
    "floor": "#c9ced8",
    "real": "#0072b2",
    "synth": "#d55e00",
    "third": "#009e73",
    "fourth": "#a3507f",
    "paper": "#fffdfc",
    "fine": "#f8d9d5",
    "coarse": "#eda9a2",
}
"""Colours by role. A page may swap each for a variable of its own (dark mode)."""

INK, MUTED = COLOURS["ink"], COLOURS["muted"]
REAL, SYNTH = COLOURS["real"], COLOURS["synth"]
_SERIES = (REAL, SYNTH, COLOURS["third"], COLOURS["fourth"])
_DIVERGING = LinearSegmentedColormap.from_list("blue-red", [REAL, "#f4f4f2", SYNTH])
_LINE = 0.16  # inches between lines of coloured words
_DASHES = ("-", (0, (4, 1.6)), (0, (1.2, 1.4)), (0, (6, 1.5, 1.2, 1.5)))

_STYLE: dict[Any, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 8,
    "text.color": INK,
    "text.parse_math": False,  # a "$" in a label is a "$"
    "axes.edgecolor": MUTED,
    "axes.labelcolor": MUTED,
    "axes.linewidth": 0.6,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 8.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.unicode_minus": True,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelsize": 7.5,
    "ytick.labelsize": 7.5,
    "xtick.major.width": 0.6,
    "ytick.major.width": 0.6,
    "xtick.major.size": 2.5,
    "ytick.major.size": 2.5,
    "legend.frameon": False,
    "legend.fontsize": 7.5,
    "lines.linewidth": 1.3,
    "path.simplify": True,
    "path.simplify_threshold": 0.35,  # pt; a quarter of a line's width
    "svg.fonttype": "none",  # text stays text: searchable, smaller, in the page's own font
    "figure.facecolor": "none",
    "axes.facecolor": "none",
}


class Cell(NamedTuple):
    """One drawing: its SVG text and size in points."""

    svg: str
    width: float
    height: float


@dataclass(frozen=True)
class Drawing:
    """A drawn figure: its cells, and how many stand in a row on paper."""

    cells: tuple[Cell, ...]
    columns: int

    @property
    def svg(self) -> str:
        """The cells in one grid, as one SVG document."""
        width = max(c.width for c in self.cells)
        tops, y = [], 0.0
        for start in range(0, len(self.cells), self.columns):
            tops.append(y)
            y += max(c.height for c in self.cells[start : start + self.columns])
        columns = min(self.columns, len(self.cells))
        parts = [
            c.svg.replace(
                "<svg ", f'<svg x="{k % columns * width:g}" y="{tops[k // columns]:g}" ', 1
            )
            for k, c in enumerate(self.cells)
        ]
        size = f"{columns * width:g} {y:g}"
        return (
            '<?xml version="1.0" encoding="utf-8"?>\n'
            '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
            f'width="{columns * width:g}pt" height="{y:g}pt" viewBox="0 0 {size}">\n'
            + "\n".join(parts)
            + "\n</svg>\n"
        )


Cells = Iterator[tuple[str, Canvas]]


class Kind(NamedTuple):
    """How a kind of figure is drawn, tabulated and set on paper."""

    cells: Callable[[Mapping[str, Any]], Cells]
    rows: Callable[[Mapping[str, Any]], Iterable[Mapping[str, Any]]]
    columns: int


def draw(figure: Figure) -> Drawing | None:
    """Draw a figure.

    Parameters
    ----------
    figure : Figure
        `kind` one of `KINDS`; optional keys of its `data` may be missing.

    Returns
    -------
    Drawing or None
        None where the kind is unknown or nothing is in it: show `rows` as a table instead.
    """
    kind = KINDS.get(figure.kind)
    if kind is None:
        return None
    cells = []
    # A character without a glyph here is drawn by the reader's own fonts.
    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        for k, (title, canvas) in enumerate(kind.cells(figure.data)):
            cells.append(_svg(canvas, f"{figure.id}-{k}", title))
    return Drawing(tuple(cells), kind.columns) if cells else None


def rows(figure: Figure) -> pd.DataFrame:
    """Return the data behind a figure as a table in long form."""
    kind = KINDS.get(figure.kind)
    return pd.DataFrame(list((kind.rows if kind else _flat)(figure.data)))


def font_folder() -> str:
    """Return the folder of the fonts that the SVG text was laid out with."""
    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf")


# ---- one function a kind -------------------------------------------------------------------


def _distributions(data: Mapping[str, Any]) -> Cells:
    """Densities of each measure: real filled, synthetic as a dashed outline, medians marked.

    ``measures``: name, label, unit, edges (k + 1), real and synth (k counts each),
    median_real, median_synth.
    """
    for m in data.get("measures", ()):
        edges = np.asarray(m["edges"], float)
        label, unit = m.get("label") or m.get("name", ""), m.get("unit", "")
        parts = _medians(m)
        more = _LINE * (len(_lines(parts, 2.5)) - 1)  # long numbers take a second line
        fig, ax = _axes(2.5, 1.75 + more, left=0.12, right=0.12, bottom=0.3, top=0.42 + more)
        top = 0.0
        for name, colour, style in (("real", REAL, "-"), ("synth", SYNTH, _DASHES[1])):
            density = _density(m[name], edges)
            top = max(top, density.max(initial=0))
            if name == "real":
                ax.stairs(density, edges, fill=True, color=colour, alpha=0.22, lw=0)
            ax.stairs(density, edges, color=colour, ls=style, lw=1.3)
            median = m.get(f"median_{name}")
            if median is not None:
                ax.plot(
                    [median] * 2,
                    [-0.06, 0],
                    color=colour,
                    lw=2,
                    clip_on=False,
                    zorder=3,
                    transform=ax.get_xaxis_transform(),
                )
        ax.set(ylim=(0, (top or 1) * 1.04), yticks=[], xlim=_support(m, edges))
        ax.spines["left"].set_visible(False)
        ax.locator_params(axis="x", nbins=5)
        _headline(fig, label, unit, parts)
        yield f"{label}: real and synthetic", fig


def _medians(m: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Return the second line of a histogram: whose median is what, in the set's own colour.

    An angle has a mean direction instead.
    """
    parts: list[tuple[str, str]] = []
    centre = "mean" if m.get("circular") else "median"
    width = abs(m["edges"][-1] - m["edges"][0]) / 20
    decimals = places(0, width)
    for name, mark, word, colour in (
        ("real", "■", "real", REAL),
        ("synth", "┅", "synthetic", SYNTH),
    ):
        value = m.get(f"median_{name}")
        text = f"{mark} {word} {fixed(value, decimals)}" if value is not None else ""
        if text and not parts:
            text = f"{centre} {text}"
        parts.append((text, colour))
    return parts


def _effects(data: Mapping[str, Any]) -> Cells:
    """Forest plot: estimate and interval, the real-against-real floor as a grey band behind.

    ``rows``: label, value, ci and floor ([low, high] or null), group; ``xlabel``, ``null``.
    """
    items = list(data.get("rows", ()))
    null, xlabel = data.get("null", 0), str(data.get("xlabel", ""))
    groups: dict[str, list[Mapping[str, Any]]] = {}
    for item in items:
        groups.setdefault(str(item.get("group") or ""), []).append(item)
    # All groups share one axis, so that they can be compared.
    ends = [null, *(i.get("value") for i in items)]
    ends += [end for i in items for pair in (i.get("ci"), i.get("floor")) for end in pair or ()]
    ends = [end for end in ends if end is not None]
    pad = 0.06 * ((max(ends) - min(ends)) or 1) if ends else 1
    # "S amplitude V2" under the title "S amplitude" is "V2".
    labels = {
        group: [_short(str(i.get("label", "")).removeprefix(group).strip(), 24) for i in members]
        for group, members in groups.items()
    }
    left = 0.25 + 0.065 * max((len(name) for names in labels.values() for name in names), default=0)
    for group, members in groups.items():
        fig, ax = _axes(
            left + 3.4, 0.19 * len(members) + 0.9, left=left, right=1.25, bottom=0.45, top=0.35
        )
        fig.text(0.02, 1 - 0.13 / fig.get_figheight(), group, weight="bold", va="center", size=8.5)
        for y, (label, item) in enumerate(zip(labels[group], members, strict=True)):
            value, ci, floor = item.get("value"), item.get("ci"), item.get("floor")
            ax.text(-0.03, y, label, transform=ax.get_yaxis_transform(), ha="right", va="center")
            decimals = places(*(ci or floor or (None,)))
            text = "not estimated" if value is None else fixed(value, decimals)
            if floor and None not in floor:
                ax.plot(floor, [y, y], color=COLOURS["floor"], lw=7, solid_capstyle="butt")
            if ci and None not in ci:
                ax.plot(ci, [y, y], color=INK, lw=1.1)
                text += f"  [{fixed(ci[0], decimals)}, {fixed(ci[1], decimals)}]"
            if value is not None:
                ax.plot([value], [y], "o", color=SYNTH, ms=4.2, mec="white", mew=0.5)
            ax.text(
                1.03, y, text, transform=ax.get_yaxis_transform(), va="center", color=MUTED, size=7
            )
        if null is not None:
            ax.axvline(null, color=MUTED, lw=0.8, ls=(0, (2, 2)), zorder=0)
        ax.set(ylim=(len(members) - 0.4, -0.6), yticks=[], xlabel=xlabel)
        if ends:
            ax.set_xlim(min(ends) - pad, max(ends) + pad)
        ax.locator_params(axis="x", nbins=5)
        ax.spines["left"].set_visible(False)
        yield f"{xlabel} of each measure, {group}: estimate, interval and noise floor", fig


_POINTS = 2000


def _scatter(data: Mapping[str, Any]) -> Cells:
    """Points and least-squares line of each set.

    ``sets``: name (real or synth decides the colour), title, x, y, n, r2, slope, intercept, shift
    (its points are drawn so much higher: on a grid of times dots hide each other); ``xlabel``,
    ``ylabel``.
    """
    sets = list(data.get("sets", ()))
    fig, ax = _axes(5.2, 3.6, left=0.55, right=0.15, bottom=0.5, top=0.2)
    for k, s in enumerate(sets):
        colour, marker = _colour(s.get("name", ""), k), "ox^s"[k % 4]
        x, y = np.asarray(s.get("x", ()), float), np.asarray(s.get("y", ()), float)
        ends = np.array([np.nanmin(x), np.nanmax(x)]) if x.size else x
        step = -(-len(x) // _POINTS) or 1  # more points than that are a blot, and megabytes
        n, drawn = len(x), len(x[::step])
        x, y = x[::step], y[::step]
        face, edge = (colour, "none") if marker == "o" else ("none", colour)
        alpha = float(np.clip(250 / max(len(x), 1), 0.45, 0.95))
        ax.plot(
            x,
            y + float(s.get("shift") or 0),
            marker,
            mfc=face,
            mec=edge,
            ms=2.8,
            mew=0.7,
            alpha=alpha,
            zorder=1 + k,
        )
        label = [_short(_word(s.get("title") or s.get("name", f"set {k + 1}")), 40)]
        label += [f"n {s['n']:,}"] if s.get("n") is not None else []
        label += [f"{drawn:,} drawn"] if drawn < n else []
        label += [f"r² {s['r2']:.2f}"] if s.get("r2") is not None else []
        slope, intercept = s.get("slope"), s.get("intercept")
        if slope is not None and intercept is not None and x.size:
            ax.plot(ends, intercept + slope * ends, color="white", lw=3.2, zorder=8)
            ax.plot(
                ends,
                intercept + slope * ends,
                color=colour,
                lw=1.6,
                ls=_DASHES[k % 4],
                zorder=9,
                label=", ".join([*label, f"slope {number(slope)}"]),
            )
        else:
            ax.plot([], [], marker, color=colour, label=", ".join(label))
    ax.set(xlabel=str(data.get("xlabel", "")), ylabel=str(data.get("ylabel", "")))
    if sets:
        ax.legend(loc="best")
        yield f"{data.get('ylabel', 'y')} against {data.get('xlabel', 'x')}", fig


_GRID_3X4 = (("I", "aVR", "V1", "V4"), ("II", "aVL", "V2", "V5"), ("III", "aVF", "V3", "V6"))
_MM = 1 / 25.4
_SHEETS = 4  # drawn on paper; the viewer of the HTML page shows the rest
_PULSE = np.array([(1.5, 0), (3, 0), (3, 10), (8, 10), (8, 0), (9.5, 0)])
_MARK_COLOURS = {"P": COLOURS["third"], "QRS": REAL, "R": REAL, "T": COLOURS["fourth"]}


def _ecg_paper(data: Mapping[str, Any]) -> Cells:
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
        fig, ax = _axes(width * _MM, height * _MM, left=0, right=0, bottom=0, top=0)
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
        ax.text(38, height - 6.5, _short(record.get("id", ""), 60), size=13, va="center")
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


def _beats(data: Mapping[str, Any]) -> Cells:
    """Median representative beat with its 5-95 % band, a lead a cell.

    ``sets``: name; median, low and high (mV by lead); ``fs``, ``zero`` (sample of R), ``leads``.
    """
    fs, zero = float(data.get("fs", 500)), data.get("zero", 0)
    for lead in data.get("leads", ()):
        fig, ax = _axes(2.5, 1.75, left=0.42, right=0.1, bottom=0.3, top=0.4)
        for k, s in enumerate(data.get("sets", ())):
            median = np.asarray(s.get("median", {}).get(lead, ()), float)
            t = (np.arange(len(median)) - zero) / fs * 1000
            colour = _colour(s.get("name", ""), k)
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
                t, median, color=colour, ls=_DASHES[k % 4], lw=1.4, label=_word(s.get("name", ""))
            )
        ax.locator_params(axis="both", nbins=5)
        names = [
            (f"{'■┅'[k % 2]} {_word(s.get('name', ''))}", _colour(s.get("name", ""), k))
            for k, s in enumerate(data.get("sets", ()))
        ]
        first = lead == data["leads"][0]
        _headline(fig, lead, "mV against ms" if first else "", names if first else [])
        yield f"Median beat in {lead}", fig


def _roc(data: Mapping[str, Any]) -> Cells:
    """ROC curves against the diagonal of a guess; `log` draws both axes logarithmically.

    ``curves``: name, fpr, tpr, auc.
    """
    curves = list(data.get("curves", ()))
    below = 0.17 * (len(curves) + 1) if len(curves) > 5 else 0
    fig, ax = _axes(3.8, 3.6 + below, left=0.55, right=0.15, bottom=0.5 + below, top=0.15)
    low = 1e-3 if data.get("log") else 0.0
    guess = np.geomspace(1e-3, 1, 50) if data.get("log") else np.array([0.0, 1.0])
    ax.plot(guess, guess, color=MUTED, lw=0.8, ls=(0, (2, 2)), label="guessing (AUC 0.5)")
    for k, c in enumerate(curves):
        auc = c.get("auc")
        label = _short(c.get("name", ""), 60) + (f" (AUC {auc:.3f})" if auc is not None else "")
        fpr, tpr = np.asarray(c.get("fpr", ()), float), np.asarray(c.get("tpr", ()), float)
        # Sixteen curves, no two alike.
        dash = _DASHES[(k + k // 4) % 4]
        ax.plot(fpr, tpr, color=_SERIES[(k + 1) % 4], ls=dash, lw=1.6, label=label)
    ax.set(
        xlim=(low, 1),
        ylim=(low, 1.01),
        xlabel="false positive rate",
        ylabel="true positive rate",
        aspect="equal",
    )
    if data.get("log"):
        ax.set(xscale="log", yscale="log", xlim=(low, 1), ylim=(low, 1.01))
        for axis in (ax.xaxis, ax.yaxis):
            axis.set_major_formatter(FuncFormatter(lambda v, _: f"{v:g}"))
            axis.set_minor_formatter(NullFormatter())
    if len(curves) > 5:  # below the curves, not over them
        fig.legend(loc="lower left", bbox_to_anchor=(0.02, 0.0), ncols=1, fontsize=7)
    elif curves:
        ax.legend(loc="lower right")
    if curves:
        yield "ROC curves", fig


def _null(data: Mapping[str, Any]) -> Cells:
    """The statistic under permuted labels, and where the observed one lies.

    ``values_edges`` (k + 1), ``counts`` (k), ``observed``, ``p``, ``xlabel``.
    """
    edges = np.asarray(data.get("values_edges", ()), float)
    fig, ax = _axes(4.6, 2.5, left=0.2, right=0.2, bottom=0.48, top=0.42)
    density = _density(data.get("counts", ()), edges)
    if not density.size:
        return
    ax.stairs(density, edges, fill=True, color=COLOURS["floor"], lw=0)
    ax.stairs(density, edges, color=MUTED, lw=0.8)
    observed, p = data.get("observed"), data.get("p")
    if observed is not None:
        ax.axvline(observed, color=SYNTH, lw=2)
        text = f"observed {number(observed)}" + (f", p = {pvalue(p)}" if p is not None else "")
        span = ax.get_xlim()
        left = observed < (span[0] + span[1]) / 2
        ax.text(
            observed,
            1.04,
            text,
            transform=ax.get_xaxis_transform(),
            color=SYNTH,
            ha="left" if left else "right",
            weight="bold",
        )
    ax.set(yticks=[], xlabel=str(data.get("xlabel", "")), ylim=(0, None))
    ax.spines["left"].set_visible(False)
    yield "Permutation null and observed statistic", fig


def _neighbours(data: Mapping[str, Any]) -> Cells:
    """Similarity to the nearest neighbour, a line a series, and the threshold of a copy.

    ``edges`` (k + 1), ``series``: name, counts (k); ``threshold`` or null, ``xlabel``.
    """
    edges = np.asarray(data.get("edges", ()), float)
    fig, ax = _axes(5.2, 2.9, left=0.55, right=0.2, bottom=0.48, top=0.3)
    for k, s in enumerate(data.get("series", ())):
        density = _density(s.get("counts", ()), edges)
        n = int(np.sum(np.asarray(s.get("counts", ()), float)))
        ax.stairs(
            density,
            edges,
            color=_SERIES[k % 4],
            ls=_DASHES[k % 4],
            lw=1.5,
            label=f"{_short(s.get('name', ''), 40)} (n {n:,})",
        )
    threshold = data.get("threshold")
    if threshold is not None:
        ax.axvline(threshold, color=INK, lw=1)
        ax.text(
            threshold,
            1.02,
            "copy threshold " + number(threshold),
            ha="right",
            transform=ax.get_xaxis_transform(),
        )
    xlabel = str(data.get("xlabel", ""))
    ax.set(xlabel=xlabel, ylabel="density", ylim=(0, None))
    if data.get("series"):
        ax.legend(loc="upper left")
        yield "Similarity to the nearest neighbour", fig


def _pairs(data: Mapping[str, Any]) -> Cells:
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
        fig, ax = _axes(
            6.4, 0.34 * max(len(leads), 2) + 0.75, left=0.4, right=0.1, bottom=0.42, top=0.3
        )
        for k, lead in enumerate(leads):
            for trace, colour, style, lag, width in (
                (real.get(lead), REAL, "-", lag_ms, 1.5),
                (synth[lead], SYNTH, "-" if not real else _DASHES[1], 0.0, 0.9),
            ):
                if trace is not None:
                    y = np.asarray(trace, float) / 1000
                    x = np.arange(len(y)) / fs + lag / 1000
                    ax.plot(x, y - np.median(y) - 1.6 * k, color=colour, ls=style, lw=width)
            ax.text(-0.01, -1.6 * k, lead, transform=ax.get_yaxis_transform(), ha="right")
        ax.set(yticks=[], xlabel="s")
        ax.spines["left"].set_visible(False)
        similarity = pair.get("similarity")
        _legend(
            fig,
            1 - 0.15 / fig.get_figheight(),
            [
                (f"┅ synthetic {_short(title, 40)}" if real else _short(title, 60), SYNTH),
                (f"■ real {_short(pair.get('real_title', ''), 40)}" if real else "", REAL),
                (f"similarity {number(similarity)}" if similarity is not None else "", MUTED),
            ],
        )
        yield f"Nearest pair: {title}", fig


def _marked_beat(data: Mapping[str, Any]) -> Cells:
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
    _legend(
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
            ("found", SYNTH, _DASHES[1], 1.0, -1),
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


def _curves(data: Mapping[str, Any]) -> Cells:
    """Lines with their bands, a panel a cell.

    ``panels``: title, xlabel, ylabel, null (a dashed line, or null) and ``series``: name, x, y,
    low and high (or null), role (real, synth, floor, third or fourth).
    """
    for panel in data.get("panels", ()):
        series = list(panel.get("series", ()))
        roles = [
            str(s.get("role") or ("real", "synth", "third", "fourth")[k % 4])
            for k, s in enumerate(series)
        ]
        colours = [
            MUTED if role == "floor" else COLOURS.get(role, _SERIES[k % 4])
            for k, role in enumerate(roles)
        ]
        names = [
            (
                f"{'■' if role in ('real', 'floor') else '┅'} "
                f"{_short(_word(s.get('name', '')), 30)}",
                colour,
            )
            for s, role, colour in zip(series, roles, colours, strict=True)
        ]
        extra = 0.16 * (len(_lines(names, 3.2)) - 1)
        fig, ax = _axes(3.2, 2.2 + extra, left=0.55, right=0.1, bottom=0.45, top=0.45 + extra)
        for k, (s, role, colour) in enumerate(zip(series, roles, colours, strict=True)):
            style = {"real": "-", "floor": ":"}.get(role, _DASHES[k % 4])
            x, y = (np.asarray(s.get(key, ()), float) for key in "xy")
            low, high = s.get("low"), s.get("high")
            if low is not None and high is not None:
                band = np.asarray(low, float), np.asarray(high, float)
                shade = COLOURS["floor"] if role == "floor" else colour
                ax.fill_between(x, *band, color=shade, alpha=0.5 if role == "floor" else 0.2, lw=0)
            ax.plot(x, y, color=colour, ls=style, lw=1.4, marker="o" if len(x) < 12 else "", ms=2.8)
        if panel.get("null") is not None:
            ax.axhline(panel["null"], color=MUTED, lw=0.8, ls=(0, (2, 2)), zorder=0)
        ax.set(xlabel=str(panel.get("xlabel", "")), ylabel=str(panel.get("ylabel", "")))
        ax.locator_params(axis="both", nbins=6)
        title = clean(str(panel.get("title", "")))
        _headline(fig, title, "", names)
        yield title or "Curves", fig


def _heat(data: Mapping[str, Any]) -> Cells:
    """Matrices as coloured cells with the value of each, a panel a cell.

    ``panels``: title, rows, columns, values (null where there is none), low, high, unit.
    """
    for panel in data.get("panels", ()):
        rows_, columns = list(panel.get("rows", ())), list(panel.get("columns", ()))
        values = np.array(
            [[np.nan if v is None else v for v in row] for row in panel.get("values", ())], float
        )
        if not values.size:
            continue
        left = 0.2 + 0.065 * max(len(_short(r, 22)) for r in rows_)
        bottom = 0.2 + 0.06 * max(len(_short(c, 22)) for c in columns)
        cell = 0.3 if len(columns) <= 10 else 0.22
        fig, ax = _axes(
            left + cell * len(columns) + 0.15,
            bottom + cell * len(rows_) + 0.4,
            left=left,
            right=0.15,
            bottom=bottom,
            top=0.4,
        )
        low, high = float(panel.get("low", np.nanmin(values))), float(panel.get("high", 1))
        middle = (low + high) / 2
        ax.pcolormesh(
            np.ma.masked_invalid(values),
            cmap=_DIVERGING,
            vmin=low,
            vmax=high,
            edgecolors="white",
            linewidth=0.5,
        )
        for (i, j), value in np.ndenumerate(values):
            if np.isfinite(value):
                strong = abs(value - middle) > 0.62 * (high - low) / 2
                text = f"{round(value, 1) + 0:.1f}".replace("-", "−").replace("0.", ".")
                # Not the page's ink: a light cell stays light in dark mode.
                ax.text(
                    j + 0.5,
                    i + 0.5,
                    text,
                    ha="center",
                    va="center",
                    size=18 * cell,
                    color="white" if strong else "#222222",
                )
        ax.set(ylim=(len(rows_), 0), aspect="equal")
        ax.set(xticks=[], yticks=[])
        name: dict[str, Any] = {"size": 7.5, "color": MUTED}
        for i, text in enumerate(rows_):
            ax.text(-0.15, i + 0.5, _short(text, 22), ha="right", va="center", **name)
        for j, text in enumerate(columns):
            ax.text(
                j + 0.5,
                len(rows_) + 0.15,
                _short(text, 22),
                ha="center",
                va="top",
                rotation=90,
                **name,
            )
        for side in ("left", "bottom"):
            ax.spines[side].set_visible(False)
        title = clean(str(panel.get("title", "")))
        _headline(fig, title, str(panel.get("unit", "")), [])
        yield title or "Matrix", fig


def _occlusion(data: Mapping[str, Any]) -> Cells:
    """Representative beats, shaded where a classifier looks.

    ``leads``: name, uv (µV), weight (0 or more, the same length); ``fs``, ``zero`` (sample of R).
    """
    leads = list(data.get("leads", ()))
    top = max((max(lead.get("weight", [0]), default=0) for lead in leads), default=0) or 1
    fs, zero = float(data.get("fs", 500)), data.get("zero", 0)
    for lead in leads:
        fig, ax = _axes(2.5, 1.75, left=0.42, right=0.1, bottom=0.3, top=0.4)
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
        _headline(
            fig,
            name,
            "mV against ms" if first else "",
            [("■ where the classifier looks", SYNTH)] if first else [],
        )
        yield f"Where the classifier looks in {name}", fig


# ---- tables in long form ---------------------------------------------------------------------


def _rows_distributions(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for m in data.get("measures", ()):
        for low, high, real, synth in zip(
            m["edges"][:-1], m["edges"][1:], m["real"], m["synth"], strict=True
        ):
            yield {
                "measure": m.get("name", ""),
                "unit": m.get("unit", ""),
                "low": low,
                "high": high,
                "real": real,
                "synth": synth,
            }


def _rows_effects(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for r in data.get("rows", ()):
        ci, floor = r.get("ci") or (None, None), r.get("floor") or (None, None)
        yield {
            "label": r.get("label", ""),
            "group": r.get("group", ""),
            "value": r.get("value"),
            "ci_low": ci[0],
            "ci_high": ci[1],
            "floor_low": floor[0],
            "floor_high": floor[1],
        }


def _rows_scatter(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for s in data.get("sets", ()):
        drawn = {"drawn_y": s["shift"]} if s.get("shift") is not None else {}
        for x, y in zip(s.get("x", ()), s.get("y", ()), strict=True):
            yield {
                "set": s.get("name", ""),
                "x": x,
                "y": y,
                **{key: y + shift for key, shift in drawn.items()},
            }


def _rows_ecg(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
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


def _rows_beats(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
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


def _rows_roc(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for c in data.get("curves", ()):
        for fpr, tpr in zip(c.get("fpr", ()), c.get("tpr", ()), strict=True):
            yield {"curve": c.get("name", ""), "fpr": fpr, "tpr": tpr}


def _rows_null(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    edges = data.get("values_edges", ())
    for low, high, count in zip(edges[:-1], edges[1:], data.get("counts", ()), strict=True):
        yield {"low": low, "high": high, "count": count}


def _rows_neighbours(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    edges = data.get("edges", ())
    for s in data.get("series", ()):
        for low, high, count in zip(edges[:-1], edges[1:], s.get("counts", ()), strict=True):
            yield {"series": s.get("name", ""), "low": low, "high": high, "count": count}


def _rows_pairs(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for k, pair in enumerate(data.get("pairs", ())):
        for name in ("synth", "real"):
            for lead, values in (pair.get(name) or {}).items():
                for i, value in enumerate(values):
                    yield {"pair": k, "set": name, "lead": lead, "sample": i, "uv": value}


def _rows_marked_beat(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for lead in data.get("uv") or {}:
        for name, true, own in zip(
            data["names"], data["reference"][lead], data["found"][lead], strict=True
        ):
            yield {"lead": lead, "mark": name, "reference_ms": true, "found_ms": own}


def _rows_curves(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in data.get("panels", ()):
        for s in panel.get("series", ()):
            for i, (x, y) in enumerate(zip(s.get("x", ()), s.get("y", ()), strict=True)):
                yield {
                    "panel": panel.get("title", ""),
                    "series": s.get("name", ""),
                    "x": x,
                    "y": y,
                    "low": s["low"][i] if s.get("low") else None,
                    "high": s["high"][i] if s.get("high") else None,
                }


def _rows_heat(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for panel in data.get("panels", ()):
        for name, row in zip(panel.get("rows", ()), panel.get("values", ()), strict=True):
            for column, value in zip(panel.get("columns", ()), row, strict=True):
                yield {
                    "panel": panel.get("title", ""),
                    "row": name,
                    "column": column,
                    "value": value,
                }


def _rows_occlusion(data: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    fs, zero = float(data.get("fs", 500)), data.get("zero", 0)
    for lead in data.get("leads", ()):
        for i, (uv, weight) in enumerate(zip(lead["uv"], lead["weight"], strict=True)):
            yield {
                "lead": lead.get("name", ""),
                "ms": (i - zero) / fs * 1000,
                "uv": uv,
                "weight": weight,
            }


def _flat(data: Mapping[str, Any], path: str = "") -> Iterator[dict[str, Any]]:
    """Return one row a leaf: where it is, and what."""
    for key, value in data.items():
        where = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping):
            yield from _flat(value, where)
        else:
            plain = value if isinstance(value, str | int | float) else json.dumps(value)
            yield {"key": where, "value": plain}


KINDS: dict[str, Kind] = {
    "distributions": Kind(_distributions, _rows_distributions, 3),
    "effects": Kind(_effects, _rows_effects, 2),
    "scatter": Kind(_scatter, _rows_scatter, 1),
    "ecg_paper": Kind(_ecg_paper, _rows_ecg, 2),
    "beats": Kind(_beats, _rows_beats, 4),
    "roc": Kind(_roc, _rows_roc, 1),
    "null": Kind(_null, _rows_null, 1),
    "neighbours": Kind(_neighbours, _rows_neighbours, 1),
    "pairs": Kind(_pairs, _rows_pairs, 1),
    "marked_beat": Kind(_marked_beat, _rows_marked_beat, 1),
    "curves": Kind(_curves, _rows_curves, 3),
    "heat": Kind(_heat, _rows_heat, 3),
    "occlusion": Kind(_occlusion, _rows_occlusion, 4),
}
"""Every kind of figure that can be drawn; another kind is shown as a table."""


# ---- shared ------------------------------------------------------------------------------------


def with_limb_leads(uv: Mapping[str, Sequence[float]]) -> dict[str, Any]:
    """Return the traces with III, aVR, aVL and aVF derived from I and II where they are missing."""
    out: dict[str, Any] = dict(uv)
    if "I" in uv and "II" in uv:
        i, ii = np.asarray(uv["I"], float), np.asarray(uv["II"], float)
        out |= {lead: a * i + b * ii for lead, (a, b) in DERIVABLE.items() if lead not in uv}
    return out


def _axes(
    width: float, height: float, *, left: float, right: float, bottom: float, top: float
) -> tuple[Canvas, Axes]:
    """Return a canvas and axes with margins in inches."""
    fig = Canvas(figsize=(width, height))
    box = (
        left / width,
        bottom / height,
        (width - left - right) / width,
        (height - bottom - top) / height,
    )
    return fig, fig.add_axes(box)


def _headline(fig: Canvas, label: str, unit: str, parts: Sequence[tuple[str, str]]) -> None:
    """Write a bold label with its unit, and coloured parts under it."""
    height = fig.get_figheight()
    title = _short(label, 28) + (f", {unit}" if unit else "")
    fig.text(0.02, 1 - 0.13 / height, title, size=8.5, weight="bold", va="center")
    _legend(fig, 1 - 0.29 / height, parts)


def _legend(fig: Canvas, y: float, parts: Sequence[tuple[str, str]]) -> None:
    """Write coloured parts in lines, from the left."""
    width, height = fig.get_figwidth(), fig.get_figheight()
    for k, line in enumerate(_lines(parts, width)):
        for x, text, colour in line:
            fig.text(x, y - _LINE * k / height, text, size=7.5, color=colour, va="center")


def _lines(parts: Sequence[tuple[str, str]], width: float) -> list[list[tuple[float, str, str]]]:
    """Return coloured parts broken into lines of `width` inches: where, what, in which colour."""
    lines: list[list[tuple[float, str, str]]] = [[]]
    x = 0.02
    for text, colour in parts:
        size = (0.06 * len(text) + 0.2) / width
        if text and lines[-1] and x + size > 1.06:  # its last 0.2 inches are a gap
            lines.append([])
            x = 0.02
        if text:
            lines[-1].append((x, text, colour))
            x += size
    return lines


def _density(counts: Any, edges: np.ndarray) -> np.ndarray:
    counts = np.asarray(counts, float)
    return counts / max(counts.sum(), 1) / np.diff(edges) if counts.size else counts


def _support(m: Mapping[str, Any], edges: np.ndarray) -> tuple[float, float]:
    """Return the range that holds any count, a bin wider on either side."""
    used = np.flatnonzero(np.asarray(m["real"], float) + np.asarray(m["synth"], float))
    if not used.size:
        return float(edges[0]), float(edges[-1])
    return float(edges[max(used[0] - 1, 0)]), float(edges[min(used[-1] + 2, len(edges) - 1)])


def _colour(name: str, k: int) -> str:
    word = str(name).lower()
    return (
        REAL if word.startswith("real") else SYNTH if word.startswith("synth") else _SERIES[k % 4]
    )


def _word(name: Any) -> str:
    return "synthetic" if name == "synth" else str(name)


def _short(text: Any, width: int) -> str:
    text = clean(str(text))
    return text if len(text) <= width else text[: width - 1] + "…"


_LEFT, _DOWN = MarkerStyle(0), MarkerStyle(3)  # TICKLEFT, TICKDOWN
_TICK, _PAD, _SIZE = 2.5, 3.5, 7.5  # pt: length of a tick, gap and size of its number


def _scale(ax: Axes) -> None:
    """Draw ticks, numbers and labels of both axes in the place of matplotlib's.

    A tick there is five artists, made and laid out anew for each axis: half the time of a report.
    """
    box = ax.get_position()
    inches = ax.get_figure().get_size_inches() * 72  # type: ignore[union-attr]
    wide = 0.0
    for axis, marker, name in ((ax.xaxis, _DOWN, "x"), (ax.yaxis, _LEFT, "y")):
        low, high = sorted(axis.get_view_interval())
        slack = 1e-9 * (high - low)
        at = [v for v in axis.get_majorticklocs() if low - slack <= v <= high + slack]
        formatter = axis.get_major_formatter()
        texts = formatter.format_ticks(at)
        zero = np.zeros(len(at))
        x, y = (at, zero) if name == "x" else (zero, at)
        within = ax.get_xaxis_transform() if name == "x" else ax.get_yaxis_transform()
        pad = _TICK + _PAD
        moved = (ax.get_xaxis_text1_transform if name == "x" else ax.get_yaxis_text1_transform)(pad)
        ax.add_line(
            Line2D(
                x,
                y,
                ls="",
                marker=marker,
                ms=_TICK,
                mew=0.6,
                color=MUTED,
                transform=within,
                clip_on=False,
            )
        )
        for a, b, text in zip(x, y, texts, strict=True):
            ax.text(
                a, b, text, transform=moved[0], va=moved[1], ha=moved[2], size=_SIZE, color=MUTED
            )
        if offset := formatter.get_offset():
            ax.text(
                *((1, 0) if name == "x" else (0, 1)),
                offset,
                transform=ax.transAxes,
                ha="right",
                va="bottom",
                size=_SIZE,
                color=MUTED,
            )
        if name == "y":
            wide = max((0.6 * _SIZE * len(t) for t in texts), default=0)
        label = axis.get_label_text()
        if label and name == "x":
            down = (pad + 1.2 * _SIZE + 2) / inches[1]
            ax.figure.text(
                (box.x0 + box.x1) / 2, box.y0 - down, label, ha="center", va="top", color=MUTED
            )
        elif label:
            left = (pad + wide + 2) / inches[0]
            ax.figure.text(
                box.x0 - left,
                (box.y0 + box.y1) / 2,
                label,
                ha="right",
                va="center",
                rotation=90,
                color=MUTED,
            )
        axis.set_visible(False)


_NUMBERS = re.compile(r' (?:d|x|y|x1|x2|y1|y2|width|height|transform|points)="[^"]*"')
_LONG = re.compile(r"-?\d+\.\d+")
_RUN = re.compile(r"(?:<use [^>]*/>\s*){8,}")
_STYLED = re.compile(r' style="([^"]*)"')


def _svg(canvas: Canvas, salt: str, title: str) -> Cell:
    """Return the canvas as an SVG element: no date, no outside reference, few decimals."""
    FigureCanvasSVG(canvas)
    for ax in canvas.axes:
        if ax.axison:
            _scale(ax)
    out = io.StringIO()
    with matplotlib.rc_context({"svg.hashsalt": salt}):
        canvas.savefig(out, format="svg", metadata={"Date": None, "Creator": None})
    text = clean(out.getvalue())  # a label may come from a file
    body = text[text.index(">", text.index("<svg")) + 1 : text.rindex("</svg>")]
    body = re.sub(r"\s*<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r"\s*<style.*?</style>", "", body, flags=re.DOTALL)
    body = re.sub(r'<g id="[^"]*"', "<g", body)
    body = _NUMBERS.sub(_shorten, body)
    body = _RUN.sub(_share_style, re.sub(r"\n\s*", "\n", body))
    width, height = canvas.get_figwidth() * 72, canvas.get_figheight() * 72
    head = (
        '<svg xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink" '
        f'width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}" '
        'stroke-linejoin="round" stroke-linecap="butt" '
        f'role="img" aria-label={quoteattr(clean(title))}>'
    )
    return Cell(head + body + "</svg>", width, height)


def _shorten(attribute: re.Match[str]) -> str:
    """Round an attribute's numbers, long outlines to 0.1 pt (0.035 mm), and drop repeated L."""
    text = attribute[0]
    places = 1 if len(text) > 400 else 2
    text = _LONG.sub(lambda m: f"{float(m[0]):.{places}f}".rstrip("0").rstrip("."), text)
    if not text.startswith(" d="):
        return text
    # After a first L every further pair is a line of its own.
    return (
        re.sub(r"(?<=\d) ?\n?L (?=[-\d])", " ", text).replace("\n", "") if "C" not in text else text
    )


def _share_style(run: re.Match[str]) -> str:
    """Move the style that all points of a cloud share to a group around them."""
    styles = set(_STYLED.findall(run[0]))
    if len(styles) != 1:
        return run[0]
    return f'<g style="{styles.pop()}">\n{_STYLED.sub("", run[0])}</g>\n'
