"""Colours, fonts and the parts that several kinds of figure share."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle

from ecgeval.wording import clean

__all__ = ["COLOURS"]


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


SERIES = (REAL, SYNTH, COLOURS["third"], COLOURS["fourth"])


DIVERGING = LinearSegmentedColormap.from_list("blue-red", [REAL, "#f4f4f2", SYNTH])


_LINE = 0.16  # inches between lines of coloured words


DASHES = ("-", (0, (4, 1.6)), (0, (1.2, 1.4)), (0, (6, 1.5, 1.2, 1.5)))


STYLE: dict[Any, Any] = {
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


def new_axes(
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


def add_headline(fig: Canvas, label: str, unit: str, parts: Sequence[tuple[str, str]]) -> None:
    """Write a bold label with its unit, and coloured parts under it."""
    height = fig.get_figheight()
    title = cut_to(label, 28) + (f", {unit}" if unit else "")
    fig.text(0.02, 1 - 0.13 / height, title, size=8.5, weight="bold", va="center")
    add_legend(fig, 1 - 0.29 / height, parts)


def add_legend(fig: Canvas, y: float, parts: Sequence[tuple[str, str]]) -> None:
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


def density_of(counts: Any, edges: np.ndarray) -> np.ndarray:
    counts = np.asarray(counts, float)
    return counts / max(counts.sum(), 1) / np.diff(edges) if counts.size else counts


def support_of(m: Mapping[str, Any], edges: np.ndarray) -> tuple[float, float]:
    """Return the range that holds any count, a bin wider on either side."""
    used = np.flatnonzero(np.asarray(m["real"], float) + np.asarray(m["synth"], float))
    if not used.size:
        return float(edges[0]), float(edges[-1])
    return float(edges[max(used[0] - 1, 0)]), float(edges[min(used[-1] + 2, len(edges) - 1)])


def colour_of(name: str, k: int) -> str:
    word = str(name).lower()
    return REAL if word.startswith("real") else SYNTH if word.startswith("synth") else SERIES[k % 4]


def word_of(name: Any) -> str:
    return "synthetic" if name == "synth" else str(name)


def cut_to(text: Any, width: int) -> str:
    text = clean(str(text))
    return text if len(text) <= width else text[: width - 1] + "…"


def add_scale(ax: Axes) -> None:
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


_LEFT, _DOWN = MarkerStyle(0), MarkerStyle(3)  # TICKLEFT, TICKDOWN


_TICK, _PAD, _SIZE = 2.5, 3.5, 7.5  # pt: length of a tick, gap and size of its number
