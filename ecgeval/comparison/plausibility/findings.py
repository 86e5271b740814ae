"""What the numbers say: rules, titles and explanations."""

from __future__ import annotations

from collections.abc import Sequence

from ecgeval.checks import Check
from ecgeval.comparison.plausibility.checks import NORMAL, SLUG
from ecgeval.comparison.plausibility.normal_share import NormalShares, ShareDifference
from ecgeval.comparison.plausibility.signals import FDR, OUTSIDE, CheckComparison
from ecgeval.comparison.plausibility.tables import range_text
from ecgeval.results import Finding, Verdict, worst
from ecgeval.stats.equivalence import tost

__all__ = ["largest_differences", "normal_finding"]


def normal_finding(found: NormalShares, margin: float) -> Finding:
    """Return whether as many synthetic as real records keep every rule.

    Parameters
    ----------
    found : NormalShares
    margin : float
        Largest difference, as a proportion.
    """
    rule = (
        f"PASS if the 90 % interval of the difference lies inside ±{100 * margin:g} percentage "
        "points under the strict and under the alternative limits, FAIL if it lies wholly outside "
        "under one, else INCONCLUSIVE. NOT_ASSESSABLE where hardly any real record (no more than "
        "the margin) keeps the rules, for nothing could then be missed, and where no real record "
        "has the values that a rule needs."
    )
    ids = tuple(f"{SLUG}.normal.{n}" for n in ("pass_diff", "pass_diff_alternative"))
    strict, other = (found.differences[limits][-1] for limits in (True, False))
    if strict.too_few:
        return NORMAL.finding(
            Verdict.NOT_ASSESSABLE,
            f"The shares that keep all rules for a normal ECG cannot be compared: {strict.too_few}",
            section=SLUG,
            rule=rule,
            estimates=ids,
        )
    verdicts = [
        Verdict.NOT_ASSESSABLE if s.real[1] <= margin else tost(s.ci90, -margin, margin)
        for s in (other, strict)
    ]
    first, second, names = other, strict, ("alternative", "strict")
    if verdicts[0] != worst(verdicts):  # the limits that decide come first
        first, second, names = strict, other, names[::-1]
    text = (
        f"95 % CI {_points(first.ci)}. Under the {names[1]} limits {_shares(second)}, 95 % CI "
        f"{_points(second.ci)}. The 90 % intervals decide: two one-sided tests at 5 %. The same "
        f"delineation and limits judged both sets. {_least_alike(found)}"
    )
    if not found.own_limits:
        text += (
            "Sex or age is not known in both sets: both were judged by the same limits, those of "
            "women and of men below and from 40 years in turn, and shares are given as ranges. "
        )
    if any(found.children):
        real, synth = found.children
        text += f"{real} real and {synth} synthetic records of children are left out. "
    if Verdict.INCONCLUSIVE in verdicts:
        share = max(s.real[1] * (1 - s.real[0]) for s in (strict, other))
        needed = 2 * (1.645 + 1.282) ** 2 * min(share, 0.25) / margin**2
        text += f"About {round(needed, -2):,.0f} patients a side decide at shares like these. "
    text += (
        "Rules leave out what they cannot measure in both sets; a record that lacks a value keeps "
        "no rule that needs it. Not a diagnosis: see the table for each limit and its source."
    )
    return NORMAL.finding(
        worst(verdicts),
        f"All rules for a normal ECG ({names[0]} limits) are kept by {_shares(first)}; margin "
        f"±{100 * margin:g}",
        text,
        section=SLUG,
        rule=rule,
        estimates=ids,
    )


def _least_alike(found: NormalShares) -> str:
    """Return the rules that the sets keep least alike, in words."""
    most = []
    for k, rule in enumerate(found.rules):
        both = [(found.differences[strict][k], strict) for strict in (True, False)]
        clear = [(s, strict) for s, strict in both if not s.too_few and s.beyond_floor]
        if clear and rule.decides:
            most.append(max(clear, key=lambda one: abs(one[0].difference)))
    if not most:
        return "No single rule differs beyond the real-against-real floor. "
    most.sort(key=lambda one: -abs(one[0].difference))
    listed = "; ".join(
        f"{s.label} {range_text(s.synth)} of the synthetic, {range_text(s.real)} of the real "
        f"records ({'strict' if strict else 'alternative'} limits)"
        for s, strict in most[:4]
    )
    return f"Rules kept least alike: {listed}. "


def _shares(s: ShareDifference) -> str:
    points = round(100 * s.difference, 1) + 0.0
    text = (
        f"{range_text(s.synth)} of the synthetic and {range_text(s.real)} of the real records "
        f"(difference {points:+.1f} points, 90 % CI {_points(s.ci90)})"
    )
    return text.replace("-", "−")


def _points(ends: tuple[float, float]) -> str:
    low, high = (round(100 * end, 1) + 0.0 for end in ends)
    return f"{low:.1f} to {high:.1f}".replace("-", "−")


def largest_differences(check: Check, rows: Sequence[CheckComparison], what: str) -> Finding:
    """Return the finding that names the largest differences in words."""
    rule = (
        f"Descriptive, no gate: FAIL if at least {100 * OUTSIDE:.0f} % of the synthetic records "
        "lie outside the central 95 % of the real ones in one check (5 % would be expected), or "
        "the synthetic set has no value of a check that real records have; else INCONCLUSIVE. A "
        f"difference is named if it passes Benjamini-Hochberg at q = {FDR:g} (Kolmogorov-Smirnov) "
        "and the interval of Cliff's δ lies outside the real-against-real floor."
    )
    compared = [row for row in rows if row.result.stats]
    absent = [row.check.label for row in rows if len(row.real) and not len(row.synth)]
    if not compared and not absent:
        return check.finding(
            Verdict.NOT_ASSESSABLE,
            f"Nothing is known of {what}",
            rows[0].result.too_few if rows else "",
            section=SLUG,
            rule=rule,
        )
    clear = sorted((row for row in compared if row.clear), key=lambda row: -abs(row.delta))
    outside = [row for row in compared if row.outside >= OUTSIDE]
    outside.sort(key=lambda row: -row.outside)
    if absent:
        title = f"The synthetic set has no value of {', '.join(absent)}"
    elif outside:
        title = (
            f"{100 * outside[0].outside:.0f} % of the synthetic records lie where 5 % of the real "
            f"ones do in {outside[0]}"
        )
    elif clear:
        title = f"In {what}, {len(clear)} of {len(compared)} checks differ; most: {clear[0]}"
    else:
        title = (
            f"In {what}, none of {len(compared)} checks differs beyond the real-against-real "
            "floor; that is no proof of likeness"
        )
    first = next(iter([*outside, *clear]), None)
    rest = [row for row in clear if row is not first or absent][:4]
    text = "Two-sided: a signal that is too clean is as foreign as one that is too noisy. "
    if rest:
        text += "Also: " + "; ".join(map(str, rest)) + "."
    named = ([first] if first else []) + [row for row in rest if row is not first]
    return check.finding(
        Verdict.FAIL if outside or absent else Verdict.INCONCLUSIVE,
        title,
        text,
        section=SLUG,
        rule=rule,
        estimates=[f"{SLUG}.{row.check.name}.cliffs_delta" for row in named],
    )
