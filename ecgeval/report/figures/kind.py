"""What a kind of figure declares."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from matplotlib.figure import Figure as Canvas

__all__ = ["Cells", "Kind", "Row", "Rows"]

Cells = Iterator[tuple[str, Canvas]]
"""Drawings with a sentence for those who do not see them."""

Row = dict[str, Any]
Rows = Iterator[Row]


class Kind(NamedTuple):
    """How a kind of figure is drawn, tabulated and set on paper.

    Parameters
    ----------
    cells : callable
        From a figure's data to its drawings; none where nothing is in them.
    rows : callable
        From a figure's data to the rows of its CSV file, in long form.
    columns : int
        How many drawings stand in a row.
    width : int
        Per cent of the page's width where one drawing stands alone; below 100, two figures of one
        drawing each stand side by side.
    """

    cells: Callable[[Mapping[str, Any]], Cells]
    rows: Callable[[Mapping[str, Any]], Iterable[Row]]
    columns: int
    width: int = 100
