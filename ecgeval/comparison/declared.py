"""The declared measures: is one within its margins, and what to say of it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from ecgeval.checks import Check
from ecgeval.comparison.rows import Row
from ecgeval.results import Finding, Verdict, worst
from ecgeval.stats.effects import harrell_davis
from ecgeval.stats.equivalence import tost
from ecgeval.stats.univariate import DECIDING, Stat
from ecgeval.wording import between, nothing, quantity

__all__ = [
    "FDR",
    "LEAK_P",
    "NO_CHANCE",
    "Decision",
    "decide_location",
    "decide_shape",
    "decide_spread",
    "difference_text",
    "intersection",
    "within_margin",
]

FDR = 0.05
"""False discovery rate at which measures are counted as different."""
LEAK_P = 0.001
"""Largest p at which an AUC below chance is taken for a sign of near-copies."""
NO_CHANCE = "and is not 0 at 5 % over all declared tests (Bonferroni)"
"""The second condition of a FAIL, for a rule."""
_TESTS = 7
"""Tests of a declared measure: median, spread, four percentiles, distance."""

_AXIS = ("more rightward", "more leftward")
_MORE = {
    "hr_bpm": ("faster", "slower"),
    "p_axis_deg": _AXIS,
    "qrs_axis_deg": _AXIS,
    "t_axis_deg": _AXIS,
    "qrst_angle_deg": ("wider", "narrower"),
    "rr_sd_ms": ("larger", "smaller"),
    "rmssd_ms": ("larger", "smaller"),
}


@dataclass(frozen=True)
class Decision:
    """What is concluded of one measure.

    Parameters
    ----------
    verdict : Verdict
    sentence : str
        Without a capital and a full stop.
    off : float
        How far off it is, in margins.
    statistic : str
        The statistic it rests on; empty where there is none.
    """

    verdict: Verdict
    sentence: str
    off: float = math.inf
    statistic: str = ""


# ---- words -----------------------------------------------------------------------------------


def difference_text(row: Row, statistic: str = "") -> str:
    """Return a difference as a cardiologist says it: "0.2 mV shallower" of an S.

    A Q or S that is less negative is shallower, not higher. Of the location, or of a percentile
    (`statistic`).
    """
    difference, unit = row.result.stats[statistic or row.location].value, row.info.unit
    if same := nothing(difference, unit):
        return f"the same within {same}"
    if row.column.startswith(("q_amp_", "s_amp_")):
        more, less = "shallower", "deeper"
    else:
        usual = ("longer", "shorter") if unit == "ms" else ("higher", "lower")
        more, less = _MORE.get(row.column, usual)
    return f"{quantity(abs(difference), unit)} {more if difference > 0 else less}"


def within_margin(row: Row) -> str:
    """Return where the 90 % CI of the difference in location lies: "inside ±6.0 ms"."""
    if row.margin is None:
        return "no margin"
    words = {Verdict.PASS: "inside", Verdict.FAIL: "outside", Verdict.INCONCLUSIVE: "across"}
    word = words.get(decide_location(row).verdict)
    return f"{word} ±{row.margin_text()}" if word else "not assessable"


# ---- decisions -------------------------------------------------------------------------------


def decide_location(row: Row) -> Decision:
    """Decide whether the median, or mean direction, of a declared measure is equivalent."""
    if row.result.too_few:
        return _undecided(row, row.location)
    stat, margin, unit = row.result.stats[row.location], row.margin_of(row.location), row.info.unit
    verdict = _verdict(row, stat, stat.ci90, -margin, margin)
    medians = ""
    if not row.info.circular:
        real, synth = (quantity(harrell_davis(v), unit) for v in (row.real, row.synth))
        medians = f"medians {real} real, {synth} synthetic; "
    sentence = (
        f"{row.info.label} is {difference_text(row)} in the synthetic set "
        f"({medians}90 % CI of the difference {between(stat.ci90, unit)}; "
        f"margin ±{row.margin_text()})"
    )
    return Decision(verdict, sentence, abs(stat.value) / margin, row.location)


def decide_spread(row: Row) -> Decision:
    """Decide whether the standard deviation of a declared measure is equivalent."""
    name, label = "log_sd_ratio", row.info.label
    if row.result.too_few:
        return _undecided(row, name)
    stat = row.result.stats[name]
    if math.isinf(stat.value):
        which = "synthetic" if stat.value < 0 else "real"
        sentence = f"{label} is the same in every {which} record"
        return Decision(Verdict.FAIL, sentence, statistic=name)
    if math.isnan(stat.value):
        sentence = f"{label} is one constant in both sets"
        return Decision(Verdict.NOT_ASSESSABLE, sentence, statistic=name)
    low, high = row.margins.sd_ratio
    verdict = _verdict(row, stat, stat.ci90, math.log(low), math.log(high))
    ratio, ends = math.exp(stat.value), (math.exp(stat.ci90[0]), math.exp(stat.ci90[1]))
    same = nothing(ratio - 1)
    how = "as much, within 1 %," if same else f"{ratio:.2f} times as much"
    sentence = (
        f"{label} varies {how} in the synthetic set (ratio of SDs{' 1.00' if same else ''}, "
        f"90 % CI {between(ends)}; margins {low:g} to {high:g})"
    )
    edge = math.log(high) if stat.value > 0 else -math.log(low)
    return Decision(verdict, sentence, abs(stat.value) / edge, name)


def decide_shape(row: Row) -> Decision:
    """Decide whether the percentiles and the Wasserstein distance are all equivalent.

    The decision is that of the part that decided, or of those the one farthest off.
    """
    if row.result.too_few:
        return _undecided(row, row.distance if row.info.circular else "shift_p05")
    names = (*(name for name in DECIDING if name in row.result.stats), row.distance)
    parts = [_decide_part(row, name) for name in names]
    decided = worst(part.verdict for part in parts)
    return max((part for part in parts if part.verdict == decided), key=lambda part: part.off)


def _decide_part(row: Row, name: str) -> Decision:
    stat, margin, unit = row.result.stats[name], row.margin_of(name), row.info.unit
    off = abs(stat.value / margin)
    limit = row.margin_text(name)
    if name in DECIDING:
        verdict = _verdict(row, stat, stat.ci90, -margin, margin)
        sentence = (
            f"the {round(100 * DECIDING[name])}th percentile of {row.info.label} is "
            f"{difference_text(row, name)} in the synthetic set "
            f"(90 % CI {between(stat.ci90, unit)}; margin ±{limit})"
        )
        return Decision(verdict, sentence, off, name)
    # The interval of an angle is one radius on both sides: its end at 95 % is one-sided.
    ends = stat.ci if row.info.circular else stat.ci90
    verdict = _verdict(row, stat, ends, -math.inf, margin)
    same = nothing(stat.value, unit)
    size = f"below {same}" if same else quantity(stat.value, unit)
    sentence = (
        f"the Wasserstein distance of {row.info.label} is {size} "
        f"(95 % limit {quantity(ends[1], unit)}; margin {limit})"
    )
    return Decision(verdict, sentence, off, name)


def _undecided(row: Row, statistic: str) -> Decision:
    sentence = f"{row.info.label} cannot be compared: {row.result.too_few}"
    return Decision(Verdict.NOT_ASSESSABLE, sentence, statistic=statistic)


def _verdict(row: Row, stat: Stat, ends: tuple[float, float], low: float, high: float) -> Verdict:
    """Return PASS inside the margins, FAIL outside them and not by chance, else INCONCLUSIVE.

    All parts must pass, so a PASS needs no correction; one part fails the whole, so a FAIL does:
    the interval, widened to 5 % over all declared tests (Bonferroni, Student's t for few
    patients), must not hold 0.
    """
    from scipy.stats import norm, t

    verdict = tost(ends, low, high)
    if verdict != Verdict.FAIL:
        return verdict
    level = 1 - 0.05 / (_TESTS * len(row.margins.primary))
    factor = t.ppf(level, max(min(row.result.patients) - 1, 1)) / norm.ppf(0.95)
    lower, upper = (stat.value + factor * (end - stat.value) for end in ends)
    return Verdict.INCONCLUSIVE if lower <= 0 <= upper else Verdict.FAIL


# ---- one finding on all of them --------------------------------------------------------------


def intersection(
    check: Check,
    what: str,
    decisions: Mapping[str, Decision],
    *,
    section: str,
    rule: str,
    things: str = "declared measures",
) -> Finding:
    """Return one finding on all decisions: all must pass (intersection-union test).

    Parameters
    ----------
    check : Check
    what : str
        What is compared: "median".
    decisions : mapping of str to Decision
        By what stands between section and statistic in the id of an estimate: ``qrs_ms``.
    section, rule : str
    things : str
        What is decided on, as a plural.

    References
    ----------
    Berger and Hsu 1996, Stat Sci 11:283, doi:10.1214/ss/1032280304: no correction is needed
    """
    verdict = worst(d.verdict for d in decisions.values())
    order = [Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_ASSESSABLE, Verdict.PASS]
    ranked = sorted(decisions.values(), key=lambda d: (order.index(d.verdict), -d.off))
    counts = {v: sum(d.verdict == v for d in ranked) for v in order}
    sentence = ranked[0].sentence if ranked else ""
    if verdict == Verdict.PASS:
        title = (
            f"All {len(ranked)} {things} have an equivalent {what}; the furthest off: {sentence}"
        )
    else:
        tail = {
            Verdict.FAIL: "outside its margin",
            Verdict.INCONCLUSIVE: "not decided: the interval crosses the margin or is too wide",
            Verdict.NOT_ASSESSABLE: "not assessable",
        }[verdict]
        title = f"{sentence}: {tail}"
        if counts[verdict] > 1:
            title += f"; likewise {counts[verdict] - 1} more of {len(ranked)} {things}"
    tally = ", ".join(f"{count} {v}" for v, count in counts.items() if count)
    return check.finding(
        verdict,
        title[0].upper() + title[1:],
        f"{tally}. " + "; ".join(d.sentence for d in ranked) + ".",
        section=section,
        estimates=[
            f"{section}.{name}.{d.statistic}" for name, d in decisions.items() if d.statistic
        ],
        rule=rule + " (Schuirmann 1987; intersection-union, Berger and Hsu 1996.)",
    )
