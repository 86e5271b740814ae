"""True positive rates of an attack at low false positive rates."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from ecgeval.stats.intervals import clopper_pearson

__all__ = ["TOLERATED", "hits_at", "levels", "percent"]


TOLERATED = {0.1: 0.15, 0.01: 0.02, 0.001: 0.01}
"""False positive rates, and the true positive rate that is tolerated at each. A rate is printed
only with ten times as many holdout patients as it takes for one false alarm."""


class Hits(NamedTuple):
    """How an attack did at one false positive rate: patients called members, of how many."""

    level: float
    hits: int
    members: int
    false: int
    others: int

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper-Pearson interval of the true positive rate."""
        return clopper_pearson(self.hits, self.members)


def hits_at(level: float, p: np.ndarray, is_train: np.ndarray) -> Hits:
    """Count patients with p <= level on either side."""
    called = p <= level + 1e-12
    return Hits(
        level,
        int(called[is_train].sum()),
        int(is_train.sum()),
        int(called[~is_train].sum()),
        int((~is_train).sum()),
    )


def levels(n_others: int) -> list[float]:
    """Return the false positive rates that may be printed: ten false alarms each are expected."""
    return [f for f in TOLERATED if n_others >= round(10 / f)]


def percent(level: float) -> str:
    """Return ``10pct``, ``1pct``, ``0p1pct``: a rate as a part of an id."""
    return f"{100 * level:g}pct".replace(".", "p")
