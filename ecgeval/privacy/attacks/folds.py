"""Cross-fitting: every patient is attacked once, with thresholds from other patients.

Holdout patients are split into folds. Those of one fold are attacked with thresholds, and reference
data, that come from the others; so no threshold is chosen on the patients it is judged on. Training
patients are spread over the same rounds.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ecgeval.stats.multiplicity import conformal_p

__all__ = ["FOLDS", "Rounds", "Score", "cross_fit"]

FOLDS = 5

Score = Callable[[np.ndarray, np.ndarray], np.ndarray]
"""A score of the real records in rows, given the rows that may serve as reference."""


class Rounds(NamedTuple):
    """Which patients play which part, round by round; codes 0..P-1 of train and holdout.

    Attributes
    ----------
    members, others : tuple of ndarray
        Training and holdout patients attacked in a round; each patient in one round.
    calibration, reference : tuple of ndarray
        Remaining holdout patients, halved.
    """

    members: tuple[np.ndarray, ...]
    others: tuple[np.ndarray, ...]
    calibration: tuple[np.ndarray, ...]
    reference: tuple[np.ndarray, ...]

    @classmethod
    def draw(cls, is_train: np.ndarray, rng: np.random.Generator) -> Rounds:
        """Deal patients to rounds at random."""
        members, others = (rng.permutation(np.flatnonzero(is_train == s)) for s in (True, False))
        parts = [others[k::FOLDS] for k in range(FOLDS)]
        rest = [rng.permutation(np.concatenate(parts[:k] + parts[k + 1 :])) for k in range(FOLDS)]
        return cls(
            tuple(members[k::FOLDS] for k in range(FOLDS)),
            tuple(parts),
            tuple(r[: len(r) // 2] for r in rest),
            tuple(r[len(r) // 2 :] for r in rest),
        )


def cross_fit(score: Score, rounds: Rounds, person: np.ndarray) -> np.ndarray:
    """Return each patient's conformal p-value: how few calibration patients score as high.

    ``p = (1 + #{calibration patients with at least this score}) / (1 + calibration patients)``;
    the attacker who allows false alarms at a rate f calls everybody with p <= f a member.

    Parameters
    ----------
    score : callable
        ``score(rows, reference rows)`` of real records; higher means a member. A patient's
        score is the highest of the patient's records.
    rounds : Rounds
    person : ndarray of int, shape (records,)
        Patient codes 0..P-1.

    Returns
    -------
    ndarray, shape (P,)
    """
    p = np.full(int(person.max()) + 1, np.nan)
    for members, others, calibration, reference in zip(*rounds, strict=True):
        attacked = np.concatenate([members, others])
        chosen = np.concatenate([attacked, calibration])
        rows = np.flatnonzero(np.isin(person, chosen))
        best = np.full(len(p), -np.inf)
        np.maximum.at(best, person[rows], score(rows, np.flatnonzero(np.isin(person, reference))))
        p[attacked] = conformal_p(best[attacked], best[calibration])
    return p
