"""What is concluded on each label, with the rule that led to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ecgeval.comparison.usefulness.checks import TSTR
from ecgeval.results import Estimate, Finding, Verdict
from ecgeval.stats.sample import MIN_PATIENTS

__all__ = ["SLUG", "USEFUL_MARGIN", "learnt", "not_assessable"]

SLUG = "usefulness"
USEFUL_MARGIN = 0.05
"""Largest fall of the AUC that still counts as learning as well from synthetic records."""


def not_assessable(label: str, why: str, estimate: str) -> Finding:
    return TSTR.finding(
        Verdict.NOT_ASSESSABLE,
        f"Whether {label!r} can be learnt is not known: {why}",
        section=SLUG,
        rule=f"Needs two values of the label with {MIN_PATIENTS} patients each in both sets.",
        estimates=(estimate,),
    )


def learnt(
    label: str, classes: Sequence[str], estimates: Mapping[str, Estimate], left_out: str
) -> Finding:
    """Return whether a label is learnt as well from synthetic records as from real ones.

    Parameters
    ----------
    label : str
    classes : sequence of str
        Its values.
    estimates : mapping of str to Estimate
        By the name of their statistic.
    left_out : str
        Which records have none of these values.
    """
    loss, trtr, tstr, trts = (
        estimates[name] for name in ("tstr_auc_difference", "trtr_auc", "tstr_auc", "trts_auc")
    )
    assert loss.value is not None
    assert loss.ci
    assert loss.floor
    assert trtr.ci
    assert trts.ci
    # Synthetic records know no more of other patients than real ones do, unless they come from
    # the very patients that are tested.
    # The interval takes the classifiers as given; the floor holds how much they vary.
    better = loss.ci[0] > 0 and loss.value > loss.floor[1]
    if better:
        verdict = Verdict.INCONCLUSIVE
        title = f"{label} is learnt better from the synthetic records than from as many real ones"
    elif trtr.ci[0] <= 0.5:
        verdict = Verdict.NOT_ASSESSABLE
        title = f"{label} cannot be read from the measures, not even after training on real"
    elif min(loss.ci[0], loss.floor[0]) > -USEFUL_MARGIN:
        verdict, title = Verdict.PASS, f"{label} is learnt as well from the synthetic records"
    elif loss.ci[1] < -USEFUL_MARGIN:
        verdict, title = Verdict.FAIL, f"{label} is learnt less well from the synthetic records"
    else:
        verdict = Verdict.INCONCLUSIVE
        title = f"Whether {label} is learnt as well from the synthetic records is open"
    numbers = (
        f"AUC {tstr.value:.2f} after training on synthetic against {trtr.value:.2f} on real "
        f"records (difference {loss.value:+.2f}, 95 % CI {loss.ci[0]:+.2f} to {loss.ci[1]:+.2f})"
    )
    text = (
        f"Values: {', '.join(classes)}. {left_out}Trained on real and tested on synthetic records "
        f"the AUC is {trts.value:.2f}"
    )
    if trts.ci[0] > trtr.ci[1]:
        text += ": the synthetic classes are easier to tell than real ones, a caricature"
    elif trts.ci[1] < trtr.ci[0]:
        text += ": the synthetic labels or what goes with them are not those of real patients"
    text += "."
    if better:
        text += (
            " Training on synthetic beats training on real beyond its interval and floor: one "
            "explanation is that copies of the patients tested are among the synthetic records, "
            "and what looks like merit is a leak. Run `ecgeval audit` before using this number. "
            "Another is that the synthetic classes are caricatures, which are easier to learn from."
        )
    elif verdict == Verdict.PASS:
        text += " Copies of real records would score well too: read this beside the audit."
    return TSTR.finding(
        verdict,
        f"{title}: {numbers}",
        text,
        section=SLUG,
        rule="Descriptive, no gate: PASS if the 95 % CI of the difference in AUC and its floor lie "
        f"above −{USEFUL_MARGIN:g} (a proposal), FAIL if the CI lies below it, else INCONCLUSIVE; "
        "NOT_ASSESSABLE if the CI after training on real reaches 0.5. Never PASS where the CI lies "
        "above 0 and the difference above its floor: copies would do that.",
        estimates=(loss.id, tstr.id, trtr.id, trts.id),
    )
