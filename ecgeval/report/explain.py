"""What each finding code and statistic means: definition, formula, source, limits.

One table, read by the report's glossary and by `ecgeval explain CODE`. What a measure such as
``qrs_ms`` means comes from `ecgeval.measures`.
"""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass, replace

from ecgeval.ecgset import STANDARD_LEADS
from ecgeval.errors import UsageError
from ecgeval.measures import MEASURES, measure_columns, measure_info

__all__ = ["EXPLANATIONS", "Explanation", "explain", "statistic"]


@dataclass(frozen=True)
class Explanation:
    """What a code means.

    Parameters
    ----------
    code : str
        Finding code (``FID-EQUIV``), statistic (``cliffs_delta``) or measure (``qrs_ms``).
    title : str
    definition : str
        What it says, in one or two sentences.
    formula : str
        How it is computed; empty where the definition is the formula.
    source : str
        Primary reference.
    limits : str
        What it cannot show, and how it misleads.
    """

    code: str
    title: str
    definition: str
    formula: str = ""
    source: str = ""
    limits: str = ""

    def __str__(self) -> str:
        parts = [f"{self.code}: {self.title}", self.definition]
        parts += [
            f"{name}: {text}"
            for name, text in (
                ("Formula", self.formula),
                ("Source", self.source),
                ("Limits", self.limits),
            )
            if text
        ]
        return "\n".join(parts)


EXPLANATIONS: dict[str, Explanation] = {
    e.code: e
    for e in (
        # ---- statistics on one measure
        Explanation(
            "ks", "Kolmogorov-Smirnov D",
            "Largest gap between the two cumulative distributions: 0 where they agree, 1 where "
            "they do not overlap.",
            "D = sup |F_real(x) − F_synth(x)|; p by permuting whole patients where values tie or "
            "patients repeat, exact or asymptotic otherwise.",
            "Massey, J Am Stat Assoc 1951;46:68; Hodges, Ark Mat 1958;3:469",
            "With many records a difference nobody would care about is significant; read D, not "
            "p. Insensitive in the tails.",
        ),
        Explanation(
            "cliffs_delta", "Cliff's δ",
            "How much more often a synthetic value exceeds a real one than the reverse: 0 for "
            "none, +1 if every synthetic value is larger, −1 if every one is smaller.",
            "δ = P(S > R) − P(S < R) = 2·AUC − 1",
            "Cliff, Psychol Bull 1993;114:494",
            "Blind to a pure change of spread: read it beside the log SD ratio.",
        ),
        Explanation(
            "hedges_g", "Hedges' g",
            "Difference of means in units of the pooled standard deviation, corrected for small "
            "samples.",
            "g = J (mean_synth − mean_real) / s_pooled, J = 1 − 3 / (4(n + m) − 9)",
            "Hedges, J Educ Stat 1981;6:107",
            "Misleading for skewed or mixed distributions.",
        ),
        Explanation(
            "wasserstein", "Wasserstein-1 distance",
            "How far values must be moved, on average, to turn one distribution into the other; "
            "in the unit of the measure. Angles are compared around the circle.",
            "W₁ = ∫ |F_real(x) − F_synth(x)| dx",
            "Vallender, Theory Probab Appl 1974;18:784",
            "Never 0 in a finite sample: compare with its floor.",
        ),
        Explanation(
            "log_sd_ratio", "log SD ratio",
            "Logarithm of the ratio of standard deviations: 0 for equal spread, below 0 where the "
            "synthetic set varies less than the real one.",
            "ln(s_synth / s_real)",
            "Nakagawa et al., Methods Ecol Evol 2015;6:143",
            "Sensitive to outliers.",
        ),
        Explanation(
            "median_diff", "difference of medians",
            "Synthetic minus real median, in the unit of the measure.",
            "Harrell-Davis medians; interval by a bootstrap over patients.",
            "Harrell & Davis, Biometrika 1982;69:635",
            "Equal medians say nothing about spread or tails.",
        ),
        Explanation(
            "circ_mean_diff", "difference of mean angles",
            "Synthetic minus real circular mean, wrapped to ±180°: 359° and 1° are 2° apart.",
            "arg Σ exp(iθ), per set",
            "Fisher, Statistical Analysis of Circular Data, 1993",
            "Undefined where directions spread evenly.",
        ),
        Explanation(
            "circ_wasserstein", "circular Wasserstein-1 distance",
            "How far angles must be turned, on average, to turn one distribution into the other.",
            "min over a of ∫ |F(θ) − G(θ) − a| dθ",
            "Rabin, Delon & Gousseau, J Math Imaging Vis 2011;41:147",
            "Never 0 in a finite sample: compare with its floor.",
        ),
        Explanation(
            "watson_u2", "Watson's U²",
            "Distance between two distributions of angles that does not depend on where the "
            "circle is cut.",
            "U² = nm / N² · Σ (d − mean d)², d = F − G at the pooled angles; p by permuting "
            "patients.",
            "Watson, Biometrika 1962;49:57",
            "With many records a difference nobody would care about is significant.",
        ),
        Explanation(
            "missing_diff", "difference in missing values",
            "Share of synthetic minus share of real records in which the measure could not be "
            "found, in percentage points.",
            "Newcombe's interval for a difference of proportions",
            "Newcombe, Stat Med 1998;17:873",
            "A missing value may be the heart (no P wave), the trace or the delineation.",
        ),
        # ---- two-sample and privacy statistics
        Explanation(
            "c2st_auc", "classifier two-sample AUC",
            "How well a classifier tells real from synthetic records of patients it has not seen: "
            "0.5 is guessing, 1 is always right.",
            "Area under the ROC curve on held-out patients; p by permuting their labels, the "
            "observed value counted.",
            "Lopez-Paz & Oquab, ICLR 2017; Kim et al., Ann Stat 2021;49:411",
            "It sees what the features show. Far below 0.5 points to duplicates across the split.",
        ),
        Explanation(
            "c2st_shuffled", "classifier AUC under shuffled labels",
            "The same classifier after the labels of the training part were shuffled: near 0.5 "
            "unless something other than the label leaks through.",
            "",
            "Lopez-Paz & Oquab, ICLR 2017",
            "A guard on the test, not a result about the sets.",
        ),
        Explanation(
            "design_effect", "design effect",
            "How much less a record says because others are of the same patient: the effective "
            "number of records is their number divided by it. 1 where each is another person.",
            "variance of the proportion by patients / p (1 − p) n⁻¹",
            "Rao & Scott, Biometrics 1992;48:577",
            "Cannot be seen where a proportion is 0 or 1; the number of patients is used there.",
        ),
        Explanation(
            "unusable_difference", "difference in unusable records",
            "Share of synthetic minus share of real records that could not be read, measured or "
            "delineated, in percentage points.",
            "Newcombe's interval for a difference of proportions, on the effective number of "
            "records by patient",
            "Newcombe, Stat Med 1998;17:873",
            "Says how many fail, not why; the table of reasons does.",
        ),
        Explanation(
            "exchange_auc", "exchangeability AUC",
            "Whether training records are more similar to the synthetic set than holdout records "
            "of other patients are: 0.5 where training left no trace of this kind.",
            "Score of a real record m(x) = max over s of sim(x, s), of a patient the largest; "
            "AUC of train against holdout; p by permuting patients.",
            "Mann & Whitney, Ann Math Stat 1947;18:50; Phipson & Smyth, SAGMB 2010;9:39",
            "An average: a few copies hide in it, which top-q is for. Needs a holdout drawn from "
            "the same patients before training.",
        ),
        Explanation(
            "comparable_energy", "training against holdout patients, by themselves",
            "How far apart the real patients of the two sets are, without the synthetic set: where "
            "they were not drawn alike, a synthetic set closer to one side says nothing of memory.",
            "2 E|X − Y| − E|X − X'| − E|Y − Y'| over patients of log band power a lead and, where "
            "there are any, representative beats; p by permuting patients.",
            "Székely & Rizzo, J Stat Plan Inference 2013;143:1249",
            "Sees how leads share the power between 3 and 40 Hz and the shape of the beat, not "
            "gain or rhythm. With few patients a difference goes unnoticed; among 100 holdouts "
            "drawn properly one is refused.",
        ),
        Explanation(
            "topq", "training share of the top q",
            "How many of the q real records most similar to the synthetic set are training "
            "records: near q times the training share where training left no trace.",
            "#{train among the q largest scores}; p by permuting patients, together with the AUC "
            "(Westfall-Young).",
            "Westfall & Young, Resampling-Based Multiple Testing, 1993",
            "Fewer than about five copied patients cannot be seen by it with a 1:1 holdout.",
        ),
        Explanation(
            "copies_count", "copies",
            "Synthetic records more similar to one training record than the absolute criterion "
            "allows for two different people.",
            "#{s : sim(s, t) ≥ threshold and dist(s, t) ≤ ½ dist(s, nearest holdout record)}, t "
            "the nearest training record; without a holdout drawn like the training set, the "
            "nearest other training patient takes its place.",
            "Carlini et al., USENIX Security 2023 (extraction criterion)",
            "Finds the transformations it was tested on; see the sensitivity table.",
        ),
        Explanation(
            "copies_upper", "upper bound on the share of copies",
            "Largest share of copies that is compatible with what was found, given how many "
            "planted copies the search finds.",
            "Upper Clopper-Pearson limit over the lower limit of the weakest recall on planted "
            "copies; each limit holds at 97.5 %, the quotient at 95 % (Bonferroni).",
            "Clopper & Pearson, Biometrika 1934;26:404; Rogan & Gladen, Am J Epidemiol "
            "1978;107:71",
            "Holds for the kinds of copy that were planted, and for no other.",
        ),
        Explanation(
            "copies_patients", "training patients copied",
            "Training patients of whom at least one synthetic record was named a copy.",
            "",
            "Carlini et al., USENIX Security 2023 (extraction criterion)",
            "Counts the most similar partner of each copy only.",
        ),
        Explanation(
            "copies_control", "copies of the holdout",
            "The same rule with train and holdout exchanged: what it names where nothing can have "
            "been copied, so its false alarms.",
            "",
            "",
            "Patients in both sets would be named too; the duplicates check looks for them.",
        ),
        Explanation(
            "recall", "recall on planted copies",
            "Share of training records planted into the synthetic set on purpose, under one "
            "transformation, that the search named together with the right partner.",
            "hits / planted; Clopper-Pearson interval",
            "Clopper & Pearson, Biometrika 1934;26:404",
            "Holds for the transformation that was planted.",
        ),
        Explanation(
            "duplicates_records", "real records that occur more than once",
            "Records of train or holdout that are the same recording as another one.",
        ),
        Explanation(
            "flagged", "training patients flagged",
            "Training patients whose similarity to the synthetic set is extreme among holdout "
            "patients, at a false discovery rate of 5 %.",
            "p = (1 + #{h : m(h) ≥ m(t)}) / (n_holdout + 1), then Benjamini-Hochberg",
            "Bates et al., Ann Stat 2023;51:149",
            "The smallest possible p is 1 / (n_holdout + 1): few flags cannot be reached with a "
            "small holdout.",
        ),
        # ---- detectors of copies, and the disguises of planted ones (recall.d2.shift)
        Explanation(
            "D1", "detector D1: whole record, sample by sample",
            "Correlation of two records over all shared leads at 100 Hz, 3 to 40 Hz: finds copies "
            "despite gain, offset, noise and filtering.",
            "ρ = Σ x y / (‖x‖ ‖y‖) over leads and samples",
            limits="Blind to copies that are shifted in time; D2 is for those.",
        ),
        Explanation(
            "D2", "detector D2: whole record, best of shifts up to 5 s",
            "As D1 at every shift up to 5 s (half of a shorter record), over the part where the "
            "records overlap: finds shifted copies too.",
            "max over τ of Σ x(n) y(n + τ) / (‖x‖ ‖y‖), norms over the overlap, which holds at "
            "least a quarter of the energy of either record",
            limits="Blind to re-timed, inverted and blended copies.",
        ),
        Explanation(
            "D4", "detector D4: representative beat",
            "As D2 on the representative beats at 250 Hz, 250 ms before to 450 ms after R, shifts "
            "up to 40 ms: finds a patient's beat in another rhythm. Needs a delineation.",
            limits="Beats of different people are much alike, so its limit lies near 1.",
        ),
        Explanation(
            "exact", "planted copy: exact", "The training record itself, as the synthetic one.",
        ),
        Explanation(
            "noise", "planted copy: noise",
            "The training record with 20 µV (SD) of white noise added; on a representative beat "
            "20/√10 µV, for it is a median of about ten.",
        ),
        Explanation(
            "gain", "planted copy: gain",
            "The training record times one factor between 0.5 and 2, log-uniform.",
        ),
        Explanation(
            "shift", "planted copy: shift",
            "The training record half a second later; what comes in at the start is the end of "
            "another record. A representative beat does not change.",
        ),
        Explanation(
            "lowpass", "planted copy: low-pass",
            "The training record through a low-pass of 25 Hz (Butterworth of order 4, forward and "
            "backward).",
        ),
        # ---- findings
        Explanation(
            "FID-EQUIV", "equivalence of the primary measures",
            "Whether the medians of the measures declared beforehand agree within margins that "
            "matter clinically.",
            "PASS if every 90 % patient-bootstrap interval lies inside its margin; FAIL if one "
            "lies wholly outside; INCONCLUSIVE otherwise (two one-sided tests).",
            "Schuirmann, J Pharmacokinet Biopharm 1987;15:657; Berger & Hsu, Stat Sci "
            "1996;11:283",
            "The margins are a proposal for a cardiologist to confirm. Equal medians do not make "
            "equal distributions.",
        ),
        Explanation(
            "FID-MISSING", "failure rates",
            "Whether measures are missing about as often in synthetic as in real records.",
            "Newcombe interval of the difference against a margin in percentage points.",
            "Newcombe, Stat Med 1998;17:873",
            "Shares the blind spots of the delineation method used for both sets.",
        ),
        Explanation(
            "FID-KS", "how many measures differ",
            "Number of measures whose distributions differ after correction for testing many, "
            "and the largest differences. Describes; decides nothing.",
            "Benjamini-Hochberg at q = 0.05 over Kolmogorov-Smirnov p-values.",
            "Benjamini & Hochberg, J R Stat Soc B 1995;57:289",
            "Few differences in a small sample mean little; many in a large one may be trivial.",
        ),
        Explanation(
            "FID-EMPTY", "measures without values",
            "A measure that is missing in every record of a set: nothing can be compared, and "
            "nothing may pass.",
        ),
        Explanation(
            "FID-C2ST", "can a classifier tell them apart",
            "Held-out AUC of a classifier on the measures, beside the same on real against real.",
            "Patients kept whole in the split; half-permutation p.",
            "Lopez-Paz & Oquab, ICLR 2017; Kim et al., Ann Stat 2021;49:411",
            "Descriptive. An AUC far below 0.5 is an alarm: duplicates straddle the split.",
        ),
        Explanation(
            "FID-SPREAD", "equivalence of the spread",
            "Whether the standard deviations of the measures declared beforehand agree within a "
            "margin: too little spread is a generator that shows only part of what it saw.",
            "PASS if every 90 % patient-bootstrap interval of the ratio lies inside its margin; "
            "FAIL if one lies wholly outside; INCONCLUSIVE otherwise.",
            "Schuirmann, J Pharmacokinet Biopharm 1987;15:657; Nakagawa et al., Methods Ecol "
            "Evol 2015;6:143",
            "Sensitive to outliers; the margin is a proposal.",
        ),
        Explanation(
            "FID-C2ST-LEAK", "classifier below chance",
            "A held-out AUC far below 0.5: records of one set repeat records of the other across "
            "the split.",
            limits="An alarm for copies; the audit says which.",
        ),
        Explanation(
            "FID-COPIES", "records equal in every measure",
            "Synthetic records whose measures equal a real record's in every digit.",
            limits="Finds exact copies only; the audit searches for altered ones.",
        ),
        Explanation(
            "DQ-RECORDS", "unusable records",
            "Whether records are unreadable, flat or impossible to delineate about as often in "
            "either set. They are left out of every other number.",
            "Newcombe interval of the difference against a margin in percentage points.",
            "Newcombe, Stat Med 1998;17:873",
        ),
        Explanation(
            "DQ-FORM", "form of the sets",
            "Whether leads, sampling rate, length and rounding agree. Where they do not, the sets "
            "were brought to one form first, and part of a difference may come from that.",
        ),
        Explanation(
            "PRIV-COPIES", "copies of training records",
            "Whether a synthetic record repeats a training record, also shifted in time, scaled, "
            "filtered or with noise.",
            "Similarity above an absolute criterion calibrated on real records of different "
            "people, and relative to the holdout.",
            "Carlini et al., USENIX Security 2023; Yao et al., arXiv 2505.01524",
            "A FAIL is evidence of leakage. A PASS says that no copying of the kinds planted was "
            "found and that at most 5 % of the outputs can be such copies, nothing more. A holdout "
            "drawn otherwise (comparable.energy) would make honest records look like copies: other "
            "training patients stand in for it, as without a holdout.",
        ),
        Explanation(
            "PRIV-EXCHANGE", "exchangeability of train and holdout",
            "Whether anything in the synthetic set distinguishes training patients from holdout "
            "patients.",
            "Permutation of whole patients; AUC and top-q over all detectors combined into one p.",
            "Westfall & Young, 1993; Phipson & Smyth, SAGMB 2010;9:39",
            "Needs a holdout set aside at random before training. NOT ASSESSABLE without it, if "
            "nothing is left of it once shared patients and recordings are removed, or if the two "
            "real sets differ by themselves (comparable.energy, p < .01).",
        ),
        Explanation(
            "PRIV-DUPLICATES", "duplicates within and across the sets",
            "Recordings that occur twice, or a patient in both train and holdout: they bias every "
            "comparison and are set aside.",
        ),
        Explanation(
            "PRIV-NOT-TESTED", "attacks that were not run",
            "What this audit did not try. Absence of a test is not evidence of absence.",
        ),
        Explanation(
            "PRIV-SCOPE", "scope of the audit",
            "A distance check can fail a release and never clears one by itself.",
            "",
            "Yao et al., arXiv 2505.01524; EDPB Opinion 28/2024",
            "Only training with differential privacy gives a guarantee; an audit bounds leakage "
            "from below.",
        ),
    )
}  # fmt: skip
"""Every finding code and statistic, by code."""


def statistic(id: str) -> Explanation | None:
    """Return what the statistic of an estimate id means, None where it is not in the table.

    A statistic is named by the last part of the id, or by the last two (``copies.count``); where
    it comes in variants, by its stem (``c2st.logistic_auc``, ``recall.d2.shift``).
    """
    parts = id.split(".")
    last = parts[-1]
    if "recall" in parts:
        return EXPLANATIONS["recall"]
    names = ["_".join(parts[-2:]), last]
    if "c2st" in parts:
        names.append(f"c2st_{last.rpartition('_')[2]}")
    if re.fullmatch(r"topq?\d+", last):
        names.append("topq")
    if last == "patients_upper":
        names.append("copies_upper")
    return next((EXPLANATIONS[name] for name in names if name in EXPLANATIONS), None)


def explain(code: str) -> Explanation:
    """Return what a finding code, statistic, measure or estimate id means.

    Parameters
    ----------
    code : str
        For example ``FID-EQUIV``, ``cliffs_delta``, ``qrs_ms``, ``fidelity.qrs_ms.cliffs_delta``
        or a measure as the report names it (``S amplitude V2``), in any case; ``list`` for all
        names there are.

    Raises
    ------
    UsageError
        If nothing of that name is known; the message names the closest.
    """
    wanted = code.strip()
    if wanted.lower() == "list":
        return _listing()
    words = _names()
    found = _statistic(wanted)
    measure = _measure(wanted if "." not in wanted else wanted.split(".")[-2])
    measure = measure or _measure(words.get(wanted.lower(), ""))
    if found is EXPLANATIONS["recall"] and "." in wanted:
        detector, disguise = wanted.split(".")[-2:]
        about = [EXPLANATIONS[c] for c in (detector.upper(), disguise) if c in EXPLANATIONS]
        return replace(
            found, code=wanted, title="; ".join(e.title for e in (found, *about)),
            definition=" ".join(e.definition for e in (found, *about)),
        )  # fmt: skip
    if found and measure and "." in wanted:
        return Explanation(
            wanted, f"{found.title} of {measure.title}", f"{found.definition} {measure.definition}",
            found.formula, found.source, found.limits,
        )  # fmt: skip
    found = found or measure or EXPLANATIONS.get(words.get(wanted.lower(), ""))
    if found:
        return found
    close = difflib.get_close_matches(wanted.lower(), words, 8, 0.5)
    near = list(dict.fromkeys(words[word] for word in close))
    hint = f"did you mean {' or '.join(near)}? " if near else ""
    raise UsageError(f"no explanation of {code!r}; {hint}`ecgeval explain list` prints all names")


def _statistic(name: str) -> Explanation | None:
    """Return the explanation of a code or statistic, also without its section."""
    if re.fullmatch(r"(logistic|nearest|boosting)_(auc|shuffled)", name.lower()):
        return EXPLANATIONS[f"c2st_{name.lower().partition('_')[2]}"]
    found = EXPLANATIONS.get(name) or EXPLANATIONS.get(name.upper())
    return found or statistic(re.sub(r"[ -]", ".", name))


def _names() -> dict[str, str]:
    """Return every name that is understood, in lower case, and what it stands for."""
    columns = {c: measure_info(c).label for c in measure_columns(STANDARD_LEADS)}
    labels = {label.lower(): column for column, label in columns.items()}
    titles = {e.title.lower(): code for code, e in EXPLANATIONS.items()}
    own = {name.lower(): name for name in (*EXPLANATIONS, *MEASURES, *columns)}
    return titles | labels | own


def _listing() -> Explanation:
    codes = [name for name in EXPLANATIONS if "-" in name]
    groups = {
        "Findings": codes,
        "Statistics, detectors and disguises": [n for n in EXPLANATIONS if n not in codes],
        "Measures": list(MEASURES),
    }
    return Explanation(
        "list",
        "what can be explained",
        "\n".join(f"{group}: {', '.join(names)}" for group, names in groups.items()),
        limits="{lead} is one of " + ", ".join(STANDARD_LEADS) + ".",
    )


def _measure(name: str) -> Explanation | None:
    try:
        m = MEASURES[name] if name in MEASURES else measure_info(name)
    except KeyError:
        return None
    span = f"{m.low:g} to {m.high:g} {m.unit}"
    return Explanation(
        name, m.label, f"{m.label[:1].upper()}{m.label[1:]} ({m.unit}): {m.definition}.",
        limits=f"Values outside {span} are kept and counted as implausible.",
    )  # fmt: skip
