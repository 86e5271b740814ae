"""Tables of the section, and the data of its figures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ecgeval.comparison.plausibility.checks import SLUG
from ecgeval.comparison.plausibility.interpreter import Agreement
from ecgeval.comparison.plausibility.normal_share import NormalShares
from ecgeval.comparison.plausibility.signals import CheckComparison
from ecgeval.results import Figure, Table
from ecgeval.signal_checks import CHECKS
from ecgeval.stats.arrays import Floats

__all__ = [
    "algebra_table",
    "interpreter_table",
    "percent",
    "range_text",
    "rules_figure",
    "rules_table",
    "signal_figure",
    "signal_table",
]


def percent(ends: tuple[float, float]) -> tuple[float, float]:
    """Return two proportions in %."""
    return 100 * ends[0], 100 * ends[1]


def range_text(ends: tuple[float, float]) -> str:
    """Return a share in %, or a range of shares."""
    low, high = (100 * end for end in ends)
    return f"{low:.1f} %" if high - low < 0.05 else f"{low:.1f} to {high:.1f} %"


def rules_table(found: NormalShares) -> Table:
    """Return the shares that keep each rule and their differences."""
    rows = []
    for strict, differences in found.differences.items():
        for rule, s in zip([*found.rules, None], differences, strict=True):
            floor = s.floor or (np.nan, np.nan)
            numbers = {
                "difference, points": 100 * s.difference,
                "90 % low": 100 * s.ci90[0],
                "90 % high": 100 * s.ci90[1],
                "95 % low": 100 * s.ci[0],
                "95 % high": 100 * s.ci[1],
                "floor low": 100 * floor[0],
                "floor high": 100 * floor[1],
                "not measurable, real %": 100 * s.missing[0],
                "not measurable, synthetic %": 100 * s.missing[1],
            }
            rows.append(
                {
                    "rule": s.label,
                    "limits": "strict" if strict else "alternative",
                    "real passing": s.too_few or range_text(s.real),
                    "synthetic passing": s.too_few or range_text(s.synth),
                    **(dict.fromkeys(numbers) if s.too_few else numbers),
                    "limit": rule.text(strict) if rule else "every rule that counts",
                    "source": rule.source if rule else "",
                }
            )
    return Table.of(
        pd.DataFrame(rows),
        f"{SLUG}.rules",
        "The rules for a normal ECG, one by one",
        caption="Share of the records in which a rule could be measured; for all rules, of all "
        "records of adults. A difference is synthetic minus real; the 90 % interval decides. The "
        "floor is the same difference between halves of the real patients, at the sizes compared.",
        section=SLUG,
    )


def rules_figure(found: NormalShares) -> Figure:
    """Return the differences in the share that keeps each rule, with their intervals."""
    rows = [
        {
            "label": s.label,
            "value": 100 * s.difference,
            "ci": percent(s.ci),
            "floor": percent(s.floor) if s.floor else None,
            "group": f"{'strict' if strict else 'alternative'} limits",
        }
        for strict, differences in found.differences.items()
        for s in differences
        if not s.too_few
    ]
    return Figure(
        f"{SLUG}.rules",
        "effects",
        "Share of records that keep each rule, synthetic minus real",
        {
            "xlabel": "difference in the share that passes, percentage points",
            "null": 0,
            "rows": rows,
        },
        caption="Interval: Newcombe, by patient. Band: real against real at the same sizes.",
        section=SLUG,
    )


def signal_table(rows: Sequence[CheckComparison]) -> Table:
    """Return quantiles of each check in either set, and how far they are apart."""

    def quantiles(values: Floats, name: str) -> dict[str, float]:
        ends = np.quantile(values, (0.5, 0.05, 0.95)) if len(values) else (np.nan,) * 3
        return dict(zip((f"{name} median", f"{name} 5 %", f"{name} 95 %"), ends, strict=True))

    body = []
    for row in rows:
        stat = row.result.stats.get("cliffs_delta")
        body.append(
            {
                "check": row.check.label,
                "unit": row.check.unit,
                **quantiles(row.real, "real"),
                **quantiles(row.synth, "synthetic"),
                "Cliff's δ": stat.value if stat else None,
                "95 % low": stat.ci[0] if stat else None,
                "95 % high": stat.ci[1] if stat else None,
                "floor low": stat.floor[0] if stat else None,
                "floor high": stat.floor[1] if stat else None,
                "adjusted p": row.p_adjusted,
                "synthetic outside the real 95 %, %": 100 * row.outside,
                "definition": row.check.definition,
            }
        )
    return Table.of(
        pd.DataFrame(body),
        f"{SLUG}.signal",
        "Leads and signals, check by check",
        caption="Of records alike, 5 % of the synthetic ones lie outside the central 95 % of the "
        "real ones. p of Kolmogorov-Smirnov, adjusted over checks (Benjamini-Hochberg).",
        section=SLUG,
    )


def signal_figure(rows: Sequence[CheckComparison]) -> Figure:
    """Return Cliff's delta of each check, with its interval."""
    groups = {"leads": "how leads belong together", "signal": "the signal"}
    body = [
        {
            "label": row.check.label,
            "value": stat.value,
            "ci": stat.ci,
            "floor": stat.floor,
            "group": groups[row.check.group],
        }
        for row in rows
        if (stat := row.result.stats.get("cliffs_delta")) is not None
    ]
    return Figure(
        f"{SLUG}.signal",
        "effects",
        "Leads and signals: Cliff's δ of each check",
        {"xlabel": "Cliff's δ", "null": 0, "rows": body},
        caption="Interval: bootstrap of patients. Band: real against real at the same sizes.",
        section=SLUG,
    )


def algebra_table(checks: Sequence[pd.DataFrame]) -> Table:
    """Return how large the residuals of the sums of leads are in either set."""
    rows = [
        {
            "check": check.label,
            "unit": check.unit,
            **{
                f"{which} {end}": float(np.nanquantile(frame[name], q))
                for which, frame in zip(("real", "synthetic"), checks, strict=True)
                for end, q in (("median", 0.5), ("95th percentile", 0.95))
            },
        }
        for name, check in CHECKS.items()
        if check.group == "algebra"
    ]
    return Table.of(
        pd.DataFrame(rows),
        f"{SLUG}.algebra",
        "Sums of leads that must be 0",
        caption="Residual by record, over the whole record.",
        section=SLUG,
    )


def interpreter_table(found: Mapping[str, Agreement], which: str) -> Table:
    """Return the 2 x 2 table of rules and interpreter under either limits."""
    rows = [
        {
            "set": which,
            "limits": limits,
            "rules": ours,
            "interpreter normal": int(a.counts[i, 0]),
            "interpreter not normal": int(a.counts[i, 1]),
            "kappa": a.kappa,
            "95 % low": a.ci[0] if a.ci else None,
            "95 % high": a.ci[1] if a.ci else None,
            "without a statement": a.unmatched,
            "depends on sex or age": a.undecided,
        }
        for limits, a in found.items()
        for i, ours in enumerate(("normal", "not normal"))
    ]
    return Table.of(
        pd.DataFrame(rows),
        f"{SLUG}.interpreter_{which}",
        f"Rules against the interpreter, {which} set",
        section=SLUG,
        caption=f"Interpreter's column: {found['alternative'].column}.",
    )
