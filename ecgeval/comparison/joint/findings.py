"""Conclusions on joint structure, each with the rule that led to it."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import partial

import numpy as np

from ecgeval.comparison.joint import checks
from ecgeval.comparison.joint.correlation import Correlations
from ecgeval.comparison.joint.curves import Curves
from ecgeval.comparison.joint.estimates import CHEST, SLUG, pick
from ecgeval.comparison.joint.relations import RELATIONS, Lines
from ecgeval.comparison.joint.truncation import SHORT_TAIL, Edge
from ecgeval.comparison.pair import Pair
from ecgeval.measures import measure_info
from ecgeval.results import Finding, Verdict
from ecgeval.stats.arrays import Floats
from ecgeval.stats.equivalence import tost
from ecgeval.stats.kernels import Assessed, KernelTest
from ecgeval.stats.univariate import Comparison
from ecgeval.wording import between, listed, p_text, quantity

__all__ = [
    "LEVEL",
    "correlations",
    "kernels",
    "progression",
    "qt_rr",
    "relations",
    "rhythm",
    "truncation",
]

LEVEL = 0.05
"""Of the tests that describe, before any correction."""


def _p(stat: Assessed) -> str:
    """Return a permutation p as text; the least that the draws can give is an upper limit."""
    assert stat.null is not None
    return p_text(stat.p or 1, 1 / (len(stat.null) + 1))


def _beyond_floor(stat: Assessed, level: float) -> bool:
    return stat.p is not None and stat.p < level and stat.value > stat.floor[1]


# ---- relations between two measures ------------------------------------------------------------


def qt_rr(pair: Pair, found: Mapping[str, Lines | str]) -> Finding:
    """Return whether the slopes of QT on RR agree within the margin: the one that decides."""
    margins = pair.margins
    margin = margins.joint.get("qt_rr_slope", math.nan)
    rule = (
        "90 % CI (patient bootstrap) of the difference of the slopes of QT on RR inside "
        f"±{margin:g} ms/ms ({margins.level} margin of {margins.source}): PASS inside, FAIL wholly "
        "outside, else INCONCLUSIVE. r² decides nothing. (Schuirmann 1987.)"
    )
    ids = [f"{SLUG}.{r.name}.{name}" for r in RELATIONS[:2] for _, name, _ in r.statistics]
    lines, text = found["qt_rr"], ""
    if isinstance(lines, str):
        verdict, title = Verdict.NOT_ASSESSABLE, f"QT against RR cannot be compared: {lines}"
        if gone := _without_value(pair, ["rr_ms", "qt_ms"]):
            verdict = Verdict.FAIL
            title = f"No synthetic record has a value of {gone}, so QT cannot follow RR"
    else:
        slope = lines.difference["slope"]
        if math.isnan(margin) or slope.ci90 is None or not all(map(math.isfinite, slope.ci90)):
            reason = "no margin is declared" if math.isnan(margin) else "its interval is not finite"
            verdict, title = Verdict.NOT_ASSESSABLE, f"QT against RR cannot be compared: {reason}"
        else:
            verdict = tost(slope.ci90, -margin, margin)
            title = _qt_rr_title(lines, slope.ci90, margin, verdict)
            text = _qt_rr_text(lines, found["qt_rr_loglog"], slope.ci90, margin)
    return checks.QTRR.finding(verdict, title, text, section=SLUG, rule=rule, estimates=ids)


def _without_value(pair: Pair, columns: Sequence[str]) -> str:
    """Return which measures the synthetic set has no value of at all while the real set has."""
    gone = []
    for column in columns:
        picked = pick(pair, [column])
        if isinstance(picked, str) or not len(picked[1].patient):
            continue
        real, synth = (bool(np.isfinite(sample.values).any()) for sample in picked)
        if real and not synth:
            gone.append(measure_info(column).label)
    return listed(gone)


def _qt_rr_title(lines: Lines, ci90: tuple[float, float], margin: float, verdict: Verdict) -> str:
    tail = {
        Verdict.FAIL: ": outside the margin",
        Verdict.INCONCLUSIVE: ": not decided, the interval crosses the margin",
    }
    return (
        f"QT lengthens by {_three(lines.synth['slope'])} ms per ms of RR in the synthetic set and "
        f"{_three(lines.real['slope'])} in the real one (90 % CI of the difference "
        f"{_three(ci90[0], '+')} to {_three(ci90[1], '+')}; margin ±{margin:g} ms/ms)"
        + tail.get(verdict, "")
    )


def _qt_rr_text(lines: Lines, logs: Lines | str, ci90: tuple[float, float], margin: float) -> str:
    text = (
        f"Scatter about the line: SD {quantity(lines.real['residual_sd'], 'ms')} real, "
        f"{quantity(lines.synth['residual_sd'], 'ms')} synthetic; r² {quantity(lines.real['r2'])} "
        f"and {quantity(lines.synth['r2'])}."
    )
    if not isinstance(logs, str):
        text += (
            f" Exponent of QT ~ RR^b: {quantity(logs.real['slope'])} and "
            f"{quantity(logs.synth['slope'])} (Fridericia 1/3, Bazett 1/2)."
        )
    r2 = lines.difference["r2"]
    spans = [lines.real["sd_x"], lines.synth["sd_x"]]
    if r2.ci[0] * r2.ci[1] > 0 and abs(math.log(spans[1] / spans[0])) > math.log(1.2):
        text += (
            f" r² also depends on how far RR ranges (SD {spans[0]:.0f} ms real, {spans[1]:.0f} ms "
            "synthetic), so it differs without a difference of slope or scatter."
        )
    # Both tests pass with 90 % power where the true slopes agree once the interval is this narrow.
    factor = ((ci90[1] - ci90[0]) / margin) ** 2
    if factor > 1:
        text += (
            f" With about {factor:.1f} times as many patients on both sides the test would pass "
            "nine times in ten if the slopes were the same."
        )
    return text


def _three(value: float, sign: str = "") -> str:
    return f"{value:{sign}.3f}".replace("-", "−")


def relations(pair: Pair, found: Mapping[str, Lines | str]) -> Finding:
    """Return which slopes and scatters differ, corrected for their number."""
    tested = [
        (relation, lines, *described)
        for relation in RELATIONS
        if not isinstance(lines := found[relation.name], str)
        for described in relation.statistics[:2]
    ]
    rule = (
        "Descriptive, no gate: a slope or residual SD differs if its permutation p is below 0.05 / "
        f"{len(tested)} (their number) and the value lies outside real against real."
    )
    conclude = partial(checks.RELATIONS.finding, section=SLUG, rule=rule)
    no_logarithm = _no_logarithm(pair)
    if not tested:
        reason = next(lines for lines in found.values() if isinstance(lines, str))
        title = f"No relation between measures can be compared: {reason}"
        return conclude(Verdict.NOT_ASSESSABLE, title, no_logarithm.strip())
    apart = []
    for relation, lines, key, _, unit in tested:
        stat = lines.difference[key]
        inside = stat.floor[0] <= stat.value <= stat.floor[1]
        if (stat.p or 1) < LEVEL / len(tested) and not inside:
            what = "scatter (SD)" if key == "residual_sd" else "slope"
            unit = f" {unit}" if unit else ""
            values = f"{lines.real[key]:.3g}{unit} real, {lines.synth[key]:.3g}{unit} synthetic"
            apart.append(f"{what} of {relation.label} {values.replace('-', '−')}")
    if apart:
        title = f"{len(apart)} of {len(tested)} slopes and scatters differ: {'; '.join(apart)}"
    else:
        title = f"None of {len(tested)} slopes and scatters differs beyond real against real"
    return conclude(
        Verdict.FAIL if apart else Verdict.INCONCLUSIVE,
        title,
        "Less scatter means that measures follow each other more strictly than in people; a slope "
        "near 0 where the real one is not means they were drawn independently. No difference found "
        f"is no proof of likeness.{no_logarithm}",
        estimates=[f"{SLUG}.{relation.name}.{name}" for relation, _, _, name, _ in tested],
    )


def _no_logarithm(pair: Pair) -> str:
    """Return how many records have no logarithm of a measure, for it is 0: a sentence, or nothing.

    RR that do not vary at all are what a generator of one repeated beat makes.
    """
    parts = []
    both = [(r.x, r.log[0]) for r in RELATIONS] + [(r.y, r.log[1]) for r in RELATIONS]
    for column in dict.fromkeys(column for column, logged in both if logged):
        picked = pick(pair, [column])
        if isinstance(picked, str):
            continue
        zeros = [int((s.values <= 0).sum()) for s in picked]
        if any(zeros):
            parts.append(
                f"{measure_info(column).label} is 0 in {zeros[0]:,} of {len(picked[0].values):,} "
                f"real and {zeros[1]:,} of {len(picked[1].values):,} synthetic records"
            )
    return f" Left out, for there is no logarithm: {'; '.join(parts)}." if parts else ""


# ---- correlations --------------------------------------------------------------------------------


def correlations(
    columns: Sequence[str],
    found: Correlations | str,
    top: Sequence[int] = (),
    constant: Sequence[str] = (),
) -> Finding:
    """Return whether the matrices of correlations differ, and in which of the `top` pairs most."""
    rule = (
        "Descriptive, no gate: the matrices differ if a permutation p (root mean square, or "
        "largest difference in Fisher's z) is below 0.05 / 2 and the value lies above real against "
        "real."
    )
    conclude = partial(checks.CORR.finding, section=SLUG, rule=rule)
    if isinstance(found, str):
        return conclude(Verdict.NOT_ASSESSABLE, f"Correlations cannot be compared: {found}")
    apart = any(_beyond_floor(stat, LEVEL / 2) for stat in (found.rms, found.largest))
    sure = [k for k in top if found.p_adjusted[k] <= LEVEL]
    count = int((found.p_adjusted <= LEVEL).sum())

    def text(k: int) -> str:
        labels = " with ".join(measure_info(columns[i]).label for i in found.pairs[k])
        return (
            f"{labels} {quantity(found.real[k], sign=True)} real, "
            f"{quantity(found.synth[k], sign=True)} synthetic"
        )

    title = (
        f"Correlations of {len(columns)} measures {'differ' if apart else 'do not clearly differ'}"
        f": root mean square difference {quantity(found.rms.value)} (real against real "
        f"{between(found.rms.floor)}; {_p(found.rms)})"
    )
    if apart and top:
        title += f"; most: {text(top[0])}"
    explanation = f"{count:,} of {len(found.pairs):,} pairs differ after correction for all pairs."
    if sure:
        explanation += f" Most: {'; '.join(map(text, sure[:4]))}."
    if constant:
        explanation += f" One constant value, which goes with nothing: {', '.join(constant)}."
    return conclude(
        Verdict.FAIL if apart else Verdict.INCONCLUSIVE,
        title,
        explanation + " Not finding a difference is no proof that there is none.",
        estimates=(f"{SLUG}.correlation.corr_rms", f"{SLUG}.correlation.corr_max"),
    )


# ---- R progression and rhythm --------------------------------------------------------------------


def progression(curve: Curves | str, zone: Curves | str) -> Finding:
    """Return whether mean R over V1 to V6, or the lead in which it reaches S, differs."""
    rule = (
        "Descriptive, no gate: progression differs if a permutation p (largest difference of mean "
        "R over V1 to V6, or distribution of the transition lead) is below 0.05 / 2."
    )
    conclude = partial(checks.PROGRESSION.finding, section=SLUG, rule=rule)
    if isinstance(curve, str) or isinstance(zone, str):
        reason = curve if isinstance(curve, str) else zone
        return conclude(Verdict.NOT_ASSESSABLE, f"R progression cannot be compared: {reason}")
    at = int(np.abs(curve.difference).argmax())
    p = [curve.distance.p or 1.0, zone.distance.p or 1.0]
    apart = min(p) < LEVEL / 2
    usual = [100 * float(side[1:5].sum()) for side in (zone.real, zone.synth)]
    height = (
        f"mean R of {CHEST[at]} {quantity(curve.real[at], 'mV')} real, "
        f"{quantity(curve.synth[at], 'mV')} synthetic (95 % band of the difference "
        f"{between((curve.band[at, 0], curve.band[at, 1]), 'mV')}; {_p(curve.distance)})"
    )
    place = (
        f"transition in V2 to V5 in {usual[0]:.0f} % of real and {usual[1]:.0f} % of synthetic "
        f"records ({_p(zone.distance)})"
    )
    order = (height, place) if p[0] <= p[1] else (place, height)
    return conclude(
        Verdict.FAIL if apart else Verdict.INCONCLUSIVE,
        f"R progression {'differs' if apart else 'does not clearly differ'}: {'; '.join(order)}",
        "R normally grows from V1 to V4 or V5 and overtakes S between V2 and V5. The gap is the "
        "lead where the means differ most.",
        estimates=(f"{SLUG}.progression.max_mean_diff", f"{SLUG}.transition.total_variation"),
    )


def rhythm(found: Comparison | str, values: Sequence[Floats], constant: tuple[int, int]) -> Finding:
    """Return whether the serial correlation of RR differs.

    Parameters
    ----------
    found : Comparison or str
        The reason where it cannot be compared.
    values : sequence of ndarray
        The serial correlations of either set.
    constant : (int, int)
        Records of either set whose RR does not vary.
    """
    ids = (f"{SLUG}.rhythm.serial_median_diff", f"{SLUG}.rhythm.serial_ks")
    rule = (
        "Descriptive, no gate: the rhythm differs if the p of Kolmogorov-Smirnov D of the serial "
        "correlation of RR is below 0.05 and D lies above real against real."
    )
    left_out = (
        f" Left out: {constant[0]:,} real and {constant[1]:,} synthetic records whose RR does not "
        "vary at all, and so has no serial correlation."
        if any(constant)
        else ""
    )
    conclude = partial(checks.RHYTHM.finding, section=SLUG, rule=rule, estimates=ids)
    if isinstance(found, str):
        title = f"RR dynamics cannot be compared: {found}"
        return conclude(Verdict.NOT_ASSESSABLE, title, left_out.strip())
    ks = found.stats["ks"]
    apart = found.p is not None and found.p < LEVEL and ks.value > ks.floor[1]
    medians = [quantity(float(np.median(v)), sign=True) for v in values]
    how = "varies differently" if apart else "does not clearly vary differently"
    return conclude(
        Verdict.FAIL if apart else Verdict.INCONCLUSIVE,
        f"From beat to beat RR {how} in the synthetic set: median serial correlation {medians[0]} "
        f"real, {medians[1]} synthetic (D {quantity(ks.value)}, real against real up to "
        f"{quantity(ks.floor[1])}; {p_text(found.p or 1, found.p_least)})",
        "Breathing makes neighbouring RR intervals alike: the serial correlation is well above 0 "
        "in most people at rest. Near 0 the intervals were drawn independently, below 0 they "
        "alternate. How much RR varies (SD, RMSSD) is among the single measures. Ten seconds hold "
        f"two or three breaths: too few to measure breathing itself.{left_out}",
    )


# ---- all measures at once ------------------------------------------------------------------------


def kernels(found: KernelTest | str) -> Finding:
    """Return whether energy distance or MMD tells the sets apart, or finds them too close."""
    ids = (f"{SLUG}.measures.energy_distance", f"{SLUG}.measures.mmd2")
    rule = (
        "Descriptive, no gate: the sets differ if a permutation p is below 0.05 / 2 and the value "
        "lies above real against real; closer than chance if the energy distance lies below real "
        "against real and below every permutation. Never a PASS."
    )
    conclude = partial(checks.KERNEL.finding, section=SLUG, rule=rule, estimates=ids)
    if isinstance(found, str):
        title = f"The measures cannot be compared together: {found}"
        return conclude(Verdict.NOT_ASSESSABLE, title)
    energy, mmd = found.energy, found.mmd
    assert energy.null is not None
    numbers = (
        f"energy distance {_short(energy.value)} (real against real {_short(energy.floor[0])} to "
        f"{_short(energy.floor[1])}; {_p(energy)}), MMD² {_short(mmd.value)} ({_p(mmd)})"
    )
    apart = any(_beyond_floor(stat, LEVEL / 2) for stat in (energy, mmd))
    near = energy.value < min(energy.floor[0], float(energy.null.min()))
    if near:
        title = "The sets are closer than two samples of one population can be"
        explanation = (
            "Records of one set have near-twins in the other: copies of real records, or the same "
            "files in both. Run `ecgeval audit`."
        )
    else:
        title = f"All measures at once {'differ' if apart else 'do not clearly differ'}"
        explanation = (
            "All measures at once, in both their distributions and their joint structure; which of "
            "them differ is said elsewhere. With many records any difference is found: read the "
            "value against real against real."
        )
    verdict = Verdict.FAIL if apart or near else Verdict.INCONCLUSIVE
    return conclude(verdict, f"{title}: {numbers}", explanation)


def _short(value: float) -> str:
    return f"{value:.2g}".replace("-", "−")


# ---- truncation ----------------------------------------------------------------------------------


def truncation(
    cut: Sequence[tuple[str, Edge, Sequence[Floats]]], tested: int, level: float, reason: str
) -> Finding:
    """Return which measures of the synthetic set end hard where the real one has a tail.

    `cut` holds measures, their ends that are cut, and one value a patient of either set; `tested`
    is how many measures were looked at, or `reason` why none; `level` is that of each test.
    """
    rule = (
        f"Descriptive, no gate: cut off if more real patients lie beyond the synthetic range than "
        f"chance allows (exact precedence test, p ≤ {level:.2g} = 0.05 / both ends of each "
        f"measure) and the synthetic tail is shorter than {SHORT_TAIL:g} of the real one, 95 % CI "
        "below 1, both in units of their body: a shift or a narrower spread alone leaves that "
        "ratio."
    )
    conclude = partial(checks.TRUNCATION.finding, section=SLUG, rule=rule)
    if not tested:
        return conclude(Verdict.NOT_ASSESSABLE, f"Truncation cannot be looked for: {reason}")
    if not cut:
        return conclude(
            Verdict.INCONCLUSIVE,
            f"No hard edge seen at either end of {tested} measures",
            'A filter on one of them ("normal only") would leave one. A soft or a small cut need '
            "not be seen.",
        )
    column, edge, _ = cut[0]
    info = measure_info(column)
    what = "a filter, or a few hearts repeated" if len(cut) > 2 else "a filter"
    title = (
        f"Most likely {what}: {info.label} ends hard at {quantity(edge.at, info.unit)} in the "
        f"synthetic set, and {100 * edge.beyond.value:.0f} % of real patients lie "
        f"{'below' if edge.low else 'above'} (p {_small(edge.beyond.p or 1)})"
    )
    if len(cut) > 1:
        title += f"; likewise {len(cut) - 1} more"
    return conclude(
        Verdict.FAIL,
        title,
        "; ".join(_edge_text(*part) for part in cut) + ". A hard edge of one distribution where "
        'the other has a tail is what a filter leaves ("normal ECG" asks for 60 to 100 bpm); a '
        "generator that only learned a narrower distribution tails off: selection is the likeliest "
        "explanation, not a proven one. A generator whose output is bounded, one trained on a "
        "filtered set, and one that repeats a few hearts (at many ends at once) end hard too. To "
        "check: how were the synthetic records chosen, and does unfiltered output of the "
        "generator, or the training set, have the edge? Differences of this measure, and of those "
        "that go with it (RR, QT, r² of QT on RR), may come in part from it: apply the same filter "
        "to the real set, or compare with unfiltered output.",
        estimates=[
            f"{SLUG}.{column}.{kind}_{edge.end}"
            for column, edge, _ in cut
            for kind in ("beyond", "tail")
        ],
    )


def _edge_text(column: str, edge: Edge, values: Sequence[Floats]) -> str:
    assert edge.tail is not None
    info, (real, synth) = measure_info(column), values
    word, keep = ("below", real >= edge.at) if edge.low else ("above", real <= edge.at)
    before, after = (float(np.median(synth) - np.median(r)) for r in (real, real[keep]))
    return (
        f"{info.label} ends at {quantity(edge.at, info.unit)} in the synthetic set while "
        f"{100 * edge.beyond.value:.0f} % of real patients lie {word} "
        f"(p {_small(edge.beyond.p or 1)}; the tail is {math.exp(edge.tail.value):.2f} times "
        f"as long); median {quantity(before, info.unit, True)} against all real patients, "
        f"{quantity(after, info.unit, True)} against those within the range"
    )


def _small(p: float) -> str:
    return f"= {p:.2g}" if p >= 1e-6 else "< 1e-6"
