"""Train on one set and test on another: AUC and balanced accuracy of three designs."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgeval.parallel import child_rng
from ecgeval.stats.arrays import Floats
from ecgeval.stats.classifiers import ridge_logistic
from ecgeval.stats.resampling import level_counts, resample_weights

__all__ = ["DESIGNS", "FOLDS", "SCORES", "Design", "Labelled", "evaluate", "floor", "scores"]

FOLDS = 5
DESIGNS = {
    "trtr": "trained on real, tested on real",
    "tstr": "trained on synthetic, tested on real",
    "trts": "trained on real, tested on synthetic",
}
SCORES = {"auc": "AUC", "balanced_accuracy": "balanced accuracy"}


@dataclass(frozen=True)
class Labelled:
    """One set's labelled records.

    Parameters
    ----------
    x : ndarray, shape (n, features)
    y : ndarray of int, shape (n,)
        Classes from 0.
    patient : ndarray of int, shape (n,)
        Codes from 0.
    group : ndarray of int, shape (n,)
        What stays together in a fold; the numbers are shared by both sets.
    """

    x: Floats
    y: NDArray[np.intp]
    patient: NDArray[np.intp]
    group: NDArray[np.intp]

    @property
    def n_patients(self) -> int:
        return int(self.patient.max()) + 1

    def take(self, keep: NDArray[np.generic]) -> Labelled:
        """Return some records (a mask or indices), patients numbered anew."""
        patient = np.unique(self.patient[keep], return_inverse=True)[1]
        return Labelled(self.x[keep], self.y[keep], patient, self.group[keep])


@dataclass(frozen=True)
class Design:
    """`SCORES` of one design and their bootstrap draws, shape (2, draws).

    `trained` is the number of training records, the same in every design and fold.
    """

    value: tuple[float, float]
    draws: Floats
    trained: int


def evaluate(
    real: Labelled, synth: Labelled, classes: int, draws: int, rng: np.random.Generator
) -> dict[str, Design]:
    """Return the three designs, tested on the same folds and after as many training records."""
    sides = real, synth
    fold = rng.integers(FOLDS, size=max(real.group.max(), synth.group.max()) + 1)
    folds = fold[real.group], fold[synth.group]
    odds = {d: np.zeros((len(sides[d == "trts"].y), classes)) for d in DESIGNS}
    size = min(int((f != k).sum()) for f in folds for k in range(FOLDS))
    for k in range(FOLDS):
        train = [
            side.take(np.sort(rng.permutation(np.flatnonzero(f != k))[:size]))
            for side, f in zip(sides, folds, strict=True)
        ]
        fitted = [_one_against_rest(part, classes) for part in train]
        for design, by, on in (("trtr", 0, 0), ("tstr", 1, 0), ("trts", 0, 1)):
            held = folds[on] == k
            if held.any():
                odds[design][held] = fitted[by](sides[on].x[held])
    weights = [resample_weights(side.n_patients, draws, rng) for side in sides]
    out = {}
    for design, values in odds.items():
        on = design == "trts"
        once = np.ones((sides[on].n_patients, 1), np.float32)
        value, drawn = (scores(values, sides[on], classes, w) for w in (once, weights[on]))
        out[design] = Design((float(value[0, 0]), float(value[1, 0])), drawn, size)
    return out


def _one_against_rest(train: Labelled, classes: int) -> Callable[[Floats], Floats]:
    """Return a function from features to log-odds of each class."""
    known = range(1, classes) if classes == 2 else range(classes)
    y = train.y
    fits = [ridge_logistic(train.x, y == c) if 0 < (y == c).sum() < len(y) else None for c in known]

    def score(new: Floats) -> Floats:
        odds = [np.zeros(len(new)) if f is None else f(new) for f in fits]
        return np.column_stack([-odds[0], *odds] if classes == 2 else odds)

    return score


def scores(odds: Floats, tested: Labelled, classes: int, weights: Floats) -> Floats:
    """Return AUC and balanced accuracy, each a mean over classes, for every draw of patients.

    Parameters
    ----------
    odds : ndarray, shape (n, classes)
        Log-odds of each class.
    tested : Labelled
    classes : int
    weights : ndarray, shape (patients, draws)
        How often each patient is drawn.

    Returns
    -------
    ndarray, shape (2, draws)
    """
    n_patients = len(weights)
    hit = odds.argmax(axis=1) == tested.y
    areas, recalls = [], []
    for c in range(classes):
        own = tested.y == c
        level = np.unique(odds[:, c], return_inverse=True)[1]
        inside, outside = (
            level_counts(level[part], tested.patient[part], int(level.max()) + 1, n_patients)
            @ weights
            for part in (own, ~own)
        )
        total = np.maximum(inside.sum(axis=0), 1) * np.maximum(outside.sum(axis=0), 1)
        below = np.cumsum(outside, axis=0) - outside / 2
        areas.append(np.einsum("kb,kb->b", below, inside) / total)
        counts = [np.bincount(tested.patient, own & part, n_patients) for part in (hit, own)]
        right, every = (count.astype(np.float32) @ weights for count in counts)
        recalls.append(right / np.maximum(every, 1))
    return np.array([np.mean(areas, axis=0), np.mean(recalls, axis=0)], dtype=float)


def floor(real: Labelled, classes: int, seed: int, name: str, index: int) -> tuple[float, float]:
    """Return TSTR less TRTR with one half of the real patients in place of the synthetic ones."""
    rng = child_rng(seed, name, index)
    groups = np.unique(real.group)
    half = np.isin(real.group, rng.permutation(groups)[: len(groups) // 2])
    found = evaluate(real.take(~half), real.take(half), classes, 1, rng)
    differences = np.subtract(found["tstr"].value, found["trtr"].value)
    return float(differences[0]), float(differences[1])
