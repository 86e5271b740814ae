"""Which real group a synthetic set without the label looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgeval.comparison.pair import Pair
from ecgeval.comparison.subgroups.checks import LIKE, SLUG, STATISTICS
from ecgeval.comparison.subgroups.groups import Masks, id_part
from ecgeval.measures import measure_info
from ecgeval.parallel import child_rng
from ecgeval.results import Estimate, Finding, Results, Verdict
from ecgeval.stats.arrays import Floats
from ecgeval.stats.intervals import percentile_interval
from ecgeval.stats.resampling import monte_carlo_p, resample_weights
from ecgeval.stats.sample import MIN_PATIENTS, Sample
from ecgeval.wording import p_text

__all__ = ["Distances", "compare_likeness", "group_distances"]

LARGEST_P = 0.05
"""Largest p of the range over groups at which one group is called the nearest."""
SHUFFLES = 999


@dataclass(frozen=True)
class Distances:
    """How far each real group lies from the whole synthetic set: mean |δ| over the measures.

    Parameters
    ----------
    observed : ndarray, shape (groups,)
    draws : ndarray, shape (draws, groups)
        Bootstrap of real patients.
    nulls : ndarray, shape (shuffles, groups)
        Of as many random real patients.
    """

    observed: Floats
    draws: Floats
    nulls: Floats

    @property
    def p(self) -> float:
        """Of the range over groups against that of groups made by shuffling patients."""
        return monte_carlo_p(np.ptp(self.nulls, axis=1), float(np.ptp(self.observed)))

    @property
    def p_least(self) -> float:
        return 1 / (len(self.nulls) + 1)


def compare_likeness(
    pair: Pair,
    label: str,
    groups: Masks,
    columns: Sequence[str],
    samples: tuple[Sample, Sample],
    unlabelled: str,
) -> Results:
    """Return which real group the synthetic set is nearest to, without a verdict.

    Empty where fewer than two groups, or the synthetic set, have enough patients.
    """
    real, synth = samples
    people = {name: len(np.unique(real.patient[mask])) for name, (mask, _) in groups.items()}
    enough = [name for name, n in people.items() if n >= MIN_PATIENTS]
    if len(enough) < 2 or synth.n_patients < MIN_PATIENTS:
        return Results()
    linear = [i for i, c in enumerate(columns) if not measure_info(c).circular]
    masks = np.stack([groups[name][0] for name in enough], axis=1).astype(float)
    stream = f"{SLUG}.{id_part(label)}.likeness"
    found = group_distances(
        np.stack([_rank_deltas(synth.values[:, i], real.values[:, i]) for i in linear], axis=1),
        masks,
        real.patient,
        draws=pair.effort.bootstrap,
        rngs=(child_rng(pair.seed, stream, "bootstrap"), child_rng(pair.seed, stream, "null")),
    )
    about = STATISTICS["mean_abs_delta"]
    estimates = []
    for k, name in enumerate(enough):
        value = float(found.observed[k])
        low, high = percentile_interval(found.draws[:, k])
        estimates.append(
            Estimate(
                f"{SLUG}.{id_part(label)}.{id_part(name)}.mean_abs_delta",
                value,
                ci=(min(low, value), max(high, value)),
                floor=percentile_interval(found.nulls[:, k]),
                better=about.better,
                null=about.null,
                n_real=int(masks[:, k].sum()),
                n_synth=len(synth.patient),
                patients_real=people[name],
                patients_synth=synth.n_patients,
                seed=pair.seed,
                label=f"real {label} {name} against the whole synthetic set: {about.title}",
                method=f"mean over {len(linear)} measures; CI percentile bootstrap of real "
                f"patients; floor: {SHUFFLES:,} random draws of as many real patients",
            )
        )
    finding = _finding(label, enough, found, estimates, unlabelled)
    return Results(estimates=tuple(estimates), findings=(finding,))


def _finding(
    label: str,
    names: Sequence[str],
    found: Distances,
    estimates: Sequence[Estimate],
    unlabelled: str,
) -> Finding:
    order = np.argsort(found.observed)
    near, far = order[0], order[-1]
    floors = [percentile_interval(nulls) for nulls in found.nulls.T]
    ranked = "; ".join(
        f"{names[k]} {found.observed[k]:.2f} (random patients {floors[k][0]:.2f} to "
        f"{floors[k][1]:.2f})"
        for k in order
    )
    title = "looks no more like one real group than like another"
    if found.p <= LARGEST_P:
        title = (
            f"looks most like real {label} {names[near]}: mean |δ| {found.observed[near]:.2f}, "
            f"against {found.observed[far]:.2f} for {names[far]}"
        )
    return LIKE.finding(
        Verdict.INCONCLUSIVE,
        f"By {label}, the synthetic set {title} ({p_text(found.p, found.p_least)})",
        f"Mean absolute Cliff's δ over the declared measures, by group: {ranked}. It says whom the "
        f"synthetic ECGs resemble, not that they are right for anyone.{unlabelled}",
        section=SLUG,
        estimates=[e.id for e in estimates],
        rule="Descriptive, no gate: range over groups of the mean |δ| against that of groups made "
        "by shuffling patients.",
    )


def group_distances(
    delta: Floats,
    masks: Floats,
    patient: NDArray[np.intp],
    *,
    draws: int,
    rngs: tuple[np.random.Generator, np.random.Generator],
) -> Distances:
    """Return the mean |Cliff's δ| of each group of real records, with draws and a null.

    Parameters
    ----------
    delta : ndarray, shape (n, measures)
        Of one record against the whole synthetic set (a group's Cliff's δ is the mean); NaN where
        the record has no value.
    masks : ndarray of float, shape (n, groups)
        1 where a record is in a group.
    patient : ndarray of int, shape (n,)
        Codes from 0.
    draws : int
    rngs : (Generator, Generator)
        Of the bootstrap and of the shuffles.
    """
    patients = int(patient.max()) + 1
    known = (~np.isnan(delta)).astype(float)
    delta = np.nan_to_num(delta)

    def sums(values: Floats, member: Floats) -> Floats:
        """Return sums by patient over a group's records, shape (patients, measures)."""
        weighted = (values * member[:, None]).T
        return np.stack([np.bincount(patient, v, patients) for v in weighted], axis=1)

    def distance(weight: Floats, total: Floats, n: Floats) -> Floats:
        """Return the mean |δ| of each draw of patients, weights (draws, patients)."""
        return np.asarray(np.abs(weight @ total / np.maximum(weight @ n, 1)).mean(axis=1))

    each = [(sums(delta, mask), sums(known, mask)) for mask in masks.T]
    observed = np.array([distance(np.ones((1, patients)), *s)[0] for s in each])
    weights = resample_weights(patients, draws, rngs[0]).T
    drawn = np.stack([distance(weights, *s) for s in each], axis=1)
    # Shuffled by patient: one whose records are in two groups takes that of the first.
    first = masks[np.unique(patient, return_index=True)[1]]
    total, n = (sums(values, np.ones(len(delta))) for values in (delta, known))
    orders = (rngs[1].permutation(patients) for _ in range(SHUFFLES))
    nulls = np.stack([distance(first[order].T, total, n) for order in orders])
    return Distances(observed, drawn, nulls)


def _rank_deltas(synth: Floats, real: Floats) -> Floats:
    """Return P(S > x) − P(S < x) of each real value x, NaN for missing ones."""
    s = np.sort(synth[~np.isnan(synth)])
    if not len(s):
        return np.full(len(real), np.nan)
    below = np.searchsorted(s, real) + np.searchsorted(s, real, side="right")
    return np.where(np.isnan(real), np.nan, 1 - 2 * (below / (2 * len(s))))
