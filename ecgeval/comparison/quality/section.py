"""Failures are data: which records of each set could not be used, why, and whether that differs."""

from __future__ import annotations

import numpy as np
import pandas as pd

from ecgeval.references import Aligned
from ecgeval.results import Estimate, Finding, Results, Section, Table, Verdict
from ecgeval.stats.intervals import newcombe
from ecgeval.stats.sample import effective_n

__all__ = ["FAILURE_MARGIN", "compare_quality", "without_waveforms"]

FAILURE_MARGIN = 0.03
"""Largest difference in the share of unusable records that counts as the same (3 points)."""


def compare_quality(
    real: pd.Series,
    synth: pd.Series,
    *,
    patients_real: np.ndarray,
    patients_synth: np.ndarray,
    notes: tuple[str, ...] = (),
    cohort: bool = False,
    seed: int | None = None,
    section: str = "quality",
) -> Results:
    """Compare how many records of each set could be used, and why not.

    Parameters
    ----------
    real, synth : Series of str
        One entry a record that was found: empty where it was read, passed the quality flags and
        was delineated, else the reason why not.
    patients_real, patients_synth : ndarray, shape (n,)
        Patient of each entry.
    notes : tuple of str
        Differences of form between the sets (rate, leads, length, rounding), one sentence each.
    cohort : bool
        Whether the real side is a reference cohort: measures, whose recordings are not here.
    seed : int, optional
    section : str

    Returns
    -------
    Results
        Findings ``DQ-RECORDS`` (gate) and ``DQ-FORM``.
    """
    failed = [(s != "").to_numpy() for s in (real, synth)]
    share = [float(f.mean()) if len(f) else 0.0 for f in failed]
    codes = [pd.factorize(p)[0] for p in (patients_real, patients_synth)]
    effective = [effective_n(f, c) for f, c in zip(failed, codes, strict=True)]
    low, high = newcombe(share[0], effective[0], share[1], effective[1])
    estimate = Estimate(
        id=f"{section}.unusable.difference",
        value=100 * (share[1] - share[0]),
        ci=(100 * low, 100 * high),
        n_real=len(real),
        n_synth=len(synth),
        patients_real=len(np.unique(codes[0])),
        patients_synth=len(np.unique(codes[1])),
        unit="percentage points",
        better="near_null",
        null=0.0,
        method="Newcombe interval of the difference, effective number of records by patient",
        seed=seed,
        label="unusable records, synthetic minus real",
    )
    margin = 100 * FAILURE_MARGIN
    counts = [int(f.sum()) for f in failed]
    interval = f"95 % CI {100 * low:.1f} to {100 * high:.1f} points".replace("-", "−")
    sides = "The synthetic set and the cohort" if cohort else "The sets"
    same = f"{sides}'s recordings" if cohort else "Both sets"
    done = (
        "the synthetic set was brought to the form of the cohort's recordings as far as it goes, "
        "the cohort's measures are as they were made"
        if cohort
        else "the sets were brought to one form first"
    )
    shares = f"{counts[1]} of {len(synth)} synthetic and {counts[0]} of {len(real)} real records"
    if not sum(counts):
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
    findings = (
        Finding(
            code="DQ-RECORDS",
            verdict=verdict,
            title=f"{title} ({interval})",
            explanation=_reasons(real, synth)
            + " Records that cannot be used are left out of every other number, so a difference "
            "here can hide one there.",
            estimates=(estimate.id,),
            rule="PASS if no record is unusable or the 95 % CI of the difference lies inside "
            f"±{margin:g} points, FAIL if it lies outside or most synthetic records are unusable, "
            "NOT_ASSESSABLE if most real ones are, else INCONCLUSIVE.",
            section=section,
        ),
        Finding(
            code="DQ-FORM",
            verdict=Verdict.INCONCLUSIVE if notes else Verdict.PASS,
            title=f"{sides} differ in {', '.join(map(_what, notes))}"
            if notes
            else f"{same} have the same leads, rate, length and rounding",
            explanation=" ".join(notes),
            rule="PASS if leads, sampling rate, length and rounding grid are the same, else "
            f"INCONCLUSIVE: {done}, and part of a difference may come from that.",
            section=section,
            gate=False,
        ),
    )
    return Results(
        sections=(Section(section, "Data quality", _summary(share, counts)),),
        estimates=(estimate,),
        findings=findings,
        tables=(_table(real, synth, section),),
    )


def without_waveforms(both: Aligned, *, section: str = "quality") -> Results:
    """Say what a comparison with a reference cohort cannot assess.

    Parameters
    ----------
    both : Aligned
        The cohort and the synthetic set, in one form.
    section : str

    Returns
    -------
    Results
        One finding ``DQ-REFERENCE``, ``NOT_ASSESSABLE``, that does not gate.
    """
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
    finding = Finding(
        "DQ-REFERENCE",
        Verdict.NOT_ASSESSABLE,
        f"The real side is a table of measures (reference:{cohort.name}, {len(cohort)} records): "
        "what needs its waveforms is not assessed",
        explanation=f"{cohort.about['title']}. {cohort.about['selection']} Not assessed: "
        f"{'; '.join(parts)}. Everything computed from measures and from the outcomes of records "
        "is as with the recordings themselves, on measures rounded to 1 ms, 1 bpm, 1 degree and "
        f"0.001 mV on both sides. Source: {cohort.about['citation']} ({cohort.about['licence']}).",
        rule="NOT_ASSESSABLE wherever the real side is a reference cohort; it decides nothing.",
        section=section,
        gate=False,
    )
    return Results(findings=(finding,))


def _what(note: str) -> str:
    """Return what a note of `ecgeval.preprocess.harmonise` is about: its words before "differ"."""
    return note.partition(" differ")[0].lower()


def _summary(share: list[float], counts: list[int]) -> str:
    if not sum(counts):
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


def _table(real: pd.Series, synth: pd.Series, section: str) -> Table:
    reasons = sorted(set(real) | set(synth) | {""})
    rows = [
        {
            "outcome": reason or "usable",
            "real": int((real == reason).sum()),
            "real %": 100 * float((real == reason).mean()),
            "synthetic": int((synth == reason).sum()),
            "synthetic %": 100 * float((synth == reason).mean()),
        }
        for reason in reasons
    ]
    return Table.of(
        pd.DataFrame(rows),
        f"{section}.outcomes",
        "What became of every record found",
        caption="Reasons are exclusive: a record is counted under the first that applied.",
        section=section,
    )
