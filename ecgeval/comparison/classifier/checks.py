"""Classifiers on waveforms."""

from __future__ import annotations

from ecgeval.checks import Check, Statistic, by_name
from ecgeval.comparison import statistics
from ecgeval.results import Verdict

__all__ = ["CHECKS", "CLASSIFIERS", "SLUG", "STATISTICS"]

SLUG = "classifier"
"""Of the section; the first part of every id."""

CLASSIFIERS = {"minirocket": "random convolutions", "resnet": "residual network", "beats": "beats"}
"""The classifiers by the name in their ids, and what a reader is told they are."""


WAVE = Check(
    code="C2ST-WAVE",
    title="can a classifier tell the waveforms apart",
    asks=(
        "Held-out AUC of classifiers that see the signals themselves: random convolutions, a small "
        "residual network, and the representative beats; beside the same on real against real."
    ),
    statistic=(
        "Patients, and records that correlate above 0.999, kept whole in the split; "
        "half-permutation p, or all labels permuted and both halves fitted anew on request."
    ),
    source=(
        "Dempster et al., KDD 2021, doi:10.1145/3447548.3467231; Wang et al., IJCNN 2017, "
        "doi:10.1109/IJCNN.2017.7966039; Kim et al., Ann Stat 2021;49:411"
    ),
    cannot_show=(
        "Descriptive. An AUC near 1 is usual for generated ECGs and may rest on texture that no "
        "reader would see; an AUC near 0.5 shows only that these classifiers saw nothing. Nothing "
        "above 125 Hz is looked at, above 50 Hz the first four seconds only."
    ),
    limit="none but real against real; told apart at p < 0.05 over the number of classifiers",
    decides=False,
)

CUTOFF = Check(
    code="C2ST-CUTOFF",
    title="at which frequencies the sets differ",
    asks=(
        "The AUC of the random convolutions on signals cut off at lower and lower frequencies: "
        "where it falls to the floor, the difference lies above."
    ),
    statistic="Ideal low-pass by a cosine transform; everything else as without it.",
    source="Dempster et al., KDD 2021, doi:10.1145/3447548.3467231",
    cannot_show=(
        "High frequencies are texture but also the QRS complex; a difference in slow waves may "
        "hide where noise drowns it."
    ),
    limit="none but real against real; told apart at p < 0.05 over the number of cut-offs",
    decides=False,
)

LOOK = Check(
    code="C2ST-LOOK",
    title="when and in which lead the classifier looks",
    asks=(
        "In which wave of which lead representative beats of the two sets differ most to a "
        "classifier."
    ),
    statistic=(
        "Occlusion of one wave of one lead at a time, on beats of patients the classifier has not "
        "seen."
    ),
    source="Zeiler & Fergus, ECCV 2014, doi:10.1007/978-3-319-10590-1_53",
    cannot_show="Median beats hide texture and rhythm, which the classifiers of whole records see.",
    limit="none but real against real",
    decides=False,
)

ROUND = Check(
    code="C2ST-ROUND",
    title="sets that differ in rounding",
    asks=(
        "The rounding of samples alone tells the sets apart: a property of the files, taken out "
        "before the classifiers see them."
    ),
    cannot_show="Rounding to the coarser step does not undo filters or compression of an export.",
    words={Verdict.INCONCLUSIVE: "describes"},
    limit="p < 0.05 and an AUC 0.05 from 0.5 (Rounding.apart in comparison/classifier/rounding.py)",
    decides=False,
)

LEAK = Check(
    code="C2ST-LEAK",
    title="near-copies among the waveforms",
    asks=(
        "A classifier does far worse than chance, or synthetic records correlate above 0.999 with "
        "real ones: copies."
    ),
    cannot_show="An alarm; the audit searches for shifted, scaled, filtered and partial copies "
    "too.",
    words={Verdict.FAIL: "found"},
    limit=(
        "correlation of 0.999 (NEAR_DUPLICATE in comparison/classifier/near_duplicates.py); p of "
        "0.001 for an AUC below real against real (LEAK_P in comparison/declared.py)"
    ),
)

CHECKS = (WAVE, CUTOFF, LOOK, ROUND, LEAK)
"""In the order of the report."""

STATISTICS = statistics.STATISTICS | by_name(
    Statistic(
        "rounding_auc",
        "AUC of the rounding step",
        "How well the step that a record's samples are rounded to tells, alone, which set it is "
        "of: 0.5 where both sets are rounded alike.",
        "Step: median distance between neighbouring sample values between the quartiles; AUC of "
        "that number, nothing fitted.",
        "Mann & Whitney, Ann Math Stat 1947;18:50",
        "A property of the files. Where it is far from 0.5 a classifier of raw samples says "
        "nothing about hearts; here both sets are rounded alike first.",
        better="near_null",
        null=0.5,
    ),
    Statistic(
        "occlusion_fall",
        "fall by occlusion",
        "How much the classifier of representative beats loses of the difference in mean log-odds "
        "between synthetic and real when one wave of one lead is replaced by the mean beat of "
        "both sets.",
        "mean over held-out synthetic of (f(x) − f(x occluded)) less the same over real; f is "
        "additive in the samples and their squares, so the falls add up to the whole difference.",
        "Zeiler & Fergus, ECCV 2014, doi:10.1007/978-3-319-10590-1_53",
        "Shows where this classifier looks, not where every difference is: neighbouring moments "
        "and leads that say the same share the fall. Waves lie where they do at rest. The unit, "
        "log-odds, grows with the number of records learnt from.",
        null=0,
        unit="log-odds",
    ),
)
