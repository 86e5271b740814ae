"""Membership inference in numbers, words, tables and a ROC figure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecgeval.privacy.attacks.checks import MIA
from ecgeval.privacy.attacks.rates import (
    TOLERATED,
    Hits,
    auc_estimate,
    called,
    hits_at,
    levels,
    percent,
)
from ecgeval.privacy.attacks.scores import PLANTED
from ecgeval.privacy.attacks.sets import P_FAIL, AttackedSets
from ecgeval.privacy.canaries import epsilon_from_rates
from ecgeval.privacy.exchangeability import Exchange
from ecgeval.results import Estimate, Figure, Finding, Results, Table, Verdict
from ecgeval.stats.intervals import clopper_pearson, pair
from ecgeval.wording import p_text, plural

__all__ = ["Inference", "mia_rule", "results_of"]

_ATTACKS = {
    "ganleaks": "nearest synthetic record",
    "calibrated": "nearest synthetic record, minus nearest reference record",
    "counting": "synthetic records in a ball",
    "domias": "density ratio of synthetic to reference records",
    "critic": "the critic's score",
}


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
    rhos : tuple of float
        Correlations of planted copies with their source, the closest first.
    planted : mapping of (attack, rho) to ndarray
        p-values of patients of whom a copy was put into the synthetic set.
    """

    p: Mapping[str, np.ndarray]
    is_train: np.ndarray
    exchange: Exchange
    apart: Mapping[str, Exchange]
    rare: np.ndarray
    rhos: tuple[float, ...]
    planted: Mapping[tuple[str, float], np.ndarray]

    @property
    def sizes(self) -> tuple[int, int]:
        """Training and holdout patients."""
        return int(self.is_train.sum()), int((~self.is_train).sum())

    @property
    def levels(self) -> list[float]:
        """False positive rates that may be printed."""
        return levels(self.sizes[1])

    def auc_number(self, attack: str) -> int:
        """Return which statistic of `exchange` is an attack's AUC."""
        return self.exchange.statistics.index((attack, "auc"))

    def auc(self, attack: str) -> float:
        return float(self.exchange.observed[self.auc_number(attack)])

    def hits(self) -> list[tuple[str, Hits]]:
        """Return every attack at every false positive rate."""
        return [(a, hits_at(f, p, self.is_train)) for a, p in self.p.items() for f in self.levels]


def results_of(found: Inference, sets: AttackedSets, permutations: int) -> Results:
    """Return all attacks as the results of a section."""
    section = sets.section
    return Results(
        estimates=tuple(_estimates(found, sets)),
        findings=(_finding(found, section, permutations),),
        tables=(_rates_table(found, section), _strata_table(found, section)),
        figures=(_roc(found, section),),
    )


def _label(attack: str) -> str:
    stem, _, detector = attack.partition("_")
    return _ATTACKS[stem] + (f", {detector.upper()}" if detector else "")


def mia_rule(printed: list[float], permutations: int) -> str:
    """Return the rule, with the false positive rates that there are patients enough for."""
    at = ", ".join(f"{TOLERATED[f]:.0%} at {f:.1%}" for f in printed or TOLERATED)
    return (
        "FAIL: the lower 95 % limit of the true positive rate of any attack is above what is "
        f"tolerated at a false positive rate ({at}; each used with ten expected false alarms or "
        f"more), or training patients score higher in {permutations} permutations of patients, "
        f"all attacks together, p < {P_FAIL:g}. Never PASS"
    )


def _estimates(found: Inference, sets: AttackedSets) -> Iterator[Estimate]:
    x = found.exchange
    yield Estimate(
        f"{sets.section}.mia.largest",
        x.observed_max,
        p=x.p,
        floor=pair(np.quantile(x.null_max, (0.025, 0.975))),
        null=float(x.null_max.mean()),
        better="near_null",
        label="training against holdout patients, largest statistic of all attacks",
        method="AUC and top counts, standardised; patients permuted within rounds",
        **sets.sizes,
    )
    for attack in found.p:
        yield from _estimates_of_attack(found, attack, f"{sets.section}.mia", sets.sizes)


def _estimates_of_attack(
    found: Inference, attack: str, at: str, sizes: Mapping[str, Any]
) -> Iterator[Estimate]:
    from scipy.stats import hypergeom

    label, (t, h) = _label(attack), found.sizes
    alone = found.apart["critic"].p if attack == "critic" else None
    yield auc_estimate(
        f"{at}.{attack}",
        found.exchange,
        found.auc_number(attack),
        found.is_train,
        p=alone,
        label=f"membership inference AUC, {label}",
        method="conformal p-values of patients, cross-fitted; pseudo-score interval"
        + ("" if alone is None else "; p: patients permuted within rounds"),
        **sizes,
    )
    for level in found.levels:
        c = hits_at(level, found.p[attack], found.is_train)
        chance = pair(hypergeom.ppf((0.025, 0.975), t + h, c.hits + c.false, t) / t)
        yield c.estimate(f"{at}.{attack}", label, floor=chance, **sizes)
        yield Estimate(
            f"{at}.{attack}.fpr_at_{percent(level)}",
            c.fpr,
            clopper_pearson(c.false, h),
            null=level,
            better="near_null",
            label=f"holdout patients taken for members at that threshold, {label}",
            method="the control: the same threshold on holdout patients",
            **sizes,
        )
        for rho in found.rhos:
            if (planted := found.planted.get((attack, rho))) is not None:
                hits, n = int(called(planted, level).sum()), len(planted)
                yield Estimate(
                    f"{at}.recall.{attack}_at_{percent(level)}.copy{100 * rho:.0f}",
                    hits / n,
                    clopper_pearson(hits, n),
                    better="higher",
                    n_real=n,
                    n_synth=n,
                    seed=sizes["seed"],
                    label=f"planted patients found at {level:.1%} false alarms, {label}, copies "
                    f"correlate at {rho:g}",
                    method="one copy each put into the synthetic set; Clopper-Pearson",
                )


def _finding(found: Inference, section: str, permutations: int) -> Finding:
    t, h = found.sizes
    x, counts = found.exchange, found.hits()
    above = [(a, c) for a, c in counts if c.interval[0] > TOLERATED[c.level]]
    failed = bool(above) or x.p < P_FAIL
    numbers = f"{p_text(x.p, 1 / (permutations + 1))}, {t} against {h} patients"
    best = max(found.p, key=found.auc)
    auc = f"best AUC {found.auc(best):.2f}, {_label(best)}"
    if above:
        attack, c = max(above, key=lambda a: a[1].interval[0] / a[1].level)
        title = (
            f"an attacker finds {c.tpr:.0%} of the training patients at {c.level:.1%} false "
            f"alarms ({_label(attack)}; {numbers})"
        )
    elif failed:
        title = f"attacks tell training from holdout patients ({numbers}; {auc})"
    else:
        title = f"no attack tells training from holdout patients ({numbers}; {auc})"
    return MIA.finding(
        Verdict.FAIL if failed else Verdict.INCONCLUSIVE,
        title,
        _explanation(found, failed, 1 / (permutations + 1)),
        section=section,
        rule=mia_rule(found.levels, permutations),
        estimates=(
            f"{section}.mia.largest",
            *(f"{section}.mia.{a}.tpr_at_{percent(c.level)}" for a, c in counts),
        ),
    )


def _explanation(found: Inference, failed: bool, least_p: float) -> str:
    t, h = found.sizes
    critic = bool(found.apart)
    if failed:
        holds = "the synthetic set" + (", or the critic," if critic else "")
        text = (
            f"Whoever holds a person's ECG can tell from {holds} whether this person was trained "
            "on. "
        )
    else:
        seen = "the synthetic set, or the critic, alone" if critic else "the synthetic set only"
        text = f"The attacks see {seen}. Their failure shows nothing about stronger ones. "
    if not found.levels:
        text += (
            f"True positive rates are not given: {h} holdout patients are fewer than the 100 "
            "it takes for a false positive rate of 10 %."
        )
    else:
        strictest = min(found.levels)
        recalls = ", ".join(
            f"{_label(attack)} {called(p, strictest).mean():.0%}"
            for (attack, rho), p in found.planted.items()
            if rho == found.rhos[0]
        )
        text += (
            f"Of {plural(min(t, PLANTED), 'patient')} of whom one copy (correlation "
            f"{found.rhos[0]:g}) was planted, the attacks found at {strictest:.1%} false alarms: "
            f"{recalls}."
        )
    if critic:
        by_set, by_critic = (p_text(found.apart[k].p, least_p) for k in ("set", "critic"))
        text += (
            f" By themselves: attacks on the synthetic set {by_set}, the critic's score "
            f"{by_critic}. Only who holds the checkpoint can ask the critic: what it gives away "
            "is no leak of the records, but of the weights."
        )
    return text


def _rates_table(found: Inference, section: str) -> Table:
    rows = []
    for attack, c in found.hits():
        planted = (found.planted.get((attack, rho)) for rho in found.rhos)
        recalls = (None if p is None else float(called(p, c.level).mean()) for p in planted)
        epsilon = epsilon_from_rates(c.hits, c.members, c.false, c.others)
        rows.append((_label(attack), c.level, c.tpr, *c.interval, c.fpr, epsilon, *recalls))
    return Table(
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
            *(f"recall of copies, correlation {rho:g}" for rho in found.rhos),
        ),
        tuple(rows),
        "Thresholds come from other holdout patients. Epsilon: 95 % lower bound at this "
        "threshold. Recall: patients of whom one copy was planted, found at this threshold.",
        section,
    )


def _strata_table(found: Inference, section: str) -> Table:
    rows = []
    strata = {"rarest tenth": found.rare, "others": ~found.rare} if found.levels else {}
    for attack, p in found.p.items():
        for label, part in strata.items():
            c = hits_at(0.1, p[part], found.is_train[part])
            if min(c.members, c.others) > 0:
                rows.append((_label(attack), label, c.members, c.tpr, *c.interval, c.others, c.fpr))
    return Table(
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
        tuple(rows),
        "Rarest tenth: the patients farthest from all others. They are at greater risk than "
        "the average tells.",
        section,
    )


def _roc(found: Inference, section: str) -> Figure:
    curves = []
    for attack, p in found.p.items():
        cut = np.unique(p)
        cut = cut[np.unique(np.linspace(0, len(cut) - 1, 200).astype(int))]
        fpr, tpr = (
            (p[side][:, None] <= cut).mean(axis=0) for side in (~found.is_train, found.is_train)
        )
        curves.append(
            {
                "name": _label(attack),
                "fpr": fpr.tolist(),
                "tpr": tpr.tolist(),
                "auc": found.auc(attack),
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
