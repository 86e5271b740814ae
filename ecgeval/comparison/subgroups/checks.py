"""Comparison within subgroups."""

from __future__ import annotations

from ecgeval.checks import Check, Statistic, by_name
from ecgeval.comparison import statistics
from ecgeval.results import Verdict

__all__ = ["CHECKS", "SLUG", "STATISTICS"]

SLUG = "subgroups"
"""Of the section: its ids begin with it."""

EQUIV = Check(
    code="SUB-EQUIV",
    title="equivalence within subgroups",
    asks=(
        "Whether the medians of the declared measures agree within margins in each group, like "
        "against like: a set that is right on the whole can be wrong for women, or for the old."
    ),
    statistic=(
        "As FID-EQUIV, in each group with at least 20 patients in either set. Describes; decides "
        "nothing."
    ),
    source="Schuirmann, J Pharmacokinet Biopharm 1987;15:657; Berger & Hsu, Stat Sci 1996;11:283",
    cannot_show=(
        "Groups are small, so most end INCONCLUSIVE. NOT_ASSESSABLE where the synthetic set has no "
        "such label."
    ),
    limit="the margins of the medians ([measures] in comparison/margins.toml)",
    words={Verdict.PASS: "inside the margins", Verdict.INCONCLUSIVE: "nothing decided"},
    decides=False,
)

HETERO = Check(
    code="SUB-HETERO",
    title="dependence on the group",
    asks=(
        "Number of measures whose difference between the sets is not the same in every group. "
        "Describes; decides nothing."
    ),
    statistic="Cochran's Q, Benjamini-Hochberg at q = 0.05 over measures.",
    source="Cochran, Biometrics 1954;10:101; Benjamini & Hochberg, J R Stat Soc B 1995;57:289",
    cannot_show="Finding none is no proof of none.",
    limit="false discovery rate 0.05 (FDR in comparison/declared.py)",
    words={Verdict.INCONCLUSIVE: "describes"},
    decides=False,
)

LIKE = Check(
    code="SUB-LIKE",
    title="which group the synthetic set looks like",
    asks=(
        "For a synthetic set without labels: which real group lies nearest to it. Describes; "
        "decides nothing."
    ),
    statistic="Mean |Cliff's δ| over the declared measures; p by shuffling patients over groups.",
    source="Cliff, Psychol Bull 1993;114:494; Phipson & Smyth, Stat Appl Genet Mol Biol 2010;9:39",
    cannot_show="Groups differ in more than their label: likeness to women may be one to small "
    "hearts.",
    limit="p at most 0.05 (LARGEST_P in comparison/subgroups/likeness.py)",
    words={Verdict.INCONCLUSIVE: "describes"},
    decides=False,
)

CHECKS = (EQUIV, HETERO, LIKE)
"""In the order of the report."""

STATISTICS = statistics.STATISTICS | by_name(
    Statistic(
        "cochran_q",
        "heterogeneity over groups (Cochran's Q)",
        "Whether the difference between the sets is the same in every group: near the number of "
        "groups less one where it is.",
        "Q = Σ w (d − Σwd / Σw)², d the difference of medians of a group, w = 1 / SE²; p "
        "chi-squared with groups − 1 degrees of freedom.",
        "Cochran, Biometrics 1954;10:101, doi:10.2307/3001666",
        "Little power with few patients a group. A patient with records in two groups counts in "
        "both.",
        better="lower",
    ),
    Statistic(
        "mean_abs_delta",
        "mean |δ| over the declared measures",
        "How far a real group lies from the whole synthetic set in ranks: 0 for the same, 1 for no "
        "overlap in any measure.",
        "Mean of |Cliff's δ| over the declared measures that are no angles.",
        "Cliff, Psychol Bull 1993;114:494",
        "Never 0 in a finite sample: compare with random patients. Measures that say the same "
        "count as often.",
        better="descriptive",
        null=0,
    ),
)
