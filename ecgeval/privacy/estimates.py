"""Every number of an audit, with its interval, sizes and null."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ecgeval.privacy.comparable import PERMUTATIONS
from ecgeval.privacy.copies.detectors import MAIN
from ecgeval.privacy.copies.disguises import TRANSFORMS
from ecgeval.privacy.evidence import Evidence
from ecgeval.privacy.exchangeability import Exchange
from ecgeval.privacy.sensitivity import planted_found, upper_limit
from ecgeval.results import Estimate
from ecgeval.stats.intervals import auc_interval, clopper_pearson, count_interval, pair

__all__ = ["estimates", "recall_estimate"]


def estimates(e: Evidence, section: str) -> Iterator[Estimate]:
    """Yield every number of the audit."""
    yield from _copies(e, section)
    for name, found in planted_found(e).items():
        for transform, row in zip(TRANSFORMS, found, strict=True):
            yield recall_estimate(section, name, transform.id, transform.label, row, e.seed)
    for name, r in e.reach.items():
        yield Estimate(
            f"{section}.{name.lower()}.own_halves",
            r.low,
            (r.ci_low, r.ci_high),
            n_real=r.records,
            seed=e.seed,
            label=f"similarity that 95 % of records reach with their own half, {name}",
            method="5 % quantile over training records, first against last half; order statistics",
        )
    yield Estimate(
        f"{section}.duplicates.records",
        len(np.unique(e.duplicates.pairs)),
        null=0,
        unit="records",
        better="lower",
        n_real=len(e.real),
        label="real records that occur more than once",
        method=f"detector {e.duplicates.detector} among all real records",
    )
    if e.alike is not None and e.holdout is not None:
        beats = " and the representative beat" if "beat" in e.train.signals else ""
        yield Estimate(
            f"{section}.comparable.energy",
            e.alike.energy,
            p=e.alike.p,
            floor=e.alike.floor,
            null=e.alike.expected,
            better="near_null",
            seed=e.seed,
            n_real=len(e.train) + len(e.holdout),
            patients_real=e.train.people() + e.holdout.people(),
            label="training against holdout patients, without the synthetic set",
            method=f"energy distance of patients' mean features (log band power a lead{beats}); p, "
            f"floor and null: {PERMUTATIONS:,} permutations of patients",
        )
    if e.exchange is not None:
        yield from _exchange(e, e.exchange, section)


def _copies(e: Evidence, section: str) -> Iterator[Estimate]:
    n, people = e.usable_synth, e.train.people()
    count = int(e.named.sum())
    sizes: dict[str, Any] = {
        "n_real": len(e.train),
        "n_synth": n,
        "patients_real": people,
        "seed": e.seed,
        "better": "lower",
    }
    records: dict[str, Any] = {"unit": "records", "null": 0}
    patients: dict[str, Any] = {"unit": "patients", "null": 0}
    yield Estimate(
        f"{section}.copies.count",
        count if n else None,
        count_interval(count, n),
        label="synthetic records named as copies",
        method="union of detectors, calibrated rule; Clopper-Pearson",
        **records,
        **sizes,
    )
    yield Estimate(
        f"{section}.copies.upper",
        upper_limit(e, count, n),
        label="upper 95 % bound on the share of outputs that are copies of the kinds planted",
        method="Clopper-Pearson limit over the lower limit of the weakest planted recall",
        **sizes,
    )
    yield Estimate(
        f"{section}.copies.patients",
        e.exposed,
        count_interval(e.exposed, people),
        label="training patients of whom a copy was named",
        method="partners of the copies; Clopper-Pearson",
        **patients,
        **sizes,
    )
    yield Estimate(
        f"{section}.copies.patients_upper",
        upper_limit(e, e.exposed, people),
        label="upper 95 % bound on the share of training patients copied",
        method="as copies.upper, over patients",
        **sizes,
    )
    if e.holdout is not None and e.with_holdout:
        swapped = int(e.control.sum())
        sizes |= {"n_real": len(e.holdout), "patients_real": e.holdout.people()}
        yield Estimate(
            f"{section}.copies.control",
            swapped,
            count_interval(swapped, n),
            label="synthetic records named as copies of holdout records",
            method="the same rule, train and holdout exchanged",
            **records,
            **sizes,
        )


def recall_estimate(
    section: str, detector: str, disguise: str, label: str, found: np.ndarray, seed: int
) -> Estimate:
    """Return the share of copies found, planted under a disguise, by a detector or ``any``."""
    hits, planted = int(found.sum()), len(found)
    return Estimate(
        f"{section}.recall.{detector.lower()}.{disguise}",
        hits / planted if planted else None,
        clopper_pearson(hits, planted) if planted else None,
        n_real=planted,
        n_synth=planted,
        better="higher",
        seed=seed,
        label=f"planted copies found, {label}, {detector}",
        method="planted training records, right partner named; Clopper-Pearson",
    )


def _exchange(e: Evidence, x: Exchange, section: str) -> Iterator[Estimate]:
    assert e.holdout is not None
    t, h = e.train.people(), e.holdout.people()
    sizes: dict[str, Any] = {
        "n_real": len(e.train) + len(e.holdout),
        "n_synth": e.usable_synth,
        "patients_real": t + h,
        "seed": e.seed,
    }
    at = {label: k for k, label in enumerate(x.statistics)}
    k = at[MAIN.id, "auc"]
    yield Estimate(
        f"{section}.exchange.auc",
        float(x.observed[k]),
        auc_interval(float(x.observed[k]), t, h),
        p=x.p,
        floor=pair(x.floor[k]),
        null=0.5,
        better="near_null",
        label=f"training against holdout patients: AUC of {MAIN.id} similarity",
        method="Mann-Whitney AUC, pseudo-score interval; p: permutation of patients, largest "
        "standardised statistic over detectors, AUC and top counts",
        **sizes,
    )
    if (MAIN.id, "top20") in at:
        k = at[MAIN.id, "top20"]
        share = float(x.observed[k])
        yield Estimate(
            f"{section}.exchange.topq20",
            share,
            clopper_pearson(round(20 * share), 20),
            p=x.p,
            floor=pair(x.floor[k]),
            null=float(x.expected[k]),
            better="near_null",
            label=f"share of training patients among the 20 most similar ({MAIN.id})",
            method="top count; p as exchange.auc",
            **sizes,
        )
    yield Estimate(
        f"{section}.exchange.flagged",
        e.flagged,
        null=0,
        unit="patients",
        better="lower",
        label="training patients flagged at a false discovery rate of 5 %",
        method="conformal p-values of the best rank over detectors, Benjamini-Hochberg",
        **sizes,
    )
