"""Tables and figure data of a comparison."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from ecgeval.comparison import figures
from ecgeval.comparison.declared import location_verdict, shape_verdict, shift, side, spread_verdict
from ecgeval.comparison.margins import Margins
from ecgeval.comparison.measures.findings import giveaways
from ecgeval.comparison.measures.largest import PRACTICAL, largest
from ecgeval.comparison.planning import power_text
from ecgeval.comparison.rows import Common, Row, median_iqr, shares, value_of
from ecgeval.measures import Measure
from ecgeval.results import Figure, Table
from ecgeval.stats.multiplicity import benjamini_yekutieli
from ecgeval.stats.two_sample import C2st
from ecgeval.stats.univariate import CIRCULAR, LINEAR, Stat
from ecgeval.wording import between, quantity

__all__ = ["figures_of", "power_table", "tables"]

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
    tests: Mapping[str, C2st | str],
    common: Common,
) -> list[Table]:
    section = common.section
    by_column = {row.column: row for row in rows}
    any_dependence = _any_dependence(rows)
    summary = []
    for column in common.margins.primary:
        if column not in by_column:
            continue
        row = by_column[column]
        stat: Stat | None = row.result.stats.get(row.location)
        summary.append(
            {
                "measure": row.info.label,
                "unit": row.info.unit,
                "real": median_iqr(row.real, row.info),
                "synthetic": median_iqr(row.synth, row.info),
                "difference": stat.value if stat else None,
                "90 % CI": "–"
                if stat is None
                else "{} to {}".format(
                    *(
                        quantity(x, row.info.unit).removesuffix(f" {row.info.unit}")
                        for x in stat.ci90
                    )
                ),
                "margin ±": row.margin(common.margins),
                "verdict": str(location_verdict(row, common.margins)[0]),
                "SD ratio": _ratio(row),
                "spread": "" if row.info.circular else str(spread_verdict(row, common.margins)[0]),
                "shape": str(shape_verdict(row, common.margins)[0]),
            }
        )
    everything = {
        circular: [
            {
                "measure": row.info.label,
                "unit": row.info.unit,
                "real": median_iqr(row.real, row.info),
                "synthetic": median_iqr(row.synth, row.info),
                **{_HEADINGS[name]: value_of(row, name) for name in statistics},
                "p adjusted": adjusted.get(row.column),
                "p adjusted (BY)": any_dependence.get(row.column),
                **({"note": row.result.too_few} if row.result.too_few else {}),
            }
            for row in rows
            if row.info.circular == circular
        ]
        for circular, statistics in ((False, LINEAR), (True, CIRCULAR))
    }
    missing = [
        {
            "measure": row.info.label,
            "real %": 100 * row.missing.real,
            "synthetic %": 100 * row.missing.synth,
            "difference": 100 * (row.missing.synth - row.missing.real),
            "95 % CI low": 100 * row.missing.ci[0],
            "95 % CI high": 100 * row.missing.ci[1],
            "implausible real %": _implausible(row.real, row.info),
            "implausible synthetic %": _implausible(row.synth, row.info),
        }
        for row in rows
    ]
    effects = [_largest_row(row, common.margins) for row in largest(rows, common.margins)[:LARGEST]]
    out = [
        Table.of(
            pd.DataFrame(summary),
            f"{section}.summary",
            "Declared measures against their margins",
            caption="Median [quartiles]; for angles the mean direction. Difference: synthetic "
            f"minus real. Margins: {common.margins.level}, {common.margins.source}"
            f"{shares([by_column.get(c) for c in common.margins.primary], common.margins)}.",
            section=section,
        ),
        Table.of(
            pd.DataFrame(effects),
            f"{section}.largest",
            "Largest effects",
            caption="By Cliff's δ (95 % CI; floor: real against real). Differences of medians by "
            f"less than a practical size come last: {PRACTICAL}. Margin: where the 90 % CI of the "
            "difference lies.",
            section=section,
        ),
        Table.of(
            pd.DataFrame(everything[False]),
            f"{section}.measures",
            "All measures",
            caption="Median [quartiles]. Signed numbers are positive where synthetic values are "
            "larger. p of KS, adjusted for the number of measures (Benjamini-Hochberg; BY: "
            "Benjamini-Yekutieli, for any dependence of the measures).",
            section=section,
        ),
        Table.of(
            pd.DataFrame(everything[True]),
            f"{section}.angles",
            "All angles",
            caption="Mean direction. p of Watson's U², adjusted with the other measures.",
            section=section,
        ),
        Table.of(
            pd.DataFrame(missing),
            f"{section}.missing",
            "Missing and implausible values",
            caption="Shares of records without a value, their difference in percentage points; "
            "shares of values outside the plausible range.",
            section=section,
        ),
    ]
    out = [table for table in out if table.rows]
    fitted = {kind: test for kind, test in tests.items() if isinstance(test, C2st)}
    if fitted:
        kind, last = list(fitted.items())[-1]
        place = {row.column: i for i, row in enumerate(rows)}
        order = [place[row.column] for row, _ in giveaways(rows, last, common)[:20]]
        top = [rows[i] for i in order]
        frame = pd.DataFrame(
            {
                "measure": [row.info.label for row in top],
                **{f"AUC lost ({kind})": t.importance[order] for kind, t in fitted.items()},
                "Cliff's δ": [value_of(row, "cliffs_delta") for row in top],
                "difference": [shift(row) if row.result.stats else "–" for row in top],
                "margin": [side(row, common.margins) for row in top],
            }
        )
        out.append(
            Table.of(
                frame,
                f"{section}.giveaways",
                "What gives the synthetic records away",
                caption="Fall of the held-out AUC when a measure is permuted among records; by "
                f"{kind}. Measures that say the same share the loss. Measures whose median and "
                f"quartiles differ by less than a practical size come last: {PRACTICAL}.",
                section=section,
            )
        )
    return out


def power_table(plan: pd.DataFrame, common: Common) -> Table:
    """Return what these sizes could show at best, from `planned_power`."""
    shown = plan[["measure", "statistic", "margin", "unit", "power", "at_most", "needed"]].rename(
        columns={"margin": "margin ±", "at_most": "power at most", "needed": "records needed"}
    )
    medians = plan[plan["statistic"] == "median"]
    grown = [
        str(label)
        for column, label, margin in medians[["column", "measure", "margin"]].to_numpy()
        if margin > (common.margins.of(column, 0.0) or 0.0)
    ]
    note = f"; a share of the real median for {', '.join(grown)}" if grown else ""
    return Table.of(
        shown,
        f"{common.section}.power",
        "Power to show equivalence",
        caption=f"{power_text(plan)} Probability that a test of equivalence passes at these sizes "
        f"if the sets do not differ (margins of SD ratios on the log scale{note}; percentiles: the "
        "hardest of the 5th, 25th, 75th and 95th). At most: with any number of synthetic records. "
        "Records needed in each set for 80 %, with as many a patient as here. Normal "
        "approximation; each test alone: a PASS needs all of them.",
        section=common.section,
    )


def _any_dependence(rows: Sequence[Row]) -> dict[str, float]:
    tested = [row for row in rows if row.result.p is not None]
    values = benjamini_yekutieli([row.result.p or 1 for row in tested])
    return {row.column: float(q) for row, q in zip(tested, values, strict=True)}


def _largest_row(row: Row, margins: Margins) -> dict[str, Any]:
    delta = row.result.stats["cliffs_delta"]
    return {
        "measure": row.info.label,
        "delta": delta.value,
        "ci": between(delta.ci),
        "floor": between(delta.floor),
        "difference": quantity(row.result.stats["median_diff"].value, row.info.unit, sign=True),
        "margin": side(row, margins),
    }


def _ratio(row: Row) -> float | None:
    value = value_of(row, "log_sd_ratio")
    return None if value is None else math.exp(value)


def _implausible(values: NDArray[np.float64], info: Measure) -> float | None:
    if not len(values):
        return None
    return 100 * float(((values < info.low) | (values > info.high)).mean())


def figures_of(
    rows: Sequence[Row], tests: Mapping[str, C2st | str], common: Common
) -> list[Figure]:
    section = common.section
    shown = [row for row in rows if row.column in common.margins.primary]
    shown = [row for row in shown if len(row.real) and len(row.synth)]
    out = []
    if shown:
        data = figures.distributions([(row.column, row.info, row.real, row.synth) for row in shown])
        out.append(
            Figure(
                f"{section}.distributions",
                "distributions",
                "Declared measures, real and synthetic",
                data,
                "Density of either set on common bins; the outermost bins hold the rest.",
                section,
            )
        )
    effects = [
        (row.info, row.result.stats["cliffs_delta"])
        for row in rows
        if "cliffs_delta" in row.result.stats
    ]
    if effects:
        out.append(
            Figure(
                f"{section}.effects",
                "effects",
                "Cliff's delta of every measure",
                figures.effects(effects),
                "Positive: larger in the synthetic set. Bars: 95 % CI by patient; grey: real "
                "against real at the same sizes.",
                section,
            )
        )
    moved = [(row.info, row.result.shift) for row in shown if row.result.shift is not None]
    if moved:
        out.append(
            Figure(
                f"{section}.shift",
                "curves",
                "Shift function of the declared measures",
                figures.shifts(moved),
                "Synthetic minus real quantile, at each share of the records. Band: 95 % "
                "confidence for the whole curve, by patient; floor: where 95 % of the whole curves "
                "of real against real lie at these sizes.",
                section,
            )
        )
    curves = {kind: test for kind, test in tests.items() if isinstance(test, C2st)}
    if curves:
        out.append(
            Figure(
                f"{section}.roc",
                "roc",
                "Classifier two-sample test, held-out patients",
                figures.roc(curves),
                "On the diagonal the sets cannot be told apart.",
                section,
            )
        )
    return out
