"""Figures from the data in `results.json`: one file a kind, deterministic SVG out.

A figure is drawn as cells (one histogram, one ECG sheet), each an SVG of its own, so that a page
can lay them out for its width; the file on disk is the same cells in one grid.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping
from typing import Any

import matplotlib
import pandas as pd

from ecgeval.report.figures import (
    beats,
    curves,
    distributions,
    ecg_paper,
    effects,
    heat,
    marked_beat,
    neighbours,
    null,
    occlusion,
    pairs,
    roc,
    scatter,
)
from ecgeval.report.figures.ecg_paper import with_limb_leads
from ecgeval.report.figures.kind import Kind, Rows
from ecgeval.report.figures.style import COLOURS, SETTINGS, font_folder
from ecgeval.report.figures.svg import Cell, Drawing, to_cell
from ecgeval.results import Figure

__all__ = ["COLOURS", "KINDS", "Cell", "Drawing", "draw", "font_folder", "rows", "with_limb_leads"]

KINDS: dict[str, Kind] = {
    "distributions": distributions.KIND,
    "effects": effects.KIND,
    "scatter": scatter.KIND,
    "ecg_paper": ecg_paper.KIND,
    "beats": beats.KIND,
    "roc": roc.KIND,
    "null": null.KIND,
    "neighbours": neighbours.KIND,
    "pairs": pairs.KIND,
    "marked_beat": marked_beat.KIND,
    "curves": curves.KIND,
    "heat": heat.KIND,
    "occlusion": occlusion.KIND,
}
"""Every kind of figure that can be drawn; another kind is shown as a table."""


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
    # A character without a glyph here is drawn by the reader's own fonts.
    with matplotlib.rc_context(SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        cells = tuple(
            to_cell(canvas, f"{figure.id}-{k}", title)
            for k, (title, canvas) in enumerate(kind.cells(figure.data))
        )
    return Drawing(cells, kind.columns) if cells else None


def rows(figure: Figure) -> pd.DataFrame:
    """Return the data behind a figure as a table in long form."""
    kind = KINDS.get(figure.kind)
    return pd.DataFrame(list((kind.rows if kind else _leaves)(figure.data)))


def _leaves(data: Mapping[str, Any], path: str = "") -> Rows:
    """Yield one row a leaf: where it is, and what."""
    for key, value in data.items():
        where = f"{path}.{key}" if path else str(key)
        if isinstance(value, Mapping):
            yield from _leaves(value, where)
        else:
            plain = value if isinstance(value, str | int | float) else json.dumps(value)
            yield {"key": where, "value": plain}
