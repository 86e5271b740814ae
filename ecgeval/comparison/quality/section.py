"""Failures are data: which records of each set could not be used, why, and whether that differs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ecgeval.comparison.pair import Pair
from ecgeval.comparison.quality.checks import FORM, RECORDS, REFERENCE, STATISTICS
from ecgeval.comparison.quality.tables import outcomes_table
from ecgeval.references import Aligned
from ecgeval.results import Estimate, Finding, Results, Section, Verdict
from ecgeval.stats.intervals import newcombe
from ecgeval.stats.sample import effective_n

__all__ = ["FAILURE_MARGIN", "compare"]

SLUG = "quality"
FAILURE_MARGIN = 0.03
"""Largest difference in the share of unusable records that counts as the same (3 points)."""


def compare(pair: Pair) -> Results:
    """Compare how many records of each set could be used, and why not.

    Parameters
    ----------
    pair : Pair
        Of it: `Side.found`, `notes`, `cohort`.

    Returns
    -------
    Results
        Findings ``DQ-RECORDS`` (decides), ``DQ-FORM`` and, with a cohort, ``DQ-REFERENCE``.
    """
    found = pair.real.found, pair.synth.found
    outcomes = [f["outcome"] for f in found]
    failed = [(o != "").to_numpy() for o in outcomes]
    share = [float(f.mean()) if len(f) else 0.0 for f in failed]
    codes = [pd.factorize(f["patient"])[0] for f in found]
    effective = [effective_n(f, c) for f, c in zip(failed, codes, strict=True)]
    low, high = newcombe(share[0], effective[0], share[1], effective[1])
    about = STATISTICS["unusable_difference"]
    estimate = Estimate(
        id=f"{SLUG}.unusable.difference",
        value=100 * (share[1] - share[0]),
        ci=(100 * low, 100 * high),
        n_real=len(failed[0]),
        n_synth=len(failed[1]),
        patients_real=len(np.unique(codes[0])),
        patients_synth=len(np.unique(codes[1])),
        unit=about.unit or "",
        better=about.better,
        null=about.null,
        method="Newcombe interval of the difference, effective number of records by patient",
        seed=pair.seed,
        label="unusable records, synthetic minus real",
    )
    findings = [_records(outcomes, share, (low, high), estimate.id), _form(pair)]
    if pair.cohort is not None:
        findings.append(_reference(pair.cohort))
    return Results(
        sections=(Section(SLUG, "Data quality", _summary(share), pair.judged),),
        estimates=(estimate,),
        findings=tuple(findings),
        tables=(outcomes_table(outcomes[0], outcomes[1], SLUG),),
    )


def _records(
    outcomes: list[pd.Series], share: list[float], ends: tuple[float, float], estimate: str
) -> Finding:
    low, high = ends
    margin = 100 * FAILURE_MARGIN
    n_real, n_synth = map(len, outcomes)
    bad_real, bad_synth = (int((o != "").sum()) for o in outcomes)
    interval = f"95 % CI {100 * low:.1f} to {100 * high:.1f} points".replace("-", "−")
    shares = f"{bad_synth} of {n_synth} synthetic and {bad_real} of {n_real} real records"
    if not bad_real + bad_synth:
        verdict, title = Verdict.PASS, f"Unusable: {shares}; nothing was left out"
    elif max(share) > 0.5:
        verdict = Verdict.FAIL if share[1] > 0.5 else Verdict.NOT_ASSESSABLE
        title = f"Most records cannot be used: {shares}"
    elif low > -FAILURE_MARGIN and high < FAILURE_MARGIN:
        verdict, title = Verdict.PASS, f"Unusable: {shares}, the same within {margin:g} points"
    elif low > FAILURE_MARGIN or high < -FAILURE_MARGIN:
        verdict, title = Verdict.FAIL, f"Unusable: {shares}, not the same share"
    else:
        verdict = Verdict.INCONCLUSIVE
        title = f"Unusable: {shares}, too few records to call the shares the same"
    return RECORDS.finding(
        verdict,
        f"{title} ({interval})",
        _reasons(*outcomes) + " Records that cannot be used are left out of every other number, "
        "so a difference here can hide one there.",
        estimates=(estimate,),
        rule="PASS if no record is unusable or the 95 % CI of the difference lies inside "
        f"±{margin:g} points, FAIL if it lies outside or most synthetic records are unusable, "
        "NOT_ASSESSABLE if most real ones are, else INCONCLUSIVE.",
        section=SLUG,
    )


def _form(pair: Pair) -> Finding:
    sides, same, done = "The sets", "Both sets", "the sets were brought to one form first"
    if pair.cohort is not None:
        sides = "The synthetic set and the cohort"
        same = f"{sides}'s recordings"
        done = (
            "the synthetic set was brought to the form of the cohort's recordings as far as it "
            "goes, the cohort's measures are as they were made"
        )
    # A note of `harmonise` says what it is about before the word "differ".
    what = ", ".join(note.partition(" differ")[0].lower() for note in pair.notes)
    return FORM.finding(
        Verdict.INCONCLUSIVE if pair.notes else Verdict.PASS,
        f"{sides} differ in {what}"
        if pair.notes
        else f"{same} have the same leads, rate, length and rounding",
        " ".join(pair.notes),
        rule="PASS if leads, sampling rate, length and rounding grid are the same, else "
        f"INCONCLUSIVE: {done}, and part of a difference may come from that.",
        section=SLUG,
    )


def _reference(both: Aligned) -> Finding:
    """Say what a comparison with a reference cohort cannot assess."""
    cohort = both.sets[0]
    parts = [
        "representative beats and ECG-paper traces of real records",
        "signal quality, spectra, lead algebra and edge artefacts beside real ones",
        "two-sample tests and embeddings of waveforms",
        "training and testing of classifiers on waveforms",
        "any audit of privacy",
    ]
    if both.uncomparable:
        parts.insert(0, "P, PR, QRS, QT and JT intervals, which need all leads of the cohort")
    return REFERENCE.finding(
        Verdict.NOT_ASSESSABLE,
        f"The real side is a table of measures (reference:{cohort.name}, {len(cohort)} records): "
        "what needs its waveforms is not assessed",
        f"{cohort.about['title']}. {cohort.about['selection']} Not assessed: "
        f"{'; '.join(parts)}. Everything computed from measures and from the outcomes of records "
        "is as with the recordings themselves, on measures rounded to 1 ms, 1 bpm, 1 degree and "
        f"0.001 mV on both sides. Source: {cohort.about['citation']} ({cohort.about['licence']}).",
        rule="NOT_ASSESSABLE wherever the real side is a reference cohort; it decides nothing.",
        section=SLUG,
    )


def _summary(share: list[float]) -> str:
    if not any(share):
        return "Every record of both sets was read, passed the quality flags and was delineated."
    return (
        f"{100 * share[0]:.1f} % of the real and {100 * share[1]:.1f} % of the synthetic records "
        "could not be used."
    )


def _reasons(real: pd.Series, synth: pd.Series) -> str:
    parts = []
    for name, outcomes in (("real", real), ("synthetic", synth)):
        counts = outcomes[outcomes != ""].value_counts().sort_index()
        if len(counts):
            listed = ", ".join(f"{reason} {n}" for reason, n in counts.items())
            parts.append(f"Of the {name} set: {listed}.")
    return " ".join(parts) or "No record was left out."
