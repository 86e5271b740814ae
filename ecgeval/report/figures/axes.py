"""Axes in inches, their ticks, and coloured words above them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.figure import Figure as Canvas
from matplotlib.lines import Line2D
from matplotlib.markers import MarkerStyle

from ecgeval.report.figures.style import MUTED, label

__all__ = [
    "LINE",
    "Words",
    "coloured_words",
    "draw_ticks",
    "heading",
    "lead_axes",
    "new_axes",
    "wrapped",
]

LINE = 0.16
"""Inches between lines of coloured words."""

Words = Sequence[tuple[str, str]]
"""Words, each with its colour: a legend in one line."""

_LEFT, _DOWN = MarkerStyle(0), MarkerStyle(3)  # TICKLEFT, TICKDOWN
_TICK, _GAP, _SIZE = 2.5, 3.5, 7.5  # pt: length of a tick, gap and size of its number


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


def lead_axes() -> tuple[Canvas, Axes]:
    """Return a canvas and axes for a beat in one lead."""
    return new_axes(2.5, 1.75, left=0.42, right=0.1, bottom=0.3, top=0.4)


def heading(fig: Canvas, title: str, unit: str, words: Words) -> None:
    """Write a bold title with its unit, and coloured words under it."""
    text = label(title, 28) + (f", {unit}" if unit else "")
    y = 1 - 0.13 / fig.get_figheight()
    fig.text(0.02, y, text, size=8.5, weight="bold", va="center")
    coloured_words(fig, 0.29, words)


def coloured_words(fig: Canvas, down: float, words: Words) -> None:
    """Write coloured words in lines from the left, so many inches below the upper edge."""
    width, height = fig.get_figwidth(), fig.get_figheight()
    for k, line in enumerate(wrapped(words, width)):
        for x, text, colour in line:
            y = 1 - down / height - LINE * k / height
            fig.text(x, y, text, size=7.5, color=colour, va="center")


def wrapped(words: Words, width: float) -> list[list[tuple[float, str, str]]]:
    """Return coloured words broken into lines of `width` inches: where, what, in which colour."""
    lines: list[list[tuple[float, str, str]]] = [[]]
    x = 0.02
    for text, colour in words:
        size = (0.06 * len(text) + 0.2) / width
        if text and lines[-1] and x + size > 1.06:  # its last 0.2 inches are a gap
            lines.append([])
            x = 0.02
        if text:
            lines[-1].append((x, text, colour))
            x += size
    return lines


def draw_ticks(ax: Axes) -> None:
    """Draw ticks, numbers and labels of both axes in the place of matplotlib's.

    A tick there is five artists, made and laid out anew for each axis: half the time of a report.
    """
    box, fig = ax.get_position(), ax.figure
    width, height = fig.get_size_inches() * 72  # type: ignore[union-attr]
    look: dict[str, Any] = {"color": MUTED}
    across, up = ax.get_xaxis_transform(), ax.get_yaxis_transform()
    _numbers(ax, ax.xaxis, _DOWN, across, ax.get_xaxis_text1_transform(_TICK + _GAP))
    if text := ax.get_xlabel():
        y = box.y0 - (_TICK + _GAP + 1.2 * _SIZE + 2) / height
        fig.text((box.x0 + box.x1) / 2, y, text, ha="center", va="top", **look)
    ax.xaxis.set_visible(False)
    wide = _numbers(ax, ax.yaxis, _LEFT, up, ax.get_yaxis_text1_transform(_TICK + _GAP))
    if text := ax.get_ylabel():
        x, y = box.x0 - (_TICK + _GAP + wide + 2) / width, (box.y0 + box.y1) / 2
        fig.text(x, y, text, ha="right", va="center", rotation=90, **look)
    ax.yaxis.set_visible(False)


def _numbers(ax: Axes, axis: Axis, marker: MarkerStyle, within: Any, placed: Any) -> float:
    """Draw the ticks of one axis and their numbers; return the width of the widest, in points."""
    low, high = sorted(axis.get_view_interval())
    slack = 1e-9 * (high - low)
    at = [v for v in axis.get_majorticklocs() if low - slack <= v <= high + slack]
    formatter = axis.get_major_formatter()
    texts = formatter.format_ticks(at)
    flat = axis is ax.xaxis
    points = [(v, 0.0) if flat else (0.0, v) for v in at]
    x, y = zip(*points, strict=True) if points else ((), ())
    ticks = Line2D(x, y, ls="", marker=marker, ms=_TICK, mew=0.6, color=MUTED, transform=within)
    ticks.set_clip_on(False)
    ax.add_line(ticks)
    look: dict[str, Any] = {"size": _SIZE, "color": MUTED}
    transform, va, ha = placed
    for (a, b), text in zip(points, texts, strict=True):
        ax.text(a, b, text, transform=transform, va=va, ha=ha, **look)
    if offset := formatter.get_offset():
        end = (1, 0) if flat else (0, 1)
        ax.text(*end, offset, transform=ax.transAxes, ha="right", va="bottom", **look)
    return max((0.6 * _SIZE * len(text) for text in texts), default=0)
