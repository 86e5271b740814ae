"""What an audit concludes: estimates, and findings with the rule each rests on."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import numpy as np

from ecgeval.privacy.comparable import P_ALIKE, PERMUTATIONS
from ecgeval.privacy.copies.disguises import TRANSFORMS
from ecgeval.privacy.copies.rule import ALPHA
from ecgeval.privacy.evidence import LEAST_PATIENTS
from ecgeval.privacy.view import P_FAIL, P_HINT, P_REVERSED, View
from ecgeval.results import Estimate, Finding, Verdict
from ecgeval.stats.intervals import auc_interval, clopper_pearson, count_interval, pair
from ecgeval.wording import is_or_are, p_text, plural, share_text

__all__ = ["estimates", "findings"]

MOST_UNSEEN = 0.05
"""A search that cannot exclude a larger share of copies than this is too small."""
LEAST_RECALL = 0.9
"""A search that finds fewer of the planted copies than this, of any kind, clears nothing."""

WITH_BEATS = (  # attacks that need representative beats
    "membership inference",
    "linkage to the same patient",
    "attribute inference",
)
NOT_TESTED = (
    "time-reversed copies, and copies re-timed by more than 10 %",
    "shadow models, and inversion of the generator",
    "the generator's weights",
)


def estimates(v: View) -> Iterator[Estimate]:
    """Yield every number of the audit, with its interval, sizes and null."""
    e, n = v.e, v.n_synth
    sizes: dict[str, Any] = {
        "n_real": len(e.train),
        "n_synth": n,
        "patients_real": e.train.people(),
        "seed": v.seed,
    }
    count = int(v.named.sum())
    yield Estimate(
        v.id("copies", "count"),
        count if n else None,
        count_interval(count, n),
        null=0,
        unit="records",
        better="lower",
        label="synthetic records named as copies",
        method="union of detectors, calibrated rule; Clopper-Pearson",
        **sizes,
    )
    yield Estimate(
        v.id("copies", "upper"),
        v.bound(count, n),
        better="lower",
        label="upper 95 % bound on the share of outputs that are copies of the kinds planted",
        method="Clopper-Pearson limit over the lower limit of the weakest planted recall",
        **sizes,
    )
    yield Estimate(
        v.id("copies", "patients"),
        v.exposed,
        count_interval(v.exposed, e.train.people()),
        null=0,
        unit="patients",
        better="lower",
        label="training patients of whom a copy was named",
        method="partners of the copies; Clopper-Pearson",
        **sizes,
    )
    yield Estimate(
        v.id("copies", "patients_upper"),
        v.bound(v.exposed, e.train.people()),
        better="lower",
        label="upper 95 % bound on the share of training patients copied",
        method="as copies.upper, over patients",
        **sizes,
    )
    if e.holdout is not None and v.with_holdout:
        yield Estimate(
            v.id("copies", "control"),
            int(v.control.sum()),
            count_interval(int(v.control.sum()), n),
            null=0,
            unit="records",
            better="lower",
            label="synthetic records named as copies of holdout records",
            method="the same rule, train and holdout exchanged",
            **(sizes | {"n_real": len(e.holdout), "patients_real": e.holdout.people()}),
        )
    for name, found in v.detectors():
        for transform, row in zip(TRANSFORMS, found, strict=True):
            hits, planted = int(row.sum()), len(row)
            yield Estimate(
                v.id("recall", name.lower(), transform.id),
                hits / planted if planted else None,
                clopper_pearson(hits, planted) if planted else None,
                n_real=planted,
                n_synth=planted,
                better="higher",
                seed=v.seed,
                label=f"planted copies found, {transform.label}, {name}",
                method="planted training records, right partner named; Clopper-Pearson",
            )
    for name, r in v.reach.items():
        yield Estimate(
            v.id(name.lower(), "own_halves"),
            r.low,
            (r.ci_low, r.ci_high),
            n_real=r.records,
            seed=v.seed,
            label=f"similarity that 95 % of records reach with their own half, {name}",
            method="5 % quantile over training records, first against last half; order statistics",
        )
    yield Estimate(
        v.id("duplicates", "records"),
        len(np.unique(e.duplicates.pairs)),
        null=0,
        unit="records",
        better="lower",
        n_real=len(e.real_ids),
        label="real records that occur more than once",
        method=f"detector {e.duplicates.detector} among all real records",
    )
    if e.alike is not None and e.holdout is not None:
        yield Estimate(
            v.id("comparable", "energy"),
            e.alike.energy,
            p=e.alike.p,
            floor=e.alike.floor,
            null=e.alike.expected,
            better="near_null",
            seed=v.seed,
            n_real=len(e.train) + len(e.holdout),
            patients_real=e.train.people() + e.holdout.people(),
            label="training against holdout patients, without the synthetic set",
            method=f"energy distance of patients' mean features ({_features(v)}); p, floor and "
            f"null: {PERMUTATIONS:,} permutations of patients",
        )
    if e.exchange is not None and e.holdout is not None:
        yield from _exchange_estimates(v)


def _features(v: View) -> str:
    """Return what the energy test compares."""
    beats = " and the representative beat" if "beat" in v.e.train.signals else ""
    return f"log band power a lead{beats}"


def _exchange_estimates(v: View) -> Iterator[Estimate]:
    x, train, holdout = v.e.exchange, v.e.train, v.e.holdout
    assert x is not None
    assert holdout is not None
    t, h = train.people(), holdout.people()
    sizes: dict[str, Any] = {
        "n_real": len(train) + len(holdout),
        "n_synth": v.n_synth,
        "patients_real": t + h,
        "seed": v.seed,
    }
    at = {label: k for k, label in enumerate(x.statistics)}
    k = at["D2", "auc"]
    yield Estimate(
        v.id("exchange", "auc"),
        float(x.observed[k]),
        auc_interval(float(x.observed[k]), t, h),
        p=x.p,
        floor=pair(x.floor[k]),
        null=0.5,
        better="near_null",
        label="training against holdout patients: AUC of D2 similarity",
        method="Mann-Whitney AUC, pseudo-score interval; p: permutation of patients, largest "
        "standardised statistic over detectors, AUC and top counts",
        **sizes,
    )
    if ("D2", "top20") in at:
        k = at["D2", "top20"]
        share = float(x.observed[k])
        yield Estimate(
            v.id("exchange", "topq20"),
            share,
            clopper_pearson(round(20 * share), 20),
            p=x.p,
            floor=pair(x.floor[k]),
            null=float(x.expected[k]),
            better="near_null",
            label="share of training patients among the 20 most similar (D2)",
            method="top count; p as exchange.auc",
            **sizes,
        )
    yield Estimate(
        v.id("exchange", "flagged"),
        v.e.flagged,
        null=0,
        unit="patients",
        better="lower",
        label="training patients flagged at a false discovery rate of 5 %",
        method="conformal p-values of the best rank over detectors, Benjamini-Hochberg",
        **sizes,
    )


def findings(v: View) -> Iterator[Finding]:
    """Yield the audit's conclusions; the scope comes first, after what fails."""
    conclusions = [_copies(v), _exchange(v)]
    failed = [f for f in conclusions if f.verdict == Verdict.FAIL]
    yield from failed
    yield Finding(
        "PRIV-SCOPE",
        Verdict.INCONCLUSIVE,
        ("" if failed else "no copying was found, but ")
        + "copy search and exchangeability can fail a release; they never clear one",
        "Data sets that pass distance checks have been found highly vulnerable to membership "
        "inference (Yao et al., The DCR Delusion, arXiv 2505.01524). This audit is evidence "
        "for whoever decides on the release, not the decision.",
        rule="always INCONCLUSIVE",
        section=v.section,
    )
    yield from (f for f in conclusions if f not in failed)
    yield _duplicates(v)
    yield Finding(
        "PRIV-RESIDUAL",
        Verdict.NOT_ASSESSABLE,
        "what risk remains is for the controller of the data to judge",
        "This audit bounds leakage from below: it can show a leak and exclude none. Attacks get "
        "better, and a record that is rare is easier to find than these averages say. Audit again "
        "for another checkpoint, for more records, or before weights are released. Only training "
        "with differential privacy gives a bound from above.",
        rule="written whatever the data",
        section=v.section,
        gate=False,
    )
    omitted = NOT_TESTED if "beat" in v.e.synth.signals else (*WITH_BEATS, *NOT_TESTED)
    if v.critic_asked:
        omitted = (*omitted[:-1], f"{omitted[-1]} beyond its critic's scores")
    yield Finding(
        "PRIV-NOT-TESTED",
        Verdict.NOT_ASSESSABLE,
        f"{plural(len(omitted), 'attack')} were not tried",
        "Not run: " + "; ".join(omitted) + ".",
        rule="listed whatever the data",
        section=v.section,
        gate=False,
    )


def _copies(v: View) -> Finding:
    e, n, count, swapped = v.e, v.n_synth, int(v.named.sum()), int(v.control.sum())
    weakest = float(v.recall[v.promised].min())
    sensitivity = (
        f"Of {v.n_planted} planted training records the search found: {v.recalls()}; kinds that "
        "are reported but not promised are in the sensitivity table."
    )
    if above := v.limits_out_of_reach():
        sensitivity += (
            " The limit lies above what 95 % of training records reach with their own other half, "
            f"by beats: {above}. A beat that is no more alike than that is named only by another "
            "detector."
        )
    against = "holdout record" if v.with_holdout else "record of another patient"
    rule = (
        f"copy: similarity at or above a detector's limit (chance {ALPHA:g} that an honest set "
        "of this size has one, extrapolated from different patients) and at less than half "
        f"the distance of the nearest {against}. FAIL: any copy. PASS: none, and at "
        f"least {LEAST_RECALL:.0%} of planted copies of every promised kind found, and an upper "
        "95 % limit on the share of copies, corrected for the copies the search misses, of at most "
        f"{MOST_UNSEEN:.0%}, and no record left out for gaps; else INCONCLUSIVE"
    )
    if not n or not v.n_planted:
        verdict, title = Verdict.NOT_ASSESSABLE, "no usable signal to search for copies in"
        text = "Every record of the synthetic or the training set is flat or not finite."
    elif count:
        verdict = Verdict.FAIL
        title = (
            f"{plural(count, 'synthetic record')} of {n} {is_or_are(count)} a copy of a training "
            f"record ({plural(v.exposed, 'patient')})"
        )
        text = (
            "The table of copies names them. Do not release this set. Removing the records "
            "named is not enough: the generator has memorised patients, and a filter that "
            "regenerates until nothing is found hides it. " + sensitivity
        )
    elif swapped:
        verdict = Verdict.FAIL
        copies = f"{plural(swapped, 'synthetic record')} of {n} {is_or_are(swapped)}"
        title = f"{copies} a copy of a holdout record"
        text = (
            "The generator should never have seen the holdout: either it was trained on it, or "
            "the two sets are exchanged on the command line. Real patients are copied either "
            "way."
        )
    elif weakest < LEAST_RECALL:
        verdict = Verdict.INCONCLUSIVE
        title = (
            f"no copy found among {plural(n, 'synthetic record')}, but the search is too weak: of "
            f"the kinds planted it misses up to {1 - weakest:.0%}, so as many as "
            f"{share_text(v.bound(0, n))} of the outputs may be copies"
        )
        text = sensitivity + " A search that misses planted copies clears nothing."
    else:
        enough = v.bound(0, n) <= MOST_UNSEEN
        verdict = Verdict.PASS if enough else Verdict.INCONCLUSIVE
        title = (
            f"no copy of the kinds planted among {plural(n, 'synthetic record')}; at most "
            f"{share_text(v.bound(0, n))} of the outputs are such copies (95 % limit)"
        )
        if not enough:
            title = f"too few records for a verdict: {title}"
        if not v.with_holdout:
            title += f" (lower grade: {'no' if e.holdout is None else 'unlike'} holdout)"
        text = (
            f"{sensitivity} With 95 % confidence fewer than {share_text(v.bound(0, n))} of the "
            "generator's outputs are copies of these kinds."
        )
    left = v.unsearched()
    if left and verdict in (Verdict.PASS, Verdict.INCONCLUSIVE):
        verdict = Verdict.INCONCLUSIVE
        title += f"; {left} could not be searched"
        text += (
            f" {left[0].upper()}{left[1:]} could not be searched, less than half of their samples "
            "being finite: the limits above speak of the others."
        )
    if not v.with_holdout:
        why = (
            "There was no usable holdout"
            if e.holdout is None
            else "The holdout is not drawn like the training set, so being far from it shows "
            "nothing"
        )
        text += (
            f" {why}: other training patients stood in for it, which is a lower grade of evidence."
        )
    return Finding(
        "PRIV-COPIES",
        verdict,
        title,
        text,
        (v.id("copies", "count"), v.id("copies", "upper")),
        rule,
        v.section,
    )


def _exchange(v: View) -> Finding:
    e = v.e
    rule = (
        f"patients permuted between train and holdout; FAIL if p < {P_FAIL:g}, or if the "
        f"holdout is the closer side at p <= {P_REVERSED:g}; never PASS, for a test that "
        "finds nothing shows nothing. NOT_ASSESSABLE if the two real sets differ by themselves "
        f"(energy test, p < {P_ALIKE:g})"
    )
    if not v.comparable:
        assert e.alike is not None
        return Finding(
            "PRIV-EXCHANGE",
            Verdict.NOT_ASSESSABLE,
            f"the holdout is not drawn like the training set "
            f"({p_text(e.alike.p, 1 / (PERMUTATIONS + 1))}, "
            "without looking at the synthetic set)",
            "Training and holdout patients differ by themselves, so a synthetic set that is closer "
            "to one of them says nothing about memory. Give a holdout of the same source, allotted "
            "at random before training: split by patient, not by date, site, age or diagnosis.",
            (v.id("comparable", "energy"),),
            rule=rule,
            section=v.section,
        )
    if e.exchange is None or e.holdout is None:
        why = (
            "without a holdout"
            if not v.given_holdout
            else "with this holdout: nothing is left of it without the patients and recordings "
            "that are in the training set too"
            if e.holdout is None
            else f"with fewer than {LEAST_PATIENTS} usable patients on either side"
        )
        return Finding(
            "PRIV-EXCHANGE",
            Verdict.NOT_ASSESSABLE,
            f"leakage short of copying cannot be assessed {why}",
            "Next time set 20 to 50 % of the patients aside at random before training, and "
            "give them as --holdout. Whether the synthetic set is closer to its training "
            "patients than to others can only be told by comparison with others.",
            rule=rule,
            section=v.section,
        )
    x = e.exchange
    t, h = e.train.people(), e.holdout.people()
    run, chance = 0, 1.0
    while chance >= P_FAIL and run < t:
        chance *= (t - run) / (t + h - run)
        run += 1
    numbers = (
        f"{p_text(x.p, 1 / (len(x.null_max) + 1))}, {x.in_words(x.most)}, {t} against {h} patients"
    )
    if x.p < P_FAIL:
        verdict = Verdict.FAIL
        title = f"the synthetic set tells training from holdout patients ({numbers})"
        text = (
            "It is closer to the patients the generator was trained on than chance allows: "
            "evidence of memorisation, whether or not single copies were named."
        )
    elif x.p_reversed <= P_REVERSED:
        verdict = Verdict.FAIL
        title = (
            "the synthetic set is closer to the holdout than to the training patients "
            f"({p_text(x.p_reversed, 1 / (len(x.null_max) + 1))}, {x.in_words(x.least)})"
        )
        text = (
            "This happens when the two sets are exchanged, when the generator saw the "
            "holdout, or when patients were not allotted at random; an audit with these "
            "sets cannot be relied on."
        )
    else:
        verdict = Verdict.INCONCLUSIVE
        title = f"training and holdout patients could not be told apart ({numbers})"
        if x.p < P_HINT:
            title = f"a hint, short of failing, that training patients are closer ({numbers})"
        text = (
            f"With these numbers fewer than about {run} copied patients pass unnoticed by "
            "this test; the copy search covers those. A test that finds nothing shows nothing."
        )
    text += f" Flagged one by one at a false discovery rate of 5 %: {plural(e.flagged, 'patient')}."
    if x.informative < t + h:
        text += (
            f" Not informative, for a number of usable records that only one side has: "
            f"{plural(t + h - x.informative, 'patient')}."
        )
    ids = [v.id("exchange", "auc")]
    if ("D2", "top20") in x.statistics:
        ids.append(v.id("exchange", "topq20"))
    return Finding("PRIV-EXCHANGE", verdict, title, text, tuple(ids), rule, v.section)


def _duplicates(v: View) -> Finding:
    e, parts = v.e, v.twice()
    text = (
        "Repeated records are memorised most easily, and a patient on both sides makes the "
        "holdout no control."
    )
    if e.removed:
        text += (
            f" {plural(e.removed, 'record')} left the holdout, with the patients they belong to: "
            "the patient or a recording is in the training set too."
        )
    return Finding(
        "PRIV-DUPLICATES",
        Verdict.FAIL if parts else Verdict.PASS,
        "; ".join(parts) or "no recording and no patient occurs twice in the real sets",
        text,
        (v.id("duplicates", "records"),),
        "FAIL: any recording twice, or any patient in train and holdout",
        v.section,
        gate=False,
    )
