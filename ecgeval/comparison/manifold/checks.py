"""Whole records as points of a space: fidelity, diversity and copies."""

from __future__ import annotations

from ecgeval.checks import Check, Statistic, by_name
from ecgeval.comparison import statistics
from ecgeval.results import Verdict

__all__ = ["CHECKS", "SLUG", "STATISTICS"]

SLUG = "manifold"
"""Of the section; the first part of every id."""

_RELATIVE = (
    "Räisä et al. (ICML 2025) show that every such score fails some sanity check: read it against "
    "its floor, never alone. "
)


FRECHET = Check(
    code="MANI-FRECHET",
    title="mean and covariance of whole records",
    asks="How far the sets lie apart as clouds of points, in the space of measures and of beats.",
    statistic="Fréchet distance extrapolated to n → ∞, its 95 % CI above real against real.",
    source="Chong & Forsyth, CVPR 2020; Bińkowski et al., ICLR 2018",
    cannot_show=_RELATIVE + "Blind to copies.",
    limit="none but real against real at the same n",
    decides=False,
)

PR = Check(
    code="MANI-PR",
    title="precision and recall",
    asks=(
        "Whether synthetic records look like real ones (precision) and whether they show every "
        "kind of real one (recall)."
    ),
    statistic="95 % CI outside of real against real at the same n.",
    source="Kynkäänniemi et al., NeurIPS 2019",
    cannot_show=_RELATIVE + "Copies score high.",
    limit="none but real against real at the same n",
    decides=False,
)

COVERAGE = Check(
    code="MANI-COVERAGE",
    title="density and coverage",
    asks=(
        "As precision and recall, less at the mercy of single records, with a known value for "
        "coverage where the sets are alike; the clipped forms still less."
    ),
    statistic="95 % CI outside of real against real at the same n.",
    source="Naeem et al., ICML 2020; Salvy et al., arXiv:2507.01761 (2025)",
    cannot_show=_RELATIVE + "Copies score high.",
    limit="none but real against real at the same n",
    decides=False,
)

ALPHA = Check(
    code="MANI-ALPHA",
    title="α-precision and β-recall",
    asks="Whether the core and the rim of either set hold the same share of the other.",
    statistic="95 % CI outside of real against real at the same n.",
    source="Alaa et al., ICML 2022 (arXiv:2102.08921)",
    cannot_show=_RELATIVE + "No one-class embedding is learnt: see alpha_precision.",
    limit="none but real against real at the same n",
    decides=False,
)

AUTHENTICITY = Check(
    code="MANI-AUTHENTICITY",
    title="nearer to real records than other patients are",
    asks=(
        "An alarm, not a test: synthetic records that lie nearer to single real records than "
        "other patients do may be copies."
    ),
    statistic=(
        "FAIL if records equal real ones, or close pairs lie above real against real; undecided "
        "if only authenticity is below it; NOT_ASSESSABLE without a sign where the synthetic set "
        "has collapsed onto few distinct records."
    ),
    source="Alaa et al., ICML 2022 (arXiv:2102.08921)",
    cannot_show="No alarm clears nothing: run `ecgeval audit`, with a holdout.",
    words={Verdict.FAIL: "found", Verdict.INCONCLUSIVE: "nothing decided"},
    limit=(
        "none but real against real; collapsed: more than 50 % repeats (REPEATED), or neighbours "
        "less than 0.25 times as far apart as real ones (CROWDED, both in "
        "comparison/manifold/draws.py)"
    ),
    decides=False,
)

REPEATS = Check(
    code="MANI-REPEATS",
    title="repeated records",
    asks=(
        "Records that equal another one of their own set; a generator that repeats itself has "
        "collapsed."
    ),
    statistic="FAIL if a synthetic record is repeated.",
    words={Verdict.FAIL: "found", Verdict.INCONCLUSIVE: "describes"},
    limit="no repeated synthetic record",
    decides=False,
)

SPACES = Check(
    code="MANI-SPACES",
    title="whether the two spaces agree",
    asks=(
        "The measures and the beats are asked the same questions. Where only one sees a "
        "difference, it lies in what the other does not hold: rhythm and intervals, or the shape "
        "of the waves."
    ),
    statistic="A score outside of real against real in one space and inside in another.",
    words={Verdict.INCONCLUSIVE: "describes"},
    limit="none but real against real in either space",
    decides=False,
)

CHECKS = (FRECHET, PR, COVERAGE, ALPHA, AUTHENTICITY, REPEATS, SPACES)
"""In the order of the report."""

STATISTICS = statistics.STATISTICS | by_name(
    Statistic(
        "frechet",
        "Fréchet distance",
        "Distance between normal distributions fitted to both sets, mean and covariance together; "
        "in squared standard deviations, on the leading principal axes of both sets.",
        "‖m₁ − m₂‖² + tr(C₁ + C₂ − 2 (C₁C₂)^½)",
        "Dowson & Landau, J Multivar Anal 1982;12:450; Heusel et al., NeurIPS 2017",
        "Biased upwards by about 2/n (d + d(d + 1)/4), so only sets of equal size compare. Blind "
        "to copies, and to all but mean and covariance.",
        better="lower",
    ),
    Statistic(
        "frechet_limit",
        "Fréchet distance, n → ∞",
        "The Fréchet distance with its bias of order 1/n taken off: about 0 where mean and "
        "covariance agree; it may be negative.",
        "intercept of the line through the distances at n, n/2, n/3, n/4 against 1/n",
        "Chong & Forsyth, CVPR 2020",
        "A line fits where n is many times the dimension; the number of axes is chosen for that. "
        "Blind to copies.",
        better="lower",
        null=0,
    ),
    Statistic(
        "kid",
        "kernel distance (KID)",
        "Squared maximum mean discrepancy: unlike the Fréchet distance unbiased at any n, so it "
        "may be negative where the sets are alike.",
        "unbiased MMD² with k(x, y) = (x·y/d + 1)³",
        "Bińkowski et al., ICLR 2018",
        "The kernel sees moments up to the third, and the far records most. Blind to copies.",
        better="lower",
        null=0,
    ),
    Statistic(
        "improved_precision",
        "precision",
        "Share of synthetic records within the reach of real ones: nearer to some real record "
        "than its third nearest real neighbour.",
        "share of s in the union of balls B(r, distance to the 3rd nearest real)",
        "Kynkäänniemi et al., NeurIPS 2019",
        "Not 1 for a perfect set: the expected value depends on n and dimension, and is what real "
        "against real gives. A single far real record inflates it; copies and a set that shows "
        "the commonest ECG only score high.",
        better="near_null",
    ),
    Statistic(
        "improved_recall",
        "recall",
        "Share of real records within the reach of synthetic ones: falls where kinds of real ECG "
        "are not generated.",
        "precision with the roles of the sets exchanged",
        "Kynkäänniemi et al., NeurIPS 2019",
        "Not 1 for a perfect set, see its floor. A few far synthetic records inflate it, and "
        "copies score high.",
        better="near_null",
    ),
    Statistic(
        "density",
        "density",
        "How many real neighbourhoods a synthetic record lies in, over the number expected.",
        "D = 1/(kM) Σⱼ Σᵢ 1[sⱼ ∈ B(rᵢ, distance to the k-th nearest real)], k = 5",
        "Naeem et al., ICML 2020",
        "Unbounded: above 1 where the synthetic set crowds the densest region, which is no merit.",
        better="near_null",
        null=1,
    ),
    Statistic(
        "coverage",
        "coverage",
        "Share of real records with a synthetic one in their neighbourhood: falls where kinds of "
        "real ECG are not generated.",
        "share of r whose ball, to the 5th nearest real, holds a synthetic record; expected "
        "1 − Π (N − i)/(M + N − i), i = 1 … 5, whatever the distribution",
        "Naeem et al., ICML 2020",
        "Exact copies cover their originals and score above the expected value. In many dimensions "
        "a set collapsed onto the mean lies in most neighbourhoods too: recall sees that.",
        better="near_null",
    ),
    Statistic(
        "clipped_density",
        "clipped density",
        "Density in which no far real record spans the space and no synthetic record counts more "
        "than once, relative to the real records themselves.",
        "mean of min(balls that s lies in / 5, 1) with radii cut at their median, over the same "
        "for real records",
        "Salvy, Talbot & Thirion, arXiv:2507.01761 (2025)",
        "As density it rises where the set crowds the densest region, and for copies.",
        better="near_null",
    ),
    Statistic(
        "clipped_coverage",
        "clipped coverage",
        "Coverage that asks for five synthetic records in a neighbourhood and counts part of them.",
        "mean of min(synthetic records in the ball of r / 5, 1); expected value from the negative "
        "hypergeometric distribution, whatever the distribution of the records",
        "Salvy, Talbot & Thirion, arXiv:2507.01761 (2025); their final rescaling is left out",
        "Exact copies alone raise it little; authenticity is for those.",
        better="near_null",
    ),
    Statistic(
        "alpha_precision",
        "α-precision, integrated",
        "Whether the ball that holds a share α of the real records holds the same share of the "
        "synthetic ones, at every α; the curve says where it does not.",
        "1 − 2 ∫ |P(α) − α| dα",
        "Alaa et al., ICML 2022 (arXiv:2102.08921)",
        "The paper learns an embedding in which the real set is a ball (one-class SVDD); here the "
        "space is taken as it is, and the ball is centred on the mean: records at the right "
        "distance from the centre in wrong directions are not noticed. Blind to copies.",
        better="near_null",
    ),
    Statistic(
        "beta_recall",
        "β-recall, integrated",
        "Whether the ball that holds a share β of the synthetic records holds the same share of "
        "the real ones, at every β.",
        "1 − 2 ∫ |R(β) − β| dβ",
        "Alaa et al., ICML 2022 (arXiv:2102.08921)",
        "See α-precision: no one-class embedding is learnt. Blind to copies.",
        better="near_null",
    ),
    Statistic(
        "authenticity",
        "authenticity",
        "Share of synthetic records farther from their nearest real record than that is from its "
        "own nearest neighbour. Other patients in place of the synthetic records give its floor.",
        "share of s with d(s, r) > d(r, nearest other real), r the nearest real record of s",
        "Alaa et al., ICML 2022 (arXiv:2102.08921)",
        "No value is right by itself: it depends on the dimension. Low for copies, but also for a "
        "set without variety, whose records lie in the middle of everyone: read it with the share "
        "of close pairs. High where records lie off the real set. `ecgeval audit` looks for "
        "copies properly.",
        better="near_null",
    ),
    Statistic(
        "close_pairs",
        "close pairs",
        "Share of synthetic records at most half as far from their nearest real record as from "
        "the second nearest: a copy is near one record only.",
        "share of s with d₁(s) ≤ ½ d₂(s)",
        "Lowe, Int J Comput Vis 2004;60:91 (ratio of distances)",
        "Blind where the original is not among the real records, and to copies changed so much "
        "that they are no longer near.",
        better="near_null",
    ),
    Statistic(
        "repeated",
        "repeated records",
        "Share of records of a set that equal another one of it in every coordinate; one of each "
        "is kept.",
        source="Naeem et al., ICML 2020 (repeats make neighbourhoods empty)",
        cannot_show="Exact repeats only.",
        better="near_null",
        null=0,
        unit="%",
    ),
)
