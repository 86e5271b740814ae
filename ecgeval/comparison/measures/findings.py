"""Conclusions on fidelity, each with the rule that led to it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ecgeval.comparison.declared import (
    _CHANCE,
    FDR,
    LEAK_P,
    intersection,
    location_verdict,
    shape_verdict,
    shift,
    side,
    spread_verdict,
)
from ecgeval.comparison.margins import Margins
from ecgeval.comparison.measures.checks import (
    C2ST,
    C2ST_LEAK,
    COPIES,
    EMPTY,
    EQUIV,
    KS,
    MISSING,
    SHAPE,
    SPREAD,
)
from ecgeval.comparison.measures.largest import PRACTICAL, largest, too_small
from ecgeval.comparison.rows import Common, Row
from ecgeval.measures import measure_info
from ecgeval.results import Finding, Verdict
from ecgeval.stats.equivalence import tost
from ecgeval.stats.multiplicity import benjamini_yekutieli
from ecgeval.stats.two_sample import C2st, off_centre
from ecgeval.wording import between, listed, p_text, quantity

__all__ = ["classifier", "copies", "differences", "equivalence", "giveaways", "missing"]

MIN_IDENTICAL = 10


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
            EQUIV,
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
            SPREAD,
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
            SHAPE,
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
            MISSING,
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
            which_measures = listed([row.info.label for row in empty])
            out.append(
                EMPTY.finding(
                    Verdict.FAIL,
                    f"No {which} record has a value of {which_measures}, while {other} records do",
                    "Either the waves are not there, or the signals are not what the "
                    "delineation expects (unit, rate, leads). Look at a few records first.",
                    estimates=tuple(f"{common.section}.{row.column}.missing_diff" for row in empty),
                    rule="A measure without any value in one set only is a failure.",
                    section=common.section,
                )
            )
    neither = [row for row in rows if row.missing.synth == row.missing.real == 1]
    if neither:
        out.append(
            EMPTY.finding(
                Verdict.NOT_ASSESSABLE,
                f"No record of either set has a value of {listed([r.info.label for r in neither])}",
                "The delineation that was used may not give these measures.",
                rule="A measure without any value in both sets cannot be compared.",
                section=common.section,
                decides=any(row.column in common.margins.primary for row in neither),
            )
        )
    for which in ("synthetic", "real"):
        gone = [c for c, lacking in absent.items() if lacking == which]
        if gone:
            out.append(
                EMPTY.finding(
                    Verdict.NOT_ASSESSABLE,
                    f"The {which} table has no column for "
                    f"{listed([measure_info(c).label for c in gone])}",
                    "Columns of one table only are not compared.",
                    rule="A measure needs a column in both tables.",
                    section=common.section,
                    decides=any(c in common.margins.primary for c in gone),
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
        COPIES.finding(
            Verdict.FAIL,
            f"{copied:,} synthetic records equal a real record in every measure",
            "Records that were generated do not agree with a real one in every digit "
            f"of {rows[0].shape[1]} measures: these are copies, or both sets hold the same files. "
            "All other agreement of the two sets then says nothing. Run `ecgeval audit`.",
            rule=f"FAIL if one synthetic row equals a real row in all measures (at least "
            f"{MIN_IDENTICAL} different values, in single precision).",
            section=common.section,
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
            C2ST.finding(
                Verdict.NOT_ASSESSABLE,
                f"The classifier two-sample test was not run: {next(iter(tests.values()))}",
                estimates=tuple(ids.values()),
                rule="Descriptive: it decides nothing.",
                section=common.section,
            )
        ]
    level = 0.05 / len(run)
    apart = {k: t for k, t in run.items() if t.p < level and t.ci[0] > t.floor[1]}
    kind, test = max((apart or run).items(), key=lambda item: item[1].auc)
    top = [row for row, loss in giveaways(rows, test, common)[:3] if loss > 0]
    given = f"What gives the fakes away most: {listed([row.info.label for row in top])}. "
    others = "; ".join(f"{k} {t.auc:.2f} ({p_text(t.p, t.p_least)})" for k, t in run.items())
    out = [
        C2ST.finding(
            Verdict.FAIL if apart else Verdict.INCONCLUSIVE,
            f"A classifier ({kind}) on the measures "
            + ("tells the sets apart: " if apart else "does not clearly tell the sets apart: ")
            + f"AUC {test.auc:.2f} (95 % CI {test.ci[0]:.2f} to {test.ci[1]:.2f}; real against "
            f"real {test.floor[0]:.2f} to {test.floor[1]:.2f})",
            (given if apart and top else "") + f"AUC of each: {others}. Not telling "
            "the sets apart is no proof of likeness: another classifier may."
            + off_centre(test.floor),
            estimates=tuple(ids.values()),
            rule=f"Descriptive, no gate: told apart if p < 0.05 / {len(run)} classifiers and the "
            "95 % CI lies above the real-against-real floor; never a PASS.",
            section=common.section,
        )
    ]
    kind, test = min(run.items(), key=lambda item: item[1].auc)
    if test.p_below <= LEAK_P and test.auc < test.floor[0]:
        out.append(
            C2ST_LEAK.finding(
                Verdict.FAIL,
                f"A classifier ({kind}) does far worse than chance, AUC {test.auc:.2f}: synthetic "
                "records are near-copies of real ones",
                "An AUC below 0.5 arises where a held-out record has its near-twin, "
                "with the other label, among the training records. Run `ecgeval audit`.",
                estimates=(ids[kind],),
                rule="FAIL if an AUC is below its real-against-real floor and the permutation p of "
                f"an AUC this low is at most {LEAK_P:g}; "
                f"here {p_text(test.p_below, test.p_least)}.",
                section=common.section,
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
        return KS.finding(
            Verdict.NOT_ASSESSABLE,
            "No measure has enough values to be compared",
            rule="Descriptive: it decides nothing.",
            section=common.section,
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
            f" Not decided: {listed([row.info.label for row in open_])}, whose p is the smallest "
            f"that this number of draws can give ({max(r.result.p_least for r in open_):.2g}) and "
            "still too large after correction" + (": run without --quick." if quick else ".")
        )
    return KS.finding(
        Verdict.INCONCLUSIVE,
        title,
        text,
        estimates=tuple(
            f"{common.section}.{row.column}.{name}"
            for row in shown
            for name in ("cliffs_delta", "median_diff")
        ),
        rule="Descriptive, no gate: Kolmogorov-Smirnov (Watson U2 for angles), Benjamini-Hochberg "
        "q = 0.05 over measures. Significance is never a verdict.",
        section=common.section,
    )


def _effect(row: Row, margins: Margins) -> str:
    delta = quantity(row.result.stats["cliffs_delta"].value, sign=True)
    return f"{row.info.label} {delta} ({shift(row)}, {side(row, margins)})"
