"""Checkpoints of a generator, and one run against another."""

from __future__ import annotations

from ecgeval.checks import Check, Statistic, by_name
from ecgeval.results import Verdict

__all__ = ["CHECKS", "STATISTICS"]

_ENERGY = (
    "2 E|X − Y| − E|X − X'| − E|Y − Y'| over patients (unbiased, so it may be negative where the "
    "sets agree). A coordinate is a measure less the real median over the real IQR / 1.349, within "
    "±8; an angle is its cosine and sine; a missing value is the median, with a coordinate of its "
    "own."
)
_SOURCE = "Székely & Rizzo, J Stat Plan Inference 2013;143:1249"


BEST = Check(
    code="SWEEP-BEST",
    title="the chosen checkpoint",
    asks=(
        "Which checkpoint lies closest to real patients that training did not see, and whether "
        "that holds on other patients and other noise."
    ),
    statistic=(
        "The least energy distance among checkpoints with no more copies of training patients "
        "than of others; confirmed by the paired difference from the next best and the last."
    ),
    source=(
        f"{_SOURCE}; Cawley & Talbot, J Mach Learn Res 2010;11:2079 (choosing by a score makes "
        "the score too good)"
    ),
    cannot_show=(
        "Says which is best, not that it is good: the sections on the chosen checkpoint do. With "
        "few patients neighbours cannot be told apart, which costs little."
    ),
    words={Verdict.PASS: "holds", Verdict.FAIL: "does not hold"},
    decides=False,
)

MEMORY = Check(
    code="SWEEP-MEMORY",
    title="memory over training",
    asks="From which checkpoint on training patients are told from others, or copied.",
    statistic="Permutation of patients at each checkpoint, Benjamini-Hochberg over checkpoints.",
    source="Westfall & Young, 1993; Benjamini & Hochberg, J R Stat Soc B 1995;57:289",
    cannot_show="A quick look: it can find memory and never excludes it.",
    words={Verdict.FAIL: "found", Verdict.INCONCLUSIVE: "nothing found"},
    decides=False,
)

DAMAGED = Check(
    code="SWEEP-DAMAGED",
    title="checkpoints that cannot be read",
    asks=(
        "Which checkpoint files are damaged, cut short or of another network, and were left out "
        "of the choice."
    ),
    cannot_show="A file that loads and makes nonsense is no such file: it is scored, badly.",
    decides=False,
)

CHECKS = (BEST, MEMORY, DAMAGED)
"""In the order of the report."""

STATISTICS = by_name(
    Statistic(
        "sweep_energy",
        "energy distance to the choosing patients",
        "How far a checkpoint's records are from the real patients that checkpoints are chosen "
        "with, in all declared measures at once and on one scale for all checkpoints.",
        _ENERGY,
        _SOURCE,
        "The least of many is too good by chance: see the confirmed one. Sees the declared "
        "measures, not the waveform.",
        better="lower",
        null=0.0,
    ),
    Statistic(
        "sweep_confirmed",
        "energy distance to the confirming patients",
        "The same on patients and noise that nothing was chosen with.",
        _ENERGY,
        _SOURCE,
        better="lower",
        null=0.0,
    ),
    Statistic(
        "sweep_chosen_less",
        "chosen checkpoint less another",
        "Difference of the energy distances of the chosen checkpoint and another to the "
        "confirming patients; below 0 where the choice holds.",
        "Paired percentile bootstrap: the same patients, and the records from the same noise, are "
        "drawn for both.",
        "Davison & Hinkley, Bootstrap Methods and their Application, 1997",
        better="lower",
        null=0.0,
    ),
    Statistic(
        "sweep_gates_passed",
        "equivalent medians and spreads",
        "How many of the declared medians and standard deviations are equivalent within their "
        "margins (FID-EQUIV, FID-SPREAD).",
        cannot_show="Grows with the number of patients: an interval that is too wide passes "
        "nothing.",
        better="higher",
    ),
    Statistic(
        "sweep_pass_diff",
        "rule-normal records of a checkpoint",
        "Share of synthetic minus share of real records that keep all strict rules for a normal "
        "ECG.",
        source="Newcombe, Stat Med 1998;17:873",
        better="near_null",
        null=0.0,
        unit="percentage points",
    ),
    Statistic(
        "sweep_memory",
        "exchangeability AUC of a checkpoint",
        "As exchange_auc, by detectors D2 and D4 alone.",
        source="Mann & Whitney, Ann Math Stat 1947;18:50",
        better="near_null",
        null=0.5,
        cannot_show="A quick look that ranks checkpoints; the audit of the chosen one decides.",
    ),
    Statistic(
        "sweep_copies_count",
        "copies by a checkpoint",
        "As copies_count, by detectors D2 and D4 alone and without planted copies.",
        source="Carlini et al., USENIX Security 2023",
        better="lower",
        null=0.0,
        unit="records",
    ),
    Statistic(
        "diff_change",
        "change between two runs",
        "An estimate of the new run less that of the old one.",
        "Interval: (d − √((x₂ − l₂)² + (u₁ − x₁)²), d + √((u₂ − x₂)² + (x₁ − l₁)²)) from values x "
        "and limits l, u of both (MOVER).",
        "Zou & Donner, Stat Med 2008;27:1693, doi:10.1002/sim.3095",
        "Takes both as independent. Runs that share patients or noise are not: their difference "
        "varies less, so that a movement found is real and one not found may be.",
    ),
)
