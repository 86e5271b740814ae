"""Identity: does a matcher that recognises people find training patients in the synthetic set?

An attacker holds another ECG of a person and asks whether the synthetic set knows this person, with
a matcher that recognises people across recordings. It is tried on training patients and, as a
control, on holdout patients. The positive control is a real record in place of a synthetic one.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from ecgeval.parallel import one_thread
from ecgeval.privacy.attacks.checks import LINK
from ecgeval.privacy.attacks.folds import FOLDS, Rounds, cross_fit
from ecgeval.privacy.attacks.rates import auc_estimate, hits_at, levels
from ecgeval.privacy.attacks.sets import LEAST_PATIENTS, P_FAIL, WITHOUT_HOLDOUT, AttackedSets
from ecgeval.privacy.exchangeability import Exchange, exchange_test, patient_scores
from ecgeval.results import Estimate, Finding, Results, Table, Verdict
from ecgeval.stats.axes import project
from ecgeval.stats.intervals import clopper_pearson
from ecgeval.wording import p_text, plural

__all__ = ["Matcher", "Probes", "Share", "fit_matcher", "identity", "share_test"]

LEAST_PROBED = 2 * FOLDS
"""Fewest patients on either side of whom there is a second look."""
DIMENSIONS = 48
SHRINKAGE = 0.1
"""Of the within-person covariance towards a multiple of the identity. On 22 PTB-XL patients with
several records, among 369, matcher fitted on other patients (4 splits): rank-1 .72-.79, AUC .99;
plain correlation of the same beats .60 and .89, best over lags .59 and .89; a convolutional encoder
trained on the same patients .66 and .98. On ECG-ID, lead I of 59 people: .95 and .98, plain
correlation .86 and .85."""
_KIND = {"record": "another ECG of the patient, not trained on", "half": "second half of a record"}


@dataclass(frozen=True, eq=False)
class Probes:
    """Two looks at each of n patients' hearts.

    Parameters
    ----------
    first, second : ndarray, shape (n, leads, samples)
        Representative beats of unit norm: what a gallery holds, and what an attacker holds.
    person : ndarray of int, shape (n,)
        Patient codes of training set and holdout.
    kind : {"record", "half"}
        ``record``: the second look is another ECG of the patient, which was not trained on.
        ``half``: first and second half of one record. For a training patient the attacker then
        holds half of what was trained on: more than a stranger has, so a limit from above.
    """

    first: np.ndarray
    second: np.ndarray
    person: np.ndarray
    kind: str = "half"

    def only(self, rows: np.ndarray) -> Probes:
        """Return some of the patients."""
        return Probes(self.first[rows], self.second[rows], self.person[rows], self.kind)


class Matcher(NamedTuple):
    """Maps beats to templates of unit length, whose inner product says how alike two people are."""

    mean: np.ndarray
    axes: np.ndarray

    def __call__(self, x: np.ndarray) -> np.ndarray:
        z = project(x.reshape(len(x), -1), self.mean, self.axes)
        return z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-300)


def fit_matcher(x: np.ndarray, person: np.ndarray) -> Matcher:
    """Fit a matcher on people seen more than once.

    Principal axes, then a rotation and scaling that gives the differences between beats of one
    person unit covariance: what varies within people counts little, what varies between them much.

    Parameters
    ----------
    x : ndarray, shape (n, ...)
    person : ndarray of int, shape (n,)
        Several rows for at least some people.

    References
    ----------
    Hatch AO, Kajarekar S, Stolcke A. Within-class covariance normalization for SVM-based speaker
    recognition. Interspeech 2006:1471-1474. doi:10.21437/Interspeech.2006-183
    """
    from scipy.linalg import eigh

    x = np.asarray(x, np.float64).reshape(len(x), -1)
    code = np.unique(person, return_inverse=True)[1]
    mean, d = x.mean(axis=0), x.shape[1]
    _, axes = eigh((x - mean).T @ (x - mean), subset_by_index=(max(0, d - DIMENSIONS), d - 1))
    z = (x - mean) @ axes
    own = np.stack([np.bincount(code, column) for column in z.T], axis=1)
    within = z - (own / np.bincount(code)[:, None])[code]
    covariance = within.T @ within / max(len(x) - int(code.max()) - 1, 1)
    level = np.trace(covariance) / len(covariance)
    covariance = (1 - SHRINKAGE) * covariance + SHRINKAGE * level * np.eye(len(covariance))
    return Matcher(mean, axes @ np.linalg.inv(np.linalg.cholesky(covariance)).T)


def identity(
    sets: AttackedSets,
    probes: Sequence[Probes] = (),
    *,
    rng: np.random.Generator,
    permutations: int = 9999,
) -> Results:
    """Look for training patients in the synthetic set, with holdout patients as control.

    Parameters
    ----------
    sets : AttackedSets
        Representative beats of unit norm, shape (n, leads, samples).
    probes : sequence of Probes
        Second looks at training and holdout patients, at most one of each kind. Without any the
        attack is not assessable.
    rng : Generator
    permutations : int

    Returns
    -------
    Results
        Estimates ``{section}.link.*``, a table, and the finding PRIV-LINK; NOT_ASSESSABLE without
        25 patients on either side.
    """
    if min(*sets.patients, len(sets.synth)) < LEAST_PATIENTS:
        finding = LINK.finding(
            Verdict.NOT_ASSESSABLE,
            f"linkage to another ECG needs {LEAST_PATIENTS} training and holdout patients drawn "
            f"alike, and as many synthetic records; {sets.in_words()}",
            WITHOUT_HOLDOUT,
            rule=_rule(1),
            section=sets.section,
        )
        return Results(findings=(finding,))
    if not probes:
        return Results(findings=(_no_second_look(sets.section),))
    with one_thread():
        seen = _similarities(probes, _folds(probes, rng), sets.synth)
        found = [
            _recognised(q, s, sets.person_train, rng, permutations)
            for q, s in zip(probes, seen, strict=True)
            if _enough(q, sets.person_train)
        ]
        share = _nearest_identities(sets, probes, rng, permutations)
    return Results(
        estimates=(*_estimates(found, sets), _share_estimate(share, sets)),
        findings=(_finding(found, share, sets.section, permutations),),
        tables=(_table(found, sets.section),) if found else (),
    )


def _similarities(
    probes: Sequence[Probes], fold: Mapping[int, int], synth: np.ndarray
) -> list[dict[str, np.ndarray]]:
    """Return, for each kind of probe, what the matcher sees; fitted on other patients each time.

    Similarity of the second look to the nearest synthetic record, to the nearest first look at
    the same patient of the same kind, and to the nearest first look at anybody else of any kind.
    """
    at = [np.array([fold[p] for p in q.person]) for q in probes]
    out: list[dict[str, np.ndarray]] = [
        {name: np.full(len(q.person), -1.0) for name in ("synth", "own", "other")} for q in probes
    ]
    everybody = np.concatenate([q.person for q in probes])
    for k in sorted(set(fold.values())):
        matcher = _fitted([q.only(a != k) for q, a in zip(probes, at, strict=True)])
        s, first = matcher(synth), [matcher(q.first) for q in probes]
        for q, a, own, seen in zip(probes, at, first, out, strict=True):
            rows = np.flatnonzero(a == k)
            probe, who = matcher(q.second[rows]), q.person[rows, None]
            for name, gallery, allowed in (
                ("synth", s, np.ones((len(rows), len(s)), bool)),
                ("own", own, who == q.person),
                ("other", np.concatenate(first), who != everybody),
            ):
                seen[name][rows] = np.where(allowed, probe @ gallery.T, -1).max(axis=1)
    return out


def _fitted(probes: Sequence[Probes]) -> Matcher:
    """Return a matcher fitted on both looks at all patients of the probes."""
    return fit_matcher(
        np.concatenate([x for q in probes for x in (q.first, q.second)]),
        np.concatenate([np.tile(q.person, 2) for q in probes]),
    )


def _folds(probes: Sequence[Probes], rng: np.random.Generator) -> dict[int, int]:
    people = np.unique(np.concatenate([q.person for q in probes]))
    return dict(zip(people.tolist(), (rng.permutation(len(people)) % FOLDS).tolist(), strict=True))


def _enough(q: Probes, person_train: np.ndarray) -> bool:
    people = np.unique(q.person)
    inside = int(np.isin(people, person_train).sum())
    return min(inside, len(people) - inside) >= LEAST_PROBED


class _Recognised(NamedTuple):
    """Outcome of the attack with one kind of probe."""

    kind: str
    p: np.ndarray  # conformal, a patient
    is_train: np.ndarray
    exchange: Exchange
    rank1: tuple[int, int]  # patients recognised among all, with a real record in the gallery
    known: tuple[int, int]  # patients found at 1 % of pairs taken for the same

    @property
    def label(self) -> str:
        return _KIND[self.kind]


def _recognised(
    q: Probes,
    seen: Mapping[str, np.ndarray],
    person_train: np.ndarray,
    rng: np.random.Generator,
    permutations: int,
) -> _Recognised:
    people, code = np.unique(q.person, return_inverse=True)
    is_train = np.isin(people, person_train)
    rounds = Rounds.draw(is_train, rng)
    p = cross_fit(lambda rows, _: seen["synth"][rows], rounds, code)
    scores, counts = patient_scores(seen["synth"][:, None], code)
    exchange = exchange_test(
        scores, is_train, rng=rng, names=("identity",), strata=counts, permutations=permutations
    )
    first = np.unique(code, return_index=True)[1]  # one probe a patient
    own, other = seen["own"][first], seen["other"][first]
    limit = np.quantile(other, 0.99)
    return _Recognised(
        q.kind,
        p,
        is_train,
        exchange,
        (int((own > other).sum()), len(first)),
        (int((own > limit).sum()), len(first)),
    )


def _nearest_identities(
    sets: AttackedSets, probes: Sequence[Probes], rng: np.random.Generator, permutations: int
) -> Share:
    """Return how many synthetic records have a training patient as their nearest identity."""
    matcher = _fitted(probes)
    gallery, s = matcher(sets.real), matcher(sets.synth)
    nearest = np.concatenate(
        [sets.person[(s[i : i + 1024] @ gallery.T).argmax(axis=1)] for i in range(0, len(s), 1024)]
    )
    return share_test(nearest, sets.is_train, rng, permutations)


class Share(NamedTuple):
    """A share of training patients, its expectation and spread under permuted patients, and p."""

    value: float
    expected: float
    sd: float
    p: float


def share_test(
    nearest: np.ndarray, train: np.ndarray, rng: np.random.Generator, permutations: int = 9999
) -> Share:
    """Test how many synthetic records have a training patient as their nearest real one.

    Under permutation of whole patients the share is a sum of sampled weights (how many synthetic
    records have this patient as nearest), so its variance is known. A binomial variance ignores
    that all synthetic records share the same real ones: with 300 patients a side and 10,000
    synthetic records its SD is too small by a factor of about two.

    Parameters
    ----------
    nearest : ndarray of int, shape (n_synth,)
        Code 0..P-1 of the patient nearest to each synthetic record.
    train : ndarray of bool, shape (P,)
        Which patients are training patients; both sides at least one.
    rng : Generator
    permutations : int

    Returns
    -------
    Share
        p is one-sided: more training patients than expected.
    """
    weight = np.bincount(nearest, minlength=len(train)) / len(nearest)
    n, t = len(train), int(train.sum())
    sd = float(np.sqrt(t * (n - t) / (n * (n - 1)) * ((weight - weight.mean()) ** 2).sum()))
    value = float(weight[train].sum())
    null = np.array([weight[rng.permutation(train)].sum() for _ in range(permutations)])
    p = (1 + int((null >= value - 1e-12).sum())) / (permutations + 1)
    return Share(value, t / n, sd, p)


# ---- results -------------------------------------------------------------------------------


def _rule(tests: int) -> str:
    return (
        "training patients' other ECGs are closer to the synthetic set than those of holdout "
        "patients (permutation of patients), or synthetic records have training patients as "
        f"nearest identity more often than chance: FAIL if any of {tests} p < "
        f"{P_FAIL / tests:.2g} ({P_FAIL:g} over all). Never PASS"
    )


def _estimates(found: Sequence[_Recognised], sets: AttackedSets) -> Iterator[Estimate]:
    for r in found:
        at = f"{sets.section}.link.{r.kind}"
        sizes = sets.sizes | {"n_real": len(r.p), "patients_real": len(r.p)}
        yield auc_estimate(
            at,
            r.exchange,
            0,
            r.is_train,
            p=r.exchange.p,
            label=f"training against holdout patients: AUC of identity scores, {r.label}",
            method="identity matcher, nearest synthetic record; permutation of patients",
            **sizes,
        )
        for level in levels(int((~r.is_train).sum())):
            yield hits_at(level, r.p, r.is_train).estimate(at, r.label, **sizes)
        for name, (count, n), what in (
            ("rank1", r.rank1, "recognised first among all patients"),
            ("known_at_1pct", r.known, "recognised above 99 % of best strangers"),
        ):
            yield Estimate(
                f"{at}.{name}",
                count / n,
                clopper_pearson(count, n),
                better="higher",
                label=f"positive control: patients {what}, {r.label}",
                method="a real record in place of the synthetic ones; matcher fitted on other "
                "patients",
                **sizes,
            )


def _share_estimate(share: Share, sets: AttackedSets) -> Estimate:
    return Estimate(
        f"{sets.section}.link.identity_share",
        share.value,
        p=share.p,
        null=share.expected,
        floor=(share.expected - 1.96 * share.sd, share.expected + 1.96 * share.sd),
        better="near_null",
        label="synthetic records whose nearest identity is a training patient",
        method="identity matcher; variance and p over permuted patients",
        **sets.sizes,
    )


def _no_second_look(section: str) -> Finding:
    return LINK.finding(
        Verdict.NOT_ASSESSABLE,
        "linkage to another ECG of a patient cannot be assessed without a second look at "
        f"{LEAST_PROBED} training and {LEAST_PROBED} holdout patients",
        "Give records of training patients that were not trained on, or halves of records.",
        rule=_rule(1),
        section=section,
    )


def _finding(
    found: Sequence[_Recognised], share: Share, section: str, permutations: int
) -> Finding:
    if not found:
        return _no_second_look(section)
    tests = len(found) + 1
    ps = {r.label: r.exchange.p for r in found} | {"nearest identities": share.p}
    least = min(ps, key=lambda k: ps[k])
    failed = ps[least] < P_FAIL / tests
    what = (
        "the synthetic set recognises training patients"
        if failed
        else "no linkage of training patients was found"
    )
    p = p_text(ps[least], 1 / (permutations + 1))
    control = "; ".join(
        f"{r.label}: {r.rank1[0] / r.rank1[1]:.0%} of {plural(r.rank1[1], 'patient')} recognised "
        "first"
        for r in found
    )
    text = f"Positive control, real records in place of synthetic ones: {control}."
    if any(r.kind == "half" for r in found):
        text += (
            " With halves the attacker holds part of a record that was trained on: an upper limit "
            "for whoever holds another day's ECG."
        )
    if not failed and any(clopper_pearson(*r.rank1)[0] < 0.5 for r in found):
        text += " The matcher is too weak for its failure to say anything."
    return LINK.finding(
        Verdict.FAIL if failed else Verdict.INCONCLUSIVE,
        f"{what} ({p}, {least}; smallest of {tests}, limit {P_FAIL / tests:.2g})",
        text,
        section=section,
        rule=_rule(tests),
        estimates=(
            *(f"{section}.link.{r.kind}.{name}" for r in found for name in ("auc", "rank1")),
            f"{section}.link.identity_share",
        ),
    )


def _table(found: Sequence[_Recognised], section: str) -> Table:
    rows = [
        {
            "attacker holds": r.label,
            "training patients": int(r.is_train.sum()),
            "holdout patients": int((~r.is_train).sum()),
            "AUC": float(r.exchange.observed[0]),
            "p": r.exchange.p,
            "control: recognised first": r.rank1[0] / r.rank1[1],
            "control: above 99 % of best strangers": r.known[0] / r.known[1],
        }
        for r in found
    ]
    return Table(
        f"{section}.link",
        "Linkage with another look at a patient",
        tuple(rows[0]),
        tuple(tuple(row.values()) for row in rows),
        "Control: the same matcher and probes with a real record of the patient in the gallery.",
        section,
    )
