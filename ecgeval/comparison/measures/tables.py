"""Tables and figure data of a comparison of measures."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from ecgeval.comparison import figures as data_of
from ecgeval.comparison.declared import (
    decide_location,
    decide_shape,
    decide_spread,
    difference_text,
    within_margin,
)
from ecgeval.comparison.margins import Margins
from ecgeval.comparison.measures.checks import SLUG
from ecgeval.comparison.measures.practical_size import PRACTICAL, giveaways, largest
from ecgeval.comparison.planning import power_text
from ecgeval.comparison.rows import Row, median_iqr, relative_margins
from ecgeval.measures import Measure
from ecgeval.results import Figure, Table
from ecgeval.stats.arrays import Floats
from ecgeval.stats.two_sample import C2st
from ecgeval.stats.univariate import CIRCULAR, LINEAR
from ecgeval.wording import between, quantity

__all__ = ["figures", "power_table", "tables"]

LARGEST = 10

_HEADINGS = {
    "ks": "KS D",
    "cliffs_delta": "Cliff's δ",
    "hedges_g": "Hedges g",
    "wasserstein": "Wasserstein",
    "log_sd_ratio": "ln SD ratio",
    "median_diff": "difference",
    "watson_u2": "Watson U²",
    "circ_mean_diff": "difference",
    "circ_wasserstein": "circular Wasserstein",
}


def tables(
    rows: Sequence[Row],
    adjusted: Mapping[str, float],
    any_dependence: Mapping[str, float],
    tests: Mapping[str, C2st | str],
    margins: Margins,
) -> list[Table]:
    """Return the tables that have rows.

    Parameters
    ----------
    rows : sequence of Row
    adjusted, any_dependence : mapping of str to float
        p-values by column, adjusted as Benjamini and Hochberg, and Benjamini and Yekutieli, do.
    tests : mapping of str to C2st or str
        By classifier, its two-sample test or why it was not run.
    margins : Margins
    """
    by_column = {row.column: row for row in rows}
    declared = [by_column[c] for c in margins.primary if c in by_column]

    def everything(circular: bool) -> list[dict[str, Any]]:
        return [
            _all_statistics(row, adjusted.get(row.column), any_dependence.get(row.column))
            for row in rows
            if row.info.circular == circular
        ]

    out = [
        _table(
            map(_against_margins, declared),
            "summary",
            "Declared measures against their margins",
            "Median [quartiles]; for angles the mean direction. Difference: synthetic "
            f"minus real. Margins: {margins.level}, {margins.source}{relative_margins(declared)}.",
        ),
        _table(
            map(_effect, largest(rows)[:LARGEST]),
            "largest",
            "Largest effects",
            "By Cliff's δ (95 % CI; floor: real against real). Differences of medians by "
            f"less than a practical size come last: {PRACTICAL}. Margin: where the 90 % CI of the "
            "difference lies.",
        ),
        _table(
            everything(circular=False),
            "measures",
            "All measures",
            "Median [quartiles]. Signed numbers are positive where synthetic values are "
            "larger. p of KS, adjusted for the number of measures (Benjamini-Hochberg; BY: "
            "Benjamini-Yekutieli, for any dependence of the measures).",
        ),
        _table(
            everything(circular=True),
            "angles",
            "All angles",
            "Mean direction. p of Watson's U², adjusted with the other measures.",
        ),
        _table(
            map(_missing, rows),
            "missing",
            "Missing and implausible values",
            "Shares of records without a value, their difference in percentage points; "
            "shares of values outside the plausible range.",
        ),
    ]
    fitted = {kind: test for kind, test in tests.items() if isinstance(test, C2st)}
    if fitted:
        out.append(_giveaways(rows, fitted))
    return [table for table in out if table.rows]


def _table(rows: Iterable[Mapping[str, Any]], name: str, title: str, caption: str) -> Table:
    frame = pd.DataFrame(list(rows))
    return Table.of(frame, f"{SLUG}.{name}", title, caption=caption, section=SLUG)


def _against_margins(row: Row) -> dict[str, Any]:
    stat, unit = row.result.stats.get(row.location), row.info.unit
    ends = [quantity(x, unit).removesuffix(f" {unit}") for x in stat.ci90] if stat else []
    log_ratio = _value(row, "log_sd_ratio")
    return {
        "measure": row.info.label,
        "unit": unit,
        "real": median_iqr(row.real, row.info),
        "synthetic": median_iqr(row.synth, row.info),
        "difference": stat.value if stat else None,
        "90 % CI": " to ".join(ends) or "–",
        "margin ±": row.margin,
        "verdict": str(decide_location(row).verdict),
        "SD ratio": None if log_ratio is None else math.exp(log_ratio),
        "spread": "" if row.info.circular else str(decide_spread(row).verdict),
        "shape": str(decide_shape(row).verdict),
    }


def _effect(row: Row) -> dict[str, Any]:
    delta = row.result.stats["cliffs_delta"]
    return {
        "measure": row.info.label,
        "delta": delta.value,
        "ci": between(delta.ci),
        "floor": between(delta.floor),
        "difference": quantity(row.result.stats["median_diff"].value, row.info.unit, sign=True),
        "margin": within_margin(row),
    }


def _all_statistics(
    row: Row, adjusted: float | None, any_dependence: float | None
) -> dict[str, Any]:
    return {
        "measure": row.info.label,
        "unit": row.info.unit,
        "real": median_iqr(row.real, row.info),
        "synthetic": median_iqr(row.synth, row.info),
        **{_HEADINGS[n]: _value(row, n) for n in (CIRCULAR if row.info.circular else LINEAR)},
        "p adjusted": adjusted,
        "p adjusted (BY)": any_dependence,
        **({"note": row.result.too_few} if row.result.too_few else {}),
    }


def _missing(row: Row) -> dict[str, Any]:
    missing = row.missing
    return {
        "measure": row.info.label,
        "real %": 100 * missing.real,
        "synthetic %": 100 * missing.synth,
        "difference": 100 * (missing.synth - missing.real),
        "95 % CI low": 100 * missing.ci[0],
        "95 % CI high": 100 * missing.ci[1],
        "implausible real %": _implausible(row.real, row.info),
        "implausible synthetic %": _implausible(row.synth, row.info),
    }


def _implausible(values: Floats, info: Measure) -> float | None:
    if not len(values):
        return None
    return 100 * float(((values < info.low) | (values > info.high)).mean())


def _value(row: Row, name: str) -> float | None:
    stat = row.result.stats.get(name)
    return float(stat.value) if stat is not None and math.isfinite(stat.value) else None


def _giveaways(rows: Sequence[Row], fitted: Mapping[str, C2st]) -> Table:
    """Return what each classifier loses without a measure, in the order of the last one."""
    kind, last = list(fitted.items())[-1]
    top = [row for row, _ in giveaways(rows, last)[:20]]
    lost = {
        f"AUC lost ({k})": dict(zip((row.column for row in rows), test.importance, strict=True))
        for k, test in fitted.items()
    }
    return _table(
        (
            {
                "measure": row.info.label,
                **{heading: losses[row.column] for heading, losses in lost.items()},
                "Cliff's δ": _value(row, "cliffs_delta"),
                "difference": difference_text(row) if row.result.stats else "–",
                "margin": within_margin(row),
            }
            for row in top
        ),
        "giveaways",
        "What gives the synthetic records away",
        "Fall of the held-out AUC when a measure is permuted among records; by "
        f"{kind}. Measures that say the same share the loss. Measures whose median and "
        f"quartiles differ by less than a practical size come last: {PRACTICAL}.",
    )


def power_table(plan: pd.DataFrame, margins: Margins) -> Table:
    """Return what these sizes could show at best, from `planned_power`."""
    shown = plan[["measure", "statistic", "margin", "unit", "power", "at_most", "needed"]].rename(
        columns={"margin": "margin ±", "at_most": "power at most", "needed": "records needed"}
    )
    medians = plan[plan["statistic"] == "median"]
    grown = [
        str(label)
        for column, label, margin in medians[["column", "measure", "margin"]].to_numpy()
        if margin > (margins.of(column, 0.0) or 0.0)
    ]
    note = f"; a share of the real median for {', '.join(grown)}" if grown else ""
    return Table.of(
        shown,
        f"{SLUG}.power",
        "Power to show equivalence",
        caption=f"{power_text(plan)} Probability that a test of equivalence passes at these sizes "
        f"if the sets do not differ (margins of SD ratios on the log scale{note}; percentiles: the "
        "hardest of the 5th, 25th, 75th and 95th). At most: with any number of synthetic records. "
        "Records needed in each set for 80 %, with as many a patient as here. Normal "
        "approximation; each test alone: a PASS needs all of them.",
        section=SLUG,
    )


# ---- figures ---------------------------------------------------------------------------------


def figures(rows: Sequence[Row], tests: Mapping[str, C2st | str]) -> list[Figure]:
    """Return the data of the figures that have something to show."""
    declared = [r for r in rows if r.column in r.margins.primary and len(r.real) and len(r.synth)]
    deltas = [(row.info, delta) for row in rows if (delta := row.result.stats.get("cliffs_delta"))]
    shifts = [(row.info, row.result.shift) for row in declared if row.result.shift is not None]
    curves = {kind: test for kind, test in tests.items() if isinstance(test, C2st)}
    drawn: list[tuple[str, str, str, dict[str, Any] | None, str]] = [
        (
            "distributions",
            "distributions",
            "Declared measures, real and synthetic",
            data_of.distributions([(r.column, r.info, r.real, r.synth) for r in declared])
            if declared
            else None,
            "Density of either set on common bins; the outermost bins hold the rest.",
        ),
        (
            "effects",
            "effects",
            "Cliff's delta of every measure",
            data_of.effects(deltas) if deltas else None,
            "Positive: larger in the synthetic set. Bars: 95 % CI by patient; grey: real "
            "against real at the same sizes.",
        ),
        (
            "shift",
            "curves",
            "Shift function of the declared measures",
            data_of.shifts(shifts) if shifts else None,
            "Synthetic minus real quantile, at each share of the records. Band: 95 % "
            "confidence for the whole curve, by patient; floor: where 95 % of the whole curves "
            "of real against real lie at these sizes.",
        ),
        (
            "roc",
            "roc",
            "Classifier two-sample test, held-out patients",
            data_of.roc(curves) if curves else None,
            "On the diagonal the sets cannot be told apart.",
        ),
    ]
    return [
        Figure(f"{SLUG}.{name}", kind, title, data, caption, SLUG)
        for name, kind, title, data, caption in drawn
        if data
    ]
