"""Conclusions on fidelity, each with the rule that led to it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from ecgeval.comparison.declared import (
    FDR,
    LEAK_P,
    NO_CHANCE,
    Decision,
    decide_location,
    decide_shape,
    decide_spread,
    difference_text,
    intersection,
    within_margin,
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
    SLUG,
    SPREAD,
)
from ecgeval.comparison.measures.practical_size import (
    PRACTICAL,
    below_practical_size,
    giveaways,
    largest,
)
from ecgeval.comparison.rows import Row
from ecgeval.measures import measure_info
from ecgeval.results import Finding, Verdict
from ecgeval.stats.equivalence import tost
from ecgeval.stats.sample import Sample
from ecgeval.stats.two_sample import C2st, off_centre
from ecgeval.wording import between, listed, p_text, quantity

__all__ = ["classifier", "copies", "differences", "empty", "equivalence", "missing"]

MIN_IDENTICAL = 10


# ---- the declared measures -------------------------------------------------------------------


def equivalence(rows: Sequence[Row], margins: Margins) -> list[Finding]:
    """Return FID-EQUIV, FID-SPREAD and FID-SHAPE: all declared measures inside their margins."""
    by_column = {row.column: row for row in rows}

    def decided(decide: Callable[[Row], Decision], columns: Sequence[str]) -> dict[str, Decision]:
        return {
            column: decide(by_column[column])
            if column in by_column
            else Decision(
                Verdict.NOT_ASSESSABLE, f"{measure_info(column).label} is not in both tables"
            )
            for column in columns
        }

    each = f"Each of {len(margins.primary)} declared measures: 90 % CI of the difference of"
    words = (
        f"PASS if all are inside, FAIL if one lies wholly outside {NO_CHANCE}, else INCONCLUSIVE."
    )
    return [
        intersection(
            EQUIV,
            "median",
            decided(decide_location, margins.primary),
            section=SLUG,
            rule=f"{each} medians (mean directions for angles) inside the {margins.level} margin "
            f"of {margins.source}. {words}",
        ),
        intersection(
            SPREAD,
            "standard deviation",
            decided(decide_spread, [c for c in margins.primary if not measure_info(c).circular]),
            section=SLUG,
            rule="Each declared measure that is not an angle: 90 % CI of the ratio of standard "
            f"deviations inside {margins.sd_ratio[0]:g} to {margins.sd_ratio[1]:g}. {words}",
        ),
        intersection(
            SHAPE,
            "shape",
            decided(decide_shape, margins.primary),
            section=SLUG,
            rule=f"{each} the 5th, 25th, 75th and 95th percentiles inside the margin (not for "
            "angles), and the upper one-sided 95 % limit of the Wasserstein distance below it; "
            f"{margins.level} margins of {margins.source}. {words}",
        ),
    ]


def missing(rows: Sequence[Row], margins: Margins) -> Finding:
    """Return FID-MISSING: declared measures are missing about as often in either set."""
    limit = margins.missing
    decisions = {}
    for row in rows:
        if row.column not in margins.primary:
            continue
        real, synth, ends = row.missing.real, row.missing.synth, row.missing.ci90
        shares = (
            f"missing in {100 * synth:.1f} % of synthetic and {100 * real:.1f} % of real records"
            if synth or real
            else "missing in no record of either set"
        )
        sentence = (
            f"{row.info.label} is {shares} (difference, 90 % CI "
            f"{between((100 * ends[0], 100 * ends[1]))} percentage points; "
            f"margin ±{100 * limit:g})"
        )
        verdict, off = tost(ends, -limit, limit), abs(synth - real) / limit
        decisions[row.column] = Decision(verdict, sentence, off, "missing_diff")
    return intersection(
        MISSING,
        "share of missing values",
        decisions,
        section=SLUG,
        rule="Each declared measure: 90 % CI (Newcombe) of the difference of the shares "
        f"without a value inside ±{100 * limit:g} percentage points. PASS if all are inside, "
        "FAIL if one lies wholly outside, else INCONCLUSIVE.",
    )


def empty(rows: Sequence[Row], absent: Mapping[str, str], margins: Margins) -> list[Finding]:
    """Return FID-EMPTY for what a set has no value of at all, or no column."""
    shares = [(row.column, row.missing.real, row.missing.synth) for row in rows]
    only = {
        ("synthetic", "real"): [column for column, real, synth in shares if synth == 1 > real],
        ("real", "synthetic"): [column for column, real, synth in shares if real == 1 > synth],
    }
    cases = [
        (
            Verdict.FAIL,
            columns,
            f"No {which} record has a value of {{}}, while {other} records do",
            "Either the waves are not there, or the signals are not what the delineation expects "
            "(unit, rate, leads). Look at a few records first.",
            "A measure without any value in one set only is a failure.",
        )
        for (which, other), columns in only.items()
    ]
    cases.append(
        (
            Verdict.NOT_ASSESSABLE,
            [column for column, real, synth in shares if real == synth == 1],
            "No record of either set has a value of {}",
            "The delineation that was used may not give these measures.",
            "A measure without any value in both sets cannot be compared.",
        )
    )
    cases += [
        (
            Verdict.NOT_ASSESSABLE,
            [column for column, lacking in absent.items() if lacking == which],
            f"The {which} table has no column for {{}}",
            "Columns of one table only are not compared.",
            "A measure needs a column in both tables.",
        )
        for which in ("synthetic", "real")
    ]
    return [
        EMPTY.finding(
            verdict,
            title.format(listed([measure_info(column).label for column in columns])),
            explanation,
            estimates=[f"{SLUG}.{c}.missing_diff" for c in columns if verdict == Verdict.FAIL],
            rule=rule,
            section=SLUG,
            decides=verdict == Verdict.FAIL or any(c in margins.primary for c in columns),
        )
        for verdict, columns, title, explanation, rule in cases
        if columns
    ]


# ---- copies, and what gives the synthetic set away -------------------------------------------


def copies(samples: tuple[Sample, Sample]) -> list[Finding]:
    """Return FID-COPIES where synthetic rows equal real ones in every measure."""
    rows = []
    for sample in samples:
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
            section=SLUG,
        )
    ]


def classifier(tests: Mapping[str, C2st | str], rows: Sequence[Row]) -> list[Finding]:
    """Return FID-C2ST on the strongest classifier, and FID-C2ST-LEAK where one is deceived."""
    ids = {kind: f"{SLUG}.c2st.{kind}_auc" for kind in tests}
    run = {kind: test for kind, test in tests.items() if isinstance(test, C2st)}
    if not run:
        return [
            C2ST.finding(
                Verdict.NOT_ASSESSABLE,
                f"The classifier two-sample test was not run: {next(iter(tests.values()))}",
                estimates=ids.values(),
                rule="Descriptive: it decides nothing.",
                section=SLUG,
            )
        ]
    level = 0.05 / len(run)
    apart = {k: t for k, t in run.items() if t.p < level and t.ci[0] > t.floor[1]}
    kind, test = max((apart or run).items(), key=lambda item: item[1].auc)
    top = [row.info.label for row, loss in giveaways(rows, test)[:3] if loss > 0]
    given = f"What gives the fakes away most: {listed(top)}. " if apart and top else ""
    others = "; ".join(f"{k} {t.auc:.2f} ({p_text(t.p, t.p_least)})" for k, t in run.items())
    out = [
        C2ST.finding(
            Verdict.FAIL if apart else Verdict.INCONCLUSIVE,
            f"A classifier ({kind}) on the measures "
            + ("tells the sets apart: " if apart else "does not clearly tell the sets apart: ")
            + f"AUC {test.auc:.2f} (95 % CI {test.ci[0]:.2f} to {test.ci[1]:.2f}; real against "
            f"real {test.floor[0]:.2f} to {test.floor[1]:.2f})",
            f"{given}AUC of each: {others}. Not telling the sets apart is no proof of likeness: "
            f"another classifier may.{off_centre(test.floor)}",
            estimates=ids.values(),
            rule=f"Descriptive, no gate: told apart if p < 0.05 / {len(run)} classifiers and the "
            "95 % CI lies above the real-against-real floor; never a PASS.",
            section=SLUG,
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
                estimates=[ids[kind]],
                rule="FAIL if an AUC is below its real-against-real floor and the permutation p of "
                f"an AUC this low is at most {LEAK_P:g}; "
                f"here {p_text(test.p_below, test.p_least)}.",
                section=SLUG,
            )
        )
    return out


# ---- all measures ----------------------------------------------------------------------------


def differences(
    rows: Sequence[Row],
    adjusted: Mapping[str, float],
    any_dependence: Mapping[str, float],
    *,
    quick: bool = False,
) -> Finding:
    """Return FID-KS: how many measures differ, and by how much in units a person can judge.

    Parameters
    ----------
    rows : sequence of Row
    adjusted, any_dependence : mapping of str to float
        p-values by column, adjusted as Benjamini and Hochberg, and Benjamini and Yekutieli, do.
    quick : bool
    """
    tested = [row for row in rows if row.column in adjusted]
    if not tested:
        return KS.finding(
            Verdict.NOT_ASSESSABLE,
            "No measure has enough values to be compared",
            rule="Descriptive: it decides nothing.",
            section=SLUG,
        )
    found = sum(p <= FDR for p in adjusted.values())
    sure = sum(p <= FDR for p in any_dependence.values())
    ranked = largest(tested)
    large = [row for row in ranked if not below_practical_size(row)]
    shown = (large or ranked)[:3]
    title = (
        f"{found} of {len(tested)} measures differ in distribution at a false discovery rate of 5 %"
    )
    if shown:
        title += "; largest" if large else "; none by a practical size, largest"
        title += f" Cliff's δ: {', '.join(map(_effect, shown))}"
    return KS.finding(
        Verdict.INCONCLUSIVE,
        title,
        "With many records any difference, however small, is found, and with few none: read the "
        "sizes of the effects and the equivalence findings instead."
        f" Whatever the dependence of the measures (Benjamini-Yekutieli): {sure} of {len(tested)}."
        + _sizes(shown, ranked)
        + _too_few_draws([row for row in tested if adjusted[row.column] > FDR], quick),
        estimates=[
            f"{SLUG}.{row.column}.{name}"
            for row in shown
            for name in ("cliffs_delta", "median_diff")
        ],
        rule="Descriptive, no gate: Kolmogorov-Smirnov (Watson U2 for angles), Benjamini-Hochberg "
        "q = 0.05 over measures. Significance is never a verdict.",
        section=SLUG,
    )


def _sizes(shown: Sequence[Row], ranked: Sequence[Row]) -> str:
    """Return the intervals of the effects shown, and what is larger in ranks but small in fact."""
    if not shown:
        return ""
    deltas = {row.column: row.result.stats["cliffs_delta"] for row in ranked}
    with_ci = [f"{row.info.label} {between(deltas[row.column].ci)}" for row in shown]
    text = f" With 95 % CI: {', '.join(with_ci)}. A practical size is {PRACTICAL}."
    least = min(abs(deltas[row.column].value) for row in shown)
    passed = [r for r in ranked if r not in shown and abs(deltas[r.column].value) > least][:3]
    if passed:
        text += " Farther apart in rank, but by less than that: "
        text += ", ".join(map(_effect, passed)) + "."
    return text


def _effect(row: Row) -> str:
    delta = quantity(row.result.stats["cliffs_delta"].value, sign=True)
    return f"{row.info.label} {delta} ({difference_text(row)}, {within_margin(row)})"


def _too_few_draws(undecided: Sequence[Row], quick: bool) -> str:
    """Return which measures have the smallest p that the draws can give, and still too large."""
    rows = [row for row in undecided if (row.result.p or 1) <= row.result.p_least * (1 + 1e-9)]
    if not rows:
        return ""
    return (
        f" Not decided: {listed([row.info.label for row in rows])}, whose p is the smallest "
        f"that this number of draws can give ({max(row.result.p_least for row in rows):.2g}) and "
        "still too large after correction" + (": run without --quick." if quick else ".")
    )
