"""Every kind of figure, and how one is drawn.

A figure is drawn as cells (one histogram, one ECG sheet), each an SVG of its own, so that a page
can lay them out for its width; the file on disk is the same cells in one grid.
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

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
from ecgeval.report.figures.style import STYLE
from ecgeval.report.figures.svg import Cells, Drawing, to_svg
from ecgeval.results import Figure

__all__ = ["KINDS", "draw", "font_folder", "rows"]


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
    with matplotlib.rc_context(STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        for k, (title, canvas) in enumerate(kind.cells(figure.data)):
            cells.append(to_svg(canvas, f"{figure.id}-{k}", title))
    return Drawing(tuple(cells), kind.columns) if cells else None


def rows(figure: Figure) -> pd.DataFrame:
    """Return the data behind a figure as a table in long form."""
    kind = KINDS.get(figure.kind)
    return pd.DataFrame(list((kind.rows if kind else _flat)(figure.data)))


def font_folder() -> str:
    """Return the folder of the fonts that the SVG text was laid out with."""
    return str(Path(matplotlib.get_data_path()) / "fonts" / "ttf")


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
    "distributions": Kind(distributions.draw_cells, distributions.data_rows, 3),
    "effects": Kind(effects.draw_cells, effects.data_rows, 2),
    "scatter": Kind(scatter.draw_cells, scatter.data_rows, 1),
    "ecg_paper": Kind(ecg_paper.draw_cells, ecg_paper.data_rows, 2),
    "beats": Kind(beats.draw_cells, beats.data_rows, 4),
    "roc": Kind(roc.draw_cells, roc.data_rows, 1),
    "null": Kind(null.draw_cells, null.data_rows, 1),
    "neighbours": Kind(neighbours.draw_cells, neighbours.data_rows, 1),
    "pairs": Kind(pairs.draw_cells, pairs.data_rows, 1),
    "marked_beat": Kind(marked_beat.draw_cells, marked_beat.data_rows, 1),
    "curves": Kind(curves.draw_cells, curves.data_rows, 3),
    "heat": Kind(heat.draw_cells, heat.data_rows, 3),
    "occlusion": Kind(occlusion.draw_cells, occlusion.data_rows, 4),
}
"""Every kind of figure that can be drawn; another kind is shown as a table."""
