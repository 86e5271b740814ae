"""Distances that the classical indicators are made of."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ecgeval.parallel import Progress, quiet
from ecgeval.privacy.copies.kernels.samplewise import Euclid
from ecgeval.privacy.copies.search import search
from ecgeval.stats.distances import squared_distances

__all__ = ["Neighbours", "Sided", "cell_scores", "entry_at", "first_true", "neighbours"]

_CELL = 20  # records of S and of H below which a cell of the data-copying test says nothing
_CELLS = 8


@dataclass(frozen=True, eq=False)
class Neighbours:
    """Distances that all indicators are made of; none depends on who was trained on.

    Parameters
    ----------
    synth_real : ndarray, shape (n_synth, k)
        Distances of each synthetic record to its nearest real records, rising.
    synth_partner : ndarray of int, shape (n_synth, k)
        Their rows; -1 where there are fewer.
    real_real, real_partner : ndarray, shape (n_real, k)
        The same from real to real records of other patients.
    real_synth : ndarray, shape (n_real,)
        Distance of each real record to its nearest synthetic one.
    synth_synth : ndarray, shape (n_synth,)
        Distance of each synthetic record to its nearest other one.
    person : ndarray of int, shape (n_real,)
        Patient codes 0..P-1.
    synth_cell, real_cell : ndarray of int
        Cell of a partition of the real records in which each record lies.
    """

    synth_real: np.ndarray
    synth_partner: np.ndarray
    real_real: np.ndarray
    real_partner: np.ndarray
    real_synth: np.ndarray
    synth_synth: np.ndarray
    person: np.ndarray
    synth_cell: np.ndarray
    real_cell: np.ndarray


def neighbours(
    real: np.ndarray,
    synth: np.ndarray,
    person: np.ndarray,
    *,
    k: int,
    rng: np.random.Generator,
    jobs: int = 1,
    progress: Progress = quiet,
) -> Neighbours:
    """Return the distances between records that the indicators need.

    Parameters
    ----------
    real : ndarray, shape (n_real, d)
        Records of training set and holdout together.
    synth : ndarray, shape (n_synth, d)
    person : ndarray of int, shape (n_real,)
        Patient codes 0..P-1.
    k : int
        Neighbours kept.
    rng : Generator
        Starts the k-means partition.
    jobs, progress
        As in `search`.
    """
    from scipy.cluster.vq import kmeans2

    x, s = np.asarray(real, np.float32), np.asarray(synth, np.float32)
    by_synth, by_real = search(Euclid(s, x), k=k, jobs=jobs, stage="indicators", progress=progress)
    within = search(Euclid(x, x), k=k, groups=(person, person), jobs=jobs)[0]
    own = np.arange(len(s))
    among = search(Euclid(s, s), k=1, groups=(own, own), jobs=jobs)[0]

    def distance(similarity: np.ndarray) -> np.ndarray:
        return np.sqrt(np.maximum(-similarity, 0))

    # Cells of the pooled real records, not of the training set alone as in the paper: they stay
    # the same when patients are permuted.
    cells = max(1, min(_CELLS, len(x) // (4 * _CELL)))
    centres, real_cell = kmeans2(x.astype(np.float64), cells, minit="++", seed=rng)
    to_centre = squared_distances(s.astype(np.float64), centres)
    return Neighbours(
        distance(by_synth.similarity),
        by_synth.partner,
        distance(within.similarity),
        within.partner,
        distance(by_real.similarity[:, 0]),
        distance(among.similarity[:, 0]),
        person,
        to_centre.argmin(axis=1),
        real_cell,
    )


class Sided:
    """Distances to either side, for one choice of training records; each found when first needed.

    Parameters
    ----------
    n : Neighbours
    train : ndarray of bool, shape (n_real,)
    """

    def __init__(self, n: Neighbours, train: np.ndarray) -> None:
        self.n, self.train = n, train
        self.held = np.flatnonzero(~train)

    @cached_property
    def synth_first(self) -> tuple[np.ndarray, np.ndarray]:
        """Position of each synthetic record's nearest training record; whether there is one."""
        return first_true(self.train[self.n.synth_partner] & (self.n.synth_partner >= 0))

    @cached_property
    def synth_train(self) -> np.ndarray:
        """Distance of synthetic to training records."""
        return entry_at(self.n.synth_real, *self.synth_first)

    @cached_property
    def synth_holdout(self) -> np.ndarray:
        """Distance of synthetic to holdout records."""
        other = ~self.train[self.n.synth_partner] & (self.n.synth_partner >= 0)
        return entry_at(self.n.synth_real, *first_true(other))

    @cached_property
    def real_first(self) -> tuple[np.ndarray, np.ndarray]:
        """Position of each real record's nearest training record of another patient."""
        return first_true(self.train[self.n.real_partner] & (self.n.real_partner >= 0))

    @cached_property
    def real_train(self) -> np.ndarray:
        """Distance of real records to training records of other patients."""
        return entry_at(self.n.real_real, *self.real_first)

    @cached_property
    def cells(self) -> tuple[np.ndarray, np.ndarray]:
        """Data-copying Z of each cell, and the cells' weights."""
        return cell_scores(self)


def first_true(inside: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the first True of each row, and whether there is one."""
    first = inside.argmax(axis=1)
    return first, inside[np.arange(len(first)), first]


def entry_at(of: np.ndarray, first: np.ndarray, known: np.ndarray) -> np.ndarray:
    """Return the entry at `first` of each row; the last, a lower limit, where there is none."""
    return of[np.arange(len(of)), np.where(known, first, -1)]


def cell_scores(side: Sided) -> tuple[np.ndarray, np.ndarray]:
    """Return the data-copying Z of each cell with enough records, and the cells' weights.

    Mann-Whitney Z of the distances to the training set, synthetic against holdout records;
    strongly negative where synthetic records are closer. The weight is the holdout's share.

    References
    ----------
    Meehan C, Chaudhuri K, Dasgupta S. A non-parametric test to detect data-copying in generative
    models. AISTATS 2020, PMLR 108:3546-3556.
    """
    n, control, home = side.n, side.real_train[side.held], side.n.real_cell[side.held]
    z, weight = [], []
    for cell in range(int(n.real_cell.max()) + 1):
        a, b = side.synth_train[n.synth_cell == cell], np.sort(control[home == cell])
        if min(len(a), len(b)) >= _CELL:
            u = (np.searchsorted(b, a) + np.searchsorted(b, a, "right")).sum() / 2
            mean = len(a) * len(b) / 2
            z.append((u - mean) / np.sqrt(mean * (len(a) + len(b) + 1) / 6))
            weight.append(len(b))
    return np.array(z), np.array(weight, float) / max(sum(weight), 1)
