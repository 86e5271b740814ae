"""Data quality: records that cannot be used, and the form of the sets."""

from __future__ import annotations

from ecgeval.checks import Check, Statistic, by_name
from ecgeval.comparison import statistics
from ecgeval.results import Verdict

__all__ = ["CHECKS", "STATISTICS"]


RECORDS = Check(
    code="DQ-RECORDS",
    title="unusable records",
    asks=(
        "Whether records are unreadable, flat or impossible to delineate about as often in "
        "either set. They are left out of every other number."
    ),
    statistic="Newcombe interval of the difference against a margin in percentage points.",
    source="Newcombe, Stat Med 1998;17:873",
    limit="3 percentage points (FAILURE_MARGIN in comparison/quality/section.py)",
    steps={
        Verdict.FAIL: "Find out why records cannot be used (tables/quality.outcomes.csv) "
        "before reading any other number: what was left out is in none of them."
    },
)

FORM = Check(
    code="DQ-FORM",
    title="form of the sets",
    asks=(
        "Whether leads, sampling rate, length and rounding agree. Where they do not, the sets "
        "were brought to one form first, and part of a difference may come from that. Against a "
        "reference cohort it is the form of the recordings it was measured on; only the synthetic "
        "set can be brought to it."
    ),
    decides=False,
    words={Verdict.INCONCLUSIVE: "differs"},
)

REFERENCE = Check(
    code="DQ-REFERENCE",
    title="what a reference cohort cannot show",
    asks=(
        "The real side is a reference cohort: measures of real records, made by the same engine "
        "and shipped with ecgeval, without their waveforms. What is computed from measures is "
        "compared; what needs waveforms of real records is listed here and not assessed."
    ),
    cannot_show=(
        "A cohort is one sample of one population (`ecgeval info reference:NAME` says "
        "which); agreement with it is not agreement with yours."
    ),
    decides=False,
)

CHECKS = (RECORDS, FORM, REFERENCE)
"""In the order of the report."""

STATISTICS = statistics.STATISTICS | by_name(
    Statistic(
        "design_effect",
        "design effect",
        "How much less a record says because others are of the same patient: the effective "
        "number of records is their number divided by it. 1 where each is another person.",
        "variance of the proportion by patients / p (1 − p) n⁻¹",
        "Rao & Scott, Biometrics 1992;48:577",
        "Cannot be seen where a proportion is 0 or 1; the number of patients is used there.",
    ),
    Statistic(
        "unusable_difference",
        "difference in unusable records",
        "Share of synthetic minus share of real records that could not be read, measured or "
        "delineated, in percentage points.",
        "Newcombe's interval for a difference of proportions, on the effective number of "
        "records by patient",
        "Newcombe, Stat Med 1998;17:873",
        "Says how many fail, not why; the table of reasons does.",
        better="near_null",
        null=0.0,
        unit="percentage points",
    ),
)
