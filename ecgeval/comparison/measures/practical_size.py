"""Which differences are large enough to speak of, the largest first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ecgeval.comparison.rows import Row
from ecgeval.stats.two_sample import C2st

__all__ = ["PRACTICAL", "below_practical_size", "giveaways", "largest"]

LEAST_MV = 0.01
PRACTICAL = "half its margin, and at least 10 µV for an amplitude"
"""The practical size, in words."""


def below_practical_size(row: Row, *, quartiles: bool = False) -> bool:
    """Return whether the sets differ by less than the practical size of the measure.

    It is half the margin, and at least 10 µV for an amplitude; no difference of a measure without a
    margin is called small. Ranks can be far apart where values are not: seven in ten real Q
    amplitudes of V3 are exactly 0, so that a few microvolts everywhere give a Cliff's delta of 0.5.

    Parameters
    ----------
    row : Row
    quartiles : bool
        Look at the quartiles as well as the median, so that a difference of spread counts.
    """
    stat = row.result.stats.get(row.location)
    if row.margin is None or stat is None:
        return False
    differences = [stat.value]
    if quartiles and not row.info.circular:
        ends = [np.quantile(values, [0.25, 0.75]) for values in (row.real, row.synth)]
        differences += list(ends[1] - ends[0])
    size = max(row.margin / 2, LEAST_MV if row.info.unit == "mV" else 0.0)
    return max(map(abs, differences)) < size


def largest(rows: Sequence[Row]) -> list[Row]:
    """Return the rows by size of Cliff's delta, those below the practical size last."""
    linear = [row for row in rows if "cliffs_delta" in row.result.stats]
    return sorted(
        linear,
        key=lambda row: (below_practical_size(row), -abs(row.result.stats["cliffs_delta"].value)),
    )


def giveaways(rows: Sequence[Row], test: C2st) -> list[tuple[Row, float]]:
    """Return the rows and the AUC each loses, most first, those below the practical size last."""
    losses = list(zip(rows, map(float, test.importance), strict=True))
    return sorted(losses, key=lambda at: (below_practical_size(at[0], quartiles=True), -at[1]))
