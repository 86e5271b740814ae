"""Checkpoints of a generator, and one run against another."""

from ecgeval.catalogue.entry import Entry

__all__ = ["ENTRIES"]

_ENERGY = (
    "2 E|X − Y| − E|X − X'| − E|Y − Y'| over patients (unbiased, so it may be negative where the "
    "sets agree). A coordinate is a measure less the real median over the real IQR / 1.349, within "
    "±8; an angle is its cosine and sine; a missing value is the median, with a coordinate of its "
    "own."
)
_SOURCE = "Székely & Rizzo, J Stat Plan Inference 2013;143:1249"

ENTRIES = (
    Entry(
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
    Entry(
        "sweep_confirmed",
        "energy distance to the confirming patients",
        "The same on patients and noise that nothing was chosen with.",
        _ENERGY,
        _SOURCE,
        better="lower",
        null=0.0,
    ),
    Entry(
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
    Entry(
        "sweep_gates_passed",
        "equivalent medians and spreads",
        "How many of the declared medians and standard deviations are equivalent within their "
        "margins (FID-EQUIV, FID-SPREAD).",
        limits="Grows with the number of patients: an interval that is too wide passes nothing.",
        better="higher",
    ),
    Entry(
        "sweep_pass_diff",
        "rule-normal records of a checkpoint",
        "Share of synthetic minus share of real records that keep all strict rules for a normal "
        "ECG.",
        source="Newcombe, Stat Med 1998;17:873",
        better="near_null",
        null=0.0,
        unit="percentage points",
    ),
    Entry(
        "sweep_memory",
        "exchangeability AUC of a checkpoint",
        "As exchange_auc, by detectors D2 and D4 alone.",
        source="Mann & Whitney, Ann Math Stat 1947;18:50",
        better="near_null",
        null=0.5,
        limits="A quick look that ranks checkpoints; the audit of the chosen one decides.",
    ),
    Entry(
        "sweep_copies_count",
        "copies by a checkpoint",
        "As copies_count, by detectors D2 and D4 alone and without planted copies.",
        source="Carlini et al., USENIX Security 2023",
        better="lower",
        null=0.0,
        unit="records",
    ),
    Entry(
        "SWEEP-BEST",
        "the chosen checkpoint",
        "Which checkpoint lies closest to real patients that training did not see, and whether "
        "that holds on other patients and other noise.",
        "The least energy distance among checkpoints with no more copies of training patients "
        "than of others; confirmed by the paired difference from the next best and the last.",
        f"{_SOURCE}; Cawley & Talbot, J Mach Learn Res 2010;11:2079 (choosing by a score makes "
        "the score too good)",
        "Says which is best, not that it is good: the sections on the chosen checkpoint do. With "
        "few patients neighbours cannot be told apart, which costs little.",
    ),
    Entry(
        "SWEEP-MEMORY",
        "memory over training",
        "From which checkpoint on training patients are told from others, or copied.",
        "Permutation of patients at each checkpoint, Benjamini-Hochberg over checkpoints.",
        "Westfall & Young, 1993; Benjamini & Hochberg, J R Stat Soc B 1995;57:289",
        "A quick look: it can find memory and never excludes it.",
    ),
    Entry(
        "SWEEP-DAMAGED",
        "checkpoints that cannot be read",
        "Which checkpoint files are damaged, cut short or of another network, and were left out "
        "of the choice.",
        limits="A file that loads and makes nonsense is no such file: it is scored, badly.",
    ),
    Entry(
        "diff_change",
        "change between two runs",
        "An estimate of the new run less that of the old one.",
        "Interval: (d − √((x₂ − l₂)² + (u₁ − x₁)²), d + √((u₂ − x₂)² + (x₁ − l₁)²)) from values x "
        "and limits l, u of both (MOVER).",
        "Zou & Donner, Stat Med 2008;27:1693, doi:10.1002/sim.3095",
        "Takes both as independent. Runs that share patients or noise are not: their difference "
        "varies less, so that a movement found is real and one not found may be.",
    ),
    Entry(
        "DIFF-GATES",
        "gates of two runs",
        "Whether any gate is worse than in the old run: a verdict that fell, a failure that is "
        "new, or a pass that is gone because the test is no longer made.",
        "PASS before INCONCLUSIVE or NOT_ASSESSABLE before FAIL.",
        limits="Two failures are the same verdict, however far apart: see DIFF-MOVED.",
    ),
    Entry(
        "DIFF-MOVED",
        "estimates that moved",
        "Which estimates differ by more than the intervals of both allow.",
        "p from the interval of the difference taken as normal; Benjamini-Hochberg q = 0.05 over "
        "all estimates with an interval in both runs.",
        "Zou & Donner, Stat Med 2008;27:1693; Benjamini & Hochberg, J R Stat Soc B 1995;57:289",
        "Estimates without an interval are listed where they changed and never tested.",
    ),
    Entry(
        "DIFF-INPUTS",
        "what differs between the runs",
        "Settings, versions and sets that are not the same: where more than the generator "
        "changed, a movement may come from any of it.",
    ),
)
