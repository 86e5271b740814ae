"""One run against another: which estimates moved, which verdicts changed, what is new or gone."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecgeval.catalogue import word
from ecgeval.diff.checks import GATES, INPUTS, MOVED
from ecgeval.errors import DataError
from ecgeval.results import Estimate, Figure, Finding, Results, Section, Table, Verdict, worst
from ecgeval.stats.multiplicity import benjamini_hochberg

__all__ = ["Change", "compare_runs", "difference_interval"]


FDR = 0.05
_SHOWN = 30  # measures in the figure
_SIGNS = {
    "cliffs_delta": "δ",
    "hedges_g": "g",
    "ks": "D",
    "wasserstein": "W₁",
    "log_sd_ratio": "ln SD",
    "median_diff": "median",
    "missing_diff": "missing",
    "circ_mean_diff": "mean",
    "pass_diff": "share",
    "pass_diff_alternative": "share",
}
_IGNORED = ("config_sha256", "sets", "ecgeval", "versions", "title", "notice", "checkpoints")
_UNSEEN = ("config.report.",)  # settings that no estimate depends on


@dataclass(frozen=True)
class Change:
    """One estimate in both runs.

    Parameters
    ----------
    old, new : Estimate
    difference : float
        New less old.
    ci : (float, float) or None
        95 % interval of the difference; None where one of the two has none.
    p, q : float or None
        p of no difference, and adjusted over all estimates tested.
    """

    old: Estimate
    new: Estimate
    difference: float
    ci: tuple[float, float] | None
    p: float | None
    q: float | None = None

    @property
    def moved(self) -> bool:
        """Whether the two differ by more than their intervals allow."""
        return self.q is not None and self.q <= FDR

    @property
    def direction(self) -> str:
        """``better``, ``worse``, or ``moved`` where no direction is good or the size is alike."""
        gain = _gain(self.old, self.new)
        return "moved" if not gain else "better" if gain > 0 else "worse"


def difference_interval(
    old: tuple[float, float, float], new: tuple[float, float, float]
) -> tuple[float, float]:
    """Return the interval of ``new - old`` from two values with their limits.

    Each limit of the difference takes the halves of the two intervals that face it, in
    quadrature. Two intervals that just touch differ by more than this needs.

    Parameters
    ----------
    old, new : (value, low, high)
        Independent, at one level, which is that of the outcome.

    References
    ----------
    Zou and Donner 2008, Stat Med 27:1693, doi:10.1002/sim.3095
    """
    difference = new[0] - old[0]
    return (
        difference - math.hypot(new[0] - new[1], old[2] - old[0]),
        difference + math.hypot(new[2] - new[0], old[0] - old[1]),
    )


def compare_runs(old: Results, new: Results) -> Results:
    """Say what changed from one run to another.

    Parameters
    ----------
    old, new : Results

    Returns
    -------
    Results
        Section ``diff``: estimates ``diff.{id}`` (new less old), findings DIFF-GATES (the only
        gate), DIFF-MOVED and DIFF-INPUTS, tables of both, and a forest plot of what moved most.

    Raises
    ------
    DataError
        If the runs have neither an estimate nor a finding in common.
    """
    changes = _changes(old, new)
    verdicts = _verdicts(old, new)
    if not changes and not any(a and b for a, b in verdicts.values()):
        raise DataError(
            "the two runs have no estimate and no finding in common: one may be an audit and the "
            "other a comparison; expected two runs of the same kind"
        )
    summary = (
        f"{len(changes)} estimates and {sum(bool(a and b) for a, b in verdicts.values())} findings "
        "are in both runs. Differences are new less old."
    )
    return Results(
        manifest={"old": _about(old), "new": _about(new)},
        sections=(Section("diff", "What changed between the two runs", summary),),
        estimates=tuple(map(_estimate, changes)),
        findings=(
            _gates(verdicts, {s.slug for s in new.sections}),
            _moved(changes, _same_real(old, new)),
            _inputs(old, new),
        ),
        tables=(_verdict_table(verdicts), _change_table(changes)),
        figures=tuple(_figure(changes)),
    )


# ---- estimates ----------------------------------------------------------------------------------


def _changes(old: Results, new: Results) -> list[Change]:
    before = {e.id: e for e in old.estimates}
    pairs = [(before[e.id], e) for e in new.estimates if e.id in before]
    out = [_change(a, b) for a, b in pairs if a.value is not None and b.value is not None]
    tested = [c for c in out if c.p is not None]
    adjusted = dict(
        zip(map(id, tested), benjamini_hochberg([c.p or 0 for c in tested]), strict=True)
    )
    return [
        Change(c.old, c.new, c.difference, c.ci, c.p, float(adjusted[id(c)]))
        if id(c) in adjusted
        else c
        for c in out
    ]


def _change(old: Estimate, new: Estimate) -> Change:
    assert old.value is not None
    assert new.value is not None
    difference = new.value - old.value
    open_ended = any(e.ci is not None and None in e.ci for e in (old, new))
    if open_ended or old.ci is None or new.ci is None or old.level != new.level:
        return Change(old, new, difference, None, None)
    low, high = difference_interval((old.value, *old.ci), (new.value, *new.ci))
    # The half of the interval that faces 0 says how many standard errors away 0 is.
    half = (difference - low) if difference > 0 else (high - difference)
    return Change(old, new, difference, (low, high), _p_value(difference, half, old.level))


def _p_value(difference: float, half: float, level: float) -> float:
    from scipy.special import ndtr, ndtri

    if not difference:
        return 1.0
    z = abs(difference) / half * ndtri(0.5 + level / 2) if half > 0 else math.inf
    return max(2 * float(ndtr(-z)), 1e-300)  # never 0


def _gain(old: Estimate, new: Estimate) -> float:
    """Return how much better the new value is; 0 where there is no better."""
    a, b, null = float(old.value or 0), float(new.value or 0), new.null or 0.0
    return {"lower": a - b, "higher": b - a, "near_null": abs(a - null) - abs(b - null)}.get(
        new.better, 0.0
    )


def _estimate(c: Change) -> Estimate:
    return Estimate(
        f"diff.{c.new.id}",
        c.difference,
        c.ci,
        c.p,
        n_real=c.new.n_real,
        n_synth=c.new.n_synth,
        unit=c.new.unit,
        null=0,
        label=c.new.label or c.new.id,
        p_adjusted=c.q,
        level=c.new.level,
        patients_real=c.new.patients_real,
        patients_synth=c.new.patients_synth,
        method=f"new less old; {c.direction if c.moved else 'not beyond the intervals of both'}"
        if c.ci
        else "new less old; an interval is missing: not tested",
    )


# ---- findings -----------------------------------------------------------------------------------

Pairs = Mapping[tuple[str, str, int], tuple[Finding | None, Finding | None]]


def _verdicts(old: Results, new: Results) -> Pairs:
    """Return each finding in both runs, by section, code and how many of that code came before."""
    both: list[dict[tuple[str, str, int], Finding]] = []
    for results in (old, new):
        counted = {s.slug for s in results.sections if s.gate}
        named: dict[tuple[str, str, int], Finding] = {}
        for f in results.findings:
            n = sum(key[:2] == (f.section, f.code) for key in named)
            gate = f.gate and f.section in counted
            named[f.section, f.code, n] = f if gate == f.gate else _ungated(f)
        both.append(named)
    return {key: (both[0].get(key), both[1].get(key)) for key in {**both[0], **both[1]}}


def _ungated(f: Finding) -> Finding:
    from dataclasses import replace

    return replace(f, gate=False)


def _lost(old: Finding | None, new: Finding | None) -> bool:
    """Return whether a gate that was judged cannot be judged any more, or is gone.

    A failure that is gone is no loss: findings on copies, say, are there only where there are any.
    """
    if old is None or not old.gate or old.verdict == Verdict.NOT_ASSESSABLE:
        return False
    if new is None or not new.gate:
        return old.verdict != Verdict.FAIL
    return new.verdict == Verdict.NOT_ASSESSABLE


def _got_worse(old: Finding | None, new: Finding | None) -> bool:
    if _lost(old, new):
        return True
    if new is None or not new.gate:
        return False
    if old is None:
        return new.verdict == Verdict.FAIL
    return old.verdict != new.verdict and worst((old.verdict, new.verdict)) == new.verdict


def _gates(verdicts: Pairs, sections: set[str]) -> Finding:
    """Return the finding that decides; `sections` are those of the new run."""
    gates = {
        key: pair for key, pair in verdicts.items() if any(f is not None and f.gate for f in pair)
    }
    unrun = {key for key, (_, new) in gates.items() if new is None and key[0] not in sections}
    worse = [pair for key, pair in gates.items() if key in unrun or _got_worse(*pair)]
    gone = [(a, b) for a, b in gates.values() if a and not b and (a, b) not in worse]
    better = [
        (a, b)
        for a, b in gates.values()
        if a and b and not _got_worse(a, b) and _got_worse(b, a) and not _lost(b, a)
    ]
    if worse:
        title = f"{_count(len(worse), 'gate')} got worse: {'; '.join(map(_step, worse))}"
    elif better:
        title = f"No gate got worse; {len(better)} got better: {'; '.join(map(_step, better))}"
    else:
        title = f"None of {_count(len(gates), 'gate')} changed its verdict"
    if gone:
        title += f"; no longer found: {'; '.join(map(_step, gone))}"
    text = "Better: " + "; ".join(map(_step, better)) + "." if worse and better else ""
    return GATES.finding(
        Verdict.FAIL if worse else Verdict.PASS,
        title,
        text,
        estimates=(),
        rule="FAIL if the verdict of a gate is worse than before (PASS, NOT_ASSESSABLE, "
        "INCONCLUSIVE, "
        "FAIL, in this order), a failing gate is new, or one that was judged is gone or cannot be "
        "judged any more; else PASS.",
        section="diff",
    )


def _count(n: int, noun: str) -> str:
    return f"{n} {noun}{'s' * (n != 1)}"


def _step(pair: tuple[Finding | None, Finding | None]) -> str:
    old, new = pair
    code = (new or old).code  # type: ignore[union-attr]
    return f"{code} {old.verdict if old else 'absent'} → {new.verdict if new else 'gone'}"


def _moved(changes: Sequence[Change], same_real: bool) -> Finding:
    tested = [c for c in changes if c.p is not None]
    moved = sorted((c for c in tested if c.moved), key=lambda c: c.p or 0)
    by = {word: [c for c in moved if c.direction == word] for word in ("worse", "better", "moved")}
    rule = (
        "Describes. An estimate moved where its difference, over the halves of both intervals in "
        "quadrature (Zou and Donner 2008), has q ≤ 0.05 (Benjamini-Hochberg over "
        f"{len(tested)} estimates with an interval in both runs). Asking for intervals that do "
        "not overlap would miss differences that are certain. What did not move may still differ."
    )
    text = "The interval of a difference takes the runs as independent. " + (
        "These two share the real patients, and where the seed is the same also noise and draws: "
        "what they share cancels in the difference, so that a movement found is certain and more "
        "may have moved. "
        if same_real
        else "Their real sets differ: a movement may be that of the real side. "
    )
    silent = [c for c in changes if c.p is None and c.difference]
    if silent:
        text += f"{_count(len(silent), 'estimate')} without an interval changed; not tested."
    if not tested:
        return MOVED.finding(
            Verdict.NOT_ASSESSABLE,
            "No estimate has an interval in both runs",
            text,
            estimates=(),
            rule=rule,
            section="diff",
        )
    counts = ", ".join(
        f"{len(found)} {word if word != 'moved' else 'neither better nor worse'}"
        for word, found in by.items()
        if found
    )
    title = f"{len(moved)} of {len(tested)} estimates moved beyond their intervals"
    title += f" ({counts}); most certain: {', '.join(map(_shift, moved[:3]))}" if moved else ""
    return MOVED.finding(
        Verdict.INCONCLUSIVE,
        title,
        text,
        estimates=tuple(f"diff.{c.new.id}" for c in moved[:3]),
        rule=rule,
        section="diff",
    )


def _shift(c: Change) -> str:
    unit = f" {c.new.unit}" if c.new.unit else ""
    return f"{c.new.label or c.new.id} {c.old.value:.3g} → {c.new.value:.3g}{unit}"


def _same_real(old: Results, new: Results) -> bool:
    """Return whether both runs had the same real patients, as far as their manifests say."""
    sets = [r.manifest.get("sets", {}) for r in (old, new)]
    names = [n for n in ("real", "train", "holdout", "choose", "confirm") if n in sets[1]]
    prints = [[s.get(n, {}).get("fingerprint") for n in names] for s in sets]
    return bool(names) and prints[0] == prints[1]


def _inputs(old: Results, new: Results) -> Finding:
    a, b = (_flat(_about(r)) for r in (old, new))
    told = [key for key in {**a, **b} if not key.startswith(_UNSEEN)]
    differing = [key for key in told if a.get(key) != b.get(key)]
    rest = [key for key in differing if not key.startswith(("sets.synth.", "config.synth."))]
    listed = "; ".join(f"{key}: {a.get(key, 'none')} → {b.get(key, 'none')}" for key in differing)
    title = (
        f"More than the synthetic set differs: {', '.join(rest[:4])}"
        + (f" and {len(rest) - 4} more" if len(rest) > 4 else "")
        if rest
        else "Only the synthetic set differs"
        if differing
        else "The runs had the same settings, versions and sets"
    )
    return INPUTS.finding(
        Verdict.INCONCLUSIVE if rest else Verdict.PASS,
        title,
        listed,
        estimates=(),
        rule="Describes: settings, versions, and the fingerprints of the sets.",
        section="diff",
    )


def _about(results: Results) -> dict[str, Any]:
    """Return what of a manifest decides whether two runs can be compared."""
    m = results.manifest
    out = {k: v for k, v in m.items() if k not in _IGNORED}
    out["version"] = {"ecgeval": m.get("ecgeval"), **m.get("versions", {})}
    out["sets"] = {
        name: {k: s.get(k) for k in ("source", "n", "patients", "fingerprint")}
        for name, s in m.get("sets", {}).items()
    }
    return out


def _flat(body: Mapping[str, Any], at: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in body.items():
        out |= _flat(value, f"{at}{key}.") if isinstance(value, Mapping) else {f"{at}{key}": value}
    return out


# ---- tables and figure --------------------------------------------------------------------------


def _verdict_table(verdicts: Pairs) -> Table:
    rows = [
        (
            section,
            code,
            _shown(a),
            _shown(b),
            "worse" if _got_worse(a, b) else _word(a, b),
            (b.gate if b else bool(a and a.gate)),
            (b or a).title,  # type: ignore[union-attr]
        )
        for (section, code, _), (a, b) in verdicts.items()
    ]
    order = ["worse", "new", "gone", "changed", "same"]
    rows.sort(key=lambda row: order.index(row[4]))
    return Table(
        "diff.findings",
        "Findings of both runs",
        ("section", "finding", "old", "new", "change", "gate", "conclusion"),
        tuple(rows),
        "What got worse first; the conclusion is that of the new run where there is one.",
        "diff",
    )


def _shown(f: Finding | None) -> str | None:
    return None if f is None else str(f.verdict) if f.gate else word(f)


def _word(old: Finding | None, new: Finding | None) -> str:
    if old is None or new is None:
        return "new" if old is None else "gone"
    return "same" if old.verdict == new.verdict else "changed"


def _change_table(changes: Sequence[Change]) -> Table:
    ranked = sorted(changes, key=lambda c: (c.p is None, c.p or 0, -abs(c.difference)))
    rows = tuple(
        (
            c.new.label or c.new.id,
            c.old.value,
            c.new.value,
            c.difference,
            *(c.ci or (None, None)),
            c.new.unit,
            c.q,
            c.direction if c.moved else "",
        )
        for c in ranked
        if c.difference or c.moved
    )
    return Table(
        "diff.estimates",
        "Estimates that differ",
        ("estimate", "old", "new", "change", "low", "high", "unit", "q", "moved"),
        rows,
        "The most certain first; 95 % interval of the change; q over all estimates tested.",
        "diff",
    )


def _figure(changes: Sequence[Change]) -> list[Figure]:
    """Return the changes in units of the half-width of their interval, the most certain first.

    Of a measure's several statistics the one that moved most certainly.
    """
    moved = sorted((c for c in changes if c.moved and c.ci), key=lambda c: c.p or 0)
    first = {c.new.id.rpartition(".")[0]: c for c in reversed(moved)}
    rows = []
    for c in [c for c in moved if first[c.new.id.rpartition(".")[0]] is c][:_SHOWN]:
        assert c.ci is not None
        half = (c.ci[1] - c.ci[0]) / 2
        if half > 0:
            ends = [float(np.clip(v / half, -20, 20)) for v in (c.difference, *c.ci)]
            rows.append(
                {
                    "label": _short(c.new),
                    "value": ends[0],
                    "ci": ends[1:],
                    "floor": None,
                    "group": {"moved": "neither"}.get(c.direction, c.direction),
                }
            )
    if not rows:
        return []
    return [
        Figure(
            "diff.moved",
            "effects",
            "What moved",
            {"xlabel": "change over half its interval", "null": 0, "rows": rows},
            "New less old: of each measure the statistic that moved most certainly, at most "
            f"{_SHOWN} measures, cut at ±20.",
            "diff",
        )
    ]


def _short(e: Estimate) -> str:
    """Return a label that a forest plot has room for: the measure and a sign for the statistic."""
    *_, thing, statistic = e.id.split(".")
    name = e.label.partition(":")[0] or thing
    sign = _SIGNS.get(statistic, statistic.removesuffix("_diff").replace("_", " "))
    return f"{name[: 22 - len(sign)].rstrip(' ,')}, {sign}"
