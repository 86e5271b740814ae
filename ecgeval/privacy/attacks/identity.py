"""Linkage: does the synthetic set give away more about training patients than about others?

Four attacks, each on training patients and, as a control, on holdout patients.

Identity: an attacker holds another ECG of a person and asks whether the synthetic set knows this
person, with a matcher that recognises people across recordings. Singling out: a neighbourhood of a
synthetic record that holds exactly one patient. Linkability: an attacker with limb leads of a
person in one file and chest leads in another joins them because both lie near the same synthetic
records. Inference: sex or age band of a person, read off the nearest synthetic record. The last
three are the criteria of the Article 29 Working Party (Opinion 05/2014, WP 216).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np

from ecgeval.parallel import child_rng, one_thread
from ecgeval.privacy.attacks.criteria import (
    _WP29_RULE,
    _criteria,
    _risk_estimates,
    _wp29_finding,
    _wp29_table,
)
from ecgeval.privacy.attacks.folds import Rounds, cross_fit
from ecgeval.privacy.attacks.rates import hits_at, levels, percent
from ecgeval.privacy.exchangeability import Exchange, exchange_test, patient_scores
from ecgeval.privacy.view import there_are
from ecgeval.results import Estimate, Finding, Results, Table, Verdict
from ecgeval.stats.axes import project
from ecgeval.stats.intervals import auc_interval, clopper_pearson, pair
from ecgeval.wording import p_text, plural

__all__ = ["Matcher", "Probes", "fit_matcher", "linkage", "share_test"]

P_FAIL = 0.01
LEAST_PATIENTS = 25
FOLDS = 5
DIMENSIONS = 48
SHRINKAGE = 0.1
"""Of the within-person covariance towards a multiple of the identity. On 22 PTB-XL patients with
several records, among 369, matcher fitted on other patients (4 splits): rank-1 .72-.79, AUC .99;
plain correlation of the same beats .60 and .89, best over lags .59 and .89; a convolutional encoder
trained on the same patients .66 and .98. On ECG-ID, lead I of 59 people: .95 and .98, plain
correlation .86 and .85."""
PLANTED = 60


# ---- who is who ----------------------------------------------------------------------------


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


def _look(
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
        rest = [(q, a != k) for q, a in zip(probes, at, strict=True)]
        matcher = fit_matcher(
            np.concatenate([x[keep] for q, keep in rest for x in (q.first, q.second)]),
            np.concatenate([np.tile(q.person[keep], 2) for q, keep in rest]),
        )
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


# ---- risks ---------------------------------------------------------------------------------


# ---- results -------------------------------------------------------------------------------


class _Link(NamedTuple):
    """Outcome of the identity attack with one kind of probe."""

    kind: str
    p: np.ndarray  # conformal, a patient
    is_train: np.ndarray
    exchange: Exchange
    rank1: tuple[int, int]  # patients recognised among all, with a real record in the gallery
    known: tuple[int, int]  # patients found at 1 % of pairs taken for the same


_KIND = {"record": "another ECG of the patient, not trained on", "half": "second half of a record"}


def linkage(
    train: np.ndarray,
    holdout: np.ndarray | None,
    synth: np.ndarray,
    *,
    person_train: np.ndarray,
    person_holdout: np.ndarray | None,
    leads: Sequence[str],
    probes: Sequence[Probes] = (),
    labels: Mapping[str, Mapping[str, Any]] | None = None,
    seed: int = 0,
    section: str = "privacy",
    permutations: int = 9999,
) -> Results:
    """Attack identity and attributes of training patients, with holdout patients as control.

    Parameters
    ----------
    train, holdout, synth : ndarray, shape (n, leads, samples)
        Usable representative beats of unit norm.
    person_train, person_holdout : ndarray of int, shape (n,)
        Patient codes; no patient on both sides.
    leads : sequence of str
    probes : sequence of Probes
        Second looks at training and holdout patients, at most one of each kind. Without any the
        identity attack is not assessable.
    labels : mapping, optional
        By attribute (``sex``, ``age band``): arrays of str under ``train``, ``holdout``, ``synth``,
        empty where unknown.
    seed : int
    section : str
        Slug of the section and first part of every id.
    permutations : int

    Returns
    -------
    Results
        Estimates ``{section}.link.*`` and ``{section}.wp29.*``, tables, and the findings PRIV-LINK
        and PRIV-WP29; NOT_ASSESSABLE without 25 patients on either side.
    """
    people = [0 if p is None else len(np.unique(p)) for p in (person_train, person_holdout)]
    if holdout is None or person_holdout is None or min(*people, len(synth)) < LEAST_PATIENTS:
        why = (
            f"needs {LEAST_PATIENTS} training and holdout patients drawn alike, and as many "
            f"synthetic records; {there_are(people[0], people[1], len(synth))}"
        )
        text = (
            "Whether a synthetic set leads to its training patients can only be told by comparison "
            "with others. Next time set 20 to 50 % of the patients aside at random before training."
        )
        return Results(
            findings=tuple(
                Finding(code, Verdict.NOT_ASSESSABLE, f"{what} {why}", text, (), rule, section)
                for code, what, rule in (
                    ("PRIV-LINK", "linkage to another ECG", _link_rule(1)),
                    (
                        "PRIV-WP29",
                        "the audit of singling out, linkability and inference",
                        _WP29_RULE,
                    ),
                )
            )
        )
    rng = child_rng(seed, section, "link")
    with one_thread():
        found = [
            _identity(q, seen, person_train, rng, permutations)
            for q, seen in zip(
                probes, _look(probes, _folds(probes, rng), synth) if probes else [], strict=True
            )
            if _enough(q, person_train)
        ]
        share = _share(
            train, holdout, synth, person_train, person_holdout, probes, rng, permutations
        )
        one = [rng.permutation(_one_each(p, rng)) for p in (person_train, person_holdout)]
        n = min(len(one[0]), len(one[1]))
        rows = [np.sort(r[:n]) for r in one]
        sides = {"train": train[rows[0]], "holdout": holdout[rows[1]], "synth": synth}
        chosen = {
            name: {
                "train": np.asarray(known["train"])[rows[0]],
                "holdout": np.asarray(known["holdout"])[rows[1]],
                "synth": known["synth"],
            }
            for name, known in (labels or {}).items()
        }
        criteria = _criteria(sides, leads, chosen, rng)
    uppers = {c.id: c.upper(rng) for c in criteria if not c.why}
    sizes: dict[str, Any] = {"n_synth": len(synth), "seed": seed}
    real = sizes | {"n_real": len(train) + len(holdout), "patients_real": sum(people)}
    balanced = sizes | {"n_real": 2 * n, "patients_real": 2 * n}
    return Results(
        estimates=(
            *_link_estimates(found, share, section, real),
            *_risk_estimates(criteria, uppers, section, balanced),
        ),
        findings=(
            _link_finding(found, share, section, permutations),
            _wp29_finding(criteria, uppers, section),
        ),
        tables=(*_link_tables(found, section), _wp29_table(criteria, uppers, section)),
    )


def _one_each(person: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return a row of each patient, drawn at random."""
    order = rng.permutation(len(person))
    return order[np.unique(person[order], return_index=True)[1]]


def _folds(probes: Sequence[Probes], rng: np.random.Generator) -> dict[int, int]:
    people = np.unique(np.concatenate([q.person for q in probes]))
    return dict(zip(people.tolist(), (rng.permutation(len(people)) % FOLDS).tolist(), strict=True))


def _enough(q: Probes, person_train: np.ndarray) -> bool:
    people = np.unique(q.person)
    inside = int(np.isin(people, person_train).sum())
    return min(inside, len(people) - inside) >= 2 * FOLDS


def _identity(
    q: Probes,
    seen: Mapping[str, np.ndarray],
    person_train: np.ndarray,
    rng: np.random.Generator,
    permutations: int,
) -> _Link:
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
    return _Link(
        q.kind,
        p,
        is_train,
        exchange,
        (int((own > other).sum()), len(first)),
        (int((own > limit).sum()), len(first)),
    )


def _share(
    train: np.ndarray,
    holdout: np.ndarray,
    synth: np.ndarray,
    person_train: np.ndarray,
    person_holdout: np.ndarray,
    probes: Sequence[Probes],
    rng: np.random.Generator,
    permutations: int,
) -> Share | None:
    """Return whose nearest identity synthetic records have; None without a fitted matcher."""
    if not probes:
        return None
    matcher = fit_matcher(
        np.concatenate([x for q in probes for x in (q.first, q.second)]),
        np.concatenate([np.tile(q.person, 2) for q in probes]),
    )
    gallery, s = matcher(np.concatenate([train, holdout])), matcher(synth)
    person = np.unique(np.concatenate([person_train, person_holdout]), return_inverse=True)[1]
    is_train = np.zeros(int(person.max()) + 1, bool)
    is_train[person[: len(train)]] = True
    identity = np.concatenate(
        [person[(s[i : i + 1024] @ gallery.T).argmax(axis=1)] for i in range(0, len(s), 1024)]
    )
    return share_test(identity, is_train, rng, permutations)


def _link_rule(tests: int) -> str:
    return (
        "training patients' other ECGs are closer to the synthetic set than those of holdout "
        "patients (permutation of patients), or synthetic records have training patients as "
        f"nearest identity more often than chance: FAIL if any of {tests} p < "
        f"{P_FAIL / tests:.2g} ({P_FAIL:g} over all). Never PASS"
    )


def _link_estimates(
    found: Sequence[_Link], share: Share | None, section: str, sizes: Mapping[str, Any]
) -> list[Estimate]:
    out = []
    for link in found:
        t, h = int(link.is_train.sum()), int((~link.is_train).sum())
        at = f"{section}.link.{link.kind}"
        n: dict[str, Any] = {**sizes, "n_real": len(link.p), "patients_real": len(link.p)}
        auc = float(link.exchange.observed[0])
        out.append(
            Estimate(
                f"{at}.auc",
                auc,
                auc_interval(auc, t, h),
                p=link.exchange.p,
                null=0.5,
                floor=pair(link.exchange.floor[0]),
                better="near_null",
                label=f"training against holdout patients: AUC of identity scores, "
                f"{_KIND[link.kind]}",
                method="identity matcher, nearest synthetic record; permutation of patients",
                **n,
            )
        )
        for level in levels(h):
            c = hits_at(level, link.p, link.is_train)
            out.append(
                Estimate(
                    f"{at}.tpr_at_{percent(level)}",
                    c.hits / t,
                    c.interval,
                    null=level,
                    better="near_null",
                    label=f"training patients found at {level:.1%} false alarms, "
                    f"{_KIND[link.kind]}",
                    method="threshold from other holdout patients; Clopper-Pearson",
                    **n,
                )
            )
        for name, (count, of), what in (
            ("rank1", link.rank1, "recognised first among all patients"),
            ("known_at_1pct", link.known, "recognised above 99 % of best strangers"),
        ):
            out.append(
                Estimate(
                    f"{at}.{name}",
                    count / of,
                    clopper_pearson(count, of),
                    better="higher",
                    label=f"positive control: patients {what}, {_KIND[link.kind]}",
                    method="a real record in place of the synthetic ones; matcher fitted on other "
                    "patients",
                    **n,
                )
            )
    if share is not None:
        out.append(
            Estimate(
                f"{section}.link.identity_share",
                share.value,
                p=share.p,
                null=share.expected,
                floor=(share.expected - 1.96 * share.sd, share.expected + 1.96 * share.sd),
                better="near_null",
                label="synthetic records whose nearest identity is a training patient",
                method="identity matcher; variance and p over permuted patients",
                **sizes,
            )
        )
    return out


def _link_finding(
    found: Sequence[_Link], share: Share | None, section: str, permutations: int
) -> Finding:
    if not found or share is None:
        return Finding(
            "PRIV-LINK",
            Verdict.NOT_ASSESSABLE,
            "linkage to another ECG of a patient cannot be assessed without a second look at "
            f"{2 * FOLDS} training and {2 * FOLDS} holdout patients",
            "Give records of training patients that were not trained on, or halves of records.",
            rule=_link_rule(1),
            section=section,
        )
    tests = len(found) + 1
    ps = {_KIND[link.kind]: link.exchange.p for link in found} | {"nearest identities": share.p}
    least = min(ps, key=lambda k: ps[k])
    failed = ps[least] < P_FAIL / tests
    control = "; ".join(
        f"{_KIND[link.kind]}: {link.rank1[0] / link.rank1[1]:.0%} of "
        f"{plural(link.rank1[1], 'patient')} recognised first"
        for link in found
    )
    p = p_text(ps[least], 1 / (permutations + 1))
    numbers = f"{p}, {least}; smallest of {tests}, limit {P_FAIL / tests:.2g}"
    ids = [f"{section}.link.{link.kind}.{name}" for link in found for name in ("auc", "rank1")]
    weak = [link for link in found if clopper_pearson(*link.rank1)[0] < 0.5]
    text = f"Positive control, real records in place of synthetic ones: {control}."
    if any(link.kind == "half" for link in found):
        text += (
            " With halves the attacker holds part of a record that was trained on: an upper limit "
            "for whoever holds another day's ECG."
        )
    if weak and not failed:
        text += " The matcher is too weak for its failure to say anything."
    return Finding(
        "PRIV-LINK",
        Verdict.FAIL if failed else Verdict.INCONCLUSIVE,
        (
            "the synthetic set recognises training patients"
            if failed
            else "no linkage of training patients was found"
        )
        + f" ({numbers})",
        text,
        (*ids, f"{section}.link.identity_share"),
        _link_rule(tests),
        section,
    )


def _link_tables(found: Sequence[_Link], section: str) -> list[Table]:
    if not found:
        return []
    return [
        Table(
            f"{section}.link",
            "Linkage with another look at a patient",
            (
                "attacker holds",
                "training patients",
                "holdout patients",
                "AUC",
                "p",
                "control: recognised first",
                "control: above 99 % of best strangers",
            ),
            tuple(
                (
                    _KIND[k.kind],
                    int(k.is_train.sum()),
                    int((~k.is_train).sum()),
                    float(k.exchange.observed[0]),
                    k.exchange.p,
                    k.rank1[0] / k.rank1[1],
                    k.known[0] / k.known[1],
                )
                for k in found
            ),
            "Control: the same matcher and probes with a real record of the patient in the "
            "gallery.",
            section,
        )
    ]


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
