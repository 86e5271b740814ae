"""Which real group a synthetic set without the label looks like."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

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

__all__ = ["compare_likeness"]

LARGEST_P = 0.05
"""Largest p of the range over groups at which one group is called the nearest."""
SHUFFLES = 999


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
    deltas = [_rank_deltas(synth.values[:, i], real.values[:, i]) for i in linear]
    observed, draws, nulls = _distances(
        np.stack(deltas, axis=1),
        masks,
        real.patient,
        pair.effort.bootstrap,
        child_rng(pair.seed, stream, "bootstrap"),
        child_rng(pair.seed, stream, "null"),
    )
    floors = [percentile_interval(null) for null in nulls.T]
    about = STATISTICS["mean_abs_delta"]
    estimates = []
    for k, name in enumerate(enough):
        value = float(observed[k])
        low, high = percentile_interval(draws[:, k])
        estimates.append(
            Estimate(
                f"{SLUG}.{id_part(label)}.{id_part(name)}.mean_abs_delta",
                value,
                ci=(min(low, value), max(high, value)),
                floor=floors[k],
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
    order = np.argsort(observed)
    ranked = [(enough[k], observed[k], floors[k]) for k in order]
    # The range over groups, against that of groups made by shuffling patients.
    p = monte_carlo_p(np.ptp(nulls, axis=1), float(np.ptp(observed)))
    finding = _finding(label, ranked, p, unlabelled)
    ids = tuple(e.id for e in estimates)
    return Results(estimates=tuple(estimates), findings=(replace(finding, estimates=ids),))


def _finding(
    label: str, ranked: Sequence[tuple[str, float, tuple[float, float]]], p: float, unlabelled: str
) -> Finding:
    """Return the finding on groups by name, distance and floor, the nearest first."""
    title = "looks no more like one real group than like another"
    if p <= LARGEST_P:
        (near, least, _), (far, most, _) = ranked[0], ranked[-1]
        title = (
            f"looks most like real {label} {near}: mean |δ| {least:.2f}, against {most:.2f} for "
            f"{far}"
        )
    each = "; ".join(
        f"{name} {value:.2f} (random patients {low:.2f} to {high:.2f})"
        for name, value, (low, high) in ranked
    )
    return LIKE.finding(
        Verdict.INCONCLUSIVE,
        f"By {label}, the synthetic set {title} ({p_text(p, 1 / (SHUFFLES + 1))})",
        f"Mean absolute Cliff's δ over the declared measures, by group: {each}. It says whom the "
        f"synthetic ECGs resemble, not that they are right for anyone.{unlabelled}",
        section=SLUG,
        rule="Descriptive, no gate: range over groups of the mean |δ| against that of groups made "
        "by shuffling patients.",
    )


def _distances(
    delta: Floats,
    masks: Floats,
    patient: NDArray[np.intp],
    draws: int,
    bootstrap: np.random.Generator,
    shuffle: np.random.Generator,
) -> tuple[Floats, Floats, Floats]:
    """Return the mean |Cliff's δ| of groups of real records against the whole synthetic set.

    Of one record δ is a row of `delta`, (n, measures), NaN where it has no value; a group's is the
    mean. `masks`, (n, groups), is 1 where a record is in a group. Returned are the observed
    distances, (groups,), those of bootstrap draws of patients and those of as many random patients.
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
    weights = resample_weights(patients, draws, bootstrap).T
    drawn = np.stack([distance(weights, *s) for s in each], axis=1)
    # Shuffled by patient: one whose records are in two groups takes that of the first.
    first = masks[np.unique(patient, return_index=True)[1]]
    total, n = (sums(values, np.ones(len(delta))) for values in (delta, known))
    orders = (shuffle.permutation(patients) for _ in range(SHUFFLES))
    nulls = np.stack([distance(first[order].T, total, n) for order in orders])
    return observed, drawn, nulls


def _rank_deltas(synth: Floats, real: Floats) -> Floats:
    """Return P(S > x) − P(S < x) of each real value x, NaN for missing ones."""
    s = np.sort(synth[~np.isnan(synth)])
    if not len(s):
        return np.full(len(real), np.nan)
    below = np.searchsorted(s, real) + np.searchsorted(s, real, side="right")
    return np.where(np.isnan(real), np.nan, 1 - 2 * (below / (2 * len(s))))
