"""The audit: copies, exchangeability, and what was not tested."""

from __future__ import annotations

from ecgeval.checks import Check, Statistic, by_name
from ecgeval.results import Verdict

__all__ = ["CHECKS", "STATISTICS"]

RECALL = Check(
    code="BENCH-RECALL",
    title="planted copies found",
    asks="Whether the copy search finds the shares of planted copies it is required to find.",
    statistic="Union of the detectors, by the rule of the audit; Clopper-Pearson limits.",
    source="Clopper & Pearson, Biometrika 1934;26:404",
    cannot_show="Holds for these disguises and these sets.",
    limit="the share required of each disguise (accept in privacy/copies/disguises.py)",
)

SIZE = Check(
    code="BENCH-SIZE",
    title="false alarms of the exchangeability test",
    asks="Whether the test rejects no more often than it says when nothing was planted.",
    limit="no more rejections at 5 % than a test of that size makes in 97.7 % of cases (LEVEL and "
    "CHANCE in privacy/bench.py)",
)

POWER = Check(
    code="BENCH-POWER",
    title="power of the exchangeability test with 20 copies",
    asks="Whether the test notices that 20 patients were copied.",
    cannot_show=(
        "Fewer than about five copied patients are beyond any test of this kind with as "
        "many holdout as training patients."
    ),
    limit="90 % of runs with 20 patients copied (LEAST_POWER and POWER_COPIES in privacy/bench.py)",
)

COPIES = Check(
    code="PRIV-COPIES",
    title="copies of training records",
    asks=(
        "Whether a synthetic record repeats a training record, also shifted in time, scaled, "
        "filtered, with noise, re-timed, or in one lead only."
    ),
    statistic=(
        "Similarity above an absolute criterion calibrated on real records of different "
        "people, and relative to the holdout."
    ),
    source="Carlini et al., USENIX Security 2023; Yao et al., arXiv 2505.01524",
    cannot_show=(
        "A FAIL is evidence of leakage. A PASS says that no copying of the kinds planted was "
        "found and that at most 5 % of the outputs can be such copies, nothing more. A holdout "
        "drawn otherwise (comparable.energy) would make honest records look like copies: other "
        "training patients stand in for it, as without a holdout."
    ),
    limit="any copy by the rule of privacy/copies/rule.py (ALPHA .01, RATIO .5); to pass, 90 % of "
    "planted copies found and at most 5 % of outputs unseen (LEAST_RECALL and MOST_UNSEEN in "
    "privacy/findings.py)",
    steps={
        Verdict.FAIL: "Do not release. Remove the copies, find out why they were learnt by "
        "heart (repeated records, too many epochs), train again and audit again.",
        Verdict.INCONCLUSIVE: "Read in the table of planted copies which disguises hide a copy. "
        "More real patients bring the limits nearer to what copies reach, and more synthetic "
        "records the upper limit down.",
    },
    number=True,
)

EXCHANGE = Check(
    code="PRIV-EXCHANGE",
    title="exchangeability of train and holdout",
    asks=(
        "Whether anything in the synthetic set distinguishes training patients from holdout "
        "patients."
    ),
    statistic="Permutation of whole patients; AUC and top-q over all detectors combined into "
    "one p.",
    source="Westfall & Young, 1993; Phipson & Smyth, SAGMB 2010;9:39",
    cannot_show=(
        "Needs a holdout set aside at random before training. NOT ASSESSABLE without it, if "
        "nothing is left of it once shared patients and recordings are removed, or if the two "
        "real sets differ by themselves (comparable.energy, p < .01)."
    ),
    limit="p < .01, or p <= .001 with the holdout closer (P_FAIL and P_REVERSED in "
    "privacy/findings.py); sets differ by themselves at p < .01 (P_ALIKE in privacy/comparable.py)",
    steps={
        Verdict.FAIL: "Do not release: training patients lie nearer to the synthetic "
        "records than others do. Check that both sides were recorded and chosen alike; if so, the "
        "generator remembers.",
        Verdict.INCONCLUSIVE: "A larger holdout would let the test notice fewer copied patients.",
    },
)

DUPLICATES = Check(
    code="PRIV-DUPLICATES",
    title="duplicates within and across the sets",
    asks=(
        "Recordings that occur twice, or a patient in both train and holdout: they bias every "
        "comparison and are set aside."
    ),
    limit="correlation .95 of two records (DUPLICATE in privacy/hygiene.py)",
    decides=False,
    words={Verdict.FAIL: "found"},
)

RESIDUAL = Check(
    code="PRIV-RESIDUAL",
    title="what remains",
    asks=(
        "What an audit cannot take from whoever releases the data: to judge the risk that is left, "
        "and to audit again when something changes."
    ),
    source="WP29 Opinion 05/2014 (WP 216); EDPB Opinion 28/2024",
    cannot_show="No number stands behind it.",
    decides=False,
)

NOT_TESTED = Check(
    code="PRIV-NOT-TESTED",
    title="attacks that were not run",
    asks="What this audit did not try. Absence of a test is not evidence of absence.",
    decides=False,
    untested=True,
)

SCOPE = Check(
    code="PRIV-SCOPE",
    title="scope of the audit",
    asks="A distance check can fail a release and never clears one by itself.",
    source="Yao et al., arXiv 2505.01524; EDPB Opinion 28/2024",
    cannot_show=(
        "Only training with differential privacy gives a guarantee; an audit bounds leakage "
        "from below."
    ),
    steps={
        Verdict.INCONCLUSIVE: "Judge what remains: who would attack, with what, and what it would "
        "cost the patients. The controller of the data decides, not this audit."
    },
)

CHECKS = (RECALL, SIZE, POWER, COPIES, EXCHANGE, DUPLICATES, RESIDUAL, NOT_TESTED, SCOPE)
"""In the order of the report."""

STATISTICS = by_name(
    Statistic(
        "exchange_auc",
        "exchangeability AUC",
        "Whether training records are more similar to the synthetic set than holdout records "
        "of other patients are: 0.5 where training left no trace of this kind.",
        "Score of a real record m(x) = max over s of sim(x, s), of a patient the largest; "
        "AUC of train against holdout; p by permuting patients.",
        "Mann & Whitney, Ann Math Stat 1947;18:50; Phipson & Smyth, SAGMB 2010;9:39",
        "An average: a few copies hide in it, which top-q is for. Needs a holdout drawn from "
        "the same patients before training.",
    ),
    Statistic(
        "comparable_energy",
        "training against holdout patients, by themselves",
        "How far apart the real patients of the two sets are, without the synthetic set: where "
        "they were not drawn alike, a synthetic set closer to one side says nothing of memory.",
        "2 E|X − Y| − E|X − X'| − E|Y − Y'| over patients of log band power a lead and, where "
        "there are any, representative beats; p by permuting patients.",
        "Székely & Rizzo, J Stat Plan Inference 2013;143:1249",
        "Sees how leads share the power between 3 and 40 Hz and the shape of the beat, not "
        "gain or rhythm. With few patients a difference goes unnoticed; among 100 holdouts "
        "drawn properly one is refused.",
    ),
    Statistic(
        "topq",
        "training share of the top q",
        "How many of the q real records most similar to the synthetic set are training "
        "records: near q times the training share where training left no trace.",
        "#{train among the q largest scores}; p by permuting patients, together with the AUC "
        "(Westfall-Young).",
        "Westfall & Young, Resampling-Based Multiple Testing, 1993",
        "Fewer than about five copied patients cannot be seen by it with a 1:1 holdout.",
    ),
    Statistic(
        "copies_count",
        "copies",
        "Synthetic records more similar to one training record than the absolute criterion "
        "allows for two different people.",
        "#{s : sim(s, t) ≥ threshold and dist(s, t) ≤ ½ dist(s, nearest holdout record)}, t "
        "the nearest training record; without a holdout drawn like the training set, the "
        "nearest other training patient takes its place.",
        "Carlini et al., USENIX Security 2023 (extraction criterion)",
        "Finds the transformations it was tested on; see the sensitivity table.",
    ),
    Statistic(
        "copies_upper",
        "upper bound on the share of copies",
        "Largest share of copies that is compatible with what was found, given how many "
        "planted copies the search finds.",
        "Upper Clopper-Pearson limit over the lower limit of the weakest recall on planted "
        "copies; each limit holds at 97.5 %, the quotient at 95 % (Bonferroni).",
        "Clopper & Pearson, Biometrika 1934;26:404; Rogan & Gladen, Am J Epidemiol 1978;107:71",
        "Holds for the kinds of copy that were planted, and for no other.",
    ),
    Statistic(
        "copies_patients",
        "training patients copied",
        "Training patients of whom at least one synthetic record was named a copy.",
        "",
        "Carlini et al., USENIX Security 2023 (extraction criterion)",
        "Counts the most similar partner of each copy only.",
    ),
    Statistic(
        "copies_control",
        "copies of the holdout",
        "The same rule with train and holdout exchanged: what it names where nothing can have "
        "been copied, so its false alarms.",
        "",
        "",
        "Patients in both sets would be named too; the duplicates check looks for them.",
    ),
    Statistic(
        "recall",
        "recall on planted copies",
        "Share of training records planted into the synthetic set on purpose, under one "
        "transformation, that the search named together with the right partner.",
        "hits / planted; Clopper-Pearson interval",
        "Clopper & Pearson, Biometrika 1934;26:404",
        "Holds for the transformation that was planted.",
    ),
    Statistic(
        "own_halves",
        "similarity of the two halves of one record",
        "What a detector makes of two looks at one heart: the similarity that 95 % of training "
        "records reach between their first and their last half.",
        "5 % quantile; interval by order statistics",
        "",
        "For detectors of beats: a copy limit above it lets pass what is no more alike than a "
        "record is to itself. Detectors of whole records compare the same seconds, which two "
        "halves do not share: low there, and no fault.",
    ),
    Statistic(
        "duplicates_records",
        "real records that occur more than once",
        "Records of train or holdout that are the same recording as another one.",
    ),
    Statistic(
        "flagged",
        "training patients flagged",
        "Training patients whose similarity to the synthetic set is extreme among holdout "
        "patients, at a false discovery rate of 5 %.",
        "p = (1 + #{h : m(h) ≥ m(t)}) / (n_holdout + 1), then Benjamini-Hochberg",
        "Bates et al., Ann Stat 2023;51:149",
        "The smallest possible p is 1 / (n_holdout + 1): few flags cannot be reached with a "
        "small holdout.",
    ),
    Statistic(
        "otherecg",
        "same patient's other ECG",
        "Another ECG of a training patient: a copy search says nothing about identity. Not "
        "promised.",
    ),
    Statistic(
        "size",
        "size of the exchangeability test",
        "Share of runs with p <= .05 where nothing was planted: .05 where the test is right.",
        "Patients dealt anew to train and holdout; half of the synthetic records in each run.",
        "Phipson & Smyth, SAGMB 2010;9:39",
        "Conditional on these patients and this synthetic set.",
        better="near_null",
        null=0.05,
    ),
    Statistic(
        "power",
        "power of the exchangeability test",
        "Share of runs with p <= .05 where this many training patients were copied.",
        "One record of each copied patient under a disguise drawn from those that must be found.",
        cannot_show="Grows with the number of patients copied, falls with the number of patients.",
        better="higher",
    ),
)
