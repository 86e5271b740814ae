"""Membership inference: can an attacker tell from the synthetic ECGs who was in the training set?

The attacker holds a person's ECG and the released set (and, where it is given, the checkpoint with
its critic), scores the ECG, and calls the person a member above a threshold. How often that is
right for training patients (true positive rate) counts against how often it is wrong for holdout
patients (false positive rate), at low rates of false alarms: an attack that is sure of a few
patients harms these few, whatever its average.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from ecgeval.parallel import one_thread
from ecgeval.privacy.attacks.checks import MIA
from ecgeval.privacy.attacks.folds import FOLDS, Rounds, Score, cross_fit
from ecgeval.privacy.attacks.membership_results import Inference, mia_rule, results_of
from ecgeval.privacy.attacks.scores import (
    DIMENSIONS,
    PLANTED,
    blend,
    log_density,
    nearest,
    nearest_distance,
    share_within,
)
from ecgeval.privacy.attacks.sets import LEAST_PATIENTS, AttackedSets, flat
from ecgeval.privacy.exchangeability import Exchange, exchange_test
from ecgeval.results import Results, Verdict
from ecgeval.stats.axes import principal_axes

__all__ = ["RHO", "membership"]

RHO = (0.99, 0.9)
"""How closely the planted copies correlate with their source."""
_RARE = 0.1


def membership(
    sets: AttackedSets,
    *,
    similarity: Mapping[str, np.ndarray] | None = None,
    reference: np.ndarray | None = None,
    critic: np.ndarray | None = None,
    permutations: int = 9999,
) -> Results:
    """Attack training and holdout patients, and report how often the attacker is right.

    Parameters
    ----------
    sets : AttackedSets
        Representative beats of unit norm, say.
    similarity : mapping of str to ndarray, shape (n_train + n_holdout,), optional
        Similarity of each real record to its nearest synthetic one, by detector: attacks of
        their own. NaN where it could not be compared.
    reference : ndarray, shape (n, ...), optional
        Output of a reference generator that never saw the training set; holdout patients who are
        not attacked in the same round stand in for it.
    critic : ndarray, shape (n_train + n_holdout,), optional
        The critic's score of each real record, higher for more real (the attack LOGAN); NaN where
        a record could not be scored.
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
    trained, held = sets.patients
    if len(sets.synth) < 2 or trained < 2 * FOLDS or held < LEAST_PATIENTS:
        finding = MIA.finding(
            Verdict.NOT_ASSESSABLE,
            f"membership inference needs {2 * FOLDS} training and {LEAST_PATIENTS} holdout "
            f"patients drawn alike, and two synthetic records; {sets.in_words()}",
            "How often an attack is right about training patients means nothing without knowing "
            "how often it is wrong about others. Next time set 20 to 50 % of the patients aside "
            "at random before training, or plant canaries.",
            rule=mia_rule([], permutations),
            section=sets.section,
        )
        return Results(findings=(finding,))
    with one_thread():
        axes = principal_axes(flat(sets.synth), DIMENSIONS)
        known = _Known(
            axes(flat(sets.real)),
            sets.person,
            axes(flat(sets.synth)),
            similarity or {},
            None if reference is None else axes(flat(reference)),
            critic,
        )
        found = _infer(known, sets.is_train, sets.rng("mia"), permutations)
    return results_of(found, sets, permutations)


@dataclass(frozen=True, eq=False)
class _Known:
    """What the attacks are made of: real records, the synthetic set, and what else is at hand."""

    x: np.ndarray  # (records, d), in principal axes
    person: np.ndarray
    synth: np.ndarray
    similarity: Mapping[str, np.ndarray]
    reference: np.ndarray | None
    critic: np.ndarray | None


def _attacks(k: _Known) -> dict[str, Score]:
    """Return the attacks, as scores of real records; none of them sees who was trained on."""
    to_synth = nearest_distance(k.x, k.synth)
    density = log_density(k.x, k.synth)

    def calibrated(rows: np.ndarray, reference: np.ndarray) -> np.ndarray:
        other = k.x[reference] if k.reference is None else k.reference
        return nearest_distance(k.x[rows], other) - to_synth[rows]

    def domias(rows: np.ndarray, reference: np.ndarray) -> np.ndarray:
        return density[rows] - log_density(k.x[rows], k.x[reference])

    out = {"ganleaks": _fixed(-to_synth)}
    out |= {f"ganleaks_{name.lower()}": _fixed(s) for name, s in k.similarity.items()}
    near = share_within(k.x, k.synth, float(np.median(to_synth)))
    out |= {"calibrated": calibrated, "counting": _fixed(near), "domias": domias}
    return out if k.critic is None else out | {"critic": _fixed(k.critic)}


def _fixed(score: np.ndarray) -> Score:
    """Return a score that needs no reference; what could not be compared is no member."""
    known = np.nan_to_num(score, nan=-np.inf)
    return lambda rows, _: known[rows]


def _planted(k: _Known, rows: np.ndarray, rho: float, rng: np.random.Generator) -> _Known:
    """Return the same with a copy of each record in `rows` put into the synthetic set."""
    copies = blend(k.x[rows], k.synth, rho, rng)
    similarity = {name: s.copy() for name, s in k.similarity.items()}
    for s in similarity.values():
        s[rows] = np.fmax(s[rows], rho)
    return replace(k, synth=np.concatenate([k.synth, copies]), similarity=similarity, critic=None)


def _infer(
    known: _Known, is_train: np.ndarray, rng: np.random.Generator, permutations: int
) -> Inference:
    """Run every attack, and again with planted copies."""
    rounds = Rounds.draw(is_train, rng)
    at = np.empty(len(is_train), int)
    for k, (members, others) in enumerate(zip(rounds.members, rounds.others, strict=True)):
        at[members] = at[others] = k
    p = {name: cross_fit(s, rounds, known.person) for name, s in _attacks(known).items()}
    strata = at + FOLDS * np.bincount(known.person)

    def test(attacks: Sequence[str]) -> Exchange:
        return exchange_test(
            np.column_stack([-p[a] for a in attacks]),
            is_train,
            rng=rng,
            names=tuple(attacks),
            strata=strata,
            permutations=permutations,
        )

    exchange, apart = test(tuple(p)), {}
    if "critic" in p:
        apart = {"set": test([a for a in p if a != "critic"]), "critic": test(["critic"])}
    members = rng.permutation(np.flatnonzero(is_train))[:PLANTED]
    rows = np.array([np.flatnonzero(known.person == m)[0] for m in members])
    planted = {}
    for rho in RHO:
        for name, score in _attacks(_planted(known, rows, rho, rng)).items():
            planted[name, rho] = cross_fit(score, rounds, known.person)[members]
    return Inference(p, is_train, exchange, apart, _rare(known), RHO, planted)


def _rare(known: _Known) -> np.ndarray:
    """Return which patients are among the tenth farthest from any other patient."""
    far = np.zeros(int(known.person.max()) + 1)
    alone = nearest(known.x, known.x, (known.person, known.person))[0]
    np.maximum.at(far, known.person, alone)
    return far >= np.quantile(far, 1 - _RARE)
