"""Joint structure: how the measures go together."""

from __future__ import annotations

from ecgeval.checks import Check, Statistic, by_name
from ecgeval.comparison import statistics
from ecgeval.results import Verdict

__all__ = ["CHECKS", "STATISTICS"]


QTRR = Check(
    code="JOINT-QTRR",
    title="QT follows RR",
    asks=(
        "Whether QT lengthens with RR as it does in people: the slopes of QT on RR must agree "
        "within a margin. This is the one joint property that decides."
    ),
    statistic=(
        "90 % interval of the difference of slopes (bootstrap of patients) inside the margin of "
        "the margins file, [joint] qt_rr_slope."
    ),
    source=(
        "Schuirmann, J Pharmacokinet Biopharm 1987;15:657, doi:10.1007/BF01068419; Fridericia, "
        "Acta Med Scand 1920;53:469; Bazett, Heart 1920;7:353"
    ),
    cannot_show=(
        "The margin is a proposal for a cardiologist to confirm. r² never decides: it depends on "
        "the range of rates."
    ),
    limit="0.02 ms/ms ([joint] qt_rr_slope in comparison/margins.toml)",
    steps={
        Verdict.FAIL: "Do not use the synthetic records where QT depends on rate; a scatter "
        "of QT against RR shows how they go apart."
    },
)

RELATIONS = Check(
    code="JOINT-RELATIONS",
    title="relations between two measures",
    asks=(
        "Which slopes and scatters differ: QT on RR, PR on heart rate, RR variability on heart "
        "rate, R amplitude on QRS. Describes; decides nothing."
    ),
    statistic=(
        "Permutation of patients, 0.05 / the number of slopes and scatters, and outside real "
        "against real."
    ),
    limit="p below 0.05 / the number of slopes and scatters (LEVEL in "
    "comparison/joint/findings.py)",
    decides=False,
)

CORR = Check(
    code="JOINT-CORR",
    title="correlations among measures",
    asks=(
        "Whether the matrices of rank correlations differ, and in which pairs most. Sets can agree "
        "in every single measure and differ here. Describes; decides nothing."
    ),
    statistic="Permutation of patients, 0.05 / 2.",
    limit="p below 0.05 / 2 (LEVEL in comparison/joint/findings.py)",
    decides=False,
)

PROGRESSION = Check(
    code="JOINT-PROGRESSION",
    title="R progression",
    asks=(
        "Whether mean R grows from V1 to V6, and overtakes S, as in the real set. Describes; "
        "decides nothing."
    ),
    statistic="Permutation of patients, 0.05 / 2.",
    limit="p below 0.05 / 2 (LEVEL in comparison/joint/findings.py)",
    decides=False,
)

RHYTHM = Check(
    code="JOINT-RHYTHM",
    title="RR from beat to beat",
    asks=(
        "Whether neighbouring RR intervals go together as in people, whom breathing gives a "
        "positive serial correlation. Describes; decides nothing."
    ),
    statistic="Kolmogorov-Smirnov D of the serial correlation.",
    limit="p below 0.05 (LEVEL in comparison/joint/findings.py)",
    decides=False,
)

KERNEL = Check(
    code="JOINT-KERNEL",
    title="all measures at once",
    asks=(
        "Whether energy distance or MMD tells the sets apart. Describes; decides nothing. Far "
        "below 0 the sets hold near-copies of each other."
    ),
    statistic="Permutation of patients, 0.05 / 2.",
    limit="p below 0.05 / 2 (LEVEL in comparison/joint/findings.py)",
    decides=False,
)

TRUNCATION = Check(
    code="JOINT-TRUNCATION",
    title="a hard edge: most likely a filter",
    asks=(
        "The synthetic values of a measure end at a hard edge beyond which real patients lie: most "
        "likely the set was filtered, as the published DeepFake ECGs were to normal ones (60 to "
        "100 bpm)."
    ),
    statistic=(
        "Exact precedence test, corrected for measures and ends, and a synthetic tail shorter than "
        "0.6 of the real one, 95 % interval below 1."
    ),
    source=(
        "Balakrishnan & Ng 2006, doi:10.1002/0471776238; Thambawita et al., Sci Rep "
        "2021;11:21896, doi:10.1038/s41598-021-01295-2"
    ),
    cannot_show=(
        "A soft edge, or one beyond which few real patients lie, is not seen. A bounded generator, "
        "one trained on a filtered set, and one that repeats a few hearts (at many ends at once) "
        "end hard too."
    ),
    limit="p below 0.05 / the number of ends (LEVEL in comparison/joint/findings.py), and "
    "a tail below 0.6 of the real one (SHORT_TAIL in comparison/joint/truncation.py)",
    decides=False,
    words={Verdict.INCONCLUSIVE: "nothing found"},
)

CHECKS = (QTRR, RELATIONS, CORR, PROGRESSION, RHYTHM, KERNEL, TRUNCATION)
"""In the order of the report."""

STATISTICS = statistics.STATISTICS | by_name(
    Statistic(
        "slope_diff",
        "difference of slopes",
        "Synthetic minus real slope of one measure on another, in the units of both. For ln QT on "
        "ln RR it is a difference of exponents (Fridericia 1/3, Bazett 1/2).",
        "slope = Σ(x − x̄)(y − ȳ) / Σ(x − x̄)², least squares in each set, a patient counting once; "
        "interval by a bootstrap over patients.",
        "Davison & Hinkley, Bootstrap Methods and their Application, 1997, section 6.2.4, "
        "doi:10.1017/CBO9780511802843",
        "Across people, not within one. Single wrong delineations at a high or low rate can move "
        "it: look at the figure.",
        better="near_null",
        null=0,
    ),
    Statistic(
        "residual_sd_diff",
        "difference of residual SDs",
        "Synthetic minus real standard deviation about the regression line: below 0 where the "
        "synthetic measures follow each other more strictly than people's do.",
        "√(Σ residual² / (n − 2))",
        "Draper & Smith, Applied Regression Analysis, 1998, doi:10.1002/9781118625590",
        "Holds error of delineation as well as people's differences, in both sets.",
        better="near_null",
        null=0,
        unit=None,
    ),
    Statistic(
        "r2_diff",
        "difference of r²",
        "Synthetic minus real share of the variance that the line explains.",
        "1 − Σ residual² / Σ(y − ȳ)²",
        "Thambawita et al., Sci Rep 2021;11:21896, doi:10.1038/s41598-021-01295-2 (figure 3 "
        "compares QT and RR by r²)",
        "Depends on the spread of x: equal r² shows neither equal slope nor equal scatter, and "
        "with a narrower range of rates r² falls though the hearts are the same.",
        better="near_null",
        null=0,
    ),
    Statistic(
        "corr_rms",
        "root mean square difference of correlations",
        "How far the rank correlations of two sets lie apart, on average over all pairs of "
        "measures.",
        "‖R_synth − R_real‖_F / √(k(k − 1)), R the matrices of Spearman's ρ of k measures; p by "
        "permuting whole patients with their ranks within their set.",
        "Steiger, Psychol Bull 1980;87:245, doi:10.1037/0033-2909.87.2.245; permutation: Phipson & "
        "Smyth, Stat Appl Genet Mol Biol 2010;9:39",
        "Never 0 in a finite sample: compare with real against real. Measures that are functions "
        "of others (RR, JT, QTc) and angles are left out.",
        better="lower",
        null=0,
    ),
    Statistic(
        "corr_max",
        "largest difference of correlations (Fisher's z)",
        "The one pair of measures whose correlation differs most.",
        "max |atanh ρ_synth − atanh ρ_real| over pairs; p against the largest of each permutation",
        "Fisher, Metron 1921;1:3; Westfall & Young, Resampling-Based Multiple Testing, 1993",
        "Grows with the number of pairs: compare with real against real.",
        better="lower",
        null=0,
    ),
    Statistic(
        "spearman_diff",
        "difference of Spearman's ρ",
        "Synthetic minus real rank correlation of two measures.",
        "ρ = Pearson correlation of ranks within a set, a patient's records sharing its weight",
        "Spearman, Am J Psychol 1904;15:72, doi:10.2307/1412159",
        "Reported for the pairs that differ most, so the values overstate; the adjusted p allows "
        "for the choice.",
        better="near_null",
        null=0,
    ),
    Statistic(
        "max_mean_diff",
        "largest difference of a mean curve",
        "Largest absolute difference of the mean R amplitude over V1 to V6.",
        "max over leads of |mean_synth − mean_real|; p by permuting patients",
        "Degras, WIREs Comput Stat 2017;9:e1397, doi:10.1002/wics.1397",
        "A difference of gain moves all leads.",
        better="lower",
        null=0,
        unit="mV",
    ),
    Statistic(
        "mean_diff",
        "difference of means",
        "Synthetic minus real mean over patients; the interval holds for all leads together.",
        "difference ± c · SD, c the 95 % quantile of the largest standardised move over leads in a "
        "bootstrap of patients",
        "Degras, WIREs Comput Stat 2017;9:e1397, doi:10.1002/wics.1397",
        "Means say nothing about spread.",
        better="near_null",
        null=0,
        unit=None,
    ),
    Statistic(
        "total_variation",
        "total variation distance",
        "Largest difference of the share of patients in any group of categories: 0 where the "
        "shares agree, 1 where no category is shared.",
        "½ Σ |p_synth − p_real| over categories; p by permuting patients",
        "Gibbs & Su, Int Stat Rev 2002;70:419, doi:10.1111/j.1751-5823.2002.tb00178.x",
        "Never 0 in a finite sample: compare with real against real.",
        better="lower",
        null=0,
    ),
    Statistic(
        "serial_median_diff",
        "difference of the median serial correlation",
        "Synthetic minus real median of the correlation between neighbouring RR intervals of a "
        "record.",
        "r₁ = 1 − RMSSD² / (2 SD²) of the RR intervals of a record",
        "von Neumann, Ann Math Stat 1941;12:367, doi:10.1214/aoms/1177731677",
        "Ten seconds hold about ten intervals: r₁ of one record is uncertain and biased, in both "
        "sets alike. Breathing itself cannot be measured from so few.",
        better="near_null",
        null=0,
    ),
    Statistic(
        "serial_ks",
        "Kolmogorov-Smirnov D of the serial correlation",
        "Largest gap between the distributions of the correlation between neighbouring RR "
        "intervals.",
        "D = sup |F_real(x) − F_synth(x)|",
        "Massey, J Am Stat Assoc 1951;46:68",
        "With many records a difference nobody would care about is significant.",
        better="lower",
        null=0,
    ),
    Statistic(
        "energy_distance",
        "energy distance",
        "How much farther apart two records of different sets lie than two of one set, over all "
        "measures at once. 0 only where the distributions are the same.",
        "2 E|X − Y| − E|X − X′| − E|Y − Y′|, unbiased over pairs of patients; measures on a pooled "
        "robust scale (median 0, IQR / 1.349 of 1); p by permuting patients",
        "Székely & Rizzo, J Stat Plan Inference 2013;143:1249, doi:10.1016/j.jspi.2013.03.018",
        "Below 0 by chance where the sets agree, and far below 0 where one holds copies of the "
        "other. The scale is pooled so that the p is exact: with an outlying synthetic set it is "
        "wider. With many records any difference is significant.",
        better="near_null",
        null=0,
    ),
    Statistic(
        "mmd2",
        "maximum mean discrepancy, squared",
        "Distance of two distributions under a Gaussian kernel, over all measures at once.",
        "E k(X, X′) + E k(Y, Y′) − 2 E k(X, Y), unbiased; k = exp(−|x − y|² / 2s²), s the pooled "
        "median distance; p aggregates s at ½, 1 and 2 times that",
        "Gretton et al., J Mach Learn Res 2012;13:723; MMDAgg: Schrab et al., J Mach Learn Res "
        "2023;24:194",
        "Below 0 by chance where the sets agree: it is not cut at 0. Its size depends on the "
        "bandwidth; compare with real against real.",
        better="near_null",
        null=0,
    ),
    *(
        Statistic(
            f"beyond_{end}",
            f"real patients {where} the synthetic range",
            f"Share of real patients {where} the value where the synthetic set ends (but for 0.5 % "
            "of it).",
            "k / n; p = P(at least k of n real values beyond the j-th of m synthetic ones) if both "
            "come from one distribution, hypergeometric, exact",
            "Balakrishnan & Ng, Precedence-Type Tests and Applications, 2006, "
            "doi:10.1002/0471776238",
            "Large for a filter, but also for a shifted or narrower distribution: the tail tells "
            "them apart. One record of each patient, drawn at random.",
            better="lower",
            unit="%",
        )
        for end, where in (("low", "below"), ("high", "above"))
    ),
    *(
        Statistic(
            f"tail_{end}",
            f"log ratio of the length of the {word} tail",
            "How long the synthetic tail is for its body, over the same in the real set: 0 where "
            "the shapes agree, whatever location and scale; below 0 where it was cut off.",
            f"ln of (q₁₀ − q₁) / (q₅₀ − q₁₀), synthetic over real{extra}; interval by a bootstrap "
            "over patients",
            "Hogg, J Am Stat Assoc 1974;69:909, doi:10.1080/01621459.1974.10480225 (tail lengths "
            "from quantiles)",
            "Needs a hundred values or more to say anything.",
            better="near_null",
            null=0,
        )
        for end, word, extra in (
            ("low", "lower", ""),
            ("high", "upper", ", of the values with their sign changed"),
        )
    ),
)
