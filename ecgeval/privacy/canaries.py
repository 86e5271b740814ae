"""Canaries: patients put into a training run by the toss of a coin, to measure its leakage.

Before training, every canary patient is included or left out with probability one half. After
training an attacker guesses who was in, and may abstain. If training satisfied epsilon-
differential privacy, each guess would be right with probability at most ``e^eps / (1 + e^eps)``,
so many right guesses disprove every small epsilon: a lower bound on what the run leaks, from one
run. It is no upper bound, and a bound of zero shows nothing.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from ecgeval.errors import DataError, UsageError
from ecgeval.parallel import child_rng
from ecgeval.privacy.attacks.checks import CANARY
from ecgeval.results import Estimate, Results, Verdict
from ecgeval.stats.intervals import clopper_pearson

__all__ = [
    "Audited",
    "Canaries",
    "audit_canaries",
    "canary_results",
    "choose_canaries",
    "epsilon_from_rates",
    "epsilon_lower_bound",
]

SCHEMA = "ecgeval.canaries/1"
LEAST = 200
"""Canaries below which the bound is weak: all of 20 guesses right give no more than 1.8."""
SHARES = (1.0, 0.5, 0.1)
"""Shares of the canaries that are guessed at, most certain first; the best bound counts, each at
an equal part of the error."""

_MOST_EPSILON = 50.0


@dataclass(frozen=True)
class Canaries:
    """Patients by whom a training run is measured.

    Parameters
    ----------
    patients : tuple of str
    included : tuple of bool
        Which of them go into the training set; the records of the others stay out of it.
    seed : int
    """

    patients: tuple[str, ...]
    included: tuple[bool, ...]
    seed: int

    def save(self, path: str | Path) -> Path:
        """Write the choice as JSON. It names patients: keep it with the training set."""
        path = Path(path)
        body = {
            "schema": SCHEMA,
            "seed": self.seed,
            "canaries": dict(zip(self.patients, self.included, strict=True)),
        }
        partial = path.with_name(path.name + ".partial")
        partial.write_text(json.dumps(body, indent=1) + "\n", encoding="utf-8")
        return partial.replace(path)

    @classmethod
    def load(cls, path: str | Path) -> Canaries:
        """Read what `save` wrote.

        Raises
        ------
        DataError
            If there is no such file, or it is of another form.
        """
        path = Path(path)
        if not path.is_file():
            raise DataError(f"{path} does not exist; expected the canaries chosen before training")
        try:
            body = json.loads(path.read_text(encoding="utf-8"))
            chosen = body["canaries"]
            right = body["schema"] == SCHEMA and all(type(v) is bool for v in chosen.values())
            seed = int(body["seed"])
        except (ValueError, TypeError, KeyError, AttributeError):
            right = False
        if not right:
            raise DataError(
                f"{path} is no list of canaries ({SCHEMA}); expected a file that was written when "
                "canaries were chosen"
            )
        return cls(tuple(chosen), tuple(chosen.values()), seed)


def choose_canaries(patients: Iterable[str], *, n: int | None = None, seed: int = 0) -> Canaries:
    """Choose canaries among patients and toss a coin for each, before a training run.

    Parameters
    ----------
    patients : iterable of str
        Patients who may be trained on; repeated ids (several records) count once.
    n : int, optional
        How many; all by default.
    seed : int
        Decides who is chosen and who is in. Whoever knows it knows the answer.

    Returns
    -------
    Canaries
        Sorted by id. Take the records of those not included out of the training set.

    Raises
    ------
    UsageError
        If there are fewer than `n` patients, or none.
    """
    people = sorted(set(map(str, patients)))
    wanted = len(people) if n is None else n
    if not 0 < wanted <= len(people):
        raise UsageError(f"{wanted} canaries of {len(people)} patients; choose 1 to {len(people)}")
    rng = child_rng(seed, "canaries")
    chosen = np.sort(rng.permutation(len(people))[:wanted])
    return Canaries(
        tuple(people[i] for i in chosen), tuple((rng.random(wanted) < 0.5).tolist()), seed
    )


def epsilon_lower_bound(
    correct: int, guesses: int, canaries: int, *, delta: float = 0.0, level: float = 0.95
) -> float:
    """Return the largest epsilon that this many right guesses disprove.

    Under (epsilon, delta)-differential privacy at least v guesses are right with probability at
    most ``P[B >= v] + 2 m delta max_i P[v > B >= v - i] / i``, B binomial with success
    probability ``1 / (1 + e^-eps)``.

    Parameters
    ----------
    correct, guesses : int
    canaries : int
        Canaries there are, m; those not guessed at count too.
    delta : float
    level : float
        Confidence.

    Returns
    -------
    float
        0 where nothing is disproved.

    References
    ----------
    Steinke T, Nasr M, Jagielski M. Privacy auditing with one (1) training run. NeurIPS 2023.
    arXiv:2305.08846, theorem 5.2.
    """
    from scipy.optimize import brentq
    from scipy.stats import binom

    if not 0 <= correct <= guesses <= canaries:
        raise UsageError(
            f"{correct} right of {guesses} guesses about {canaries} canaries; expected 0 <= right "
            "<= guesses <= canaries"
        )

    def excess(epsilon: float) -> float:
        q = 1 / (1 + np.exp(-epsilon))
        chance = binom.sf(correct - 1, guesses, q)
        if delta > 0 and correct:
            i = np.arange(1, correct + 1)
            below = np.cumsum(binom.pmf(correct - i, guesses, q))
            chance += 2 * canaries * delta * (below / i).max()
        return float(chance - (1 - level))

    if excess(0.0) >= 0:
        return 0.0
    return float(brentq(excess, 0.0, _MOST_EPSILON))


def epsilon_from_rates(hits: int, members: int, false: int, others: int) -> float:
    """Return ``ln(TPR_low / FPR_high)``, a lower 95 % bound on epsilon at a fixed threshold.

    Parameters
    ----------
    hits, members : int
        Members called members, of how many.
    false, others : int
        Non-members called members, of how many.

    Returns
    -------
    float
        0 where nothing is disproved.
    """
    # Limits of two-sided 90 % intervals hold at 95 % each.
    low, high = clopper_pearson(hits, members, 0.9)[0], clopper_pearson(false, others, 0.9)[1]
    return float(max(0.0, np.log(low / high))) if low > 0 else 0.0


class Audited(NamedTuple):
    """What guesses about canaries showed: the bound, and the guesses it rests on."""

    epsilon: float
    correct: int
    guesses: int
    canaries: int


def audit_canaries(
    score: np.ndarray, included: np.ndarray, *, delta: float = 0.0, level: float = 0.95
) -> Audited:
    """Guess which canaries were trained on, and bound epsilon from below.

    The highest scores are guessed in and the lowest out, half and half, for every share of
    `SHARES`; scores must not depend on who was included. Ties are broken by position.

    Parameters
    ----------
    score : ndarray, shape (m,)
        One a canary, higher for "was trained on", such as its largest similarity to the synthetic
        set, minus that to a reference.
    included : ndarray of bool, shape (m,)
    delta, level : float
        As in `epsilon_lower_bound`.

    Raises
    ------
    UsageError
        If the lengths differ, or a score is missing.
    """
    score, included = np.asarray(score, float), np.asarray(included, bool)
    if score.shape != included.shape or score.ndim != 1 or not np.isfinite(score).all():
        raise UsageError(
            f"scores of shape {score.shape} for {included.size} canaries; expected one finite "
            "score each"
        )
    m = len(score)
    order = np.argsort(-score, kind="stable")
    found = []
    for share in SHARES:
        half = int(share * m / 2)
        if half:
            right = int(included[order[:half]].sum() + (~included[order[m - half :]]).sum())
            bound = epsilon_lower_bound(
                right, 2 * half, m, delta=delta, level=1 - (1 - level) / len(SHARES)
            )
            found.append(Audited(bound, right, 2 * half, m))
    return max(found, key=lambda a: a.epsilon, default=Audited(0.0, 0, 0, m))


def canary_results(
    score: np.ndarray,
    included: np.ndarray,
    *,
    delta: float = 0.0,
    seed: int = 0,
    section: str = "privacy",
    method: str = "similarity to the synthetic set",
) -> Results:
    """Return the lower bound on epsilon as an estimate and the finding PRIV-CANARY.

    Parameters
    ----------
    score, included, delta
        As in `audit_canaries`.
    seed : int
        With which the canaries were chosen.
    section : str
    method : str
        Where the scores come from.
    """
    a = audit_canaries(score, included, delta=delta)
    failed = a.epsilon > 0
    id = f"{section}.canary.epsilon"
    estimate = Estimate(
        id,
        a.epsilon,
        null=0,
        seed=seed,
        better="lower",
        label="lower 95 % bound on epsilon from canaries",
        method=f"Steinke, Nasr & Jagielski 2023, delta {delta:g}; guesses by {method}",
        n_real=a.canaries,
        patients_real=a.canaries,
    )
    what = (
        f"the training run leaks: epsilon is at least {a.epsilon:.2f}"
        if failed
        else "the canaries show no leakage"
    )
    canaries = f"{a.canaries} {'canary' if a.canaries == 1 else 'canaries'}"
    few = f" {a.canaries} canaries allow a weak bound only; plant {LEAST} or more."
    finding = CANARY.finding(
        Verdict.FAIL if failed else Verdict.INCONCLUSIVE,
        f"{what} ({a.correct} of {a.guesses} guesses about {canaries} right)",
        "Patients were put into the training set by the toss of a coin, and guessed from "
        "the synthetic set. A training run that hides every patient allows no more right "
        "guesses than coins do." + (few if a.canaries < LEAST else ""),
        section=section,
        rule="FAIL: the 95 % lower bound on epsilon is above 0; never PASS, for it is a lower "
        "bound",
        estimates=(id,),
    )
    return Results(estimates=(estimate,), findings=(finding,))
