"""Tables as CSV files that a spreadsheet shows and does not run."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import pandas as pd

__all__ = ["cell", "to_csv"]

_NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?", re.ASCII)


def cell(value: Any) -> Any:
    """Return a cell; text that a spreadsheet would read as a formula gets a ``'`` before it.

    A record id may be ``=HYPERLINK(...)``. Numbers, also those that are text already, stay as they
    are. See https://owasp.org/www-community/attacks/CSV_Injection
    """
    if not isinstance(value, str) or not value.startswith(("=", "+", "-", "@", "\t", "\r", "\n")):
        return value
    return value if _NUMBER.fullmatch(value) else f"'{value}"


def to_csv(frame: pd.DataFrame, *, index: bool = False) -> str:
    """Return a table as CSV, every cell as `cell` returns it; with its index where `index`."""
    safe = frame.set_axis([cell(str(column)) for column in frame.columns], axis=1)
    if index:
        safe.index = frame.index.map(cell)
    for i, kind in enumerate(frame.dtypes):
        if not pd.api.types.is_numeric_dtype(kind):
            # Objects stay objects (the last one sees to it): whole numbers beside gaps would turn
            # into floats.
            values = [cell(value) for value in frame.iloc[:, i]]
            safe.isetitem(i, np.array([*values, None], dtype=object)[:-1])
    return safe.to_csv(index=index)
