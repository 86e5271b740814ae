"""How often an attack is right: true positive rates at low false positive rates, and its AUC."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from ecgeval.privacy.exchangeability import Exchange
from ecgeval.results import Estimate
from ecgeval.stats.intervals import auc_interval, clopper_pearson, pair

__all__ = ["TOLERATED", "Hits", "auc_estimate", "called", "hits_at", "levels", "percent"]

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
    def tpr(self) -> float:
        """True positive rate: training patients called members."""
        return self.hits / self.members

    @property
    def fpr(self) -> float:
        """False positive rate found: holdout patients called members."""
        return self.false / self.others

    @property
    def interval(self) -> tuple[float, float]:
        """Clopper-Pearson interval of the true positive rate."""
        return clopper_pearson(self.hits, self.members)

    def estimate(self, id: str, attack: str, **fields: Any) -> Estimate:
        """Return the true positive rate as the estimate ``{id}.tpr_at_{level}``."""
        return Estimate(
            f"{id}.tpr_at_{percent(self.level)}",
            self.tpr,
            self.interval,
            null=self.level,
            better="near_null",
            label=f"training patients found at {self.level:.1%} false alarms, {attack}",
            method="threshold from other holdout patients; Clopper-Pearson",
            **fields,
        )


def called(p: np.ndarray, level: float) -> np.ndarray:
    """Return which patients an attacker calls members who allows false alarms at this rate."""
    return p <= level + 1e-12


def hits_at(level: float, p: np.ndarray, is_train: np.ndarray) -> Hits:
    """Count patients with p <= level on either side."""
    members, others = (called(p[side], level) for side in (is_train, ~is_train))
    return Hits(level, int(members.sum()), len(members), int(others.sum()), len(others))


def levels(n_others: int) -> list[float]:
    """Return the false positive rates that may be printed: ten false alarms each are expected."""
    return [f for f in TOLERATED if n_others >= round(10 / f)]


def percent(level: float) -> str:
    """Return ``10pct``, ``1pct``, ``0p1pct``: a rate as a part of an id."""
    return f"{100 * level:g}pct".replace(".", "p")


def auc_estimate(
    id: str, exchange: Exchange, number: int, is_train: np.ndarray, **fields: Any
) -> Estimate:
    """Return an AUC of training against holdout patients as the estimate ``{id}.auc``.

    Parameters
    ----------
    id : str
    exchange : Exchange
    number : int
        Of its statistics.
    is_train : ndarray of bool, shape (patients,)
    **fields
        Of the estimate.
    """
    auc, t = float(exchange.observed[number]), int(is_train.sum())
    return Estimate(
        f"{id}.auc",
        auc,
        auc_interval(auc, t, len(is_train) - t),
        floor=pair(exchange.floor[number]),
        null=0.5,
        better="near_null",
        **fields,
    )
