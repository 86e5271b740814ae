"""Would these pass as the ECGs of people? Rules for a normal ECG, and what leads and signals show.

The share of rule-normal synthetic records means nothing by itself: what counts is its distance to
that of the real records, measured by the same delineation and judged by the same limits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecgeval.catalogue import CATALOGUE
from ecgeval.compare.bootstrap import percentile_interval, subset_weights
from ecgeval.compare.equivalence import Margins, load_margins, tost
from ecgeval.compare.interpreter import Agreement, join_interpreter
from ecgeval.compare.multiplicity import benjamini_hochberg
from ecgeval.compare.rates import effective_n, newcombe
from ecgeval.compare.rows import between, number
from ecgeval.compare.rules import (
    VERSION,
    Judged,
    apply_rules,
    calibrate_rules,
    judge,
)
from ecgeval.compare.signals import (
    CHECKS,
    EXACT_UV,
    FITTED,
    INDEPENDENT,
    LIMB,
    RULE_COLUMNS,
    Check,
    covariances,
)
from ecgeval.compare.univariate import (
    MIN_PATIENTS,
    Comparison,
    Effort,
    Sample,
    compare_columns,
    rescale,
)
from ecgeval.ecgset import DERIVABLE
from ecgeval.errors import UsageError
from ecgeval.parallel import Progress, child_rng, quiet
from ecgeval.results import Estimate, Figure, Finding, Results, Section, Table, Verdict, worst

__all__ = ["apply_rules", "calibrate_rules", "compare_plausibility", "join_interpreter"]

Bools = NDArray[np.bool_]
Floats = NDArray[np.float64]

_UNKNOWN = 0.05
"""Share of records without sex or age above which both sets are judged by the same limits."""

_FDR = 0.05
_OUTSIDE = 0.5
_RIDGE = 1e-3
_POINTS = "percentage points"
_ALGEBRA = [name for name, check in CHECKS.items() if check.group == "algebra"]


def compare_plausibility(
    real: pd.DataFrame,
    synth: pd.DataFrame,
    *,
    patients_real: ArrayLike,
    patients_synth: ArrayLike,
    labels_real: pd.DataFrame | None = None,
    labels_synth: pd.DataFrame | None = None,
    signal_real: pd.DataFrame | None = None,
    signal_synth: pd.DataFrame | None = None,
    leads_derived: Sequence[str] = (),
    interpreter_real: str | Path | pd.DataFrame | None = None,
    interpreter_synth: str | Path | pd.DataFrame | None = None,
    seed: int = 0,
    jobs: int = 1,
    margins: str | Margins = "lenient",
    quick: bool = False,
    progress: Progress = quiet,
    section: str = "plausibility",
) -> Results:
    """Compare how many records keep the rules for a normal ECG, and how leads and signals behave.

    Parameters
    ----------
    real, synth : DataFrame
        One row a record, index record_id, columns as of `ecgeval.measure`.
    patients_real, patients_synth : array_like, shape (n,)
        One patient id a record.
    labels_real, labels_synth : DataFrame, optional
        One row a record with columns ``sex`` (F, M) and ``age`` (years), where known. If either
        is unknown in more than 5 % of a set, both sets are judged by the same limits: those of
        women, then those of men, by age; the difference is then an interval.
    signal_real, signal_synth : DataFrame, optional
        What `ecgeval.compare.signals.signal_checks` returned for the same records.
    leads_derived : sequence of str
        Limb leads that the synthetic set did not generate but computed from I and II: lead
        algebra then holds by construction and is not applicable.
    interpreter_real, interpreter_synth : path or DataFrame, optional
        Another interpreter's output (`join_interpreter`).
    seed, jobs, quick, progress, section
        As in `compare_measures`.
    margins : {"lenient", "strict"} or Margins

    Returns
    -------
    Results
        One section. PLAUS-NORMAL decides; PLAUS-ALGEBRA, PLAUS-LEADS, PLAUS-SIGNAL and
        PLAUS-INTERPRETER describe.

    Raises
    ------
    UsageError
        If ids, labels or checks do not match the rows, or no rule can be judged.
    DataError
        If an interpreter's output cannot be read or matches no record.

    References
    ----------
    Newcombe 1998, Stat Med 17:873; Schuirmann 1987, J Pharmacokinet Biopharm 15:657; the source
    of each rule is in ``rules.toml``.
    """
    margins = load_margins(margins) if isinstance(margins, str) else margins
    tables = (real, synth)
    who = [
        _patients(table, ids, which)
        for table, ids, which in zip(
            tables, (patients_real, patients_synth), ("real", "synthetic"), strict=True
        )
    ]
    checks = [
        _same_rows(table, other, "signal checks", which)
        for table, other, which in zip(
            tables, (signal_real, signal_synth), ("real", "synthetic"), strict=True
        )
    ]
    labels = [
        _same_rows(table, other, "labels", which)
        for table, other, which in zip(
            tables, (labels_real, labels_synth), ("real", "synthetic"), strict=True
        )
    ]
    effort = Effort(500, 200, 999) if quick else Effort(2000, 500, 9999)
    run = _Run(section, seed, margins, (who[0], who[1]), (len(real), len(synth)), effort)
    out = Results(sections=(_head(run, checks),))
    if min(run.records) == 0:
        which = "real" if not run.records[0] else "synthetic"
        nothing = run.finding(
            "PLAUS-NORMAL", Verdict.NOT_ASSESSABLE,
            f"There is nothing to compare: the {which} set is empty", gate=True,
            rule="Needs records in both sets.",
        )  # fmt: skip
        return out + Results(findings=(nothing,))
    progress("plausibility: rules", 0, 1)
    out += _rules(run, tables, labels, checks)
    progress("plausibility: rules", 1, 1)
    out += _signals(run, checks, leads_derived, jobs, progress)
    for k, other in enumerate((interpreter_real, interpreter_synth)):
        if other is not None:
            out += _interpreter(run, tables[k], labels[k], checks[k], other, k)
    return out


@dataclass(frozen=True)
class _Run:
    """What every part of the answer needs: sets come in pairs (real, synthetic)."""

    section: str
    seed: int
    margins: Margins
    who: tuple[NDArray[np.intp], NDArray[np.intp]]
    records: tuple[int, int]
    effort: Effort

    def finding(
        self, code: str, verdict: Verdict, title: str, *, gate: bool = False, **rest: Any
    ) -> Finding:
        return Finding(code, verdict, title, section=self.section, gate=gate, **rest)


def _patients(table: pd.DataFrame, ids: ArrayLike, which: str) -> NDArray[np.intp]:
    """Return patients numbered by name, so that the order of records moves no draw."""
    names = np.asarray(ids, dtype=object)
    if names.shape != (len(table),):
        raise UsageError(
            f"{names.size} patient ids for {len(table)} rows of the {which} table; expected one id "
            "a record"
        )
    if pd.isna(names).any():
        raise UsageError(
            f"{int(pd.isna(names).sum())} records of the {which} table have no patient id; give "
            "each an id of its own if they are different people"
        )
    return np.unique(names.astype(str), return_inverse=True)[1]


def _same_rows(
    table: pd.DataFrame, other: pd.DataFrame | None, what: str, which: str
) -> pd.DataFrame | None:
    if other is not None and len(other) != len(table):
        raise UsageError(
            f"{len(other)} rows of {what} for {len(table)} records of the {which} set; expected "
            "one row a record, in the same order"
        )
    return other


def _head(run: _Run, checks: Sequence[pd.DataFrame | None]) -> Section:
    text = (
        f"{run.records[0]:,} real and {run.records[1]:,} synthetic records by the rules "
        f"{VERSION}. Rules describe a textbook's normal ECG; they are no diagnosis."
    )
    if any(c is None for c in checks):
        text += " Without the waveforms of both sets, leads and signals were not checked."
    return Section(run.section, "Plausibility: would these pass as the ECGs of people?", text)


# ---- rules --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Shares:
    """One rule (or all of them, `normal`) in both sets; shares and differences are proportions.

    Ranges where the answer hangs on the limits used: `difference` is the one farthest from 0, `ci`
    and `ci90` cover the intervals under all of them.
    """

    id: str
    label: str
    real: tuple[float, float]
    synth: tuple[float, float]
    difference: float
    ci: tuple[float, float]
    ci90: tuple[float, float]
    floor: tuple[float, float] | None
    n: tuple[int, int]
    patients: tuple[int, int]
    missing: tuple[float, float]
    too_few: str = ""

    @property
    def texts(self) -> tuple[str, str]:
        return _range(self.synth), _range(self.real)


@dataclass(frozen=True)
class _View:
    """Both sets under one choice of limits: which records pass, and which are judged at all.

    Arrays of shape (rules + 1, n), the last row for all rules together.
    """

    passed: tuple[Bools, Bools]
    known: tuple[Bools, Bools]


def _rules(
    run: _Run,
    tables: Sequence[pd.DataFrame],
    labels: Sequence[pd.DataFrame | None],
    checks: Sequence[pd.DataFrame | None],
) -> Results:
    inputs = _rule_inputs(tables, checks)
    shares: dict[bool, list[_Shares]] = {}
    for strict in (True, False):
        both = [
            judge(table, strict=strict, **_label_columns(label))
            for table, label in zip(inputs, labels, strict=True)
        ]
        own = all(_known_share(label, judged) >= 1 - _UNKNOWN
                  for label, judged in zip(labels, both, strict=True))  # fmt: skip
        views = _own_limits(both) if own else _same_limits(both)
        shares[strict] = _shares(run, both[0], views, strict)
    estimates = [_estimate(run, s, strict) for strict, rows in shares.items() for s in rows]
    return Results(
        estimates=tuple(estimates),
        findings=(_normal(run, shares, both, own),),
        tables=(_rules_table(run, shares, both[0]),),
        figures=(_rules_figure(run, shares),),
    )


def _rule_inputs(
    tables: Sequence[pd.DataFrame], checks: Sequence[pd.DataFrame | None]
) -> list[pd.DataFrame]:
    """Return the columns that both sets have, with the rule columns of the signal checks."""
    full = []
    for table, check in zip(tables, checks, strict=True):
        extra = [] if check is None else [c for c in RULE_COLUMNS if c in check]
        # By position: checks and measures are of the same records in the same order.
        full.append(table.assign(**{c: check[c].to_numpy() for c in extra}))  # type: ignore[index]
    shared = [c for c in full[0].columns if c in set(full[1].columns)]
    return [table[shared] for table in full]


def _label_columns(labels: pd.DataFrame | None) -> dict[str, Any]:
    if labels is None:
        return {}
    return {c: labels[c].to_numpy() for c in ("sex", "age") if c in labels}


def _known_share(labels: pd.DataFrame | None, judged: Judged) -> float:
    """Return the share of records that may be of one group of people only."""
    alone = judged.may_be.sum(axis=0) == 1
    return float(alone[judged.adult].mean()) if judged.adult.any() else 0.0


def _own_limits(both: Sequence[Judged]) -> list[_View]:
    """Return the views under each record's own limits: where unknown, the least and the most."""
    least, most, known = [], [], []
    for judged in both:
        passed, failed = judged.with_normal()
        mine = judged.may_be[:, None]
        adult = judged.adult
        least.append((passed | ~mine).all(axis=0) & adult)
        most.append((passed & mine).any(axis=0))
        told = (passed | failed | ~mine).all(axis=0) & adult
        told[-1] = adult
        known.append(told)
    ends = (known[0], known[1])
    return [_View((most[0], least[1]), ends), _View((least[0], most[1]), ends)]


def _same_limits(both: Sequence[Judged]) -> list[_View]:
    """Return one view a group of people: every record judged as if it were theirs."""
    views = []
    for person in range(len(both[0].may_be)):
        passed, known = [], []
        for judged in both:
            p, f = judged.with_normal()
            told = (p[person] | f[person]) & judged.adult
            told[-1] = judged.adult
            passed.append(p[person] & judged.adult)
            known.append(told)
        views.append(_View((passed[0], passed[1]), (known[0], known[1])))
    return views


def _shares(run: _Run, judged: Judged, views: Sequence[_View], strict: bool) -> list[_Shares]:
    ids = [(r.id, r.label) for r in judged.rules] + [("normal", "all rules")]
    floors = [_floors(run, view, strict) for view in views]
    out = []
    for row, (id, label) in enumerate(ids):
        found = [_difference(run, view, row) for view in views]
        if isinstance(found[0], str):
            blank = (0.0, 0.0)
            out.append(_Shares(id, label, blank, blank, 0.0, blank, blank, None,
                               (0, 0), (0, 0), blank, found[0]))  # fmt: skip
            continue
        told = [f for f in found if not isinstance(f, str)]
        far = max(range(len(told)), key=lambda k: abs(told[k].difference))
        hull = [
            (min(getattr(t, end)[0] for t in told), max(getattr(t, end)[1] for t in told))
            for end in ("real", "synth", "ci", "ci90")
        ]
        out.append(
            replace(
                told[far], id=id, label=label, real=hull[0], synth=hull[1], ci=hull[2],
                ci90=hull[3], floor=floors[far][row],
            )
        )  # fmt: skip
    return out


def _difference(run: _Run, view: _View, row: int) -> _Shares | str:
    events, codes, missing = [], [], []
    for passed, known, who in zip(view.passed, view.known, run.who, strict=True):
        use = known[row]
        events.append(passed[row][use])
        codes.append(np.unique(who[use], return_inverse=True)[1])
        adult = known[-1]
        missing.append(1 - float(use.sum() / adult.sum()) if adult.any() else 1.0)
    people = [int(code.max(initial=-1)) + 1 for code in codes]
    few = [
        f"{n} patients judged in the {which} set"
        for n, which in zip(people, ("real", "synthetic"), strict=True)
        if n < MIN_PATIENTS
    ]
    if few:
        return f"{' and '.join(few)} (at least {MIN_PATIENTS} needed)"
    r, s = (float(event.mean()) for event in events)
    n_r, n_s = map(effective_n, events, codes)
    wide, narrow = (newcombe(r, n_r, s, n_s, level) for level in (0.95, 0.9))
    return _Shares(
        "", "", (r, r), (s, s), s - r, wide, narrow, None, (len(events[0]), len(events[1])),
        (people[0], people[1]), (missing[0], missing[1]),
    )  # fmt: skip


def _floors(run: _Run, view: _View, strict: bool) -> list[tuple[float, float] | None]:
    """Return the difference between halves of the real patients, rescaled, for every row."""
    who = run.who[0]
    patients = int(who.max()) + 1
    half = patients // 2
    if not half or patients < MIN_PATIENTS:
        return [None] * len(view.known[0])
    rng = child_rng(run.seed, run.section, "floor", "strict" if strict else "alternative")
    chosen = subset_weights(patients, half, run.effort.floor, rng)
    scale = rescale(patients, int(run.who[1].max()) + 1, half, patients - half)
    passed, known = (
        np.stack([np.bincount(who, row, patients) for row in rows])
        for rows in (view.passed[0] & view.known[0], view.known[0])
    )
    a, b = passed @ chosen, known @ chosen
    with np.errstate(divide="ignore", invalid="ignore"):
        gap = a / b - (passed.sum(axis=1)[:, None] - a) / (known.sum(axis=1)[:, None] - b)
    return [
        percentile_interval(scale * row[np.isfinite(row)]) if np.isfinite(row).any() else None
        for row in gap
    ]


def _estimate(run: _Run, s: _Shares, strict: bool) -> Estimate:
    name = "pass_diff" if strict else "pass_diff_alternative"
    about = CATALOGUE[name]
    limits = "strict" if strict else "alternative"
    method = f"not computed: {s.too_few}" if s.too_few else (
        f"share passing, S - R, {limits} limits ({' against '.join(s.texts)}); CI Newcombe, on "
        "records over the design effect of patients"
    )  # fmt: skip
    if s.real[0] < s.real[1] or s.synth[0] < s.synth[1]:
        method += "; over all limits that sex and age may ask for, the largest difference"
    return Estimate(
        id=f"{run.section}.{s.id}.{name}",
        value=None if s.too_few else 100 * s.difference,
        ci=None if s.too_few else _times100(s.ci),
        floor=_times100(s.floor) if s.floor else None,
        n_real=s.n[0],
        n_synth=s.n[1],
        patients_real=s.patients[0],
        patients_synth=s.patients[1],
        unit=about.unit or "",
        better=about.better,
        null=about.null,
        method=method,
        seed=run.seed,
        label=f"{s.label}: difference in the share that passes ({limits} limits)",
    )


def _normal(
    run: _Run, shares: dict[bool, list[_Shares]], both: Sequence[Judged], own: bool
) -> Finding:
    margin = run.margins.plausibility
    rule = (
        f"PASS if the 90 % interval of the difference lies inside ±{100 * margin:g} percentage "
        "points under the strict and under the alternative limits, FAIL if it lies wholly outside "
        "under one, else INCONCLUSIVE. NOT_ASSESSABLE where hardly any real record (no more than "
        "the margin) keeps the rules, for nothing could then be missed."
    )
    ids = tuple(f"{run.section}.normal.{n}" for n in ("pass_diff", "pass_diff_alternative"))
    strict, other = shares[True][-1], shares[False][-1]
    if strict.too_few:
        return run.finding(
            "PLAUS-NORMAL", Verdict.NOT_ASSESSABLE,
            f"Too few records to compare shares: {strict.too_few}", gate=True, rule=rule,
            estimates=ids,
        )  # fmt: skip
    verdicts = [
        Verdict.NOT_ASSESSABLE if s.real[1] <= margin else tost(s.ci90, -margin, margin)
        for s in (strict, other)
    ]
    title = (
        f"All rules for a normal ECG are kept by {_pair(other)} under the alternative limits, by "
        f"{_pair(strict)} under the strict ones; margin ±{100 * margin:g} points"
    )
    text = "The same delineation and limits judged both sets. " + _apart(both[0], shares)
    if not own:
        text += (
            "Sex or age is not known in both sets: both were judged by the same limits, those of "
            "women and of men below and from 40 years in turn, and shares are given as ranges. "
        )
    gone = [len(j.adult) - int(j.adult.sum()) for j in both]
    if any(gone):
        text += f"{gone[0]} real and {gone[1]} synthetic records of children are left out. "
    if Verdict.INCONCLUSIVE in verdicts:
        share = max(s.real[1] * (1 - s.real[0]) for s in (strict, other))
        needed = 2 * (1.645 + 1.282) ** 2 * min(share, 0.25) / margin**2
        text += f"About {round(needed, -2):,.0f} patients a side decide at shares like these. "
    text += (
        "Rules leave out what they cannot measure in both sets; a record that lacks a value keeps "
        "no rule that needs it. Not a diagnosis: see the table for each limit and its source."
    )
    return run.finding(
        "PLAUS-NORMAL", worst(verdicts), title, gate=True, explanation=text, rule=rule,
        estimates=ids,
    )  # fmt: skip


def _apart(judged: Judged, shares: dict[bool, list[_Shares]]) -> str:
    """Return the rules that the sets keep least alike, in words."""
    worst_of = []
    for k, rule in enumerate(judged.rules):
        both = [(shares[strict][k], strict) for strict in (True, False)]
        found = [(s, strict) for s, strict in both if not s.too_few and _beyond(s)]
        if found and rule.decides:
            worst_of.append(max(found, key=lambda pair: abs(pair[0].difference)))
    worst_of.sort(key=lambda pair: -abs(pair[0].difference))
    if not worst_of:
        return "No single rule differs beyond the real-against-real floor. "
    listed = "; ".join(
        f"{s.label} {s.texts[0]} of the synthetic, {s.texts[1]} of the real records "
        f"({'strict' if strict else 'alternative'} limits)"
        for s, strict in worst_of[:4]
    )
    return f"Rules kept least alike: {listed}. "


def _beyond(s: _Shares) -> bool:
    """Whether a difference is certain and larger than that of real against real."""
    certain = s.ci[0] > 0 or s.ci[1] < 0
    return certain and s.floor is not None and not s.floor[0] <= s.difference <= s.floor[1]


def _pair(s: _Shares) -> str:
    synth, real = s.texts
    low, high = _times100(s.ci)
    difference = f"difference {100 * s.difference:+.1f}, 95 % CI {low:.1f} to {high:.1f} points"
    return f"{synth} of the synthetic and {real} of the real records ({difference})".replace(
        "-", "−"
    )


def _range(pair: tuple[float, float]) -> str:
    low, high = (100 * end for end in pair)
    return f"{low:.1f} %" if high - low < 0.05 else f"{low:.1f} to {high:.1f} %"


def _times100(pair: tuple[float, float]) -> tuple[float, float]:
    return 100 * pair[0], 100 * pair[1]


def _rules_table(run: _Run, shares: dict[bool, list[_Shares]], judged: Judged) -> Table:
    rows = []
    for strict, found in shares.items():
        for k, s in enumerate(found):
            rule = judged.rules[k] if k < len(judged.rules) else None
            low, high = s.floor or (None, None)
            told = not s.too_few
            rows.append(
                {
                    "rule": s.label,
                    "limits": "strict" if strict else "alternative",
                    "real passing": _range(s.real) if told else s.too_few,
                    "synthetic passing": _range(s.synth) if told else s.too_few,
                    "difference, points": 100 * s.difference if told else None,
                    "95 % low": 100 * s.ci[0] if told else None,
                    "95 % high": 100 * s.ci[1] if told else None,
                    "floor low": None if low is None else 100 * low,
                    "floor high": None if high is None else 100 * high,
                    "not measurable, real %": 100 * s.missing[0] if told else None,
                    "not measurable, synthetic %": 100 * s.missing[1] if told else None,
                    "limit": rule.text(strict) if rule else "every rule that counts",
                    "source": rule.source if rule else "",
                }
            )
    return Table.of(
        pd.DataFrame(rows),
        f"{run.section}.rules",
        "The rules for a normal ECG, one by one",
        caption="Share of the records in which a rule could be measured; for all rules, of all "
        "records of adults. A difference is synthetic minus real. The floor is the same "
        "difference between halves of the real patients, at the sizes compared.",
        section=run.section,
    )


def _rules_figure(run: _Run, shares: dict[bool, list[_Shares]]) -> Figure:
    return Figure(
        f"{run.section}.rules",
        "effects",
        "Share of records that keep each rule, synthetic minus real",
        {
            "xlabel": "difference in the share that passes, percentage points",
            "null": 0,
            "rows": [
                {
                    "label": s.label,
                    "value": 100 * s.difference,
                    "ci": _times100(s.ci),
                    "floor": _times100(s.floor) if s.floor else None,
                    "group": f"{'strict' if strict else 'alternative'} limits",
                }
                for strict, rows in shares.items()
                for s in rows
                if not s.too_few
            ],
        },
        caption="Interval: Newcombe, by patient. Band: real against real at the same sizes.",
        section=run.section,
    )


# ---- signals ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Checked:
    """One check in both sets."""

    check: Check
    result: Comparison
    real: Floats
    synth: Floats
    adjusted: float | None

    @property
    def delta(self) -> float:
        stat = self.result.stats.get("cliffs_delta")
        return stat.value if stat else 0.0

    @property
    def clear(self) -> bool:
        """Whether the sets differ beyond chance and beyond the real-against-real floor."""
        stat = self.result.stats.get("cliffs_delta")
        if stat is None or self.adjusted is None or self.adjusted > _FDR:
            return False
        return stat.ci[0] > stat.floor[1] or stat.ci[1] < stat.floor[0]

    @property
    def outside(self) -> float | None:
        """Share of synthetic records outside the central 95 % of the real ones."""
        if not len(self.real) or not len(self.synth):
            return None
        low, high = np.quantile(self.real, (0.025, 0.975))
        return float(((self.synth < low) | (self.synth > high)).mean())

    def __str__(self) -> str:
        unit = f" {self.check.unit}" * bool(self.check.unit)
        medians = [f"{np.median(v):.3g}{unit}".replace("-", "−") for v in (self.synth, self.real)]
        words = self.check.higher if self.delta > 0 else self.check.lower
        return (
            f"{self.check.label}: median {medians[0]} against {medians[1]} in real records, "
            f"Cliff's δ {number(self.delta, sign=True)}" + (f" ({words})" if words else "")
        )


def _signals(
    run: _Run,
    checks: Sequence[pd.DataFrame | None],
    leads_derived: Sequence[str],
    jobs: int,
    progress: Progress,
) -> Results:
    if checks[0] is None or checks[1] is None:
        return Results(
            findings=tuple(
                run.finding(
                    code, Verdict.NOT_ASSESSABLE, f"{what} were not checked: waveforms of both "
                    "sets are needed", rule="Needs signal checks of both sets.",
                )
                for code, what in (
                    ("PLAUS-ALGEBRA", "Sums of leads"), ("PLAUS-LEADS", "Leads"),
                    ("PLAUS-SIGNAL", "Signals"),
                )
            )
        )  # fmt: skip
    frames = _with_maps((checks[0], checks[1]), run)
    names = [
        name for name, check in CHECKS.items()
        if check.group in ("leads", "signal") and all(name in frame for frame in frames)
        and any(frame[name].notna().any() for frame in frames)
    ]  # fmt: skip
    samples = [
        Sample(frame[names].to_numpy(float), who)
        for frame, who in zip(frames, run.who, strict=True)
    ]
    results = compare_columns(
        samples[0], samples[1], [False] * len(names), seed=run.seed, name=run.section,
        effort=run.effort, jobs=jobs, progress=progress,
    )  # fmt: skip
    p = [r.p for r in results]
    told = [i for i, value in enumerate(p) if value is not None]
    adjusted = dict(zip(told, benjamini_hochberg([p[i] or 1 for i in told]), strict=True))
    rows = [
        _Checked(
            CHECKS[name], results[i],
            *(s.values[~np.isnan(s.values[:, i]), i] for s in samples),
            float(adjusted[i]) if i in adjusted else None,
        )
        for i, name in enumerate(names)
    ]  # fmt: skip
    algebra, algebra_estimate, algebra_table = _algebra(run, frames, leads_derived)
    return Results(
        estimates=(algebra_estimate, *(e for row in rows for e in _check_estimates(run, row))),
        findings=(
            algebra,
            _largest(run, "PLAUS-LEADS", [r for r in rows if r.check.group == "leads"],
                     "how the leads of a record belong together"),
            _largest(run, "PLAUS-SIGNAL", [r for r in rows if r.check.group == "signal"],
                     "the signal itself"),
        ),
        tables=(_signal_table(run, rows), *algebra_table),
        figures=(_signal_figure(run, rows),),
    )  # fmt: skip


def _with_maps(
    checks: tuple[pd.DataFrame, pd.DataFrame], run: _Run
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return the checks with what linear maps between limb and chest leads leave, by record.

    Maps are fitted on one half of the real patients and read on the other half; of the synthetic
    records each half meets one map, so that no record was fitted on and all meet maps of one size.
    """
    cov = [covariances(c) for c in checks]
    found = [np.full((len(c), len(FITTED)), np.nan) for c in cov]
    whole = [np.isfinite(c).all(axis=(1, 2)) for c in cov]
    order = child_rng(run.seed, run.section, "maps").permutation(int(run.who[0].max()) + 1)
    halves = [order[run.who[0]] % 2, run.who[1] % 2]
    for part in (0, 1):
        fit = whole[0] & (halves[0] != part)
        if not fit.any():
            continue
        pooled = cov[0][fit].mean(axis=0)
        for k in (0, 1):
            read = whole[k] & (halves[k] == part)
            found[k][read] = _left(cov[k][read], pooled)
    return (
        checks[0].assign(**dict(zip(FITTED, found[0].T, strict=True))),
        checks[1].assign(**dict(zip(FITTED, found[1].T, strict=True))),
    )


def _left(cov: Floats, fit: Floats) -> Floats:
    """Return what ridge maps fitted on covariance `fit` leave of records with covariances `cov`.

    Parameters
    ----------
    cov : ndarray, shape (n, 8, 8)
        mV².
    fit : ndarray, shape (8, 8)

    Returns
    -------
    ndarray, shape (n, 3)
        The columns of `FITTED`.
    """
    limb = np.array([INDEPENDENT.index(lead) for lead in LIMB])
    chest = np.setdiff1d(np.arange(len(INDEPENDENT)), limb)

    def residual(told: NDArray[np.intp], by: NDArray[np.intp]) -> tuple[Floats, Floats]:
        # min over W of |x_told − W x_by|² + λ |W|²; its residual on another record's covariance
        inner = fit[np.ix_(by, by)]
        ridge = _RIDGE * np.trace(inner) / len(by) * np.eye(len(by))
        w = np.linalg.solve(inner + ridge, fit[np.ix_(by, told)]).T
        own = np.trace(cov[:, told[:, None], told], axis1=1, axis2=2)
        cross = np.einsum("tb,nbt->n", w, cov[:, by[:, None], told])
        explained = np.einsum("tb,nbc,tc->n", w, cov[:, by[:, None], by], w)
        return own - 2 * cross + explained, own

    left, own = residual(limb, chest)
    back, own_back = residual(chest, limb)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.stack(
            [1e3 * np.sqrt(np.maximum(left, 0) / len(limb)), 1 - left / own, 1 - back / own_back],
            axis=1,
        )


def _algebra(
    run: _Run, frames: Sequence[pd.DataFrame], leads_derived: Sequence[str]
) -> tuple[Finding, Estimate, tuple[Table, ...]]:
    """Return the finding on sums of leads, its estimate and the residuals as a table."""
    from ecgeval.compare.signals import ALGEBRA_UV

    about = CATALOGUE["broken_diff"]
    id = f"{run.section}.lead_algebra.broken_diff"
    margin = run.margins.missing
    rule = (
        f"A record breaks lead algebra if the 99.9th percentile of a residual exceeds "
        f"{ALGEBRA_UV:g} µV. PASS if the upper end of the 90 % interval of the difference of "
        f"shares, synthetic minus real, lies below {100 * margin:g} points, FAIL if the lower end "
        "lies above. NOT_ASSESSABLE where limb leads are absent or were computed from I and II."
    )
    far = [frame["algebra_p999_uv"].to_numpy(float) for frame in frames]
    known = [~np.isnan(f) for f in far]
    derived = sorted(set(leads_derived) & set(DERIVABLE))
    reason = ""
    if not known[1].any() or not known[0].any():
        which = "synthetic" if not known[1].any() else "real"
        reason = f"the {which} set lacks the limb leads that the sums need"
    elif derived:
        reason = f"not applicable: {', '.join(derived)} were computed from I and II"
    elif (far[1][known[1]] <= EXACT_UV).mean() >= 0.99:
        reason = (
            "not applicable: the sums hold to the last digit in the synthetic set, so its limb "
            "leads were computed from each other"
        )
    estimate = Estimate(
        id, None, unit=about.unit or "", better=about.better, null=about.null, seed=run.seed,
        label="records that break lead algebra, synthetic minus real",
        method=f"not computed: {reason}",
    )  # fmt: skip
    if reason:
        finding = run.finding(
            "PLAUS-ALGEBRA", Verdict.NOT_ASSESSABLE,
            f"Lead algebra (II − I = III and the like): {reason}",
            explanation="Sums that hold by construction say nothing of the generator; how leads "
            "belong together is then seen from the eight independent ones.",
            rule=rule, estimates=(id,),
        )  # fmt: skip
        return finding, estimate, ()
    broken = [f[ok] > ALGEBRA_UV + 0.01 for f, ok in zip(far, known, strict=True)]
    codes = [
        np.unique(who[ok], return_inverse=True)[1] for who, ok in zip(run.who, known, strict=True)
    ]
    share = [float(b.mean()) for b in broken]
    effective = [effective_n(b, c) for b, c in zip(broken, codes, strict=True)]
    wide, narrow = (
        newcombe(share[0], effective[0], share[1], effective[1], level) for level in (0.95, 0.9)
    )
    medians = [float(np.median(f[ok])) for f, ok in zip(far, known, strict=True)]
    estimate = replace(
        estimate, value=100 * (share[1] - share[0]), ci=_times100(wide),
        floor=_algebra_floor(run, broken[0], codes[0], int(codes[1].max()) + 1),
        n_real=len(broken[0]), n_synth=len(broken[1]), patients_real=int(codes[0].max()) + 1,
        patients_synth=int(codes[1].max()) + 1,
        method="share of records, S - R; CI Newcombe, on records over the design effect of "
        "patients",
    )  # fmt: skip
    finding = run.finding(
        "PLAUS-ALGEBRA", tost(narrow, -np.inf, margin),
        f"Lead algebra is broken in {100 * share[1]:.1f} % of the synthetic and "
        f"{100 * share[0]:.1f} % of the real records (residual, 99.9th percentile: median "
        f"{medians[1]:.1f} and {medians[0]:.1f} µV)",
        explanation="II − I = III and four more sums hold at every instant in any heart. Where they "
        "do not, leads were generated, filtered or averaged apart from each other.",
        rule=rule, estimates=(id,),
    )  # fmt: skip
    rows = [
        {
            "check": CHECKS[name].label, "unit": CHECKS[name].unit,
            **{
                f"{which} {end}": float(np.nanquantile(frame[name], q))
                for which, frame in zip(("real", "synthetic"), frames, strict=True)
                for end, q in (("median", 0.5), ("95th percentile", 0.95))
            },
        }
        for name in _ALGEBRA
    ]  # fmt: skip
    table = Table.of(
        pd.DataFrame(rows), f"{run.section}.algebra", "Sums of leads that must be 0",
        caption="Residual by record, over the whole record.", section=run.section,
    )  # fmt: skip
    return finding, estimate, (table,)


def _algebra_floor(
    run: _Run, broken: Bools, code: NDArray[np.intp], synth_patients: int
) -> tuple[float, float] | None:
    from ecgeval.compare.rates import split

    patients = int(code.max()) + 1
    half = patients // 2
    if patients < MIN_PATIENTS:
        return None
    rng = child_rng(run.seed, run.section, "floor", "algebra")
    chosen = subset_weights(patients, half, run.effort.floor, rng)
    scale = rescale(patients, synth_patients, half, patients - half)
    return _times100(percentile_interval(scale * split(broken[:, None], code, chosen)[0]))


def _check_estimates(run: _Run, row: _Checked) -> list[Estimate]:
    out = []
    for name, what in (
        ("cliffs_delta", "Cliff's delta"), ("median_diff", "median difference"),
        ("ks", "Kolmogorov-Smirnov D"),
    ):  # fmt: skip
        about, stat = CATALOGUE[name], row.result.stats.get(name)
        tested = name == "ks" and stat is not None
        how = "percentile bootstrap of patients"
        if tested:
            how = f"directional bootstrap of F - G; p {row.result.p_method}"
        out.append(
            Estimate(
                id=f"{run.section}.{row.check.name}.{name}",
                value=stat.value if stat else None,
                ci=stat.ci if stat else None,
                floor=stat.floor if stat else None,
                p=row.result.p if tested else None,
                p_adjusted=row.adjusted if tested else None,
                n_real=len(row.real),
                n_synth=len(row.synth),
                patients_real=row.result.patients[0],
                patients_synth=row.result.patients[1],
                unit=row.check.unit if about.unit is None else about.unit,
                better=about.better,
                null=about.null,
                method=f"{row.check.definition}; CI {how}" if stat else
                f"not computed: {row.result.too_few}",
                seed=run.seed,
                label=f"{row.check.label}: {what}",
            )
        )  # fmt: skip
    return out


def _largest(run: _Run, code: str, rows: Sequence[_Checked], what: str) -> Finding:
    """Return the finding that names the largest differences in words."""
    rule = (
        f"Descriptive, no gate: FAIL if at least {100 * _OUTSIDE:.0f} % of the synthetic records "
        "lie outside the central 95 % of the real ones in one check (5 % would be expected), or "
        "the synthetic set has no value of a check that real records have; else INCONCLUSIVE. A "
        f"difference is named if it passes Benjamini-Hochberg at q = {_FDR:g} (Kolmogorov-Smirnov) "
        "and the interval of Cliff's δ lies outside the real-against-real floor."
    )
    told = [row for row in rows if row.result.stats]
    absent = [row.check.label for row in rows if len(row.real) and not len(row.synth)]
    if not told and not absent:
        return run.finding(
            code, Verdict.NOT_ASSESSABLE, f"Nothing is known of {what}",
            explanation=rows[0].result.too_few if rows else "", rule=rule,
        )  # fmt: skip
    clear = sorted((row for row in told if row.clear), key=lambda row: -abs(row.delta))
    strange = [row for row in told if (row.outside or 0) >= _OUTSIDE]
    strange.sort(key=lambda row: -(row.outside or 0))
    text = "Two-sided: a signal that is too clean is as foreign as one that is too noisy. "
    if absent:
        title = f"The synthetic set has no value of {', '.join(absent)}"
    elif strange:
        title = (
            f"{100 * (strange[0].outside or 0):.0f} % of the synthetic records lie where 5 % of the "
            f"real ones do in {strange[0]}"
        )
    elif clear:
        title = f"In {what}, {len(clear)} of {len(told)} checks differ; most: {clear[0]}"
    else:
        title = (
            f"In {what}, none of {len(told)} checks differs beyond the real-against-real floor; "
            "that is no proof of likeness"
        )
    first = strange[0] if strange else clear[0] if clear else None
    rest = [row for row in clear if row is not first or absent][:4]
    if rest:
        text += "Also: " + "; ".join(map(str, rest)) + "."
    return run.finding(
        code, Verdict.FAIL if strange or absent else Verdict.INCONCLUSIVE, title,
        explanation=text, rule=rule,
        estimates=tuple(
            f"{run.section}.{row.check.name}.cliffs_delta"
            for row in ([first] if first else []) + [r for r in rest if r is not first]
        ),
    )  # fmt: skip


def _signal_table(run: _Run, rows: Sequence[_Checked]) -> Table:
    def quantiles(values: Floats, name: str) -> dict[str, float | None]:
        ends = np.quantile(values, (0.5, 0.05, 0.95)) if len(values) else (None,) * 3
        return dict(zip((f"{name} median", f"{name} 5 %", f"{name} 95 %"), ends, strict=True))

    body = []
    for row in rows:
        stat = row.result.stats.get("cliffs_delta")
        outside = row.outside
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
                "adjusted p": row.adjusted,
                "synthetic outside the real 95 %, %": None if outside is None else 100 * outside,
                "definition": row.check.definition,
            }
        )
    return Table.of(
        pd.DataFrame(body),
        f"{run.section}.signal",
        "Leads and signals, check by check",
        caption="Of records alike, 5 % of the synthetic ones lie outside the central 95 % of the "
        "real ones. p of Kolmogorov-Smirnov, adjusted over checks (Benjamini-Hochberg).",
        section=run.section,
    )


def _signal_figure(run: _Run, rows: Sequence[_Checked]) -> Figure:
    groups = {"leads": "how leads belong together", "signal": "the signal"}
    body = []
    for row in rows:
        stat = row.result.stats.get("cliffs_delta")
        if stat is not None:
            body.append(
                {"label": row.check.label, "value": stat.value, "ci": stat.ci,
                 "floor": stat.floor, "group": groups[row.check.group]}
            )  # fmt: skip
    return Figure(
        f"{run.section}.signal",
        "effects",
        "Leads and signals: Cliff's δ of each check",
        {"xlabel": "Cliff's δ", "null": 0, "rows": body},
        caption="Interval: bootstrap of patients. Band: real against real at the same sizes.",
        section=run.section,
    )


# ---- another interpreter ------------------------------------------------------------------------


def _interpreter(
    run: _Run,
    table: pd.DataFrame,
    labels: pd.DataFrame | None,
    checks: pd.DataFrame | None,
    other: str | Path | pd.DataFrame,
    k: int,
) -> Results:
    which = ("real", "synthetic")[k]
    inputs = _rule_inputs((table, table), (checks, checks))[0]
    found: dict[str, Agreement] = {}
    for strict in (True, False):
        rules = apply_rules(inputs, strict=strict, **_label_columns(labels))
        name = "strict" if strict else "alternative"
        found[name] = join_interpreter(
            rules, other, patients=run.who[k], seed=run.seed, draws=run.effort.bootstrap,
            name=f"{run.section}.interpreter_{which}.{name}",
        )  # fmt: skip
    about = CATALOGUE["kappa"]
    sizes = {("n_real", "n_synth")[k]: found["strict"].n,
             ("patients_real", "patients_synth")[k]: found["strict"].patients}  # fmt: skip
    estimates = tuple(
        Estimate(
            id=f"{run.section}.interpreter_{which}.{'kappa' if name == 'strict' else f'{name}_kappa'}",
            value=a.kappa, ci=a.ci, unit="", better=about.better, null=about.null, seed=run.seed,
            method="2 x 2 table of records; CI bootstrap of patients" if a.kappa is not None else
            "not computed: one of the two calls all records the same",
            label=f"rules ({name} limits) against the interpreter, {which} set: Cohen's kappa",
            **sizes,
        )
        for name, a in found.items()
    )  # fmt: skip
    rows = [
        {
            "set": which, "limits": name, "rules": ours, "interpreter normal": int(a.counts[i, 0]),
            "interpreter not normal": int(a.counts[i, 1]), "kappa": a.kappa,
            "95 % low": a.ci[0] if a.ci else None, "95 % high": a.ci[1] if a.ci else None,
            "without a statement": a.unmatched, "depends on sex or age": a.undecided,
        }
        for name, a in found.items()
        for i, ours in enumerate(("normal", "not normal"))
    ]  # fmt: skip
    a = found["alternative"]
    agree = int(np.trace(a.counts))
    kappa = "κ not defined" if a.kappa is None else f"κ {number(a.kappa)}"
    if a.ci:
        kappa += f" (95 % CI {between(a.ci)})"
    finding = run.finding(
        "PLAUS-INTERPRETER", Verdict.INCONCLUSIVE if a.n else Verdict.NOT_ASSESSABLE,
        f"Rules and interpreter agree on {agree:,} of {a.n:,} {which} records, {kappa}",
        explanation="Alternative limits; the table has both. The rules call a record normal if it "
        "keeps every one of them, an interpreter by its own criteria: they need not agree, but "
        "their agreement should be alike in both sets.",
        rule="Descriptive, no gate: agreement with another interpreter is no proof of either.",
        estimates=tuple(e.id for e in estimates),
    )  # fmt: skip
    shown = Table.of(
        pd.DataFrame(rows), f"{run.section}.interpreter_{which}",
        f"Rules against the interpreter, {which} set", section=run.section,
        caption=f"Interpreter's column: {a.column}.",
    )  # fmt: skip
    return Results(estimates=estimates, findings=(finding,), tables=(shown,))
