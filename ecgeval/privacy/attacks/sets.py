"""What every attack starts from: the records of a release, and whose they are."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from ecgeval.parallel import child_rng
from ecgeval.wording import plural

__all__ = ["LEAST_PATIENTS", "P_FAIL", "WITHOUT_HOLDOUT", "AttackedSets", "flat", "one_record_each"]

P_FAIL = 0.01
"""Limit of the p-value of an attack: below it the attack tells training from holdout patients."""

LEAST_PATIENTS = 25
"""Fewest patients on a side for thresholds and risks: five a fold, ten for each threshold."""

WITHOUT_HOLDOUT = (
    "Whether a synthetic set leads to its training patients can only be told by comparison "
    "with others. Next time set 20 to 50 % of the patients aside at random before training."
)
"""What a finding says that needs a holdout."""


@dataclass(frozen=True, eq=False)
class AttackedSets:
    """Usable records of the three sets in one representation.

    Parameters
    ----------
    train : ndarray, shape (n_train, ...)
    holdout : ndarray, shape (n_holdout, ...), or None
        None where there is no holdout drawn like the training set.
    synth : ndarray, shape (n_synth, ...)
    person_train, person_holdout : ndarray of int, shape (n,)
        Patient codes; no patient on both sides.
    seed : int
    section : str
        Slug of the section and first part of every id.

    Attributes
    ----------
    patients : (int, int)
        Training and holdout patients; 0 without a holdout.
    """

    train: np.ndarray
    holdout: np.ndarray | None
    synth: np.ndarray
    person_train: np.ndarray
    person_holdout: np.ndarray | None = None
    seed: int = 0
    section: str = "privacy"

    @cached_property
    def patients(self) -> tuple[int, int]:
        held = 0 if self.person_holdout is None else len(np.unique(self.person_holdout))
        return len(np.unique(self.person_train)), held

    @cached_property
    def person(self) -> np.ndarray:
        """Patient of each real record, training set first: codes 0..P-1."""
        held = [] if self.person_holdout is None else [self.person_holdout]
        return np.unique(np.concatenate([self.person_train, *held]), return_inverse=True)[1]

    @cached_property
    def is_train(self) -> np.ndarray:
        """Which of the patients 0..P-1 are training patients."""
        out = np.zeros(int(self.person.max()) + 1, bool)
        out[self.person[: len(self.train)]] = True
        return out

    @property
    def real(self) -> np.ndarray:
        """All real records, training set first."""
        return np.concatenate([self.train, *([] if self.holdout is None else [self.holdout])])

    @property
    def sizes(self) -> dict[str, Any]:
        """Sizes and seed, as fields of an estimate."""
        return {
            "n_real": len(self.person),
            "n_synth": len(self.synth),
            "patients_real": sum(self.patients),
            "seed": self.seed,
        }

    def rng(self, step: str) -> np.random.Generator:
        """Return the random numbers of a named step."""
        return child_rng(self.seed, self.section, step)

    def in_words(self) -> str:
        """Return how many patients and records there are, for a finding that needs more.

        A holdout that is not drawn like the training set, or cannot be told to be, is None here.
        """
        train, holdout = self.patients
        held = (
            plural(holdout, "holdout patient") if holdout else "no holdout known to be drawn alike"
        )
        return (
            f"there are {plural(train, 'training patient')}, {held} and "
            f"{plural(len(self.synth), 'usable synthetic record')}"
        )


def flat(x: np.ndarray) -> np.ndarray:
    """Return records as rows, shape (n, d)."""
    return x.reshape(len(x), int(np.prod(x.shape[1:])))


def one_record_each(person: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a row of each patient, drawn at random, in the order of the patients' codes."""
    order = rng.permutation(len(person))
    return order[np.unique(person[order], return_index=True)[1]]
