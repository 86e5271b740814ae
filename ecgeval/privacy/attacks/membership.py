"""Membership inference: can an attacker tell from the synthetic ECGs who was in the training set?

The attacker holds a person's ECG and the released set (and, where it is given, the checkpoint with
its critic), scores the ECG, and calls the person a member above a threshold. How often that is
right for training patients (true positive rate) counts against how often it is wrong for holdout
patients (false positive rate), at low rates of false alarms: an attack that is sure of a few
patients harms these few, whatever its average.

Holdout patients are split into folds. Those of one fold are attacked with thresholds, and reference
data, that come from the others; so every patient is attacked once, and no threshold is chosen on
the patients it is judged on. Training patients are spread over the same rounds.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecgeval.parallel import child_rng, one_thread
from ecgeval.privacy.attacks.folds import FOLDS, Rounds, Score, cross_fit
from ecgeval.privacy.attacks.rates import TOLERATED, hits_at, levels, percent
from ecgeval.privacy.attacks.scores import (
    PLANTED,
    blend,
    counting,
    log_density,
    nearest,
    nearest_distance,
)
from ecgeval.privacy.canaries import epsilon_from_rates
from ecgeval.privacy.exchangeability import Exchange, exchange_test
from ecgeval.privacy.view import there_are
from ecgeval.results import Estimate, Figure, Finding, Results, Table, Verdict
from ecgeval.stats.axes import principal_axes
from ecgeval.stats.intervals import auc_interval, clopper_pearson, pair
from ecgeval.wording import p_text, plural

__all__ = ["membership"]


P_FAIL = 0.01
LEAST_PATIENTS = 25
"""Fewest holdout patients: five a fold, and ten for each threshold."""
DIMENSIONS = 32
"""Of the space in which densities and distances are compared. On representative beats of 50 normal
PTB-XL patients and local averages of eight of them as synthetic records, the calibrated score had
an AUC of .79, .90, .94 in 8, 16, 32 dimensions, and of .83 without its calibration."""
RHO = (0.99, 0.9)
"""How closely the planted copies correlate with their source."""
_RARE = 0.1


# ---- kernels -------------------------------------------------------------------------------


# ---- the attacks ---------------------------------------------------------------------------


@dataclass(frozen=True, eq=False)
class _Known:
    """What the attacks are made of: real records, the synthetic set, and what else is at hand."""

    x: np.ndarray  # (records, d), in principal axes
    person: np.ndarray
    synth: np.ndarray
    similarity: Mapping[str, np.ndarray]
    reference: np.ndarray | None
    critic: np.ndarray | None


ATTACKS = {
    "ganleaks": "nearest synthetic record",
    "calibrated": "nearest synthetic record, minus nearest reference record",
    "counting": "synthetic records in a ball",
    "domias": "density ratio of synthetic to reference records",
    "critic": "the critic's score",
}


def _label(attack: str) -> str:
    stem, _, detector = attack.partition("_")
    return ATTACKS[stem] + (f", {detector.upper()}" if detector else "")


def _attacks(k: _Known) -> dict[str, Score]:
    """Return the attacks, as scores of real records; all see labels of no one."""
    to_synth = nearest_distance(k.x, k.synth)
    near = counting(k.x, k.synth, float(np.median(to_synth)))
    density = log_density(k.x, k.synth)

    def calibrated(rows: np.ndarray, reference: np.ndarray) -> np.ndarray:
        other = k.x[reference] if k.reference is None else k.reference
        return nearest_distance(k.x[rows], other) - to_synth[rows]

    def domias(rows: np.ndarray, reference: np.ndarray) -> np.ndarray:
        return density[rows] - log_density(k.x[rows], k.x[reference])

    plain = {"ganleaks": -to_synth}
    plain |= {f"ganleaks_{name.lower()}": s for name, s in k.similarity.items()}
    out: dict[str, Score] = {
        name: _plain(np.nan_to_num(s, nan=-np.inf)) for name, s in plain.items()
    }
    out |= {"calibrated": calibrated, "counting": _plain(near), "domias": domias}
    return out | (
        {} if k.critic is None else {"critic": _plain(np.nan_to_num(k.critic, nan=-np.inf))}
    )


def _plain(score: np.ndarray) -> Score:
    return lambda rows, _: score[rows]


def _planted(k: _Known, rows: np.ndarray, rho: float, rng: np.random.Generator) -> _Known:
    """Return the same with a copy of each record in `rows` put into the synthetic set."""
    copies = blend(k.x[rows], k.synth, rho, rng)
    similarity = {name: s.copy() for name, s in k.similarity.items()}
    for s in similarity.values():
        s[rows] = np.fmax(s[rows], rho)
    return _Known(k.x, k.person, np.concatenate([k.synth, copies]), similarity, k.reference, None)


@dataclass(frozen=True, eq=False)
class Inference:
    """Outcome of all attacks.

    Parameters
    ----------
    p : mapping of attack to ndarray, shape (P,)
        Conformal p-value of each patient (`cross_fit`).
    is_train : ndarray of bool, shape (P,)
    exchange : Exchange
        Exchangeability of the two sides, over all attacks.
    apart : mapping of {"set", "critic"} to Exchange
        The same over the attacks that see the synthetic set only, and over the critic's score;
        empty without a critic.
    rare : ndarray of bool, shape (P,)
        The tenth of the patients farthest from all others.
    planted : mapping of (attack, rho) to ndarray
        p-values of patients of whom a copy was put into the synthetic set.
    """

    p: Mapping[str, np.ndarray]
    is_train: np.ndarray
    exchange: Exchange
    apart: Mapping[str, Exchange]
    rare: np.ndarray
    planted: Mapping[tuple[str, float], np.ndarray]


def infer(
    known: _Known, is_train: np.ndarray, rng: np.random.Generator, permutations: int
) -> Inference:
    """Run every attack, and again with planted copies; `is_train` per patient."""
    rounds = Rounds.draw(is_train, rng)
    at = np.empty(len(is_train), int)
    for k, (members, others) in enumerate(zip(rounds.members, rounds.others, strict=True)):
        at[members] = at[others] = k
    p = {name: cross_fit(s, rounds, known.person) for name, s in _attacks(known).items()}
    records = np.bincount(known.person)

    def test(attacks: Sequence[str]) -> Exchange:
        return exchange_test(
            np.column_stack([-p[a] for a in attacks]),
            is_train,
            rng=rng,
            names=tuple(attacks),
            strata=at + FOLDS * records,
            permutations=permutations,
        )

    exchange, apart = test(tuple(p)), {}
    if "critic" in p:
        apart = {"set": test([a for a in p if a != "critic"]), "critic": test(["critic"])}
    members = rng.permutation(np.flatnonzero(is_train))[:PLANTED]
    rows = np.array([np.flatnonzero(known.person == m)[0] for m in members])
    planted = {}
    for rho in RHO:
        with_copies = _attacks(_planted(known, rows, rho, rng))
        for name, score in with_copies.items():
            planted[name, rho] = cross_fit(score, rounds, known.person)[members]
    return Inference(p, is_train, exchange, apart, _rare(known), planted)


def _rare(known: _Known) -> np.ndarray:
    """Return which patients are among the tenth farthest from any other patient."""
    far = np.zeros(int(known.person.max()) + 1)
    alone = nearest(known.x, known.x, (known.person, known.person))[0]
    np.maximum.at(far, known.person, alone)
    return far >= np.quantile(far, 1 - _RARE)


# ---- results -------------------------------------------------------------------------------


def membership(
    train: np.ndarray,
    holdout: np.ndarray | None,
    synth: np.ndarray,
    *,
    person_train: np.ndarray,
    person_holdout: np.ndarray | None,
    similarity: Mapping[str, np.ndarray] | None = None,
    reference: np.ndarray | None = None,
    critic: np.ndarray | None = None,
    seed: int = 0,
    section: str = "privacy",
    permutations: int = 9999,
) -> Results:
    """Attack training and holdout patients, and report how often the attacker is right.

    Parameters
    ----------
    train, holdout, synth : ndarray, shape (n, d)
        Usable records in one representation (flattened representative beats of unit norm, say).
    person_train, person_holdout : ndarray of int, shape (n,)
        Patient codes; no patient on both sides.
    similarity : mapping of str to ndarray, shape (n_train + n_holdout,), optional
        Similarity of each real record to its nearest synthetic one, by detector: attacks of
        their own. NaN where it could not be compared.
    reference : ndarray, shape (n, d), optional
        Output of a reference generator that never saw the training set; holdout patients who are
        not attacked in the same round stand in for it.
    critic : ndarray, shape (n_train + n_holdout,), optional
        The critic's score of each real record, higher for more real (the attack LOGAN); NaN where
        a record could not be scored.
    seed : int
    section : str
        Slug of the section and first part of every id.
    permutations : int
        Of patients, for the test over all attacks.

    Returns
    -------
    Results
        Estimates ``{section}.mia.{attack}.*``, two tables, a ROC figure, and PRIV-MIA, which never
        passes; NOT_ASSESSABLE without a holdout of 25 patients and ten training patients.

    References
    ----------
    Chen D, Yu N, Zhang Y, Fritz M. GAN-Leaks. CCS 2020:343-362. doi:10.1145/3372297.3417238
    van Breugel B, Sun H, Qian Z, van der Schaar M. Membership inference attacks against synthetic
    data through overfitting detection. AISTATS 2023, PMLR 206:3493-3514.
    Carlini N, et al. Membership inference attacks from first principles. IEEE S&P 2022:1897-1914.
    doi:10.1109/SP46214.2022.9833649
    Hayes J, Melis L, Danezis G, De Cristofaro E. LOGAN: membership inference attacks against
    generative models. PoPETs 2019;2019(1):133-152. doi:10.2478/popets-2019-0008
    """
    people = [0 if p is None else len(np.unique(p)) for p in (person_train, person_holdout)]
    if (
        holdout is None
        or person_holdout is None
        or len(synth) < 2
        or people[0] < 2 * FOLDS
        or people[1] < LEAST_PATIENTS
    ):
        return Results(
            findings=(
                Finding(
                    "PRIV-MIA",
                    Verdict.NOT_ASSESSABLE,
                    f"membership inference needs {2 * FOLDS} training and {LEAST_PATIENTS} holdout "
                    "patients drawn alike, and two synthetic records; "
                    + there_are(people[0], people[1], len(synth)),
                    "How often an attack is right about training patients means nothing without "
                    "knowing "
                    "how often it is wrong about others. Next time set 20 to 50 % of the patients "
                    "aside "
                    "at random before training, or plant canaries.",
                    rule=_rule([], permutations),
                    section=section,
                ),
            )
        )
    person = np.unique(np.concatenate([person_train, person_holdout]), return_inverse=True)[1]
    is_train = np.zeros(sum(people), bool)
    is_train[person[: len(train)]] = True
    with one_thread():
        axes = principal_axes(synth)
        known = _Known(
            axes(np.concatenate([train, holdout])),
            person,
            axes(synth),
            similarity or {},
            None if reference is None else axes(reference),
            critic,
        )
        found = infer(known, is_train, child_rng(seed, section, "mia"), permutations)
    sizes: dict[str, Any] = {
        "n_real": len(person),
        "n_synth": len(synth),
        "patients_real": sum(people),
        "seed": seed,
    }
    return Results(
        estimates=tuple(_estimates(found, section, sizes)),
        findings=(_finding(found, section, permutations),),
        tables=_tables(found, section),
        figures=(_roc(found, section),),
    )


def _estimates(found: Inference, section: str, sizes: Mapping[str, Any]) -> list[Estimate]:
    from scipy.stats import hypergeom

    t, h = int(found.is_train.sum()), int((~found.is_train).sum())
    at = {label: k for k, label in enumerate(found.exchange.statistics)}
    out = [
        Estimate(
            f"{section}.mia.largest",
            found.exchange.observed_max,
            p=found.exchange.p,
            floor=pair(np.quantile(found.exchange.null_max, (0.025, 0.975))),
            null=float(found.exchange.null_max.mean()),
            better="near_null",
            label="training against holdout patients, largest statistic of all attacks",
            method="AUC and top counts, standardised; patients permuted within rounds",
            **sizes,
        )
    ]
    for attack, p in found.p.items():
        k = at[attack, "auc"]
        auc = float(found.exchange.observed[k])
        out.append(
            Estimate(
                f"{section}.mia.{attack}.auc",
                auc,
                auc_interval(auc, t, h),
                p=found.apart["critic"].p if attack == "critic" else None,
                floor=pair(found.exchange.floor[k]),
                null=0.5,
                better="near_null",
                label=f"membership inference AUC, {_label(attack)}",
                method="conformal p-values of patients, cross-fitted; pseudo-score interval"
                + ("; p: patients permuted within rounds" if attack == "critic" else ""),
                **sizes,
            )
        )
        for level in levels(h):
            c = hits_at(level, p, found.is_train)
            chance = hypergeom.ppf((0.025, 0.975), t + h, c.hits + c.false, t) / t
            out.append(
                Estimate(
                    f"{section}.mia.{attack}.tpr_at_{percent(level)}",
                    c.hits / t,
                    c.interval,
                    floor=pair(chance),
                    null=level,
                    better="near_null",
                    label=f"training patients found at {level:.1%} false alarms, {_label(attack)}",
                    method="threshold from other holdout patients; Clopper-Pearson",
                    **sizes,
                )
            )
            out.append(
                Estimate(
                    f"{section}.mia.{attack}.fpr_at_{percent(level)}",
                    c.false / h,
                    clopper_pearson(c.false, h),
                    null=level,
                    better="near_null",
                    label=f"holdout patients taken for members at that threshold, {_label(attack)}",
                    method="the control: the same threshold on holdout patients",
                    **sizes,
                )
            )
            for rho in RHO:
                planted = found.planted.get((attack, rho))
                if planted is not None:
                    hits = int((planted <= level + 1e-12).sum())
                    out.append(
                        Estimate(
                            f"{section}.mia.recall.{attack}_at_{percent(level)}"
                            f".copy{100 * rho:.0f}",
                            hits / len(planted),
                            clopper_pearson(hits, len(planted)),
                            better="higher",
                            n_real=len(planted),
                            n_synth=len(planted),
                            seed=sizes["seed"],
                            label=f"planted patients found at {level:.1%} false alarms, "
                            f"{_label(attack)}, copies correlate at {rho:g}",
                            method="one copy each put into the synthetic set; Clopper-Pearson",
                        )
                    )
    return out


def _rule(printed: list[float], permutations: int) -> str:
    at = ", ".join(f"{TOLERATED[f]:.0%} at {f:.1%}" for f in printed or TOLERATED)
    return (
        "FAIL: the lower 95 % limit of the true positive rate of any attack is above what is "
        f"tolerated at a false positive rate ({at}; each used with ten expected false alarms or "
        f"more), or training patients score higher in {permutations} permutations of patients, "
        f"all attacks together, p < {P_FAIL:g}. Never PASS"
    )


def _finding(found: Inference, section: str, permutations: int) -> Finding:
    t, h = int(found.is_train.sum()), int((~found.is_train).sum())
    counts = [
        (name, hits_at(level, p, found.is_train))
        for name, p in found.p.items()
        for level in levels(h)
    ]
    above = [(n, c) for n, c in counts if c.interval[0] > TOLERATED[c.level]]
    numbers = f"{p_text(found.exchange.p, 1 / (permutations + 1))}, {t} against {h} patients"
    best = max(
        (k for k, label in enumerate(found.exchange.statistics) if label[1] == "auc"),
        key=lambda k: found.exchange.observed[k],
    )
    name = found.exchange.statistics[best][0]
    auc = f"best AUC {found.exchange.observed[best]:.2f}, {_label(name)}"
    if above:
        name, c = max(above, key=lambda a: a[1].interval[0] / a[1].level)
        title = (
            f"an attacker finds {c.hits / c.members:.0%} of the training patients at "
            f"{c.level:.1%} false alarms ({_label(name)}; {numbers})"
        )
    elif found.exchange.p < P_FAIL:
        title = f"attacks tell training from holdout patients ({numbers}; {auc})"
    else:
        title = f"no attack tells training from holdout patients ({numbers}; {auc})"
    failed = bool(above) or found.exchange.p < P_FAIL
    strictest = min(levels(h), default=None)
    if strictest is None:
        text = (
            f"True positive rates are not given: {h} holdout patients are fewer than the 100 "
            "it takes for a false positive rate of 10 %."
        )
    else:
        recalls = ", ".join(
            f"{_label(n)} {np.mean(v <= strictest + 1e-12):.0%}"
            for (n, rho), v in found.planted.items()
            if rho == RHO[0]
        )
        text = (
            f"Of {plural(min(t, PLANTED), 'patient')} of whom one copy (correlation {RHO[0]:g}) "
            f"was planted, the attacks found at {strictest:.1%} false alarms: {recalls}."
        )
    holds = "the synthetic set" + (", or the critic," if found.apart else "")
    text = (
        f"The attacks see {'the synthetic set only' if not found.apart else holds + ' alone'}. "
        "Their failure shows nothing about stronger ones. "
        if not failed
        else f"Whoever holds a person's ECG can tell from {holds} whether this person was "
        "trained on. "
    ) + text
    if found.apart:
        by_set, by_critic = (
            p_text(found.apart[k].p, 1 / (permutations + 1)) for k in ("set", "critic")
        )
        text += (
            f" By themselves: attacks on the synthetic set {by_set}, the critic's score "
            f"{by_critic}. Only who holds the checkpoint can ask the critic: what it gives away "
            "is no leak of the records, but of the weights."
        )
    ids = [f"{section}.mia.largest"]
    ids += [f"{section}.mia.{n}.tpr_at_{percent(c.level)}" for n, c in counts]
    return Finding(
        "PRIV-MIA",
        Verdict.FAIL if failed else Verdict.INCONCLUSIVE,
        title,
        text,
        tuple(ids),
        _rule(levels(h), permutations),
        section,
    )


def _tables(found: Inference, section: str) -> tuple[Table, ...]:
    h = int((~found.is_train).sum())
    rows, strata = [], []
    for name, p in found.p.items():
        for level in levels(h):
            c = hits_at(level, p, found.is_train)
            rows.append(
                (
                    _label(name),
                    level,
                    c.hits / c.members,
                    *c.interval,
                    c.false / c.others,
                    epsilon_from_rates(*c[1:]),
                    *(
                        float(np.mean(v <= level + 1e-12))
                        if (v := found.planted.get((name, rho))) is not None
                        else None
                        for rho in RHO
                    ),
                )
            )
        for label, part in (("rarest tenth", found.rare), ("others", ~found.rare)):
            if levels(h) and min(found.is_train[part].sum(), (~found.is_train[part]).sum()) > 0:
                c = hits_at(0.1, p[part], found.is_train[part])
                strata.append(
                    (
                        _label(name),
                        label,
                        c.members,
                        c.hits / c.members,
                        *c.interval,
                        c.others,
                        c.false / c.others,
                    )
                )
    return (
        Table(
            f"{section}.mia",
            "Membership inference: true positives at low false positive rates",
            (
                "attack",
                "allowed false positive rate",
                "true positive rate",
                "ci_low",
                "ci_high",
                "false positive rate found",
                "epsilon at least",
                *(f"recall of copies, correlation {rho:g}" for rho in RHO),
            ),
            tuple(rows),
            "Thresholds come from other holdout patients. Epsilon: 95 % lower bound at this "
            "threshold. Recall: patients of whom one copy was planted, found at this threshold.",
            section,
        ),
        Table(
            f"{section}.mia_strata",
            "Membership inference by rarity, 10 % false alarms overall",
            (
                "attack",
                "patients",
                "training",
                "true positive rate",
                "ci_low",
                "ci_high",
                "holdout",
                "false positive rate found",
            ),
            tuple(strata),
            "Rarest tenth: the patients farthest from all others. They are at greater risk than "
            "the average tells.",
            section,
        ),
    )


def _roc(found: Inference, section: str) -> Figure:
    curves = []
    at = {label: k for k, label in enumerate(found.exchange.statistics)}
    for name, p in found.p.items():
        cut = np.unique(p)
        cut = cut[np.unique(np.linspace(0, len(cut) - 1, 200).astype(int))]
        fpr, tpr = (
            (p[side][:, None] <= cut).mean(axis=0) for side in (~found.is_train, found.is_train)
        )
        curves.append(
            {
                "name": _label(name),
                "fpr": fpr.tolist(),
                "tpr": tpr.tolist(),
                "auc": float(found.exchange.observed[at[name, "auc"]]),
            }
        )
    return Figure(
        f"{section}.mia",
        "roc",
        "Membership inference",
        {"log": True, "curves": curves},
        "Patients. Both axes are logarithmic: the left end is an attacker who wants to be sure.",
        section,
    )
