"""The statistics that several sections compute: definition, formula, source, direction."""

from __future__ import annotations

from ecgeval.checks import Statistic, by_name

__all__ = ["STATISTICS"]

STATISTICS = by_name(
    Statistic(
        "ks",
        "Kolmogorov-Smirnov D",
        "Largest gap between the two cumulative distributions: 0 where they agree, 1 where "
        "they do not overlap.",
        "D = sup |F_real(x) − F_synth(x)|; p by permuting whole patients where values tie or "
        "patients repeat, exact or asymptotic otherwise.",
        "Massey, J Am Stat Assoc 1951;46:68; Hodges, Ark Mat 1958;3:469",
        "With many records a difference nobody would care about is significant; read D, not "
        "p. Insensitive in the tails.",
        better="lower",
        null=0,
    ),
    Statistic(
        "cliffs_delta",
        "Cliff's δ",
        "How much more often a synthetic value exceeds a real one than the reverse: 0 for "
        "none, +1 if every synthetic value is larger, −1 if every one is smaller.",
        "δ = P(S > R) − P(S < R) = 2·AUC − 1",
        "Cliff, Psychol Bull 1993;114:494",
        "Blind to a pure change of spread: read it beside the log SD ratio.",
        better="near_null",
        null=0,
    ),
    Statistic(
        "hedges_g",
        "Hedges' g",
        "Difference of means in units of the pooled standard deviation, corrected for small "
        "samples.",
        "g = J (mean_synth − mean_real) / s_pooled, J = 1 − 3 / (4(n + m) − 9)",
        "Hedges, J Educ Stat 1981;6:107",
        "Misleading for skewed or mixed distributions.",
        better="near_null",
        null=0,
    ),
    Statistic(
        "wasserstein",
        "Wasserstein-1 distance",
        "How far values must be moved, on average, to turn one distribution into the other; "
        "in the unit of the measure. Angles are compared around the circle.",
        "W₁ = ∫ |F_real(x) − F_synth(x)| dx",
        "Vallender, Theory Probab Appl 1974;18:784",
        "Never 0 in a finite sample: compare with its floor.",
        better="lower",
        null=0,
        unit=None,
    ),
    Statistic(
        "log_sd_ratio",
        "log SD ratio",
        "Logarithm of the ratio of standard deviations: 0 for equal spread, below 0 where the "
        "synthetic set varies less than the real one.",
        "ln(s_synth / s_real)",
        "Nakagawa et al., Methods Ecol Evol 2015;6:143",
        "Sensitive to outliers.",
        better="near_null",
        null=0,
    ),
    Statistic(
        "median_diff",
        "difference of medians",
        "Synthetic minus real median, in the unit of the measure.",
        "Harrell-Davis medians; interval by a bootstrap over patients.",
        "Harrell & Davis, Biometrika 1982;69:635",
        "Equal medians say nothing about spread or tails.",
        better="near_null",
        null=0,
        unit=None,
    ),
    *(
        Statistic(
            f"shift_p{p:02d}",
            f"shift of the {p}th percentile",
            f"Synthetic minus real {p}th percentile, in the unit of the measure: one point of the "
            "shift function, which shows where along a distribution the sets differ.",
            f"q_synth({p / 100:g}) − q_real({p / 100:g}), Harrell-Davis quantiles; interval by a "
            "bootstrap over patients.",
            "Doksum, Ann Stat 1974;2:267, doi:10.1214/aos/1176342662; Wilcox, J R Stat Soc D "
            "1995;44:91, doi:10.2307/2348620; Rousselet et al., Eur J Neurosci 2017;46:1738, "
            "doi:10.1111/ejn.13610; Harrell & Davis, Biometrika 1982;69:635",
            "Its interval holds for this percentile alone; the band in the figure holds for the "
            "whole function. Percentiles near 5 and 95 need about three times the records that a "
            "median does.",
            better="near_null",
            null=0,
            unit=None,
        )
        for p in (5, 25, 75, 95)
    ),
    Statistic(
        "circ_mean_diff",
        "difference of mean angles",
        "Synthetic minus real circular mean, wrapped to ±180°: 359° and 1° are 2° apart.",
        "arg Σ exp(iθ), per set",
        "Fisher, Statistical Analysis of Circular Data, 1993",
        "Undefined where directions spread evenly.",
        better="near_null",
        null=0,
        unit=None,
    ),
    Statistic(
        "circ_wasserstein",
        "circular Wasserstein-1 distance",
        "How far angles must be turned, on average, to turn one distribution into the other.",
        "min over a of ∫ |F(θ) − G(θ) − a| dθ",
        "Rabin, Delon & Gousseau, J Math Imaging Vis 2011;41:147",
        "Never 0 in a finite sample: compare with its floor.",
        better="lower",
        null=0,
        unit=None,
    ),
    Statistic(
        "watson_u2",
        "Watson's U²",
        "Distance between two distributions of angles that does not depend on where the "
        "circle is cut.",
        "U² = nm / N² · Σ (d − mean d)², d = F − G at the pooled angles; p by permuting patients.",
        "Watson, Biometrika 1962;49:57",
        "With many records a difference nobody would care about is significant.",
        better="lower",
        null=0,
    ),
    Statistic(
        "missing_diff",
        "difference in missing values",
        "Share of synthetic minus share of real records in which the measure could not be "
        "found, in percentage points.",
        "Newcombe's interval for a difference of proportions",
        "Newcombe, Stat Med 1998;17:873",
        "A missing value may be the heart (no P wave), the trace or the delineation.",
        better="near_null",
        null=0,
        unit="percentage points",
    ),
    Statistic(
        "c2st_auc",
        "classifier two-sample AUC",
        "How well a classifier tells real from synthetic records of patients it has not seen: "
        "0.5 is guessing, 1 is always right.",
        "Area under the ROC curve on held-out patients; p by permuting their labels, the "
        "observed value counted.",
        "Lopez-Paz & Oquab, ICLR 2017; Kim et al., Ann Stat 2021;49:411",
        "It sees what the features show. Far below 0.5 points to duplicates across the split.",
        better="near_null",
        null=0.5,
    ),
    Statistic(
        "c2st_shuffled",
        "classifier AUC under shuffled labels",
        "The same classifier after the labels of the training part were shuffled: near 0.5 "
        "unless something other than the label leaks through.",
        "",
        "Lopez-Paz & Oquab, ICLR 2017",
        "A guard on the test, not a result about the sets.",
        better="near_null",
        null=0.5,
    ),
)
