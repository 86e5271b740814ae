"""Comparison of measures, one by one."""

from __future__ import annotations

from ecgeval.checks import Check
from ecgeval.comparison import statistics
from ecgeval.results import Verdict

__all__ = ["CHECKS", "SLUG", "STATISTICS"]

SLUG = "fidelity"
"""Of the section: first part of every id, and of the names of random streams."""

EQUIV = Check(
    code="FID-EQUIV",
    title="equivalence of the primary measures",
    asks=(
        "Whether the medians of the measures declared beforehand agree within margins that "
        "matter clinically."
    ),
    statistic=(
        "PASS if every 90 % patient-bootstrap interval lies inside its margin; FAIL if one "
        "lies wholly outside; INCONCLUSIVE otherwise (two one-sided tests)."
    ),
    source="Schuirmann, J Pharmacokinet Biopharm 1987;15:657; Berger & Hsu, Stat Sci 1996;11:283",
    cannot_show=(
        "The margins are a proposal for a cardiologist to confirm. Equal medians do not make "
        "equal distributions."
    ),
    limit="a margin for each measure ([measures] of comparison/margins.toml, or of a file given)",
    steps={
        Verdict.FAIL: "Look at the measures outside their margins: a unit, a gain, a filter or "
        "a selection of records first, the generator then. Repeat the run with what was mended.",
        Verdict.INCONCLUSIVE: "Add real patients: more synthetic records alone narrow an interval "
        "little. tables/fidelity.power.csv says how many.",
    },
    equivalence=True,
)

MISSING = Check(
    code="FID-MISSING",
    title="failure rates",
    asks="Whether measures are missing about as often in synthetic as in real records.",
    statistic="Newcombe interval of the difference against a margin in percentage points.",
    source="Newcombe, Stat Med 1998;17:873",
    cannot_show="Shares the blind spots of the delineation method used for both sets.",
    limit="1 percentage point strict, 3 lenient (missing_pp in comparison/margins.toml)",
    steps={
        Verdict.FAIL: "Look at synthetic records without the wave in question: it is absent, "
        "or of a form that delineation does not know."
    },
)

KS = Check(
    code="FID-KS",
    title="how many measures differ",
    asks=(
        "Number of measures whose distributions differ after correction for testing many, "
        "and the largest differences. Describes; decides nothing."
    ),
    statistic="Benjamini-Hochberg at q = 0.05 over Kolmogorov-Smirnov p-values.",
    source="Benjamini & Hochberg, J R Stat Soc B 1995;57:289",
    cannot_show="Few differences in a small sample mean little; many in a large one may be "
    "trivial.",
    decides=False,
    words={Verdict.INCONCLUSIVE: "describes"},
)

EMPTY = Check(
    code="FID-EMPTY",
    title="measures without values",
    asks=(
        "A measure that is missing in every record of a set: nothing can be compared, and "
        "nothing may pass."
    ),
    limit="no value at all in one set only",
)

C2ST = Check(
    code="FID-C2ST",
    title="can a classifier tell them apart",
    asks="Held-out AUC of a classifier on the measures, beside the same on real against real.",
    statistic="Patients kept whole in the split; half-permutation p.",
    source="Lopez-Paz & Oquab, ICLR 2017; Kim et al., Ann Stat 2021;49:411",
    cannot_show="Descriptive. An AUC far below 0.5 is an alarm: duplicates straddle the split.",
    decides=False,
)

SPREAD = Check(
    code="FID-SPREAD",
    title="equivalence of the spread",
    asks=(
        "Whether the standard deviations of the measures declared beforehand agree within a "
        "margin: too little spread is a generator that shows only part of what it saw."
    ),
    statistic=(
        "PASS if every 90 % patient-bootstrap interval of the ratio lies inside its margin; "
        "FAIL if one lies wholly outside; INCONCLUSIVE otherwise."
    ),
    source=(
        "Schuirmann, J Pharmacokinet Biopharm 1987;15:657; Nakagawa et al., Methods Ecol "
        "Evol 2015;6:143"
    ),
    cannot_show="Sensitive to outliers; the margin is a proposal.",
    limit="SD ratio 0.90 to 1.11 strict, 0.80 to 1.25 lenient (sd_ratio in "
    "comparison/margins.toml)",
    steps={
        Verdict.FAIL: "Look for mode collapse and for a selection of the synthetic records: "
        "compare with unfiltered output of the generator."
    },
    equivalence=True,
)

SHAPE = Check(
    code="FID-SHAPE",
    title="equivalence of the shape",
    asks=(
        "Whether the whole distributions of the measures declared beforehand agree: the 5th, "
        "25th, 75th and 95th percentiles and the Wasserstein distance, within margins. A lost "
        "tail or a second mode leaves the median and the spread as they are."
    ),
    statistic=(
        "PASS if every 90 % patient-bootstrap interval of a percentile's shift lies inside its "
        "margin and every upper one-sided 95 % limit of the Wasserstein distance below it; FAIL "
        "if one lies wholly outside; INCONCLUSIVE otherwise. Angles: the distance only."
    ),
    source=(
        "Schuirmann, J Pharmacokinet Biopharm 1987;15:657; Berger & Hsu, Stat Sci 1996;11:283; "
        "Rousselet et al., Eur J Neurosci 2017;46:1738; Vallender, Theory Probab Appl 1974;18:784"
    ),
    cannot_show="Needs more records than the medians do: table of power. The margins are a "
    "proposal.",
    limit="the margin of the median, times 1 (quantiles and wasserstein in "
    "comparison/margins.toml)",
    steps={
        Verdict.FAIL: "Look at the tails of the distributions that differ: extreme records are "
        "missing, or there are too many."
    },
)

C2ST_LEAK = Check(
    code="FID-C2ST-LEAK",
    title="classifier below chance",
    asks=(
        "A held-out AUC far below 0.5: records of one set repeat records of the other across "
        "the split."
    ),
    cannot_show="An alarm for copies; the audit says which.",
    limit="p at most 0.001 (LEAK_P in comparison/declared.py), and an AUC below its floor",
)

COPIES = Check(
    code="FID-COPIES",
    title="records equal in every measure",
    asks="Synthetic records whose measures equal a real record's in every digit.",
    cannot_show="Finds exact copies only; the audit searches for altered ones.",
    limit="one record, of at least 10 different values (MIN_IDENTICAL in "
    "comparison/measures/findings.py)",
)

CHECKS = (EQUIV, MISSING, KS, EMPTY, C2ST, SPREAD, SHAPE, C2ST_LEAK, COPIES)
"""In the order of the report."""

STATISTICS = statistics.STATISTICS
