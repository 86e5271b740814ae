"""Conclusions on joint structure, each with the rule that led to it."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ecgeval.comparison.joint.checks import (
    CORR,
    KERNEL,
    PROGRESSION,
    QTRR,
    RELATIONS,
    RHYTHM,
    TRUNCATION,
)
from ecgeval.comparison.joint.correlation import Correlations
from ecgeval.comparison.joint.part import CHEST, FITTED, LEVEL, Part, statistics
from ecgeval.comparison.joint.relations import Curves, Lines
from ecgeval.comparison.joint.truncation import Edge
from ecgeval.measures import measure_info
from ecgeval.results import Finding, Verdict
from ecgeval.stats.arrays import Floats
from ecgeval.stats.equivalence import tost
from ecgeval.stats.kernels import KernelTest
from ecgeval.stats.univariate import Comparison
from ecgeval.wording import between, p_text, quantity

__all__ = [
    "correlation_finding",
    "is_cut",
    "kernel_finding",
    "progression_finding",
    "qt_rr_finding",
    "relations_finding",
    "rhythm_finding",
    "truncation_finding",
]


EDGE = 0.6  # length of the synthetic tail over the real one below which it counts as cut


def qt_rr_finding(part: Part, found: dict[str, Lines | str]) -> Finding:
    margins = part.common.margins
    margin = margins.joint.get("qt_rr_slope", math.nan)
    rule = (
        "90 % CI (patient bootstrap) of the difference of the slopes of QT on RR inside "
        f"±{margin:g} ms/ms ({margins.level} margin of {margins.source}): PASS inside, FAIL wholly "
        "outside, else INCONCLUSIVE. r² decides nothing. (Schuirmann 1987.)"
    )
    ids = tuple(
        part.name(r.name, statistic) for r in FITTED[:2] for _, statistic, _ in statistics(r)
    )
    lines = found["qt_rr"]
    if isinstance(lines, str):
        gone = part.empty(["rr_ms", "qt_ms"])
        title = f"QT against RR cannot be compared: {lines}"
        if gone:
            title = f"No synthetic record has a value of {gone}, so QT cannot follow RR"
        verdict = Verdict.FAIL if gone else Verdict.NOT_ASSESSABLE
        return QTRR.finding(verdict, title, estimates=ids, rule=rule, section=part.common.section)
    slope = lines.difference["slope"]
    if math.isnan(margin) or slope.ci90 is None or not all(map(math.isfinite, slope.ci90)):
        reason = "no margin is declared" if math.isnan(margin) else "its interval is not finite"
        return QTRR.finding(
            Verdict.NOT_ASSESSABLE,
            f"QT against RR cannot be compared: {reason}",
            estimates=ids,
            rule=rule,
            section=part.common.section,
        )
    verdict = tost(slope.ci90, -margin, margin)
    title = (
        f"QT lengthens by {_three(lines.synth['slope'])} ms per ms of RR in the synthetic set and "
        f"{_three(lines.real['slope'])} in the real one (90 % CI of the difference "
        f"{_three(slope.ci90[0], True)} to {_three(slope.ci90[1], True)}; margin ±{margin:g} ms/ms)"
    )
    tail = {
        Verdict.FAIL: ": outside the margin",
        Verdict.INCONCLUSIVE: ": not decided, the interval crosses the margin",
    }
    return QTRR.finding(
        verdict,
        title + tail.get(verdict, ""),
        _qt_rr_text(found, margin),
        estimates=ids,
        rule=rule,
        section=part.common.section,
    )


def _qt_rr_text(found: dict[str, Lines | str], margin: float) -> str:
    lines, logs = found["qt_rr"], found["qt_rr_loglog"]
    assert not isinstance(lines, str)
    text = (
        f"Scatter about the line: SD {quantity(lines.real['residual_sd'], 'ms')} real, "
        f"{quantity(lines.synth['residual_sd'], 'ms')} synthetic; r² {quantity(lines.real['r2'])} "
        f"and "
        f"{quantity(lines.synth['r2'])}."
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
    low, high = lines.difference["slope"].ci90 or (0, 0)
    # Both tests pass with 90 % power where the true slopes agree once the interval is this narrow.
    factor = ((high - low) / margin) ** 2
    if factor > 1:
        text += (
            f" With about {factor:.1f} times as many patients on both sides the test would pass "
            "nine times in ten if the slopes were the same."
        )
    return text


def _three(value: float, sign: bool = False) -> str:
    return f"{value:{'+' if sign else ''}.3f}".replace("-", "−")


def relations_finding(part: Part, found: dict[str, Lines | str], left: str = "") -> Finding:
    """Return JOINT-RELATIONS: which of the other lines differ, corrected for their number.

    `left` says which records have no logarithm.
    """
    tested = {r: found[r.name] for r in FITTED if not isinstance(found[r.name], str)}
    total = sum(len(statistics(r)[:2]) for r in tested)
    level = LEVEL / max(total, 1)
    rule = (
        "Descriptive, no gate: a slope or residual SD differs if its permutation p is below 0.05 / "
        f"{total} (their number) and the value lies outside real against real."
    )
    if not tested:
        reason = next(lines for lines in found.values() if isinstance(lines, str))
        return RELATIONS.finding(
            Verdict.NOT_ASSESSABLE,
            f"No relation between measures can be compared: {reason}",
            left.strip(),
            rule=rule,
            section=part.common.section,
        )
    apart, ids = [], []
    for relation, lines in tested.items():
        assert not isinstance(lines, str)
        for key, statistic, unit in statistics(relation)[:2]:
            stat = lines.difference[key]
            ids.append(part.name(relation.name, statistic))
            inside = stat.floor[0] <= stat.value <= stat.floor[1]
            if (stat.p or 1) < level and not inside:
                what = "scatter (SD)" if key == "residual_sd" else "slope"
                unit = f" {unit}" if unit else ""
                values = f"{lines.real[key]:.3g}{unit} real, {lines.synth[key]:.3g}{unit} synthetic"
                apart.append(f"{what} of {relation.label} {values.replace('-', '−')}")
    if apart:
        title = f"{len(apart)} of {len(ids)} slopes and scatters differ: {'; '.join(apart)}"
    else:
        title = f"None of {len(ids)} slopes and scatters differs beyond real against real"
    return RELATIONS.finding(
        Verdict.FAIL if apart else Verdict.INCONCLUSIVE,
        title,
        "Less scatter means that measures follow each other more strictly than in "
        "people; a slope near 0 where the real one is not means they were drawn independently. No "
        f"difference found is no proof of likeness.{left}",
        estimates=tuple(ids),
        rule=rule,
        section=part.common.section,
    )


def correlation_finding(
    part: Part,
    columns: Sequence[str],
    found: Correlations,
    top: NDArray[np.intp],
    constant: Sequence[str],
    rule: str,
) -> Finding:
    apart = [
        stat
        for stat in (found.rms, found.largest)
        if stat.p is not None and stat.p < LEVEL / 2 and stat.value > stat.floor[1]
    ]
    sure = [k for k in top if found.p_adjusted[k] <= LEVEL]
    count = int((found.p_adjusted <= LEVEL).sum())

    def text(k: int) -> str:
        labels = " with ".join(measure_info(columns[i]).label for i in found.pairs[k])
        return (
            f"{labels} {quantity(found.real[k], sign=True)} real, "
            f"{quantity(found.synth[k], sign=True)} synthetic"
        )

    title = (
        f"Correlations of {len(columns)} measures "
        + ("differ" if apart else "do not clearly differ")
        + f": root mean square difference {quantity(found.rms.value)} (real against real "
        f"{between(found.rms.floor)}; {p_text(found.rms.p or 1, part.least_p)})"
    )
    if apart and len(top):
        title += f"; most: {text(int(top[0]))}"
    explanation = f"{count:,} of {len(found.pairs):,} pairs differ after correction for all pairs."
    if sure:
        explanation += f" Most: {'; '.join(text(int(k)) for k in sure[:4])}."
    if constant:
        explanation += f" One constant value, which goes with nothing: {', '.join(constant)}."
    explanation += " Not finding a difference is no proof that there is none."
    return CORR.finding(
        Verdict.FAIL if apart else Verdict.INCONCLUSIVE,
        title,
        explanation,
        rule=rule,
        estimates=(part.name("correlation", "corr_rms"), part.name("correlation", "corr_max")),
        section=part.common.section,
    )


def progression_finding(part: Part, curve: Curves | str, zone: Curves | str) -> Finding:
    rule = (
        "Descriptive, no gate: progression differs if a permutation p (largest difference of mean "
        "R over V1 to V6, or distribution of the transition lead) is below 0.05 / 2."
    )
    if isinstance(curve, str) or isinstance(zone, str):
        reason = curve if isinstance(curve, str) else zone
        return PROGRESSION.finding(
            Verdict.NOT_ASSESSABLE,
            f"R progression cannot be compared: {reason}",
            rule=rule,
            section=part.common.section,
        )
    at = int(np.abs(curve.difference).argmax())
    p = [curve.distance.p or 1.0, zone.distance.p or 1.0]
    apart = min(p) < LEVEL / 2
    usual = [100 * float(side[1:5].sum()) for side in (zone.real, zone.synth)]
    height = (
        f"mean R of {CHEST[at]} {quantity(curve.real[at], 'mV')} real, "
        f"{quantity(curve.synth[at], 'mV')} synthetic (95 % band of the difference "
        f"{between((curve.band[at, 0], curve.band[at, 1]), 'mV')}; {p_text(p[0], part.least_p)})"
    )
    place = (
        f"transition in V2 to V5 in {usual[0]:.0f} % of real and {usual[1]:.0f} % of synthetic "
        f"records ({p_text(p[1], part.least_p)})"
    )
    order = (height, place) if p[0] <= p[1] else (place, height)
    title = f"R progression {'differs' if apart else 'does not clearly differ'}: {'; '.join(order)}"
    return PROGRESSION.finding(
        Verdict.FAIL if apart else Verdict.INCONCLUSIVE,
        title,
        "R normally grows from V1 to V4 or V5 and overtakes S between V2 and V5. The "
        "gap is the lead where the means differ most.",
        estimates=(
            part.name("progression", "max_mean_diff"),
            part.name("transition", "total_variation"),
        ),
        rule=rule,
        section=part.common.section,
    )


def rhythm_finding(
    part: Part, result: Comparison | str, rule: str, values: Sequence[Floats] = (), left: str = ""
) -> Finding:
    ids = (part.name("rhythm", "serial_median_diff"), part.name("rhythm", "serial_ks"))
    if isinstance(result, str):
        return RHYTHM.finding(
            Verdict.NOT_ASSESSABLE,
            f"RR dynamics cannot be compared: {result}",
            left.strip(),
            estimates=ids,
            rule=rule,
            section=part.common.section,
        )
    ks = result.stats["ks"]
    apart = result.p is not None and result.p < LEVEL and ks.value > ks.floor[1]
    medians = [quantity(float(np.nanmedian(v)), sign=True) for v in values]
    title = (
        f"From beat to beat RR {'varies differently' if apart else 'varies alike'} in the "
        f"synthetic set: median serial correlation {medians[0]} real, {medians[1]} synthetic (D "
        f"{quantity(ks.value)}, real against real up to {quantity(ks.floor[1])}; "
        f"{p_text(result.p or 1, result.p_least)})"
    )
    if not apart:
        title = title.replace("varies alike", "does not clearly vary differently")
    return RHYTHM.finding(
        Verdict.FAIL if apart else Verdict.INCONCLUSIVE,
        title,
        "Breathing makes neighbouring RR intervals alike: the serial correlation is "
        "well above 0 in most people at rest. Near 0 the intervals were drawn independently, below "
        "0 they alternate. How much RR varies (SD, RMSSD) is among the single measures. Ten "
        f"seconds hold two or three breaths: too few to measure breathing itself.{left}",
        estimates=ids,
        rule=rule,
        section=part.common.section,
    )


def kernel_finding(part: Part, found: KernelTest | str) -> Finding:
    ids = (part.name("measures", "energy_distance"), part.name("measures", "mmd2"))
    rule = (
        "Descriptive, no gate: the sets differ if a permutation p is below 0.05 / 2 and the value "
        "lies above real against real; closer than chance if the energy distance lies below real "
        "against real and below every permutation. Never a PASS."
    )
    if isinstance(found, str):
        return KERNEL.finding(
            Verdict.NOT_ASSESSABLE,
            f"The measures cannot be compared together: {found}",
            estimates=ids,
            rule=rule,
            section=part.common.section,
        )
    energy, mmd = found.energy, found.mmd
    assert energy.p is not None
    assert mmd.p is not None
    assert energy.null is not None
    text = (
        f"energy distance {_short(energy.value)} (real against real {_short(energy.floor[0])} to "
        f"{_short(energy.floor[1])}; {p_text(energy.p, part.least_p)}), MMD² {_short(mmd.value)} "
        f"({p_text(mmd.p, part.least_p)})"
    )
    apart = any(s.p is not None and s.p < LEVEL / 2 and s.value > s.floor[1] for s in (energy, mmd))
    near = energy.value < min(energy.floor[0], float(energy.null.min()))
    explanation = (
        "All measures at once, in both their distributions and their joint structure; which of "
        "them differ is said elsewhere. With many records any difference is found: read the value "
        "against real against real."
    )
    if near:
        title = f"The sets are closer than two samples of one population can be: {text}"
        explanation = (
            "Records of one set have near-twins in the other: copies of real records, or the same "
            "files in both. Run `ecgeval audit`."
        )
    else:
        title = f"All measures at once {'differ' if apart else 'do not clearly differ'}: {text}"
    return KERNEL.finding(
        Verdict.FAIL if apart or near else Verdict.INCONCLUSIVE,
        title,
        explanation,
        estimates=ids,
        rule=rule,
        section=part.common.section,
    )


def _short(value: float) -> str:
    return f"{value:.2g}".replace("-", "−")


def is_cut(edge: Edge, least: float) -> bool:
    return (
        (edge.beyond.p or 1) <= least
        and edge.tail is not None
        and edge.tail.value < math.log(EDGE)
        and edge.tail.ci[1] < 0
    )


def truncation_finding(
    part: Part,
    cut: Sequence[tuple[str, Edge, Sequence[Floats]]],
    tested: int,
    least: float,
    reason: str,
) -> Finding:
    rule = (
        f"Descriptive, no gate: cut off if more real patients lie beyond the synthetic range than "
        f"chance allows (exact precedence test, p ≤ {least:.2g} = 0.05 / both ends of each "
        f"measure) and the synthetic tail is shorter than {EDGE:g} of the real one, 95 % CI below "
        "1, both in units of their body: a shift or a narrower spread alone leaves that ratio."
    )
    if not tested:
        return TRUNCATION.finding(
            Verdict.NOT_ASSESSABLE,
            f"Truncation cannot be looked for: {reason}",
            rule=rule,
            section=part.common.section,
        )
    if not cut:
        return TRUNCATION.finding(
            Verdict.INCONCLUSIVE,
            f"No hard edge seen at either end of {tested} measures",
            'A filter on one of them ("normal only") would leave one. A soft or a '
            "small cut need not be seen.",
            rule=rule,
            section=part.common.section,
        )
    parts = []
    for column, edge, (real, synth) in cut:
        info = measure_info(column)
        word, keep = ("below", real >= edge.at) if edge.low else ("above", real <= edge.at)
        before, after = (float(np.median(synth) - np.median(r)) for r in (real, real[keep]))
        parts.append(
            f"{info.label} ends at {quantity(edge.at, info.unit)} in the synthetic set while "
            f"{100 * edge.beyond.value:.0f} % of real patients lie {word} "
            f"(p {_small(edge.beyond.p or 1)}; the tail is {math.exp(edge.tail.value):.2f} times "
            f"as long); median {quantity(before, info.unit, True)} against all real patients, "
            f"{quantity(after, info.unit, True)} against those within the range"
            if edge.tail
            else ""
        )
    column, edge, _ = cut[0]
    info = measure_info(column)
    title = (
        f"Most likely a filter: {info.label} ends hard at {quantity(edge.at, info.unit)} in "
        f"the synthetic set, and {100 * edge.beyond.value:.0f} % of real patients lie "
        f"{'below' if edge.low else 'above'} (p {_small(edge.beyond.p or 1)})"
    )
    if len(cut) > 1:
        title += f"; likewise {len(cut) - 1} more"
    if len(cut) > 2:
        title = title.replace("a filter", "a filter, or a few hearts repeated")
    return TRUNCATION.finding(
        Verdict.FAIL,
        title,
        "; ".join(parts) + ". A hard edge of one distribution where the other has a "
        'tail is what a filter leaves ("normal ECG" asks for 60 to 100 bpm); a generator that '
        "only learned a narrower distribution tails off: selection is the likeliest explanation, "
        "not a proven one. A generator whose output is bounded, one trained on a filtered set, "
        "and one that repeats a few hearts (at many ends at once) end hard too. To check: how "
        "were the synthetic records chosen, and does unfiltered output of the generator, or the "
        "training set, have the edge? Differences of this measure, and of those that go with it "
        "(RR, QT, r² of QT on RR), may come in part from it: apply the same filter to the real "
        "set, or compare with unfiltered output.",
        estimates=tuple(
            part.name(c, f"{kind}_{'low' if e.low else 'high'}")
            for c, e, _ in cut
            for kind in ("beyond", "tail")
        ),
        rule=rule,
        section=part.common.section,
    )


def _small(p: float) -> str:
    return f"= {p:.2g}" if p >= 1e-6 else "< 1e-6"
