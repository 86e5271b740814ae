"""The labels that two sets go by, and the groups that a label makes."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgeval.comparison.pair import Pair
from ecgeval.errors import UsageError
from ecgeval.io.labels import MOST_YEARS

__all__ = ["BANDS", "DISTINCT", "USUAL", "groups_of", "label_columns"]


DISTINCT = 8
"""A numeric label with more values is cut into bands."""
BANDS = {"age": (40.0, 60.0, 80.0)}
"""Where a label of this name is cut."""
USUAL = ("sex", "age", "norm_only")
"""Labels that are looked at where they are known and nothing else is asked for."""


def groups_of(
    real: pd.Series, synth: pd.Series | None, cuts: Sequence[float] | None = None
) -> dict[str, tuple[NDArray[np.bool_], NDArray[np.bool_] | None]]:
    """Return the groups that a label makes: which records of either set are in each.

    Numbers of more than eight values are cut into bands: at `cuts`, at 40, 60 and 80 for a label
    called age, else at the terciles of the real set. Records without a label are in no group; an
    age below 0 or above 120 years is none.

    Parameters
    ----------
    real, synth : Series
        Labels, one a record; `synth` None where that set has none.
    cuts : sequence of float, optional
    """
    both = [s for s in (real, synth) if s is not None]
    numeric = all(
        pd.api.types.is_numeric_dtype(s) and not pd.api.types.is_bool_dtype(s) for s in both
    )
    many = max(s.nunique() for s in both) > DISTINCT
    if numeric and (cuts is not None or many or str(real.name).lower() in BANDS):
        values = [s.to_numpy(float, na_value=np.nan) for s in both]
        if str(real.name).lower() == "age":
            values = [np.where((v < 0) | (v > MOST_YEARS), np.nan, v) for v in values]
        if cuts is None:
            terciles = np.nanquantile(values[0], [1 / 3, 2 / 3])
            cuts = BANDS.get(str(real.name).lower(), terciles)
        inner = sorted({float(f"{cut:.3g}") for cut in cuts})
        ends = [-np.inf, *inner, np.inf]
        named = {
            (
                f"< {high:g}"
                if low == -np.inf
                else f"≥ {low:g}"
                if high == np.inf
                else f"{low:g} to < {high:g}"
            ): [(v >= low) & (v < high) for v in values]
            for low, high in pairwise(ends)
        }
    else:
        texts = [np.array(["" if pd.isna(v) else _text(v) for v in s], dtype=object) for s in both]
        known = sorted({value for text in texts for value in text} - {""})
        named = {value: [text == value for text in texts] for value in known}
    return {
        name: (masks[0], masks[1] if synth is not None else None)
        for name, masks in named.items()
        if any(mask.any() for mask in masks)
    }


def _text(value: Any) -> str:
    """Return a label as text: 1 and 1.0 are one group."""
    if isinstance(value, int | float | np.number) and not isinstance(value, bool):
        return f"{value:g}"
    return str(value).strip()


def label_columns(pair: Pair) -> list[str]:
    """Return the label columns to go by: those asked for, or the usual ones that vary.

    Raises
    ------
    UsageError
        If rows of labels and of measures do not match, or the real set has no such label.
    """
    for name, side in (("real", pair.real), ("synthetic", pair.synth)):
        if len(side.known) != len(side.measures):
            raise UsageError(
                f"{len(side.known)} rows of labels for {len(side.measures)} {name} records; "
                "expected one each"
            )
    table = pair.real.known
    for column in pair.by:
        if column not in table:
            have = ", ".join(map(str, table.columns)) or "none"
            raise UsageError(f"the real set has no label {column!r}; its labels are {have}")
    if pair.by:
        return list(dict.fromkeys(pair.by))
    return [c for c in USUAL if c in table and len(table[c].dropna().unique()) > 1]
