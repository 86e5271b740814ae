"""The declared measures: is one within its margins, and what to say of it."""

from __future__ import annotations

import math
from collections.abc import Sequence

from ecgeval.checks import Check
from ecgeval.comparison.margins import Margins
from ecgeval.comparison.rows import Common, Row
from ecgeval.results import Finding, Verdict, worst
from ecgeval.stats.effects import harrell_davis
from ecgeval.stats.equivalence import tost
from ecgeval.stats.univariate import DECIDING, Stat
from ecgeval.wording import between, nothing, quantity

__all__ = ["intersection", "location_verdict", "shape_verdict", "shift", "side", "spread_verdict"]


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


_SIDE = {Verdict.PASS: "inside", Verdict.FAIL: "outside", Verdict.INCONCLUSIVE: "across"}


def _location_sentence(row: Row, margin: float, margins: Margins) -> str:
    stat = row.result.stats[row.location]
    unit = row.info.unit
    medians = ""
    if not row.info.circular:
        real, synth = (quantity(harrell_davis(v), unit) for v in (row.real, row.synth))
        medians = f"medians {real} real, {synth} synthetic; "
    return (
        f"{row.info.label} is {shift(row)} in the synthetic set "
        f"({medians}90 % CI of the difference {between(stat.ci90, unit)}; "
        f"margin ±{row.limit(margin, margins)})"
    )


def shift(row: Row, name: str | None = None) -> str:
    """Return the difference in location as a cardiologist says it: "0.2 mV shallower" of an S.

    A Q or S that is less negative is shallower, not higher. With `name` that of a quantile.
    """
    difference, unit = row.result.stats[name or row.location].value, row.info.unit
    if same := nothing(difference, unit):
        return f"the same within {same}"
    if row.column.startswith(("q_amp_", "s_amp_")):
        more, less = "shallower", "deeper"
    else:
        usual = ("longer", "shorter") if row.info.unit == "ms" else ("higher", "lower")
        more, less = _MORE.get(row.column, usual)
    return f"{quantity(abs(difference), unit)} {more if difference > 0 else less}"


def side(row: Row, margins: Margins) -> str:
    """Return where the 90 % CI of the difference lies, and the margin, in a few words."""
    margin = row.margin(margins)
    if margin is None:
        return "no margin"
    word = _SIDE.get(location_verdict(row, margins)[0])
    return f"{word} ±{row.limit(margin, margins)}" if word else "not assessable"


def _spread_sentence(row: Row, low: float, high: float) -> str:
    stat = row.result.stats["log_sd_ratio"]
    ratio, ends = math.exp(stat.value), (math.exp(stat.ci90[0]), math.exp(stat.ci90[1]))
    same = nothing(ratio - 1)
    how = "as much, within 1 %," if same else f"{ratio:.2f} times as much"
    return (
        f"{row.info.label} varies {how} in the synthetic set "
        f"(ratio of SDs{' 1.00' if same else ''}, 90 % CI {between(ends)}; "
        f"margins {low:g} to {high:g})"
    )


def location_verdict(row: Row | None, margins: Margins) -> tuple[Verdict, str, float]:
    """Return the verdict on a median, a sentence on it, and how far off in margins it is."""
    if row is None or row.result.too_few:
        return Verdict.NOT_ASSESSABLE, _unassessed(row), math.inf
    margin = row.margin(margins)
    assert margin is not None  # load_margins saw to it
    stat = row.result.stats[row.location]
    verdict = _decided(row, stat, stat.ci90, -margin, margin, margins)
    return verdict, _location_sentence(row, margin, margins), abs(stat.value) / margin


def spread_verdict(row: Row | None, margins: Margins) -> tuple[Verdict, str, float]:
    """Return the verdict on a standard deviation, a sentence on it, and how far off it is."""
    if row is None or row.result.too_few:
        return Verdict.NOT_ASSESSABLE, _unassessed(row), math.inf
    low, high = margins.sd_ratio
    stat = row.result.stats["log_sd_ratio"]
    if math.isinf(stat.value):
        which = "synthetic" if stat.value < 0 else "real"
        return Verdict.FAIL, f"{row.info.label} is the same in every {which} record", math.inf
    if math.isnan(stat.value):
        return Verdict.NOT_ASSESSABLE, f"{row.info.label} is one constant in both sets", math.inf
    verdict = _decided(row, stat, stat.ci90, math.log(low), math.log(high), margins)
    edge = math.log(high) if stat.value > 0 else -math.log(low)
    return verdict, _spread_sentence(row, low, high), abs(stat.value) / edge


def shape_verdict(row: Row | None, margins: Margins) -> tuple[Verdict, str, float, str]:
    """Return the verdict on quantiles and W1, a sentence on the one that decided, and its name."""
    if row is None or row.result.too_few:
        return Verdict.NOT_ASSESSABLE, _unassessed(row), math.inf, "shift_p05"
    parts = []
    for name in (*(n for n in DECIDING if n in row.result.stats), row.distance):
        stat, margin = row.result.stats[name], row.shape_margin(name, margins)
        assert margin is not None  # load_margins saw to it
        if name in DECIDING:
            verdict = _decided(row, stat, stat.ci90, -margin, margin, margins)
            what = f"the {round(100 * DECIDING[name])}th percentile of {row.info.label}"
        else:
            # The interval of an angle is one radius on both sides: its end at 95 % is one-sided.
            ends = stat.ci if row.info.circular else stat.ci90
            verdict = _decided(row, stat, ends, -math.inf, margin, margins)
            what = f"the Wasserstein distance of {row.info.label}"
        sentence = _shape_sentence(row, name, what, margin, margins)
        parts.append((verdict, sentence, stat.value / margin, name))
    decided = worst(part[0] for part in parts)
    verdict, sentence, off, name = max(
        (part for part in parts if part[0] == decided), key=lambda part: abs(part[2])
    )
    return verdict, sentence, abs(off), name


_CHANCE = "and is not 0 at 5 % over all declared tests (Bonferroni)"


_TESTS = 7  # of a declared measure: median, spread, four percentiles, distance


def _decided(
    row: Row, stat: Stat, ends: tuple[float, float], low: float, high: float, margins: Margins
) -> Verdict:
    """Return PASS inside the margins, FAIL outside them and no chance, else INCONCLUSIVE.

    All parts must pass, so a PASS needs no correction; one part fails the whole, so a FAIL does:
    the interval, widened to 5 % over all declared tests (Bonferroni, Student's t for few
    patients), must not hold 0.
    """
    from scipy.stats import norm, t

    verdict = tost(ends, low, high)
    if verdict != Verdict.FAIL:
        return verdict
    level = 1 - 0.05 / (_TESTS * len(margins.primary))
    factor = t.ppf(level, max(min(row.result.patients) - 1, 1)) / norm.ppf(0.95)
    lower, upper = (stat.value + factor * (end - stat.value) for end in ends)
    return Verdict.INCONCLUSIVE if lower <= 0 <= upper else Verdict.FAIL


def _shape_sentence(row: Row, name: str, what: str, margin: float, margins: Margins) -> str:
    stat, unit = row.result.stats[name], row.info.unit
    limit = row.limit(margin, margins, name)
    if name in DECIDING:
        how = f"{shift(row, name)} in the synthetic set"
        return f"{what} is {how} (90 % CI {between(stat.ci90, unit)}; margin ±{limit})"
    upper = quantity((stat.ci if row.info.circular else stat.ci90)[1], unit)
    same = nothing(stat.value, unit)
    size = f"below {same}" if same else quantity(stat.value, unit)
    return f"{what} is {size} (95 % limit {upper}; margin {limit})"


def _unassessed(row: Row | None) -> str:
    if row is None:
        return "a declared measure is not in both tables"
    return f"{row.info.label} cannot be compared: {row.result.too_few}"


def intersection(
    check: Check,
    what: str,
    parts: Sequence[tuple[str, Verdict, str, float]],
    stats: Sequence[str],
    common: Common,
    *,
    rule: str,
    things: str = "declared measures",
) -> Finding:
    """Return one finding on all parts (intersection-union: no correction is needed)."""
    verdict = worst(part[1] for part in parts)
    order = [Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.NOT_ASSESSABLE, Verdict.PASS]
    ranked = sorted(parts, key=lambda part: (order.index(part[1]), -part[3]))
    sentence = ranked[0][2] if ranked else ""
    counts = {v: sum(part[1] == v for part in parts) for v in order}
    n = len(parts)
    if verdict == Verdict.PASS:
        title = f"All {n} {things} have an equivalent {what}; the furthest off: {sentence}"
    else:
        tail = {
            Verdict.FAIL: "outside its margin",
            Verdict.INCONCLUSIVE: "not decided: the interval crosses the margin or is too wide",
            Verdict.NOT_ASSESSABLE: "not assessable",
        }[verdict]
        title = f"{sentence}: {tail}"
        if counts[verdict] > 1:
            title += f"; likewise {counts[verdict] - 1} more of {n} {things}"
    title = title[0].upper() + title[1:]
    tally = ", ".join(f"{count} {v}" for v, count in counts.items() if count)
    return check.finding(
        verdict,
        title,
        f"{tally}. " + "; ".join(part[2] for part in ranked) + ".",
        section=common.section,
        estimates=[
            f"{common.section}.{part[0]}.{stat}" for part, stat in zip(parts, stats, strict=False)
        ],
        rule=rule + " (Schuirmann 1987; intersection-union, Berger and Hsu 1996.)",
    )


FDR = 0.05


LEAK_P = 0.001
