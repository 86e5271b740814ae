"""The three criteria of the Article 29 Working Party (Opinion 05/2014, WP 216), as attacks.

Each is tried on training patients and, as a control, on holdout patients. Singling out: a
neighbourhood of a synthetic record that holds exactly one patient. Linkability: an attacker with
limb leads of a person in one file and chest leads in another joins them because both lie near the
same synthetic records. Inference: sex or age band of a person, read off the nearest synthetic
record. The risk is how far an attack succeeds on training patients beyond the control.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np

from ecgeval.parallel import one_thread, shards
from ecgeval.privacy.attacks.checks import WP29
from ecgeval.privacy.attacks.scores import DIMENSIONS, PLANTED, blend, nearest
from ecgeval.privacy.attacks.sets import (
    LEAST_PATIENTS,
    P_FAIL,
    WITHOUT_HOLDOUT,
    AttackedSets,
    flat,
    one_record_each,
)
from ecgeval.results import Estimate, Finding, Results, Table, Verdict, worst
from ecgeval.stats.axes import Axes, principal_axes
from ecgeval.stats.distances import squared_distances
from ecgeval.stats.intervals import wilson

__all__ = ["Criterion", "Risk", "bootstrap_risk", "criteria", "linked", "risk", "singled_out"]

NEIGHBOURS = 5
MOST_RISK = 0.1
"""Largest upper limit of a risk that passes: our choice, to be declared before the audit."""
LEAST_RECALL = 0.9
RHO = 0.99
"""How closely the planted copies correlate with their source."""
_LIMB = ("I", "II", "III", "aVR", "aVL", "aVF")
_BOOTSTRAP = 2000

_RULE = (
    "for each of singling out, linkability and inference, R = (training - control) / (1 - control) "
    "over patients, unclipped. FAIL: training patients succeed more often (Fisher's exact test, "
    f"p < {P_FAIL:g} over the criteria that ran). PASS: the larger upper 95 % limit (propagated, "
    f"bootstrap) at most {MOST_RISK:g}, the attack ahead of its naive baseline, and "
    f"at least {LEAST_RECALL:.0%} of patients found whose copy was planted; else INCONCLUSIVE. "
    "The finding takes the worst"
)


def criteria(
    sets: AttackedSets,
    leads: Sequence[str],
    labels: Mapping[str, Mapping[str, Any]] | None = None,
    *,
    rng: np.random.Generator,
) -> Results:
    """Try singling out, linkability and inference on one record a patient, equal numbers a side.

    Parameters
    ----------
    sets : AttackedSets
        Representative beats of unit norm, shape (n, leads, samples).
    leads : sequence of str
    labels : mapping, optional
        By attribute (``sex``, ``age band``): arrays of str under ``train``, ``holdout``, ``synth``,
        empty where unknown.
    rng : Generator

    Returns
    -------
    Results
        Estimates ``{section}.wp29.*``, a table, and the finding PRIV-WP29; NOT_ASSESSABLE without
        25 patients on either side.
    """
    if sets.holdout is None or min(*sets.patients, len(sets.synth)) < LEAST_PATIENTS:
        finding = WP29.finding(
            Verdict.NOT_ASSESSABLE,
            "the audit of singling out, linkability and inference needs "
            f"{LEAST_PATIENTS} training and holdout patients drawn alike, and as many synthetic "
            f"records; {sets.in_words()}",
            WITHOUT_HOLDOUT,
            rule=_RULE,
            section=sets.section,
        )
        return Results(findings=(finding,))
    with one_thread():
        people = (sets.person_train, sets.person_holdout)
        drawn = [rng.permutation(one_record_each(p, rng)) for p in people if p is not None]
        n = min(map(len, drawn))
        of_train, of_holdout = (np.sort(rows[:n]) for rows in drawn)
        known = {
            name: {
                "train": np.asarray(values["train"])[of_train],
                "holdout": np.asarray(values["holdout"])[of_holdout],
                "synth": np.asarray(values["synth"]),
            }
            for name, values in (labels or {}).items()
        }
        one = _with_copies(sets.train[of_train], sets.holdout[of_holdout], sets.synth, rng)
        tried = [_singling_out(one, rng), _linkability(one, leads, rng)]
        tried += [_inference(one, name, values) for name, values in known.items()]
        if not known:
            why = "the synthetic records carry no label"
            tried.append(Criterion("inference", "inference of an attribute", why=why))
    tried = [c if c.why else replace(c, upper=c.upper_limit(rng)) for c in tried]
    sizes = sets.sizes | {"n_real": 2 * n, "patients_real": 2 * n}
    return Results(
        estimates=tuple(_estimates(tried, sets.section, sizes)),
        findings=(_finding(tried, sets.section),),
        tables=(_table(tried, sets.section),),
    )


# ---- risks ---------------------------------------------------------------------------------


class Risk(NamedTuple):
    """A risk and its interval, not clipped to [0, 1]."""

    value: float
    low: float
    high: float


def wilson_rate(count: int, n: int) -> tuple[float, float]:
    """Return centre and half-width of the Wilson interval of a proportion."""
    low, high = wilson(count / n, n)
    return (low + high) / 2, (high - low) / 2


def risk(attack: tuple[int, int], control: tuple[int, int]) -> Risk:
    """Return ``(a - c) / (1 - c)``: how far attacks succeed beyond the control.

    Parameters
    ----------
    attack, control : (int, int)
        Successes and attacks, on training and on holdout patients.

    References
    ----------
    Giomi M, Boenisch F, Wehmeyer C, Tasnadi B. A unified framework for quantifying privacy risk in
    synthetic data. PoPETs 2023;2023(2):312-328. doi:10.56553/popets-2023-0055 (rates are centres of
    Wilson intervals, errors propagated to first order; not clipped here).
    """
    (a, ea), (c, ec) = wilson_rate(*attack), wilson_rate(*control)
    value = (a - c) / (1 - c)
    half = float(np.hypot(ea / (1 - c), ec * (a - 1) / (1 - c) ** 2))
    return Risk(value, value - half, value + half)


def bootstrap_risk(
    attack: np.ndarray, control: np.ndarray, rng: np.random.Generator
) -> tuple[float, float]:
    """Return the 95 % percentile interval of the risk over resampled patients (bool a patient)."""
    a, c = (
        x[rng.integers(0, len(x), (_BOOTSTRAP, len(x)))].mean(axis=1) for x in (attack, control)
    )
    low, high = np.quantile((a - c) / np.maximum(1 - c, 1 / len(control)), (0.025, 0.975))
    return float(low), float(high)


@dataclass(frozen=True, eq=False)
class Criterion:
    """One of the three criteria: which patients an attack succeeds on.

    Parameters
    ----------
    id, label : str
    attack, baseline, control : ndarray of bool, shape (patients,)
        Training patients, the same attacked naively, holdout patients.
    planted : ndarray of bool
        Training patients of whom a copy was put into the synthetic set.
    why : str
        Why it could not be run; empty where it was.
    upper : float
        Upper 95 % limit of the risk.
    """

    id: str
    label: str
    attack: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    baseline: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    control: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    planted: np.ndarray = field(default_factory=lambda: np.zeros(0, bool))
    why: str = ""
    upper: float = 1.0

    def counts(self) -> tuple[tuple[int, int], tuple[int, int]]:
        """Return successes and attacks, training and holdout."""
        a, c = ((int(x.sum()), len(x)) for x in (self.attack, self.control))
        return a, c

    @property
    def risk(self) -> Risk:
        return risk(*self.counts())

    @property
    def p(self) -> float:
        """One-sided exact p (Fisher): training patients succeed no more often than others."""
        from scipy.stats import fisher_exact

        (a, n), (c, m) = self.counts()
        return float(fisher_exact([[a, n - a], [c, m - c]], alternative="greater").pvalue)

    def upper_limit(self, rng: np.random.Generator) -> float:
        """Return the larger of the two upper limits; no risk is above 1."""
        return min(max(self.risk.high, bootstrap_risk(self.attack, self.control, rng)[1]), 1.0)

    @property
    def ahead(self) -> bool:
        """Whether the attack succeeds more often than its naive baseline."""
        return bool(self.attack.mean() > self.baseline.mean())

    def verdict(self, tests: int) -> Verdict:
        """Return the verdict where this many criteria ran."""
        if self.why:
            return Verdict.NOT_ASSESSABLE
        if self.p < P_FAIL / tests:
            return Verdict.FAIL
        strong = self.ahead and self.planted.mean() >= LEAST_RECALL
        return Verdict.PASS if strong and self.upper <= MOST_RISK else Verdict.INCONCLUSIVE


# ---- the attacks ---------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _OneEach:
    """Beats of one record a patient, shape (n, leads, samples), and copies of some to plant."""

    train: np.ndarray
    holdout: np.ndarray
    synth: np.ndarray
    rows: np.ndarray  # training patients of whom there are copies
    copies: np.ndarray

    @cached_property
    def axes(self) -> Axes:
        return principal_axes(flat(self.synth), DIMENSIONS)

    def projected(self, x: np.ndarray) -> np.ndarray:
        """Return beats in the principal axes of the synthetic set."""
        return self.axes(flat(x))


def _with_copies(
    train: np.ndarray, holdout: np.ndarray, synth: np.ndarray, rng: np.random.Generator
) -> _OneEach:
    rows = rng.permutation(len(train))[:PLANTED]
    copies = blend(flat(train[rows]).astype(np.float64), flat(synth), RHO, rng)
    return _OneEach(train, holdout, synth, rows, copies.reshape(len(rows), *train.shape[1:]))


def singled_out(x: np.ndarray, centre: np.ndarray, radius: float) -> np.ndarray:
    """Return which rows of `x` are alone within `radius` of some row of `centre`."""
    out = np.zeros(len(x), bool)
    for part in shards(len(centre), 1024):
        inside = squared_distances(centre[part], x) <= radius**2
        out |= inside[inside.sum(axis=1) == 1].any(axis=0)
    return out


def _singling_out(one: _OneEach, rng: np.random.Generator) -> Criterion:
    t, h, s, c = map(one.projected, (one.train, one.holdout, one.synth, one.copies))
    real, own = np.concatenate([t, h]), np.arange(len(t) + len(h))
    # Closer than 19 of 20 patients have any other patient: a ball of this radius holds one at most.
    radius = float(np.quantile(nearest(real, real, (own, own))[0], 0.05))
    # The naive attacker knows two moments of the synthetic set: the axes have unit variance.
    guess = rng.standard_normal(s.shape)
    return Criterion(
        "singling_out",
        "singling out",
        attack=singled_out(t, s, radius),
        baseline=singled_out(t, guess, radius),
        control=singled_out(h, s, radius),
        planted=singled_out(t, np.concatenate([s, c]), radius)[one.rows],
    )


def linked(limb: np.ndarray, chest: np.ndarray, synth: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return whose limb and chest leads have one of their k nearest synthetic records in common."""
    near = []
    for x, s in zip((limb, chest), synth, strict=True):
        k = min(NEIGHBOURS, len(s))
        parts = [
            np.argpartition(squared_distances(x[rows], s), k - 1, axis=1)[:, :k]
            for rows in shards(len(x), 256)
        ]
        near.append(np.concatenate(parts))
    return (near[0][:, :, None] == near[1][:, None, :]).any(axis=(1, 2))


def _linkability(one: _OneEach, leads: Sequence[str], rng: np.random.Generator) -> Criterion:
    limb = [k for k, lead in enumerate(leads) if lead in _LIMB]
    chest = [k for k, lead in enumerate(leads) if lead not in _LIMB]
    if not limb or not chest:
        why = "limb and chest leads are needed"
        return Criterion("linkability", "linkability", why=why)
    axes = [principal_axes(flat(one.synth[:, at]), DIMENSIONS) for at in (limb, chest)]

    def parts(x: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        a, b = (f(flat(x[:, at])) for f, at in zip(axes, (limb, chest), strict=True))
        return a, b

    t, h, s = parts(one.train), parts(one.holdout), parts(one.synth)
    with_copies = parts(np.concatenate([one.synth, one.copies]))
    other = np.roll(rng.permutation(len(one.train)), 1)  # somebody's chest leads
    mixed = np.empty(len(one.train), int)
    mixed[np.roll(other, -1)] = other
    return Criterion(
        "linkability",
        "linkability of limb and chest leads",
        attack=linked(*t, s),
        baseline=linked(t[0], t[1][mixed], s),
        control=linked(*h, s),
        planted=linked(*t, with_copies)[one.rows],
    )


def _inference(one: _OneEach, name: str, known: Mapping[str, np.ndarray]) -> Criterion:
    """Guess an attribute from the nearest synthetic record; empty labels are unknown."""
    id, title = f"inference_{name}".replace(" ", "_"), f"inference of {name}"
    label = {side: known[side].astype(str) for side in ("train", "holdout", "synth")}
    have = {side: v != "" for side, v in label.items()}
    tags = label["synth"][have["synth"]]
    values, counts = np.unique(tags, return_counts=True)
    if min(int(v.sum()) for v in have.values()) < 2 or len(values) < 2:
        return Criterion(id, title, why=f"fewer than two known values of {name}")
    s = one.projected(one.synth[have["synth"]])

    def right(x: np.ndarray, truth: np.ndarray, synth: np.ndarray, tags: np.ndarray) -> np.ndarray:
        return tags[nearest(one.projected(x), synth)[1]] == truth

    truth, held = label["train"][have["train"]], label["holdout"][have["holdout"]]
    planted = have["train"][one.rows]
    rows = one.rows[planted]
    return Criterion(
        id,
        title,
        attack=right(one.train[have["train"]], truth, s, tags),
        baseline=truth == values[counts.argmax()],
        control=right(one.holdout[have["holdout"]], held, s, tags),
        planted=right(
            one.train[rows],
            label["train"][rows],
            np.concatenate([s, one.projected(one.copies[planted])]),
            np.concatenate([tags, label["train"][rows]]),
        ),
    )


# ---- results -------------------------------------------------------------------------------


def _estimates(
    tried: Sequence[Criterion], section: str, sizes: Mapping[str, Any]
) -> Iterator[Estimate]:
    for c in tried:
        if c.why:
            continue
        r, at = c.risk, f"{section}.wp29.{c.id}"
        yield Estimate(
            f"{at}.risk",
            r.value,
            (r.low, r.high),
            p=c.p,
            null=0,
            better="lower",
            label=f"risk beyond the holdout: {c.label}",
            method="(attack - control) / (1 - control), Wilson centres, first-order "
            "propagation; p: Fisher, one-sided",
            **sizes,
        )
        yield Estimate(
            f"{at}.risk_upper",
            c.upper,
            better="lower",
            label=f"upper 95 % limit of the risk: {c.label}",
            method="the larger of propagated and patient-bootstrap limit",
            **sizes,
        )


def _finding(tried: Sequence[Criterion], section: str) -> Finding:
    ran = [c for c in tried if not c.why]
    skipped = [f"{c.label} ({c.why})" for c in tried if c.why]
    verdicts = [c.verdict(len(ran)) for c in ran]
    found = worst(verdicts)
    if found == Verdict.PASS and skipped:
        found = Verdict.INCONCLUSIVE
    limits = ", ".join(f"{c.label} {c.upper:.2f}" for c in ran)
    failed = [c.label for c, v in zip(ran, verdicts, strict=True) if v == Verdict.FAIL]
    if failed:
        title = f"{' and '.join(failed)} succeeds more often on training than on holdout patients"
        text = f"Upper 95 % limits: {limits}."
    else:
        title, text = f"upper limits of the risk beyond the holdout: {limits}", ""
    if skipped:
        text += f" Not run: {'; '.join(skipped)}."
    text += (
        " The criteria are those of Opinion 05/2014 (WP 216). Whether what remains is acceptable "
        "is for the controller to judge."
    )
    return WP29.finding(
        found,
        title,
        text.strip(),
        section=section,
        rule=_RULE,
        estimates=(f"{section}.wp29.{c.id}.risk" for c in ran),
    )


def _table(tried: Sequence[Criterion], section: str) -> Table:
    tests = sum(not c.why for c in tried)
    rows: list[tuple[Any, ...]] = []
    for c in tried:
        numbers: tuple[int | float | None, ...] = (None,) * 9
        if not c.why:
            shares = (float(x.mean()) for x in (c.attack, c.baseline, c.control))
            numbers = (len(c.attack), *shares, *c.risk, c.upper, float(c.planted.mean()))
        note = c.why or ("" if c.ahead else "no better than the naive attack")
        rows.append((c.label, *numbers, str(c.verdict(tests)), note))
    attacked = ("criterion", "patients a side", "attack", "naive baseline", "holdout control")
    risks = ("risk", "ci_low", "ci_high", "upper limit", "recall of planted copies")
    return Table(
        f"{section}.wp29",
        "Singling out, linkability, inference",
        (*attacked, *risks, "verdict", "note"),
        tuple(rows),
        "Shares of patients attacked with success. Risk: (attack - control) / (1 - control), not "
        f"clipped. A copy correlates with its source at {RHO:g}.",
        section,
    )
