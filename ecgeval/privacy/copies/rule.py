"""Which synthetic records are copies, and how many copies could have been missed.

A synthetic record is named a copy of a training record when it is more alike than two people's
ECGs are, and much closer to that record than to anyone the generator never saw. Both limits come
from the real records: the first from the similarities between different patients, the second from
the holdout, which the same generator imitates equally well if it only learnt the population.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

__all__ = ["CopyRule", "calibrate", "distance"]

ALPHA = 0.01
"""Chance that any record of an honest set, as close to the real ones as other people are, passes
the similarity limit."""

RATIO = 0.5
"""A copy is at less than this fraction of its distance to the nearest holdout record. Honest
Pulse2Pulse records against halves of PTB-XL came no lower than 0.58."""

TAIL = 0.1
"""Share of the nearest-patient similarities that the extrapolation rests on (at least 5)."""

_LEAST = 20  # fewer nearest-patient similarities than this allow no extrapolation


@dataclass(frozen=True)
class CopyRule:
    """When a detector calls a synthetic record a copy.

    Parameters
    ----------
    limit : float
        Smallest similarity (correlation) of a copy.
    ratio : float
        Largest distance to the training record over distance to the nearest holdout record.
    n : int
        Nearest-patient similarities behind the limit; 0 where it could not be calibrated.
    """

    limit: float
    ratio: float = RATIO
    n: int = 0

    def __call__(self, train: np.ndarray, holdout: np.ndarray | None = None) -> np.ndarray:
        """Return which records are copies.

        Parameters
        ----------
        train, holdout : ndarray, shape (n,)
            Similarity to the nearest record of either set; NaN is no copy. Without a holdout
            only the similarity limit counts.
        """
        copy = np.nan_to_num(train, nan=-1.0) >= self.limit
        if holdout is not None:
            copy &= distance(train) <= self.ratio * distance(np.nan_to_num(holdout, nan=-1.0))
        return copy


def distance(similarity: np.ndarray) -> np.ndarray:
    """Return the Euclidean distance of unit-norm signals with this correlation."""
    return np.sqrt(np.maximum(2 * (1 - similarity), 0))


def calibrate(
    nearest: np.ndarray, n_synth: int, limits: tuple[float, float], alpha: float = ALPHA
) -> CopyRule:
    """Return the rule whose limit different patients would pass with chance `alpha` in a set.

    Near a point, the number of neighbours grows as a power of the distance, so
    ``-log(1 - similarity)`` of the nearest one has an exponential tail. Its mean excess m is
    estimated from the k highest values (Hill). A further value exceeds the tail's start by more
    than c m with chance ``(1 + c / k) ** -k``, the error of m included, which gives the c of
    ``alpha / n_synth``. With the estimate taken for the truth, ``exp(-c)``, honest sets of 400
    records passed limits from 60 in 10 % and from 240 in 3 % of simulated audits, at an alpha of
    1 %; so they do in 0.4 and 0.9 %.

    Parameters
    ----------
    nearest : ndarray, shape (n,)
        Similarity of real records to their most similar record of another patient.
    n_synth : int
        Synthetic records that will be judged.
    limits : (float, float)
        Range the limit is kept in; with fewer than 20 similarities it is the upper end.
    alpha : float

    References
    ----------
    Hill BM. A simple general approach to inference about the tail of a distribution. Ann Stat
    1975;3:1163-1174. doi:10.1214/aos/1176343247
    """
    nearest = nearest[np.isfinite(nearest)]
    if len(nearest) < _LEAST:
        return CopyRule(limits[1])
    y = np.sort(-np.log(np.maximum(1 - nearest, 1e-12)))
    k = max(5, round(TAIL * len(y)))
    start = y[-k - 1]
    excess = max(float(np.mean(y[-k:] - start)), 1e-6)
    # Two records that are each other's nearest are one observation.
    distinct = len(np.unique(y[-k:].round(9)))
    beyond = max(k / len(y) * n_synth / alpha, 1)
    y_limit = start + excess * distinct * (beyond ** (1 / distinct) - 1)
    return CopyRule(float(np.clip(1 - np.exp(-y_limit), *limits)), n=len(nearest))
