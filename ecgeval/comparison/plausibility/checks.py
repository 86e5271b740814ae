"""Plausibility: the rules for a normal ECG, how leads belong together, signal quality."""

from __future__ import annotations

from ecgeval.checks import Check, Statistic, by_name
from ecgeval.comparison import statistics
from ecgeval.results import Verdict

__all__ = ["CHECKS", "SLUG", "STATISTICS"]

SLUG = "plausibility"
"""Of the section: its ids begin with it."""
_OUTSIDE_LIMIT = (
    "50 % of the synthetic records outside the central 95 % of the real ones (OUTSIDE in "
    "comparison/plausibility/signals.py)"
)

NORMAL = Check(
    code="PLAUS-NORMAL",
    title="equivalence of the share of rule-normal records",
    asks="Whether about as many synthetic as real records keep every rule for a normal adult ECG.",
    statistic=(
        "PASS if the 90 % interval of the difference lies inside the margin under strict and under "
        "alternative limits; FAIL if it lies wholly outside under one; INCONCLUSIVE otherwise; "
        "NOT_ASSESSABLE where a rule cannot be measured in any real record (an axis of one lead)."
    ),
    source="Schuirmann, J Pharmacokinet Biopharm 1987;15:657; Berger & Hsu, Stat Sci 1996;11:283",
    cannot_show=(
        "The share of synthetic records alone means nothing: of real ECGs labelled normal many "
        "break a textbook limit. Thousands of records are needed to pass a margin of 3 points."
    ),
    limit="3 percentage points ([plausibility] in comparison/margins.toml)",
    steps={
        Verdict.FAIL: "Look at the rules kept least alike (tables/plausibility.rules.csv) "
        "and at records that break them, with a cardiologist."
    },
)

ALGEBRA = Check(
    code="PLAUS-ALGEBRA",
    title="sums of leads",
    asks="Whether synthetic limb leads obey the sums that hold in any heart.",
    statistic=(
        "Share of records that break one, against the real set. Not applicable where leads were "
        "computed from I and II: a sum that holds by construction is no evidence."
    ),
    source="Malmivuo & Plonsey, Bioelectromagnetism, 1995, ch. 15",
    cannot_show="Descriptive. Real exports break them where leads were filtered one by one.",
    limit="3 percentage points, 1 under strict margins ([missing_pp] in comparison/margins.toml)",
    decides=False,
    words={Verdict.PASS: "inside the margin", Verdict.INCONCLUSIVE: "nothing decided"},
)

LEADS = Check(
    code="PLAUS-LEADS",
    title="how leads belong together",
    asks=(
        "Dipolarity, how well limb leads follow from chest leads and back, and whether R and QRS "
        "onset fall together over the leads, compared with real records."
    ),
    statistic="Cliff's δ with a patient-bootstrap interval and a real-against-real floor",
    source="Cliff, Psychol Bull 1993;114:494; Malmivuo & Plonsey, Bioelectromagnetism, 1995, ch. "
    "15",
    cannot_show="Descriptive. Electrode placement and body build move these too.",
    limit=_OUTSIDE_LIMIT,
    decides=False,
    words={Verdict.INCONCLUSIVE: "nothing out of range"},
)

SIGNAL = Check(
    code="PLAUS-SIGNAL",
    title="the signal itself",
    asks=(
        "Likeness of beats, noise, spectrum, mains, upsampling combs, ends, clipping, standstill, "
        "impossible intervals and signal quality, compared with real records, both ways: too clean "
        "is a finding."
    ),
    statistic="Cliff's δ with a patient-bootstrap interval and a real-against-real floor",
    source="Clifford et al., Physiol Meas 2012;33:1419; Odena, Dumoulin & Olah, Distill 2016",
    cannot_show=(
        "Descriptive. Filters and rounding of the recording device move these as much as a "
        "generator does: see DQ-FORM."
    ),
    limit=_OUTSIDE_LIMIT,
    decides=False,
    words={Verdict.INCONCLUSIVE: "nothing out of range"},
)

INTERPRETER = Check(
    code="PLAUS-INTERPRETER",
    title="agreement with another interpreter",
    asks=(
        "How the rules compare with the statements of another interpreter (12SL, for example) on "
        "the same records."
    ),
    statistic="2 x 2 table and Cohen's kappa",
    source="Cohen, Educ Psychol Meas 1960;20:37",
    cannot_show="Descriptive; the rules are not validated against any commercial interpreter.",
    decides=False,
    words={Verdict.INCONCLUSIVE: "describes"},
)

CHECKS = (NORMAL, ALGEBRA, LEADS, SIGNAL, INTERPRETER)
"""In the order of the report."""

STATISTICS = statistics.STATISTICS | by_name(
    Statistic(
        "pass_diff",
        "difference in the share that keeps a rule",
        "Share of synthetic minus share of real records that keep a rule for a normal adult ECG "
        "under its strict (textbook) limits, in percentage points; `normal` is all rules together.",
        "P(rule kept | S) − P(rule kept | R), Newcombe's interval on the effective number of "
        "records by patient. Where sex or age is unknown, both sets are judged by the limits of "
        "women and of men in turn: the difference farthest from 0, the interval over all of them.",
        "Surawicz, Rautaharju, Hancock, Wagner et al., AHA/ACCF/HRS Parts III to VI, J Am Coll "
        "Cardiol 2009;53:976, 982, 992, 1003; Newcombe, Stat Med 1998;17:873",
        "Rules see what the delineation sees, in its convention. They are no diagnosis, and "
        "pass records with faults for which there is no rule.",
        better="near_null",
        null=0,
        unit="percentage points",
    ),
    Statistic(
        "pass_diff_alternative",
        "difference in the share that keeps a rule, alternative limits",
        "As pass_diff under the alternative limits: a second limit in use, or the textbook's in "
        "the convention in which marks are set here.",
        "As pass_diff",
        "The source of each limit is in the table of rules",
        "As pass_diff.",
        better="near_null",
        null=0,
        unit="percentage points",
    ),
    Statistic(
        "broken_diff",
        "difference in records that break lead algebra",
        "Share of synthetic minus share of real records in which II − I − III, aVR + aVL + aVF or "
        "one of three more sums is not 0 within a converter's step, in percentage points.",
        "A record breaks it if the 99.9th percentile of |residual| exceeds 2 µV and that of 99 % "
        "of the real records; Newcombe's interval",
        "Malmivuo & Plonsey, Bioelectromagnetism, 1995, ch. 15; Newcombe, Stat Med 1998;17:873",
        "Says nothing where limb leads were computed from I and II. Swapped electrodes keep it.",
        better="near_null",
        null=0,
        unit="percentage points",
    ),
    Statistic(
        "kappa",
        "Cohen's kappa of rules and interpreter",
        "Agreement of the rules with another interpreter on normal or not, beyond that of chance: "
        "1 always, 0 as chance would.",
        "(observed − chance agreement) / (1 − chance agreement); bootstrap of patients",
        "Cohen, Educ Psychol Meas 1960;20:37",
        "Depends on how many records are normal: compare the 2 x 2 tables too.",
        better="higher",
        null=None,
    ),
    Statistic(
        "alternative_kappa",
        "Cohen's kappa of rules and interpreter, alternative limits",
        "As kappa, with the rules' alternative limits.",
        "As kappa",
        "Cohen, Educ Psychol Meas 1960;20:37",
        "As kappa.",
        better="higher",
        null=None,
    ),
)
