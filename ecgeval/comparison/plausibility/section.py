"""Would these pass as the ECGs of people? Rules for a normal ECG, and what leads and signals show.

The share of rule-normal synthetic records means nothing by itself: what counts is its distance to
that of the real records, measured by the same delineation and judged by the same limits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from ecgeval.comparison.pair import Pair, Side
from ecgeval.comparison.plausibility.checks import (
    ALGEBRA,
    INTERPRETER,
    LEADS,
    NORMAL,
    SIGNAL,
    SLUG,
    STATISTICS,
)
from ecgeval.comparison.plausibility.findings import largest_differences, normal_finding
from ecgeval.comparison.plausibility.interpreter import join_interpreter
from ecgeval.comparison.plausibility.lead_algebra import compare_lead_algebra
from ecgeval.comparison.plausibility.linear_maps import with_map_residuals
from ecgeval.comparison.plausibility.normal_share import (
    ShareDifference,
    label_columns,
    normal_shares,
    with_rule_columns,
)
from ecgeval.comparison.plausibility.rule_table import load_rules
from ecgeval.comparison.plausibility.rules import apply_rules
from ecgeval.comparison.plausibility.signals import check_estimates, compare_checks
from ecgeval.comparison.plausibility.tables import (
    interpreter_table,
    percent,
    range_text,
    rules_figure,
    rules_table,
    signal_figure,
    signal_table,
)
from ecgeval.errors import UsageError
from ecgeval.parallel import child_rng
from ecgeval.results import Estimate, Results, Section, Verdict
from ecgeval.wording import between, quantity

__all__ = ["compare", "compare_normal"]


def compare(pair: Pair) -> Results:
    """Compare how many records keep the rules for a normal ECG, and how leads and signals behave.

    Parameters
    ----------
    pair : Pair
        Of it: measures, patients, `Side.known` (``sex``, ``age``), `Side.checks`, `derived`,
        `Side.interpreter`, margins.

    Returns
    -------
    Results
        One section. ``PLAUS-NORMAL`` decides; ``PLAUS-ALGEBRA``, ``PLAUS-LEADS``, ``PLAUS-SIGNAL``
        and ``PLAUS-INTERPRETER`` describe.

    Raises
    ------
    UsageError
        If labels or checks do not match the rows, or no rule can be judged.
    DataError
        If an interpreter's output cannot be read or matches no record.

    References
    ----------
    Newcombe 1998, Stat Med 17:873; Schuirmann 1987, J Pharmacokinet Biopharm 15:657; the source
    of each rule is in ``rules.toml``.
    """
    sides = {"real": pair.real, "synthetic": pair.synth}
    for which, side in sides.items():
        _check_rows(side, which)
    n_real, n_synth = (len(side.measures) for side in sides.values())
    checked = all(side.checks is not None for side in sides.values())
    text = (
        f"{n_real:,} real and {n_synth:,} synthetic records by the rules "
        f"{load_rules().version}. Rules describe a textbook's normal ECG; they are no diagnosis."
    )
    if not checked:
        text += " Without the waveforms of both sets, leads and signals were not checked."
    title = "Plausibility: would these pass as the ECGs of people?"
    out = Results(sections=(Section(SLUG, title, text),))
    if not n_real or not n_synth:
        nothing = NORMAL.finding(
            Verdict.NOT_ASSESSABLE,
            f"There is nothing to compare: the {'synthetic' if n_real else 'real'} set is empty",
            section=SLUG,
            rule="Needs records in both sets.",
        )
        return out + Results(findings=(nothing,))
    pair.progress("plausibility: rules", 0, 1)
    out += compare_normal(pair)
    pair.progress("plausibility: rules", 1, 1)
    out += _leads_and_signals(pair) if checked else _unchecked()
    for which, side in sides.items():
        if side.interpreter is not None:
            # What judged the shares judges here: without both sets' signal checks, measures alone.
            out += _interpreter(pair, side, which, side.checks if checked else None)
    return out


def _check_rows(side: Side, which: str) -> None:
    for other, what in ((side.checks, "signal checks"), (side.labels, "labels")):
        if other is not None and len(other) != len(side.measures):
            raise UsageError(
                f"{len(other)} rows of {what} for {len(side.measures)} records of the {which} set; "
                "expected one row a record, in the same order"
            )


def compare_normal(pair: Pair, stream: str = SLUG) -> Results:
    """Compare how many records keep the rules for a normal ECG (see `normal_shares`)."""
    found = normal_shares(pair, stream)
    return Results(
        estimates=tuple(
            _share_estimate(difference, strict, pair.seed)
            for strict, differences in found.differences.items()
            for difference in differences
        ),
        findings=(normal_finding(found, pair.margins.plausibility),),
        tables=(rules_table(found),),
        figures=(rules_figure(found),),
    )


def _share_estimate(s: ShareDifference, strict: bool, seed: int) -> Estimate:
    name = "pass_diff" if strict else "pass_diff_alternative"
    about = STATISTICS[name]
    limits = "strict" if strict else "alternative"
    method = (
        f"not computed: {s.too_few}"
        if s.too_few
        else f"share passing, S - R, {limits} limits ({range_text(s.synth)} against "
        f"{range_text(s.real)}); CI Newcombe, on records over the design effect of patients"
    )
    if s.real[0] < s.real[1] or s.synth[0] < s.synth[1]:
        method += "; over all limits that sex and age may ask for, the largest difference"
    return Estimate(
        id=f"{SLUG}.{s.id}.{name}",
        value=None if s.too_few else 100 * s.difference,
        ci=None if s.too_few else percent(s.ci),
        floor=percent(s.floor) if s.floor else None,
        n_real=s.n[0],
        n_synth=s.n[1],
        patients_real=s.patients[0],
        patients_synth=s.patients[1],
        unit=about.unit or "",
        better=about.better,
        null=about.null,
        method=method,
        seed=seed,
        label=f"{s.label}: difference in the share that passes ({limits} limits)",
    )


def _unchecked() -> Results:
    findings = (
        check.finding(
            Verdict.NOT_ASSESSABLE,
            f"{what} were not checked: waveforms of both sets are needed",
            section=SLUG,
            rule="Needs signal checks of both sets.",
        )
        for check, what in ((ALGEBRA, "Sums of leads"), (LEADS, "Leads"), (SIGNAL, "Signals"))
    )
    return Results(findings=tuple(findings))


def _leads_and_signals(pair: Pair) -> Results:
    assert pair.real.checks is not None
    assert pair.synth.checks is not None
    checks = with_map_residuals((pair.real.checks, pair.synth.checks), pair)
    rows = compare_checks(pair, checks)
    algebra = compare_lead_algebra(pair, checks)
    return Results(
        estimates=(*algebra.estimates, *check_estimates(rows, pair.seed)),
        findings=(
            *algebra.findings,
            *(
                largest_differences(check, [r for r in rows if r.check.group == group], what)
                for check, group, what in (
                    (LEADS, "leads", "how the leads of a record belong together"),
                    (SIGNAL, "signal", "the signal itself"),
                )
            ),
        ),
        tables=(signal_table(rows), *algebra.tables),
        figures=(signal_figure(rows),),
    )


def _interpreter(pair: Pair, side: Side, which: str, checks: pd.DataFrame | None) -> Results:
    """Compare the rules with another interpreter of the records of one set."""
    assert side.interpreter is not None
    (table,) = with_rule_columns([(side.measures, checks)])
    sample = pair.samples_of([])[which == "synthetic"]
    found = {
        limits: join_interpreter(
            apply_rules(table, strict=limits == "strict", **label_columns(side.known)),
            side.interpreter,
            sample.patient,
            rng=child_rng(pair.seed, f"{SLUG}.interpreter_{which}.{limits}", "kappa"),
            draws=pair.effort.bootstrap,
        )
        for limits in ("strict", "alternative")
    }
    about = STATISTICS["kappa"]
    prefix = {"strict": "", "alternative": "alternative_"}
    short = {"real": "real", "synthetic": "synth"}[which]
    sizes: dict[str, Any] = {
        f"n_{short}": found["strict"].n,
        f"patients_{short}": found["strict"].patients,
    }
    estimates = tuple(
        Estimate(
            id=f"{SLUG}.interpreter_{which}.{prefix[limits]}kappa",
            value=a.kappa,
            ci=a.ci,
            unit="",
            better=about.better,
            null=about.null,
            seed=pair.seed,
            method="2 x 2 table of records; CI bootstrap of patients"
            if a.kappa is not None
            else "not computed: one of the two calls all records the same",
            label=f"rules ({limits} limits) against the interpreter, {which} set: Cohen's kappa",
            **sizes,
        )
        for limits, a in found.items()
    )
    a = found["alternative"]
    kappa = "κ not defined" if a.kappa is None else f"κ {quantity(a.kappa)}"
    if a.ci:
        kappa += f" (95 % CI {between(a.ci)})"
    finding = INTERPRETER.finding(
        Verdict.INCONCLUSIVE if a.n else Verdict.NOT_ASSESSABLE,
        f"Rules and interpreter agree on {int(np.trace(a.counts)):,} of {a.n:,} {which} records, "
        f"{kappa}",
        "Alternative limits; the table has both. The rules call a record normal if it keeps every "
        "one of them, an interpreter by its own criteria: they need not agree, but their agreement "
        "should be alike in both sets.",
        section=SLUG,
        rule="Descriptive, no gate: agreement with another interpreter is no proof of either.",
        estimates=tuple(e.id for e in estimates),
    )
    return Results(
        estimates=estimates, findings=(finding,), tables=(interpreter_table(found, which),)
    )
