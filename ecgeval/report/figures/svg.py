"""From matplotlib's canvases to small SVG documents that are the same bytes every time."""

from __future__ import annotations

import io
import re
from dataclasses import dataclass
from typing import NamedTuple
from xml.sax.saxutils import quoteattr

import matplotlib
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure as Canvas

from ecgeval.report.figures.axes import draw_ticks
from ecgeval.wording import clean

__all__ = ["Cell", "Drawing", "to_cell"]

_NAMES = 'xmlns="http://www.w3.org/2000/svg" xmlns:xlink="http://www.w3.org/1999/xlink"'
_NUMBERS = re.compile(r' (?:d|x|y|x1|x2|y1|y2|width|height|transform|points)="[^"]*"')
_LONG = re.compile(r"-?\d+\.\d+")
_RUN = re.compile(r"(?:<use [^>]*/>\s*){8,}")
_STYLED = re.compile(r' style="([^"]*)"')


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
        parts = []
        for k, cell in enumerate(self.cells):
            place = f'x="{k % columns * width:g}" y="{tops[k // columns]:g}"'
            parts.append(cell.svg.replace("<svg ", f"<svg {place} ", 1))
        wide = f"{columns * width:g}"
        head = f'<svg {_NAMES} width="{wide}pt" height="{y:g}pt" viewBox="0 0 {wide} {y:g}">'
        return "\n".join(['<?xml version="1.0" encoding="utf-8"?>', head, *parts, "</svg>\n"])


def to_cell(canvas: Canvas, salt: str, title: str) -> Cell:
    """Return the canvas as an SVG element: no date, no outside reference, few decimals."""
    FigureCanvasSVG(canvas)
    for ax in canvas.axes:
        if ax.axison:
            draw_ticks(ax)
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
        f'<svg {_NAMES} width="{width:g}" height="{height:g}" viewBox="0 0 {width:g} {height:g}" '
        'stroke-linejoin="round" stroke-linecap="butt" '
        f'role="img" aria-label={quoteattr(clean(title))}>'
    )
    return Cell(head + body + "</svg>", width, height)


def _shorten(attribute: re.Match[str]) -> str:
    """Round an attribute's numbers, long outlines to 0.1 pt (0.035 mm), and drop repeated L."""
    text = attribute[0]
    decimals = 1 if len(text) > 400 else 2
    text = _LONG.sub(lambda m: f"{float(m[0]):.{decimals}f}".rstrip("0").rstrip("."), text)
    if not text.startswith(" d=") or "C" in text:
        return text
    # After a first L every further pair is a line of its own.
    return re.sub(r"(?<=\d) ?\n?L (?=[-\d])", " ", text).replace("\n", "")


def _share_style(run: re.Match[str]) -> str:
    """Move the style that all points of a cloud share to a group around them."""
    styles = set(_STYLED.findall(run[0]))
    if len(styles) != 1:
        return run[0]
    return f'<g style="{styles.pop()}">\n{_STYLED.sub("", run[0])}</g>\n'
