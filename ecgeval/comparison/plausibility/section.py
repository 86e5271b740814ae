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

from ecgeval.comparison.margins import Margins, load_margins
from ecgeval.comparison.plausibility.checks import INTERPRETER, NORMAL, STATISTICS
from ecgeval.comparison.plausibility.coherence import Setting, compare_signals, percent
from ecgeval.comparison.plausibility.interpreter import Agreement, join_interpreter
from ecgeval.comparison.plausibility.rules import (
    VERSION,
    Judged,
    apply_rules,
    calibrate_rules,
    judge,
)
from ecgeval.errors import UsageError
from ecgeval.parallel import Progress, child_rng, quiet
from ecgeval.results import Estimate, Figure, Finding, Results, Section, Table, Verdict, worst
from ecgeval.signal_checks import RULE_COLUMNS
from ecgeval.stats.arrays import Bools
from ecgeval.stats.equivalence import tost
from ecgeval.stats.intervals import newcombe, percentile_interval
from ecgeval.stats.resampling import subset_weights
from ecgeval.stats.sample import MIN_PATIENTS, Effort, Sample, effective_n, rescale
from ecgeval.wording import between, quantity

__all__ = ["apply_rules", "calibrate_rules", "compare_plausibility", "join_interpreter"]


_UNKNOWN = 0.05
"""Share of records without sex or age above which both sets are judged by the same limits."""


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
        What `ecgeval.signal_checks.signal_checks` returned for the same records.
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
    samples = [Sample(np.empty((len(codes), 0)), codes) for codes in who]
    common = Setting(section, seed, margins, (samples[0], samples[1]), effort)
    out = Results(sections=(_head(common, checks),))
    if not len(real) or not len(synth):
        which = "synthetic" if len(real) else "real"
        nothing = NORMAL.finding(
            Verdict.NOT_ASSESSABLE,
            f"There is nothing to compare: the {which} set is empty",
            rule="Needs records in both sets.",
            section=common.section,
        )
        return out + Results(findings=(nothing,))
    progress("plausibility: rules", 0, 1)
    out += _rules(common, tables, labels, checks)
    progress("plausibility: rules", 1, 1)
    out += compare_signals(common, checks, leads_derived, jobs, progress)
    for k, other in enumerate((interpreter_real, interpreter_synth)):
        if other is not None:
            out += _interpreter(common, tables[k], labels[k], checks[k], other, k)
    return out


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


def _head(common: Setting, checks: Sequence[pd.DataFrame | None]) -> Section:
    n_real, n_synth = (len(sample.patient) for sample in common.samples)
    text = (
        f"{n_real:,} real and {n_synth:,} synthetic records by the rules "
        f"{VERSION}. Rules describe a textbook's normal ECG; they are no diagnosis."
    )
    if any(c is None for c in checks):
        text += " Without the waveforms of both sets, leads and signals were not checked."
    return Section(common.section, "Plausibility: would these pass as the ECGs of people?", text)


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
    common: Setting,
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
        own = all(
            _known_share(label, judged) >= 1 - _UNKNOWN
            for label, judged in zip(labels, both, strict=True)
        )
        views = _own_limits(both) if own else _same_limits(both)
        shares[strict] = _shares(common, both, views, strict)
    estimates = [_estimate(common, s, strict) for strict, rows in shares.items() for s in rows]
    return Results(
        estimates=tuple(estimates),
        findings=(_normal(common, shares, both, own),),
        tables=(_rules_table(common, shares, both[0]),),
        figures=(_rules_figure(common, shares),),
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
        least.append(np.logical_and.reduce(passed | ~mine) & adult)
        most.append(np.logical_or.reduce(passed & mine))
        told = np.logical_and.reduce(passed | failed | ~mine) & adult
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


def _unmeasurable(both: Sequence[Judged]) -> list[str]:
    """Return why a rule, and all of them together, cannot be judged; empty where they can be.

    A rule that no real record has all values for (an axis, from one lead) is kept by none of them,
    and a share of 0 in both sets would look like likeness.
    """
    absent = np.array([j.adult.any() & ~(j.complete & j.adult).any(axis=1) for j in both])
    out = [
        "" if not real else f"not measurable in {'either' if synth else 'the real'} set"
        for real, synth in absent.T
    ]
    rules = both[0].rules
    gone = [r.label for r, why in zip(rules, out, strict=True) if why and r.decides]
    return [*out, f"{', '.join(gone)} cannot be measured in the real set" if gone else ""]


def _shares(
    common: Setting, both: Sequence[Judged], views: Sequence[_View], strict: bool
) -> list[_Shares]:
    ids = [(r.id, r.label) for r in both[0].rules] + [("normal", "all rules")]
    floors = [_floors(common, view, strict) for view in views]
    reasons = _unmeasurable(both)
    out = []
    for row, (id, label) in enumerate(ids):
        found = [reasons[row] or _difference(common, view, row) for view in views]
        if isinstance(found[0], str):
            blank = (0.0, 0.0)
            out.append(
                _Shares(
                    id,
                    label,
                    blank,
                    blank,
                    0.0,
                    blank,
                    blank,
                    None,
                    (0, 0),
                    (0, 0),
                    blank,
                    found[0],
                )
            )
            continue
        told = [f for f in found if not isinstance(f, str)]
        far = max(range(len(told)), key=lambda k: abs(told[k].difference))
        hull = [
            (min(getattr(t, end)[0] for t in told), max(getattr(t, end)[1] for t in told))
            for end in ("real", "synth", "ci", "ci90")
        ]
        out.append(
            replace(
                told[far],
                id=id,
                label=label,
                real=hull[0],
                synth=hull[1],
                ci=hull[2],
                ci90=hull[3],
                floor=floors[far][row],
            )
        )
    return out


def _difference(common: Setting, view: _View, row: int) -> _Shares | str:
    events, codes, missing = [], [], []
    for passed, known, sample in zip(view.passed, view.known, common.samples, strict=True):
        use = known[row]
        events.append(passed[row][use])
        codes.append(np.unique(sample.patient[use], return_inverse=True)[1])
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
        "",
        "",
        (r, r),
        (s, s),
        s - r,
        wide,
        narrow,
        None,
        (len(events[0]), len(events[1])),
        (people[0], people[1]),
        (missing[0], missing[1]),
    )


def _floors(common: Setting, view: _View, strict: bool) -> list[tuple[float, float] | None]:
    """Return the difference between halves of the real patients, rescaled, for every row."""
    who = common.samples[0].patient
    patients = int(who.max()) + 1
    half = patients // 2
    if not half or patients < MIN_PATIENTS:
        return [None] * len(view.known[0])
    rng = child_rng(common.seed, common.section, "floor", "strict" if strict else "alternative")
    chosen = subset_weights(patients, half, common.effort.floor, rng)
    scale = rescale(patients, int(common.samples[1].patient.max()) + 1, half, patients - half)
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


def _estimate(common: Setting, s: _Shares, strict: bool) -> Estimate:
    name = "pass_diff" if strict else "pass_diff_alternative"
    about = STATISTICS[name]
    limits = "strict" if strict else "alternative"
    method = (
        f"not computed: {s.too_few}"
        if s.too_few
        else (
            f"share passing, S - R, {limits} limits ({' against '.join(s.texts)}); CI Newcombe, on "
            "records over the design effect of patients"
        )
    )
    if s.real[0] < s.real[1] or s.synth[0] < s.synth[1]:
        method += "; over all limits that sex and age may ask for, the largest difference"
    return Estimate(
        id=f"{common.section}.{s.id}.{name}",
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
        seed=common.seed,
        label=f"{s.label}: difference in the share that passes ({limits} limits)",
    )


def _normal(
    common: Setting, shares: dict[bool, list[_Shares]], both: Sequence[Judged], own: bool
) -> Finding:
    margin = common.margins.plausibility
    rule = (
        f"PASS if the 90 % interval of the difference lies inside ±{100 * margin:g} percentage "
        "points under the strict and under the alternative limits, FAIL if it lies wholly outside "
        "under one, else INCONCLUSIVE. NOT_ASSESSABLE where hardly any real record (no more than "
        "the margin) keeps the rules, for nothing could then be missed, and where no real record "
        "has the values that a rule needs."
    )
    ids = tuple(f"{common.section}.normal.{n}" for n in ("pass_diff", "pass_diff_alternative"))
    strict, other = shares[True][-1], shares[False][-1]
    if strict.too_few:
        return NORMAL.finding(
            Verdict.NOT_ASSESSABLE,
            f"The shares that keep all rules for a normal ECG cannot be compared: {strict.too_few}",
            rule=rule,
            estimates=ids,
            section=common.section,
        )
    verdicts = [
        Verdict.NOT_ASSESSABLE if s.real[1] <= margin else tost(s.ci90, -margin, margin)
        for s in (other, strict)
    ]
    names = ["alternative", "strict"]
    lead, rest = (other, strict), names
    if verdicts[0] != worst(verdicts):  # the limits that decide come first
        lead, rest = (strict, other), names[::-1]
    title = f"All rules for a normal ECG ({rest[0]} limits) are kept by {_pair(lead[0])}"
    title += f"; margin ±{100 * margin:g}"
    text = (
        f"95 % CI {_points(lead[0].ci)}. Under the {rest[1]} limits {_pair(lead[1])}, 95 % CI "
        f"{_points(lead[1].ci)}. The 90 % intervals decide: two one-sided tests at 5 %. The same "
        f"delineation and limits judged both sets. {_apart(both[0], shares)}"
    )
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
    return NORMAL.finding(
        worst(verdicts), title, text, rule=rule, estimates=ids, section=common.section
    )


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
    points = round(100 * s.difference, 1) + 0.0
    text = (
        f"{synth} of the synthetic and {real} of the real records (difference {points:+.1f} "
        f"points, 90 % CI {_points(s.ci90)})"
    )
    return text.replace("-", "−")


def _points(pair: tuple[float, float]) -> str:
    low, high = (round(end, 1) + 0.0 for end in percent(pair))
    return f"{low:.1f} to {high:.1f}".replace("-", "−")


def _range(pair: tuple[float, float]) -> str:
    low, high = (100 * end for end in pair)
    return f"{low:.1f} %" if high - low < 0.05 else f"{low:.1f} to {high:.1f} %"


def _rules_table(common: Setting, shares: dict[bool, list[_Shares]], judged: Judged) -> Table:
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
                    "90 % low": 100 * s.ci90[0] if told else None,
                    "90 % high": 100 * s.ci90[1] if told else None,
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
        f"{common.section}.rules",
        "The rules for a normal ECG, one by one",
        caption="Share of the records in which a rule could be measured; for all rules, of all "
        "records of adults. A difference is synthetic minus real; the 90 % interval decides. The "
        "floor is the same difference between halves of the real patients, at the sizes compared.",
        section=common.section,
    )


def _rules_figure(common: Setting, shares: dict[bool, list[_Shares]]) -> Figure:
    return Figure(
        f"{common.section}.rules",
        "effects",
        "Share of records that keep each rule, synthetic minus real",
        {
            "xlabel": "difference in the share that passes, percentage points",
            "null": 0,
            "rows": [
                {
                    "label": s.label,
                    "value": 100 * s.difference,
                    "ci": percent(s.ci),
                    "floor": percent(s.floor) if s.floor else None,
                    "group": f"{'strict' if strict else 'alternative'} limits",
                }
                for strict, rows in shares.items()
                for s in rows
                if not s.too_few
            ],
        },
        caption="Interval: Newcombe, by patient. Band: real against real at the same sizes.",
        section=common.section,
    )


# ---- another interpreter ------------------------------------------------------------------------


def _interpreter(
    common: Setting,
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
            rules,
            other,
            patients=common.samples[k].patient,
            seed=common.seed,
            draws=common.effort.bootstrap,
            name=f"{common.section}.interpreter_{which}.{name}",
        )
    about = STATISTICS["kappa"]
    prefix = {"strict": "", "alternative": "alternative_"}
    sizes: dict[str, Any] = {
        ("n_real", "n_synth")[k]: found["strict"].n,
        ("patients_real", "patients_synth")[k]: found["strict"].patients,
    }
    estimates = tuple(
        Estimate(
            id=f"{common.section}.interpreter_{which}.{prefix[name]}kappa",
            value=a.kappa,
            ci=a.ci,
            unit="",
            better=about.better,
            null=about.null,
            seed=common.seed,
            method="2 x 2 table of records; CI bootstrap of patients"
            if a.kappa is not None
            else "not computed: one of the two calls all records the same",
            label=f"rules ({name} limits) against the interpreter, {which} set: Cohen's kappa",
            **sizes,
        )
        for name, a in found.items()
    )
    rows = [
        {
            "set": which,
            "limits": name,
            "rules": ours,
            "interpreter normal": int(a.counts[i, 0]),
            "interpreter not normal": int(a.counts[i, 1]),
            "kappa": a.kappa,
            "95 % low": a.ci[0] if a.ci else None,
            "95 % high": a.ci[1] if a.ci else None,
            "without a statement": a.unmatched,
            "depends on sex or age": a.undecided,
        }
        for name, a in found.items()
        for i, ours in enumerate(("normal", "not normal"))
    ]
    a = found["alternative"]
    agree = int(np.trace(a.counts))
    kappa = "κ not defined" if a.kappa is None else f"κ {quantity(a.kappa)}"
    if a.ci:
        kappa += f" (95 % CI {between(a.ci)})"
    finding = INTERPRETER.finding(
        Verdict.INCONCLUSIVE if a.n else Verdict.NOT_ASSESSABLE,
        f"Rules and interpreter agree on {agree:,} of {a.n:,} {which} records, {kappa}",
        "Alternative limits; the table has both. The rules call a record normal if it "
        "keeps every one of them, an interpreter by its own criteria: they need not agree, but "
        "their agreement should be alike in both sets.",
        rule="Descriptive, no gate: agreement with another interpreter is no proof of either.",
        estimates=tuple(e.id for e in estimates),
        section=common.section,
    )
    shown = Table.of(
        pd.DataFrame(rows),
        f"{common.section}.interpreter_{which}",
        f"Rules against the interpreter, {which} set",
        section=common.section,
        caption=f"Interpreter's column: {a.column}.",
    )
    return Results(estimates=estimates, findings=(finding,), tables=(shown,))
