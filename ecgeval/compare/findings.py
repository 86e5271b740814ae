"""Conclusions on fidelity, each with the rule that led to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

import numpy as np

from ecgeval.compare.c2st import C2st, off_centre
from ecgeval.compare.distributions import harrell_davis
from ecgeval.compare.effects import PRACTICAL, largest, too_small
from ecgeval.compare.equivalence import Margins, tost
from ecgeval.compare.multiplicity import benjamini_yekutieli
from ecgeval.compare.rows import Common, Row, between, names, nothing, number, p_text
from ecgeval.compare.univariate import DECIDING, Stat
from ecgeval.measures import measure_info
from ecgeval.results import Finding, Verdict, worst

__all__ = [
    "classifier",
    "copies",
    "differences",
    "equivalence",
    "giveaways",
    "intersection",
    "location_verdict",
    "missing",
    "shape_verdict",
    "shift",
    "side",
    "spread_verdict",
]

FDR = 0.05
LEAK_P = 0.001
MIN_IDENTICAL = 10

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
        real, synth = (number(harrell_davis(v), unit) for v in (row.real, row.synth))
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
    return f"{number(abs(difference), unit)} {more if difference > 0 else less}"


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


def equivalence(rows: Sequence[Row], common: Common) -> list[Finding]:
    """Return FID-EQUIV, FID-SPREAD and FID-SHAPE: all declared measures inside their margins."""
    by_column = {row.column: row for row in rows}
    margins = common.margins
    shapes = [(c, *shape_verdict(by_column.get(c), margins)) for c in margins.primary]

    def named(part: tuple[str, Verdict, str, float]) -> tuple[str, Verdict, str, float]:
        column, verdict, text, off = part
        if column not in by_column:
            text = f"{measure_info(column).label} is not in both tables"
        return column, verdict, text, off

    return [
        intersection(
            "FID-EQUIV",
            "median",
            [named((c, *location_verdict(by_column.get(c), margins))) for c in margins.primary],
            [by_column[c].location for c in margins.primary if c in by_column],
            common,
            rule=f"Each of {len(margins.primary)} declared measures: 90 % CI of the difference of "
            f"medians (mean directions for angles) inside the {margins.level} margin of "
            f"{margins.source}. PASS if all are inside, FAIL if one lies wholly outside "
            f"{_CHANCE}, else INCONCLUSIVE.",
        ),
        intersection(
            "FID-SPREAD",
            "standard deviation",
            [
                named((c, *spread_verdict(by_column.get(c), margins)))
                for c in margins.primary
                if not measure_info(c).circular
            ],
            ["log_sd_ratio"]
            * sum(not by_column[c].info.circular for c in margins.primary if c in by_column),
            common,
            rule="Each declared measure that is not an angle: 90 % CI of the ratio of standard "
            f"deviations inside {margins.sd_ratio[0]:g} to {margins.sd_ratio[1]:g}. PASS if all "
            f"are inside, FAIL if one lies wholly outside {_CHANCE}, else INCONCLUSIVE.",
        ),
        intersection(
            "FID-SHAPE",
            "shape",
            [named(part[:4]) for part in shapes],
            [part[4] for part in shapes],
            common,
            rule=f"Each of {len(margins.primary)} declared measures: 90 % CI of the difference of "
            "the 5th, 25th, 75th and 95th percentiles inside the margin (not for angles), and the "
            "upper one-sided 95 % limit of the Wasserstein distance below it; "
            f"{margins.level} margins of {margins.source}. PASS if all are inside, FAIL if one "
            f"lies wholly outside {_CHANCE}, else INCONCLUSIVE.",
        ),
    ]


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
    upper = number((stat.ci if row.info.circular else stat.ci90)[1], unit)
    same = nothing(stat.value, unit)
    size = f"below {same}" if same else number(stat.value, unit)
    return f"{what} is {size} (95 % limit {upper}; margin {limit})"


def _unassessed(row: Row | None) -> str:
    if row is None:
        return "a declared measure is not in both tables"
    return f"{row.info.label} cannot be compared: {row.result.too_few}"


def intersection(
    code: str,
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
    return common.finding(
        code,
        verdict,
        title,
        explanation=f"{tally}. " + "; ".join(part[2] for part in ranked) + ".",
        estimates=tuple(
            f"{common.section}.{part[0]}.{stat}" for part, stat in zip(parts, stats, strict=False)
        ),
        rule=rule + " (Schuirmann 1987; intersection-union, Berger and Hsu 1996.)",
    )


def missing(rows: Sequence[Row], absent: Mapping[str, str], common: Common) -> list[Finding]:
    """Return FID-MISSING, and FID-EMPTY for what a set has no value of at all."""
    out = []
    limit = common.margins.missing
    primary = [row for row in rows if row.column in common.margins.primary]
    parts = []
    for row in primary:
        points = (100 * row.missing.ci90[0], 100 * row.missing.ci90[1])
        shares = (
            f"missing in {_percent(row.missing.synth)} of synthetic and "
            f"{_percent(row.missing.real)} of real records"
            if row.missing.synth or row.missing.real
            else "missing in no record of either set"
        )
        sentence = (
            f"{row.info.label} is {shares} (difference, 90 % CI {between(points)} percentage "
            f"points; margin ±{100 * limit:g})"
        )
        verdict = tost(row.missing.ci90, -limit, limit)
        parts.append(
            (row.column, verdict, sentence, abs(row.missing.synth - row.missing.real) / limit)
        )
    out.append(
        intersection(
            "FID-MISSING",
            "share of missing values",
            parts,
            ["missing_diff"] * len(parts),
            common,
            rule="Each declared measure: 90 % CI (Newcombe) of the difference of the shares "
            f"without a value inside ±{100 * limit:g} percentage points. PASS if all are inside, "
            "FAIL if one lies wholly outside, else INCONCLUSIVE.",
        )
    )
    for which, other in (("synthetic", "real"), ("real", "synthetic")):
        empty = [
            row
            for row in rows
            if (row.missing.synth if which == "synthetic" else row.missing.real) == 1
            and (row.missing.real if which == "synthetic" else row.missing.synth) < 1
        ]
        if empty:
            which_measures = names([row.info.label for row in empty])
            out.append(
                common.finding(
                    "FID-EMPTY",
                    Verdict.FAIL,
                    f"No {which} record has a value of {which_measures}, while {other} records do",
                    explanation="Either the waves are not there, or the signals are not what the "
                    "delineation expects (unit, rate, leads). Look at a few records first.",
                    estimates=tuple(f"{common.section}.{row.column}.missing_diff" for row in empty),
                    rule="A measure without any value in one set only is a failure.",
                )
            )
    neither = [row for row in rows if row.missing.synth == row.missing.real == 1]
    if neither:
        out.append(
            common.finding(
                "FID-EMPTY",
                Verdict.NOT_ASSESSABLE,
                f"No record of either set has a value of {names([r.info.label for r in neither])}",
                explanation="The delineation that was used may not give these measures.",
                rule="A measure without any value in both sets cannot be compared.",
                gate=any(row.column in common.margins.primary for row in neither),
            )
        )
    for which in ("synthetic", "real"):
        gone = [c for c, lacking in absent.items() if lacking == which]
        if gone:
            out.append(
                common.finding(
                    "FID-EMPTY",
                    Verdict.NOT_ASSESSABLE,
                    f"The {which} table has no column for "
                    f"{names([measure_info(c).label for c in gone])}",
                    explanation="Columns of one table only are not compared.",
                    rule="A measure needs a column in both tables.",
                    gate=any(c in common.margins.primary for c in gone),
                )
            )
    return out


def _percent(share: float) -> str:
    return f"{100 * share:.1f} %"


def copies(common: Common) -> list[Finding]:
    """Return FID-COPIES where synthetic rows equal real ones in every measure."""
    rows = []
    for sample in common.samples:
        # Rows with few distinct values (a flat line, nothing measured) are alike without copying.
        distinct = 1 + (np.diff(np.sort(sample.values, axis=1)) > 0).sum(axis=1)
        rows.append(sample.values[distinct >= MIN_IDENTICAL].astype(np.float32))
    known = {row.tobytes() for row in rows[0]}
    copied = sum(row.tobytes() in known for row in rows[1])
    if not copied:
        return []
    return [
        common.finding(
            "FID-COPIES",
            Verdict.FAIL,
            f"{copied:,} synthetic records equal a real record in every measure",
            explanation="Records that were generated do not agree with a real one in every digit "
            f"of {rows[0].shape[1]} measures: these are copies, or both sets hold the same files. "
            "All other agreement of the two sets then says nothing. Run `ecgeval audit`.",
            rule=f"FAIL if one synthetic row equals a real row in all measures (at least "
            f"{MIN_IDENTICAL} different values, in single precision).",
        )
    ]


def classifier(
    tests: Mapping[str, C2st | str], rows: Sequence[Row], common: Common
) -> list[Finding]:
    """Return FID-C2ST on the strongest classifier, and FID-C2ST-LEAK where one is deceived."""
    ids = {kind: f"{common.section}.c2st.{kind}_auc" for kind in tests}
    run = {kind: test for kind, test in tests.items() if isinstance(test, C2st)}
    if not run:
        return [
            common.finding(
                "FID-C2ST",
                Verdict.NOT_ASSESSABLE,
                f"The classifier two-sample test was not run: {next(iter(tests.values()))}",
                gate=False,
                estimates=tuple(ids.values()),
                rule="Descriptive: it decides nothing.",
            )
        ]
    level = 0.05 / len(run)
    apart = {k: t for k, t in run.items() if t.p < level and t.ci[0] > t.floor[1]}
    kind, test = max((apart or run).items(), key=lambda item: item[1].auc)
    top = [row for row, loss in giveaways(rows, test, common)[:3] if loss > 0]
    given = f"What gives the fakes away most: {names([row.info.label for row in top])}. "
    others = "; ".join(f"{k} {t.auc:.2f} ({p_text(t.p, t.p_least)})" for k, t in run.items())
    out = [
        common.finding(
            "FID-C2ST",
            Verdict.FAIL if apart else Verdict.INCONCLUSIVE,
            f"A classifier ({kind}) on the measures "
            + ("tells the sets apart: " if apart else "does not clearly tell the sets apart: ")
            + f"AUC {test.auc:.2f} (95 % CI {test.ci[0]:.2f} to {test.ci[1]:.2f}; real against "
            f"real {test.floor[0]:.2f} to {test.floor[1]:.2f})",
            explanation=(given if apart and top else "") + f"AUC of each: {others}. Not telling "
            "the sets apart is no proof of likeness: another classifier may."
            + off_centre(test.floor),
            estimates=tuple(ids.values()),
            rule=f"Descriptive, no gate: told apart if p < 0.05 / {len(run)} classifiers and the "
            "95 % CI lies above the real-against-real floor; never a PASS.",
            gate=False,
        )
    ]
    kind, test = min(run.items(), key=lambda item: item[1].auc)
    if test.p_below <= LEAK_P and test.auc < test.floor[0]:
        out.append(
            common.finding(
                "FID-C2ST-LEAK",
                Verdict.FAIL,
                f"A classifier ({kind}) does far worse than chance, AUC {test.auc:.2f}: synthetic "
                "records are near-copies of real ones",
                explanation="An AUC below 0.5 arises where a held-out record has its near-twin, "
                "with the other label, among the training records. Run `ecgeval audit`.",
                estimates=(ids[kind],),
                rule="FAIL if an AUC is below its real-against-real floor and the permutation p of "
                f"an AUC this low is at most {LEAK_P:g}; "
                f"here {p_text(test.p_below, test.p_least)}.",
            )
        )
    return out


def giveaways(rows: Sequence[Row], test: C2st, common: Common) -> list[tuple[Row, float]]:
    """Return the rows and the AUC each loses, most first, those below the practical size last."""
    pairs = list(zip(rows, map(float, test.importance), strict=True))
    pairs.sort(key=lambda p: (too_small(p[0], common.margins, quartiles=True), -p[1]))
    return pairs


def differences(
    rows: Sequence[Row], adjusted: Mapping[str, float], common: Common, *, quick: bool = False
) -> Finding:
    """Return FID-KS: how many measures differ, and by how much in units a person can judge."""
    tested = [row for row in rows if row.column in adjusted]
    if not tested:
        return common.finding(
            "FID-KS",
            Verdict.NOT_ASSESSABLE,
            "No measure has enough values to be compared",
            gate=False,
            rule="Descriptive: it decides nothing.",
        )
    found = {row.column for row in tested if adjusted[row.column] <= FDR}
    strict = benjamini_yekutieli([row.result.p or 1 for row in tested])
    sure = int((strict <= FDR).sum())
    ranked = largest(tested, common.margins)
    large = [row for row in ranked if not too_small(row, common.margins)]
    shown = (large or ranked)[:3]
    above = {row.column for row in shown}
    title = (
        f"{len(found)} of {len(tested)} measures differ in distribution at a false discovery "
        "rate of 5 %"
    )
    text = (
        "With many records any difference, however small, is found, and with few none: read the "
        "sizes of the effects and the equivalence findings instead."
        f" Whatever the dependence of the measures (Benjamini-Yekutieli): {sure} of {len(tested)}."
    )
    if shown:
        title += "; largest" if large else "; none by a practical size, largest"
        title += f" Cliff's δ: {', '.join(_effect(row, common.margins) for row in shown)}"
        text += " With 95 % CI: " + ", ".join(
            f"{row.info.label} {between(row.result.stats['cliffs_delta'].ci)}" for row in shown
        )
        text += f". A practical size is {PRACTICAL}."
    least = min((abs(row.result.stats["cliffs_delta"].value) for row in shown), default=0)
    passed = [
        row
        for row in ranked
        if row.column not in above and abs(row.result.stats["cliffs_delta"].value) > least
    ][:3]
    if passed:
        text += " Farther apart in rank, but by less than that: "
        text += ", ".join(_effect(row, common.margins) for row in passed) + "."
    open_ = [
        row
        for row in tested
        if row.column not in found and (row.result.p or 1) <= row.result.p_least * (1 + 1e-9)
    ]
    if open_:
        text += (
            f" Not decided: {names([row.info.label for row in open_])}, whose p is the smallest "
            f"that this number of draws can give ({max(r.result.p_least for r in open_):.2g}) and "
            "still too large after correction" + (": run without --quick." if quick else ".")
        )
    return common.finding(
        "FID-KS",
        Verdict.INCONCLUSIVE,
        title,
        explanation=text,
        estimates=tuple(
            f"{common.section}.{row.column}.{name}"
            for row in shown
            for name in ("cliffs_delta", "median_diff")
        ),
        rule="Descriptive, no gate: Kolmogorov-Smirnov (Watson U2 for angles), Benjamini-Hochberg "
        "q = 0.05 over measures. Significance is never a verdict.",
        gate=False,
    )


def _effect(row: Row, margins: Margins) -> str:
    delta = number(row.result.stats["cliffs_delta"].value, sign=True)
    return f"{row.info.label} {delta} ({shift(row)}, {side(row, margins)})"
