"""What an audit concludes: findings, with the rule each rests on."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from ecgeval.privacy.checks import COPIES, DUPLICATES, EXCHANGE, NOT_TESTED, RESIDUAL, SCOPE
from ecgeval.privacy.comparable import LEAST_PATIENTS, P_ALIKE, PERMUTATIONS
from ecgeval.privacy.copies.detectors import MAIN
from ecgeval.privacy.copies.rule import ALPHA
from ecgeval.privacy.evidence import Evidence
from ecgeval.privacy.exchangeability import Exchange
from ecgeval.privacy.sensitivity import (
    limits_out_of_reach,
    recall_in_words,
    upper_limit,
    weakest_recall,
)
from ecgeval.results import Finding, Verdict
from ecgeval.wording import is_or_are, p_text, plural, share_text

__all__ = ["findings", "summary"]

MOST_UNSEEN = 0.05
"""A search that cannot exclude a larger share of copies than this is too small."""
LEAST_RECALL = 0.9
"""A search that finds fewer of the planted copies than this, of any kind, clears nothing."""
P_FAIL = 0.01
P_HINT = 0.05
P_REVERSED = 0.001
"""The reversed direction is no hypothesis of the audit, hence stricter."""

WITH_BEATS = (  # attacks that need representative beats
    "membership inference",
    "linkage to the same patient",
    "attribute inference",
)
NEVER_TESTED = (
    "time-reversed copies, and copies re-timed by more than 10 %",
    "shadow models, and inversion of the generator",
    "the generator's weights",
)


def summary(e: Evidence) -> str:
    """Return who was compared, and whether the real sets were apart, in a few words."""
    against = (
        plural(e.holdout.people(), "holdout patient") if e.holdout is not None else "no holdout"
    )
    text = (
        f"{plural(len(e.synth), 'synthetic record')} against "
        f"{plural(e.train.people(), 'training patient')} and {against}."
    )
    if not (repeated := _repeated(e)):
        return text
    left = f" ({plural(e.removed, 'record')} left the holdout)" if e.removed else ""
    return f"{text} The real sets are not clean: {'; '.join(repeated)}{left}."


def _repeated(e: Evidence) -> list[str]:
    """Return what occurs twice in the real sets: recordings, and patients in both."""
    parts = []
    if n := len(np.unique(e.duplicates.pairs)):  # two or more
        parts.append(f"{plural(n, 'real record')} occur more than once")
    if e.shared_patients:
        parts.append(f"{plural(e.shared_patients, 'patient')} in both train and holdout")
    return parts


def findings(e: Evidence, section: str, *, critic: bool = False) -> Iterator[Finding]:
    """Yield the audit's conclusions; the scope comes first, after what fails.

    Parameters
    ----------
    e : Evidence
    section : str
    critic : bool
        Whether a critic's scores are used for an attack.
    """
    conclusions = [_copies(e, section), _exchange(e, section)]
    failed = [f for f in conclusions if f.verdict == Verdict.FAIL]
    yield from failed
    yield SCOPE.finding(
        Verdict.INCONCLUSIVE,
        ("" if failed else "no copying was found, but ")
        + "copy search and exchangeability can fail a release; they never clear one",
        "Data sets that pass distance checks have been found highly vulnerable to membership "
        "inference (Yao et al., The DCR Delusion, arXiv 2505.01524). This audit is evidence "
        "for whoever decides on the release, not the decision.",
        rule="always INCONCLUSIVE",
        section=section,
    )
    yield from (f for f in conclusions if f not in failed)
    yield _duplicates(e, section)
    yield RESIDUAL.finding(
        Verdict.NOT_ASSESSABLE,
        "what risk remains is for the controller of the data to judge",
        "This audit bounds leakage from below: it can show a leak and exclude none. Attacks get "
        "better, and a record that is rare is easier to find than these averages say. Audit again "
        "for another checkpoint, for more records, or before weights are released. Only training "
        "with differential privacy gives a bound from above.",
        rule="written whatever the data",
        section=section,
    )
    omitted = NEVER_TESTED if "beat" in e.synth.signals else (*WITH_BEATS, *NEVER_TESTED)
    if critic:
        omitted = (*omitted[:-1], f"{omitted[-1]} beyond its critic's scores")
    yield NOT_TESTED.finding(
        Verdict.NOT_ASSESSABLE,
        f"{plural(len(omitted), 'attack')} were not tried",
        "Not run: " + "; ".join(omitted) + ".",
        rule="listed whatever the data",
        section=section,
    )


def _copies(e: Evidence, section: str) -> Finding:
    against = "holdout record" if e.with_holdout else "record of another patient"
    rule = (
        f"copy: similarity at or above a detector's limit (chance {ALPHA:g} that an honest set "
        "of this size has one, extrapolated from different patients) and at less than half "
        f"the distance of the nearest {against}. FAIL: any copy. PASS: none, and at "
        f"least {LEAST_RECALL:.0%} of planted copies of every promised kind found, and an upper "
        "95 % limit on the share of copies, corrected for the copies the search misses, of at most "
        f"{MOST_UNSEEN:.0%}, and no record left out for gaps; else INCONCLUSIVE"
    )
    verdict, title, text = _copies_outcome(e)
    left = _unsearched(e)
    if left and verdict in (Verdict.PASS, Verdict.INCONCLUSIVE):
        verdict = Verdict.INCONCLUSIVE
        title += f"; {left} could not be searched"
        text += (
            f" {left[0].upper()}{left[1:]} could not be searched, less than half of their samples "
            "being finite: the limits above speak of the others."
        )
    if not e.with_holdout:
        why = (
            "There was no usable holdout"
            if e.holdout is None
            else "The holdout is not drawn like the training set, so being far from it shows "
            "nothing"
        )
        text += (
            f" {why}: other training patients stood in for it, which is a lower grade of evidence."
        )
    return COPIES.finding(
        verdict,
        title,
        text,
        estimates=(f"{section}.copies.count", f"{section}.copies.upper"),
        rule=rule,
        section=section,
    )


def _copies_outcome(e: Evidence) -> tuple[Verdict, str, str]:
    """Return verdict, title and explanation of the copy search."""
    n, count, swapped = e.usable_synth, int(e.named.sum()), int(e.control.sum())
    if not n or not len(e.planted_rows):
        return (
            Verdict.NOT_ASSESSABLE,
            "no usable signal to search for copies in",
            "Every record of the synthetic or the training set is flat or not finite.",
        )
    sensitivity = _sensitivity(e)
    if count:
        return (
            Verdict.FAIL,
            f"{plural(count, 'synthetic record')} of {n} {is_or_are(count)} a copy of a training "
            f"record ({plural(e.exposed, 'patient')})",
            "The table of copies names them. Do not release this set. Removing the records "
            "named is not enough: the generator has memorised patients, and a filter that "
            f"regenerates until nothing is found hides it. {sensitivity}",
        )
    if swapped:
        return (
            Verdict.FAIL,
            f"{plural(swapped, 'synthetic record')} of {n} {is_or_are(swapped)} a copy of a "
            "holdout record",
            "The generator should never have seen the holdout: either it was trained on it, or "
            "the two sets are exchanged on the command line. Real patients are copied either "
            "way.",
        )
    weakest, most = weakest_recall(e), upper_limit(e, 0, n)
    if weakest < LEAST_RECALL:
        return (
            Verdict.INCONCLUSIVE,
            f"no copy found among {plural(n, 'synthetic record')}, but the search is too weak: of "
            f"the kinds planted it misses up to {1 - weakest:.0%}, so as many as "
            f"{share_text(most)} of the outputs may be copies",
            f"{sensitivity} A search that misses planted copies clears nothing.",
        )
    title = (
        f"no copy of the kinds planted among {plural(n, 'synthetic record')}; at most "
        f"{share_text(most)} of the outputs are such copies (95 % limit)"
    )
    if most > MOST_UNSEEN:
        title = f"too few records for a verdict: {title}"
    if not e.with_holdout:
        title += f" (lower grade: {'no' if e.holdout is None else 'unlike'} holdout)"
    return (
        Verdict.PASS if most <= MOST_UNSEEN else Verdict.INCONCLUSIVE,
        title,
        f"{sensitivity} With 95 % confidence fewer than {share_text(most)} of the generator's "
        "outputs are copies of these kinds.",
    )


def _sensitivity(e: Evidence) -> str:
    """Return what of the planted copies was found, and where limits are out of reach."""
    text = (
        f"Of {len(e.planted_rows)} planted training records the search found: "
        f"{recall_in_words(e)}; kinds that are reported but not promised are in the sensitivity "
        "table."
    )
    if above := limits_out_of_reach(e):
        text += (
            " The limit lies above what 95 % of training records reach with their own other half, "
            f"by beats: {above}. A beat that is no more alike than that is named only by another "
            "detector."
        )
    return text


def _unsearched(e: Evidence) -> str:
    """Return which records were not searched for their gaps, in words; empty if none."""
    kinds = {"train": "training", "synth": "synthetic"}
    return " and ".join(
        f"{missing} of {n} {kinds[name]} records"
        for name, n, _, reasons in e.counts
        if name in kinds and (missing := reasons.get("not finite", 0))
    )


def _exchange(e: Evidence, section: str) -> Finding:
    ids: tuple[str, ...] = ()
    if not e.comparable:
        assert e.alike is not None
        verdict = Verdict.NOT_ASSESSABLE
        title = (
            "the holdout is not drawn like the training set "
            f"({p_text(e.alike.p, 1 / (PERMUTATIONS + 1))}, without looking at the synthetic set)"
        )
        text = (
            "Training and holdout patients differ by themselves, so a synthetic set that is closer "
            "to one of them says nothing about memory. Give a holdout of the same source, allotted "
            "at random before training: split by patient, not by date, site, age or diagnosis."
        )
        ids = (f"{section}.comparable.energy",)
    elif e.exchange is None:
        verdict = Verdict.NOT_ASSESSABLE
        title = f"leakage short of copying cannot be assessed {_why_no_exchange(e)}"
        text = (
            "Next time set 20 to 50 % of the patients aside at random before training, and "
            "give them as --holdout. Whether the synthetic set is closer to its training "
            "patients than to others can only be told by comparison with others."
        )
    else:
        verdict, title, text = _exchange_outcome(e, e.exchange)
        ids = (f"{section}.exchange.auc",)
        if (MAIN.id, "top20") in e.exchange.statistics:
            ids += (f"{section}.exchange.topq20",)
    return EXCHANGE.finding(
        verdict,
        title,
        text,
        estimates=ids,
        rule=f"patients permuted between train and holdout; FAIL if p < {P_FAIL:g}, or if the "
        f"holdout is the closer side at p <= {P_REVERSED:g}; never PASS, for a test that "
        "finds nothing shows nothing. NOT_ASSESSABLE if the two real sets differ by themselves "
        f"(energy test, p < {P_ALIKE:g})",
        section=section,
    )


def _why_no_exchange(e: Evidence) -> str:
    if e.holdout is not None:
        return f"with fewer than {LEAST_PATIENTS} usable patients on either side"
    if not any(name == "holdout" for name, *_ in e.counts):
        return "without a holdout"
    return (
        "with this holdout: nothing is left of it without the patients and recordings that are in "
        "the training set too"
    )


def _exchange_outcome(e: Evidence, x: Exchange) -> tuple[Verdict, str, str]:
    """Return verdict, title and explanation of the exchangeability test."""
    assert e.holdout is not None
    t, h = e.train.people(), e.holdout.people()
    least_p = 1 / (len(x.null_max) + 1)
    numbers = f"{p_text(x.p, least_p)}, {x.in_words(x.most)}, {t} against {h} patients"
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
            f"({p_text(x.p_reversed, least_p)}, {x.in_words(x.least)})"
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
            f"With these numbers fewer than about {_unnoticed(t, h)} copied patients pass "
            "unnoticed by this test; the copy search covers those. A test that finds nothing "
            "shows nothing."
        )
    text += f" Flagged one by one at a false discovery rate of 5 %: {plural(e.flagged, 'patient')}."
    if x.informative < t + h:
        text += (
            f" Not informative, for a number of usable records that only one side has: "
            f"{plural(t + h - x.informative, 'patient')}."
        )
    return verdict, title, text


def _unnoticed(t: int, h: int) -> int:
    """Return how many patients at the top, all from training, make a p below `P_FAIL`."""
    run, chance = 0, 1.0
    while chance >= P_FAIL and run < t:
        chance *= (t - run) / (t + h - run)
        run += 1
    return run


def _duplicates(e: Evidence, section: str) -> Finding:
    repeated = _repeated(e)
    text = (
        "Repeated records are memorised most easily, and a patient on both sides makes the "
        "holdout no control."
    )
    if e.removed:
        text += (
            f" {plural(e.removed, 'record')} left the holdout, with the patients they belong to: "
            "the patient or a recording is in the training set too."
        )
    return DUPLICATES.finding(
        Verdict.FAIL if repeated else Verdict.PASS,
        "; ".join(repeated) or "no recording and no patient occurs twice in the real sets",
        text,
        estimates=(f"{section}.duplicates.records",),
        rule="FAIL: any recording twice, or any patient in train and holdout",
        section=section,
    )
