"""Usefulness: what can be learnt from synthetic records."""

from __future__ import annotations

from ecgeval.checks import Check, Statistic, by_name
from ecgeval.comparison import statistics
from ecgeval.results import Verdict

__all__ = ["CHECKS", "STATISTICS"]

_SOURCE = "Esteban, Hyland & Rätsch, arXiv:1706.02633 (2017)"
_AUC = "Area under the ROC curve, for more than two classes the mean over one against the rest."
_ACCURACY = "Mean over classes of the share of its records that are told right."
_DESIGNS = (
    (
        "tstr",
        "trained on synthetic, tested on real",
        "How well a label is read from real records by a classifier that has seen only synthetic "
        "ones.",
        "Copies of real records do well here: read it beside the audit.",
    ),
    (
        "trts",
        "trained on real, tested on synthetic",
        "How well a label is read from synthetic records by a classifier that has seen only real "
        "ones.",
        "A collapsed generator does well here: every record is a typical one.",
    ),
    (
        "trtr",
        "trained on real, tested on real",
        "How well a label is read from real records of patients the classifier has not seen, with "
        "as many training records: what the two others are held against.",
        "Fewer training records than there are real ones where the synthetic set is smaller.",
    ),
)


TSTR = Check(
    code="USE-TSTR",
    title="can a label be learnt from synthetic records",
    asks=(
        "Whether a classifier trained on synthetic records reads a label of real ones about as "
        "well as one trained on real records."
    ),
    statistic=(
        "PASS if the 95 % interval of TSTR − TRTR in AUC, and its real-against-real floor, lie "
        "above −0.05, FAIL if the interval lies below it, else "
        "INCONCLUSIVE; NOT_ASSESSABLE without labels, or where real records do not carry it. Never "
        "PASS where the interval lies above 0 and the difference above its floor."
    ),
    source=_SOURCE,
    cannot_show=(
        "Better than real records is no merit: copies of the patients tested are one explanation, "
        "and the audit looks for them. Says nothing of labels not tried. The margin is a "
        "proposal. A linear classifier on measures stands for all that might be trained."
    ),
    limit="0.05 in AUC (USEFUL_MARGIN in comparison/usefulness/findings.py)",
    decides=False,
    words={Verdict.PASS: "inside the margin", Verdict.INCONCLUSIVE: "nothing decided"},
)

CHECKS = (TSTR,)
"""In the order of the report."""

STATISTICS = statistics.STATISTICS | by_name(
    *(
        Statistic(
            f"{code}_auc", f"AUC, {title}", text, _AUC, _SOURCE, limits, better="higher", null=0.5
        )
        for code, title, text, limits in _DESIGNS
    ),
    *(
        Statistic(
            f"{code}_balanced_accuracy",
            f"balanced accuracy, {title}",
            text,
            _ACCURACY,
            "Brodersen et al., ICPR 2010, doi:10.1109/ICPR.2010.764",
            limits,
            better="higher",
        )
        for code, title, text, limits in _DESIGNS
    ),
    *(
        Statistic(
            f"tstr_{score}_difference",
            f"difference in {words} by training on synthetic",
            f"{words} on real records after training on synthetic, less that after training on as "
            "many real ones.",
            "TSTR − TRTR on the same records; interval by a paired bootstrap of their patients.",
            _SOURCE,
            "The interval takes the classifiers as given; the floor holds how much they vary.",
            better="higher",
            null=0,
        )
        for score, words in (("auc", "AUC"), ("balanced_accuracy", "balanced accuracy"))
    ),
)
