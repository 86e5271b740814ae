"""Which differences are large enough to speak of, the largest first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecgeval.comparison.margins import Margins
from ecgeval.comparison.rows import Row

__all__ = ["PRACTICAL", "largest", "too_small"]

LEAST_MV = 0.01
PRACTICAL = "half its margin, and at least 10 µV for an amplitude"
"""The practical size, in words."""


def too_small(row: Row, margins: Margins, *, quartiles: bool = False) -> bool:
    """Return whether the sets differ by less than the practical size of the measure.

    Ranks can be far apart where values are not: seven in ten real Q amplitudes of V3 are exactly 0,
    so that a few microvolts everywhere give a Cliff's delta of 0.5.

    Parameters
    ----------
    row : Row
    margins : Margins
        The practical size is half the margin, and at least 10 µV for an amplitude. No difference
        of a measure without a margin is called small.
    quartiles : bool
        Look at the quartiles as well as the median, so that a difference of spread counts.
    """
    margin, stat = row.margin(margins), row.result.stats.get(row.location)
    if margin is None or stat is None:
        return False
    differences = [stat.value]
    if quartiles and not row.info.circular:
        ends = [np.quantile(values, [0.25, 0.75]) for values in (row.real, row.synth)]
        differences += list(ends[1] - ends[0])
    size = max(margin / 2, LEAST_MV if row.info.unit == "mV" else 0.0)
    return max(map(abs, differences)) < size


def largest(rows: Sequence[Row], margins: Margins) -> list[Row]:
    """Return the rows by size of Cliff's delta, those below the practical size last."""
    linear = [row for row in rows if "cliffs_delta" in row.result.stats]
    return sorted(
        linear,
        key=lambda row: (too_small(row, margins), -abs(row.result.stats["cliffs_delta"].value)),
    )
