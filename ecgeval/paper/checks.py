"""The evaluation of the reference study: what `ecgeval paper` concludes."""

from __future__ import annotations

from ecgeval.checks import Check, Statistic, by_name
from ecgeval.comparison.joint import checks as joint
from ecgeval.results import Verdict

_STUDY = "Thambawita et al., Sci Rep 2021;11:21896, doi:10.1038/s41598-021-01295-2"


SETS = Check(
    code="PAPER-SETS",
    title="sets of the evaluation",
    asks="Whether every generator and every real set that the evaluation wants could be had.",
    statistic="NOT_ASSESSABLE for each that could not, with the reason",
    source=_STUDY,
    cannot_show="A cohort of measures in place of records leaves out what needs waveforms.",
    decides=False,
)

MEASURES = Check(
    code="PAPER-MEASURES",
    title="intervals and amplitudes of the study",
    asks=(
        "Whether the medians of the study's intervals and amplitudes are equivalent in real and "
        "generated ECGs."
    ),
    statistic="Two one-sided tests a measure at 5 %; all must pass",
    source=f"{_STUDY}; Schuirmann, J Pharmacokinet Biopharm 1987;15:657, doi:10.1007/BF01068419",
    cannot_show=(
        "Describes: the named real sets are not those that the generator learnt from, and another "
        "population may differ from it as much."
    ),
    words={Verdict.PASS: "inside the margins", Verdict.INCONCLUSIVE: "not all decided"},
    decides=False,
)

QTRR = Check(
    code="PAPER-QTRR",
    title="QT against RR",
    asks="Whether QT follows RR with the same slope in real and generated ECGs.",
    statistic="PASS if the 90 % interval of the difference of slopes lies inside the margin",
    source=f"{_STUDY}; Davison & Hinkley, Bootstrap Methods and their Application, 1997",
    cannot_show=(
        "Across people, not within one. r² depends on the range of RR, which a choice of normal "
        "ECGs cuts at 60 and 100 bpm."
    ),
    words={Verdict.PASS: "inside the margin", Verdict.INCONCLUSIVE: "nothing decided"},
    decides=False,
)

NORMAL = Check(
    code="PAPER-NORMAL",
    title="difference in the share of normal ECGs",
    asks="Whether about as many ECGs of one set as of another keep all rules for a normal ECG.",
    statistic="As PLAUS-NORMAL; between two generators the first is the reference",
    source=f"{_STUDY}; Newcombe, Stat Med 1998;17:873",
    cannot_show="A generator trained on normal ECGs alone should exceed a real set with any "
    "others in it.",
    words={Verdict.PASS: "inside the margin", Verdict.INCONCLUSIVE: "nothing decided"},
    decides=False,
)

GE_12SL = Check(
    code="PAPER-12SL",
    title="published DeepFakes by another program",
    asks="Whether measures of the regenerated published set agree with those of GE's 12SL.",
    statistic="Two one-sided tests a mean at 5 %, with the margins declared for medians",
    source=_STUDY,
    cannot_show=(
        "A check of this program's conventions, not of the generator. 12SL chose the training data "
        "and judged the result; it is no arbiter either."
    ),
    decides=False,
)

PRIVACY = Check(
    code="PAPER-PRIVACY",
    title="the privacy audit the study did not have",
    asks="Whether the published generator leaks the patients it learnt from.",
    statistic="NOT_ASSESSABLE: needs its training patients, and others it has never seen",
    source=_STUDY,
    cannot_show="Comparing its output with other data sets is no audit: those patients were never "
    "in it.",
    decides=False,
)

CHECKS = (SETS, MEASURES, QTRR, NORMAL, GE_12SL, PRIVACY)
"""In the order of the report."""

STATISTICS = joint.STATISTICS | by_name(
    Statistic(
        "normal_share",
        "share of rule-normal ECGs",
        "Share of a set's records that keep every rule for a normal adult ECG, in percent.",
        "Middle of the shares under the limits of women and of men; Wilson's interval on records "
        "over the design effect of patients, over both",
        "Wilson, J Am Stat Assoc 1927;22:209, doi:10.1080/01621459.1927.10502953",
        "Means nothing without that of real ECGs under the same rules.",
        unit="%",
    ),
    Statistic(
        "mean_diff_12sl",
        "difference from the mean by 12SL",
        "Mean of a measure over regenerated published DeepFakes that keep the rules, less that "
        "which GE's 12SL gave for those it called normal.",
        "mean − published mean; percentile bootstrap of records",
        _STUDY,
        "Two programs with conventions of their own, on sets chosen by different rules of what is "
        "normal. The published mean is taken as exact: it is of 121,977 records.",
        better="near_null",
        null=0,
        unit=None,
    ),
)
