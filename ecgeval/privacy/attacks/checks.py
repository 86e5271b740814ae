"""Attacks on the synthetic set: membership, linkage, indicators, canaries."""

from __future__ import annotations

from ecgeval.checks import Check, Statistic, by_name
from ecgeval.results import Verdict

__all__ = ["CHECKS", "STATISTICS"]

_LEVELS = (("10pct", "10 %", 100), ("1pct", "1 %", 1000), ("0p1pct", "0.1 %", 10_000))
_AA_READS = "0 for copies, .5 for samples of one population, 1 for separated sets."
_CARLINI = "Carlini et al., IEEE S&P 2022 (doi 10.1109/SP46214.2022.9833649)"
_CHEN = "Chen et al., CCS 2020 (doi 10.1145/3372297.3417238)"
_GIOMI = "Giomi et al., PoPETs 2023(2):312 (doi 10.56553/popets-2023-0055)"
_YALE = "Yale et al., Neurocomputing 2020;416:244 (doi 10.1016/j.neucom.2019.12.136)"


MIA = Check(
    code="PRIV-MIA",
    title="membership inference",
    asks=(
        "Whether an attacker who holds a person's ECG and the synthetic set (and the critic, where "
        "the checkpoint holds it) can tell that the person was trained on."
    ),
    statistic=(
        "Attacks on patients with thresholds from other holdout patients; true positive rates at "
        "false positive rates of 10, 1 and 0.1 %."
    ),
    source="Chen et al., CCS 2020; van Breugel et al., AISTATS 2023; " + _CARLINI,
    cannot_show=(
        "A FAIL is evidence of leakage. An attack that fails says nothing about stronger ones, and "
        "average rates hide outliers. Needs a holdout set aside at random before training."
    ),
    limit=(
        "true positive rates of 15, 2 and 1 % at 10, 1 and 0.1 % false alarms (TOLERATED in "
        "privacy/attacks/rates.py); p < 0.01 (P_FAIL in privacy/attacks/sets.py)"
    ),
    steps={Verdict.FAIL: "Do not release: who was trained on can be told from the records alone."},
)

LINK = Check(
    code="PRIV-LINK",
    title="linkage to another ECG of a patient",
    asks=(
        "Whether a matcher that recognises people across recordings finds training patients in the "
        "synthetic set more often than others."
    ),
    statistic=(
        "Similarity of a second look at each patient to the nearest synthetic record; permutation "
        "of patients."
    ),
    source="Hatch et al., Interspeech 2006; Phipson & Smyth, SAGMB 2010;9:39",
    cannot_show="Halves of one record recognise people more easily than records of two days do.",
    limit="p < 0.01 over all tests together (P_FAIL in privacy/attacks/sets.py)",
    steps={Verdict.FAIL: "Do not release: records of one patient can be linked by them."},
)

WP29 = Check(
    code="PRIV-WP29",
    title="singling out, linkability, inference",
    asks=(
        "The three criteria of Opinion 05/2014 of the Article 29 Working Party, each as an attack "
        "on training patients with holdout patients as control."
    ),
    statistic="(a − c) / (1 − c); verdict on the upper limit",
    source="WP 216; " + _GIOMI,
    cannot_show="The limit a risk must stay below is a choice. A PASS holds for the attack that "
    "was run.",
    limit=(
        "an upper limit of the risk of 0.1 (MOST_RISK in privacy/attacks/criteria.py); p < 0.01 "
        "over the criteria that ran (P_FAIL in privacy/attacks/sets.py)"
    ),
    steps={Verdict.FAIL: "Do not release before the risk named is judged."},
)

INDICATORS = Check(
    code="PRIV-INDICATORS",
    title="classical distance indicators",
    asks="Distance to the closest record and its kin, each beside its null. They decide nothing.",
    statistic="Permutation of patients between training set and holdout.",
    source="Yao et al., arXiv 2505.01524",
    cannot_show="Data sets that passed them were found highly vulnerable to membership inference.",
    limit="p < 0.01 over all indicators together (ALPHA in privacy/attacks/indicators.py)",
    decides=False,
)

CANARY = Check(
    code="PRIV-CANARY",
    title="canaries",
    asks=(
        "Whether an attacker guesses, better than coins do, which patients were put into the "
        "training run by the toss of a coin."
    ),
    statistic="Lower 95 % bound on ε",
    source="Steinke, Nasr & Jagielski, NeurIPS 2023 (arXiv 2305.08846)",
    cannot_show="Must be planted before training. A lower bound: 0 shows nothing.",
    limit="a lower 95 % bound on ε above 0 (privacy/canaries.py)",
)

CHECKS = (MIA, LINK, WP29, INDICATORS, CANARY)
"""In the order of the report."""

STATISTICS = by_name(
    Statistic(
        "auc",
        "AUC of an attack",
        "How often a training patient scores higher than a holdout patient in an attack: 0.5 "
        "where it cannot tell them apart.",
        "P(train > holdout) + P(equal) / 2 over patients, a patient's score the highest of the "
        "patient's records.",
        "Mann & Whitney, Ann Math Stat 1947;18:50",
        "An average: an attack that is sure of a few patients harms them at an AUC of 0.5.",
        "near_null",
        0.5,
    ),
    *(
        Statistic(
            f"tpr_at_{id}",
            f"true positive rate at {text} false alarms",
            "Share of the training patients that an attacker finds who takes this share of "
            "strangers for members.",
            f"#{{t : p(t) ≤ {text}}} / training patients, p conformal among holdout patients who "
            "are not attacked in the same round.",
            _CARLINI,
            f"Given only with {n:,} holdout patients or more, ten expected false alarms.",
            "near_null",
        )
        for id, text, n in _LEVELS
    ),
    *(
        Statistic(
            f"fpr_at_{id}",
            f"false positive rate found where {text} are allowed",
            "Share of the holdout patients taken for members: the control of the attack.",
            f"#{{h : p(h) ≤ {text}}} / holdout patients",
            _CARLINI,
            "Far from the rate allowed, holdout patients are not alike in the rounds.",
            "near_null",
        )
        for id, text, _ in _LEVELS
    ),
    Statistic(
        "mia_largest",
        "all membership attacks together",
        "The largest standardised statistic, over attacks, AUC and top counts, with its p.",
        "As the exchangeability test, on the attacks' conformal p-values; patients are permuted "
        "within rounds.",
        "Westfall & Young, Resampling-Based Multiple Testing, 1993",
        "Reference patients of one round are attacked in another, so the p is not exact.",
        "near_null",
    ),
    Statistic(
        "ganleaks",
        "attack: nearest synthetic record",
        "A patient is called a member if a synthetic record is close, in the principal axes of "
        "the synthetic set or by a detector.",
        "−min over s of ‖x − s‖, or the detector's similarity",
        _CHEN,
        "Finds ordinary ECGs close whether they were trained on or not; see `calibrated`.",
    ),
    Statistic(
        "calibrated",
        "attack: nearest synthetic record, calibrated",
        "As `ganleaks`, minus how close a reference is that was not trained on the patient.",
        "min over r of ‖x − r‖ − min over s of ‖x − s‖, r output of a reference generator or "
        "holdout records",
        _CHEN,
        "As good as the reference.",
    ),
    Statistic(
        "counting",
        "attack: synthetic records in a ball",
        "A patient is called a member if many synthetic records are near.",
        "#{s : ‖x − s‖ ≤ ε} / n, ε the median distance of real to nearest synthetic records",
        "Hilprecht et al., PoPETs 2019(4):232 (doi 10.2478/popets-2019-0067)",
        "A single copy of a patient hardly moves it.",
    ),
    Statistic(
        "domias",
        "attack: density ratio",
        "A patient is called a member where synthetic records are denser than real people are.",
        "log p_S(x) − log p_ref(x), Gaussian kernels in up to 32 principal axes, ref: holdout "
        "records not attacked in the same round",
        "van Breugel et al., AISTATS 2023, PMLR 206:3493",
        "As good as the density estimates; strong on rare records.",
    ),
    Statistic(
        "critic",
        "attack: the critic's score",
        "A patient is called a member if the critic of the trained generator takes the ECG for "
        "real.",
        "D(x), eight leads, 500 Hz, without phase shuffle; its p: patients permuted within rounds",
        "Hayes et al., LOGAN, PoPETs 2019(1):133 (doi 10.2478/popets-2019-0008)",
        "Needs a checkpoint that holds its critic (last.pt of a run). Speaks of a release of the "
        "weights, not of the records.",
    ),
    Statistic(
        "rank1",
        "positive control: recognised first",
        "Patients whom the identity matcher finds first among all, from a second look at them.",
        "#{probes nearest to the same patient's record} / probes; matcher fitted on other patients",
        "Hatch et al., Interspeech 2006 (within-class covariance normalisation)",
        "Where it is low, an attack that fails says nothing.",
        "higher",
    ),
    Statistic(
        "known_at_1pct",
        "positive control: above 99 % of best strangers",
        "Patients whose own record is closer than the closest stranger's is to 99 of 100 probes.",
        "",
        "",
        "Depends on the size of the gallery.",
        "higher",
    ),
    Statistic(
        "identity_share",
        "training share of nearest identities",
        "How many synthetic records have a training patient as nearest identity.",
        "Share; variance and p under permuted patients, for all records share the same patients.",
        "",
        "An average over synthetic records.",
        "near_null",
    ),
    Statistic(
        "risk",
        "risk beyond the holdout",
        "How far an attack succeeds on training patients beyond its success on holdout patients: "
        "0 where the synthetic set gives away nothing about who was trained on.",
        "(a − c) / (1 − c), rates the centres of Wilson intervals; not clipped",
        _GIOMI,
        "Holds for this attack. What the population gives away is not in it.",
        "lower",
        0.0,
    ),
    Statistic(
        "risk_upper",
        "upper limit of the risk",
        "The larger of two upper 95 % limits: propagated from Wilson intervals, and bootstrap over "
        "patients.",
        "",
        _GIOMI,
        "Wide with few patients.",
        "lower",
    ),
    Statistic(
        "dcr",
        "distance to the closest record",
        "How much closer the synthetic records nearest to real ones are to training than to "
        "holdout records.",
        "5 % quantile of d(s, T) over that of d(s, H)",
        "Yao et al., arXiv 2505.01524 (why it cannot clear a release)",
        "Shifted by unequal numbers; compare with its null, not with 1.",
        "near_null",
    ),
    Statistic(
        "nndr",
        "nearest-neighbour distance ratio",
        "How much closer a synthetic record is to one training patient than to any other.",
        "5 % quantile of d₁ / d₂, the second of another patient",
        "",
        "Its null depends on dimension and numbers.",
        "near_null",
    ),
    Statistic(
        "share",
        "share test",
        "Synthetic records whose nearest real record is a training record.",
        "#{s : d(s, T) < d(s, H)} / n",
        "",
        "A binomial standard error is too small: all records share the same patients.",
        "near_null",
    ),
    Statistic(
        "privacy_loss",
        "difference of adversarial accuracies",
        "Whether the nearest-neighbour adversarial accuracy of the training set lies below that of "
        "the holdout.",
        "AA(H, S) − AA(T, S), equal numbers, one record a patient",
        _YALE,
        "Half copied and half far away cancel: see both terms.",
        "near_null",
    ),
    Statistic(
        "aa_real",
        "adversarial accuracy, real term",
        "Training records nearer to another training patient than to the synthetic set.",
        "P(d(t, S) > d(t, T))",
        _YALE,
        _AA_READS,
        "near_null",
        0.5,
    ),
    Statistic(
        "aa_synth",
        "adversarial accuracy, synthetic term",
        "Synthetic records nearer to another synthetic record than to the training set.",
        "P(d(s, T) > d(s, S))",
        _YALE,
        _AA_READS,
        "near_null",
        0.5,
    ),
    Statistic(
        "copying",
        "data-copying C_T",
        "Whether synthetic records lie closer to training records than holdout records do; "
        "strongly negative for copies, positive for a generator that fits badly.",
        "Σ w Z over k-means cells, Z Mann-Whitney of d(s, T) against d(h, T), w the cell's share "
        "of the holdout",
        "Meehan, Chaudhuri & Dasgupta, AISTATS 2020, PMLR 108:3546",
        "Copies in few places hide in the mean: see the worst cell.",
        "near_null",
    ),
    Statistic(
        "copying_cell",
        "data-copying Z of the worst cell",
        "The lowest Z of any cell with at least 20 synthetic and 20 holdout records.",
        "",
        "Bhattacharjee, Dasgupta & Chaudhuri, ICML 2023 (arXiv 2302.13181)",
        "The lowest of several: compare with its null.",
        "near_null",
    ),
    Statistic(
        "authenticity",
        "authenticity",
        "Synthetic records farther from their nearest training record than that record is from "
        "another training patient.",
        "P(d(s, t*) > d(t*, T without t*))",
        "Alaa et al., ICML 2022, PMLR 162:290",
        "Has no null of its own: compare with `authenticity_control`.",
        "near_null",
    ),
    Statistic(
        "authenticity_control",
        "authenticity of the holdout",
        "Authenticity with holdout records in place of synthetic ones.",
        "",
        "Alaa et al., ICML 2022, PMLR 162:290",
        "",
        "descriptive",
    ),
    Statistic(
        "canary_epsilon",
        "lower bound on epsilon",
        "No smaller ε of differential privacy describes the training run (95 %).",
        "Largest ε that the number of right guesses about m patients, put in by coin toss, "
        "disproves: B(r, 1 / (1 + e^−ε)).",
        "Steinke, Nasr & Jagielski, NeurIPS 2023 (arXiv 2305.08846)",
        "A lower bound; 0 shows nothing.",
        "lower",
        0.0,
    ),
)
