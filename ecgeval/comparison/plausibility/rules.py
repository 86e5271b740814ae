"""What a normal adult ECG is, as a table of rules, and which records keep them.

Sex and age are never guessed: where a limit depends on one that is not known, a record is judged
under every limit that may be its own, and the answer is "depends" where these disagree.
"""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files
from itertools import product
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecgeval.errors import UsageError
from ecgeval.io.labels import MOST_YEARS
from ecgeval.measures import MEASURES
from ecgeval.signal_checks import CHECKS
from ecgeval.stats.arrays import Bools, Floats
from ecgeval.stats.intervals import wilson
from ecgeval.stats.sample import effective_n

__all__ = [
    "DEPENDS",
    "FAIL",
    "NOT_MEASURABLE",
    "PASS",
    "VERSION",
    "Judged",
    "Rule",
    "RuleTable",
    "apply_rules",
    "calibrate_rules",
    "judge",
    "load_rules",
]

VERSION = "normal-adult-1"

PASS, FAIL, NOT_MEASURABLE, DEPENDS = "pass", "fail", "not measurable", "depends on sex or age"
_WORDS = np.array([FAIL, PASS, NOT_MEASURABLE, DEPENDS], dtype=object)


# What one step of closeness to a limit is worth in each unit: only orders values by how near they
# come to their limits.
_STEP = {"ms": 10.0, "mv": 0.1, "deg": 10.0, "bpm": 5.0, "pct": 10.0}
_DERIVED = {
    "p_present": ("P wave found", ""),
    "q_share_{lead}": ("Q depth over R height {lead}", "%"),
    "deep_q_share_{lead}": ("Q depth over R height {lead}, Q from 0.1 mV on", "%"),
    "sokolow_mv": ("Sokolow-Lyon (S V1 + R V5 or V6)", "mV"),
    "cornell_mv": ("Cornell (R aVL + S V3)", "mV"),
    "limb_pp_mv": ("largest peak-to-peak QRS of the limb leads", "mV"),
    "r_gain_mv": ("R V4 − R V1", "mV"),
    "s_loss_mv": ("S V2 − S V5", "mV"),
    "transition": ("first chest lead with R ≥ S", ""),
}
_NO_R = 1000.0  # Q over R where there is hardly an R, %
_CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")
_LIMB = ("I", "II", "III", "aVR", "aVL", "aVF")


@dataclass(frozen=True)
class Limit:
    """A range, and whose it is: `low` and `high` belong to it where they are closed."""

    low: float = -math.inf
    high: float = math.inf
    closed: tuple[bool, bool] = (True, True)
    sex: str | None = None
    ages: tuple[float, float] = (0.0, math.inf)

    def holds_for(self, sex: str, age: float) -> bool:
        return self.sex in (None, sex) and self.ages[0] <= age < self.ages[1]

    def keeps(self, values: Floats) -> Bools:
        low = values >= self.low if self.closed[0] else values > self.low
        high = values <= self.high if self.closed[1] else values < self.high
        return low & high

    def __str__(self) -> str:
        signs = ("≥" if self.closed[0] else ">", "≤" if self.closed[1] else "<")
        ends = [
            f"{sign} {end:g}"
            for sign, end in zip(signs, (self.low, self.high), strict=True)
            if math.isfinite(end)
        ]
        whose = [] if self.sex is None else [{"F": "women", "M": "men"}[self.sex]]
        if self.ages[0] > 0:
            whose.append(f"from {self.ages[0]:g} y")
        if math.isfinite(self.ages[1]):
            whose.append(f"under {self.ages[1]:g} y")
        return " and ".join(ends).replace("-", "−") + (f" ({' '.join(whose)})" if whose else "")


@dataclass(frozen=True)
class Condition:
    """A measure (``{lead}`` for each of `leads`) and its limits."""

    measure: str
    leads: tuple[str, ...]
    strict: tuple[Limit, ...]
    alternative: tuple[Limit, ...]

    def columns(self) -> list[str]:
        return [self.measure.format(lead=lead) for lead in self.leads] or [self.measure]

    def limits(self, strict: bool) -> tuple[Limit, ...]:
        return self.strict if strict else self.alternative

    def text(self, strict: bool) -> str:
        """Return the limits in words, with the unit."""
        name = self.measure
        if name in MEASURES or name in CHECKS:
            about = MEASURES.get(name) or CHECKS[name]
            label, unit = about.label, about.unit
        else:
            label, unit = _DERIVED[name]
        ends = " or ".join(map(str, self.limits(strict)))
        return f"{label.format(lead=', '.join(self.leads))} {ends}" + f" {unit}" * bool(unit)


@dataclass(frozen=True)
class Rule:
    """One rule: all its conditions must hold. `decides` False is shown but does not count."""

    id: str
    label: str
    source: str
    decides: bool
    conditions: tuple[Condition, ...]

    def text(self, strict: bool) -> str:
        """Return the limits in words."""
        return "; ".join(condition.text(strict) for condition in self.conditions)


@dataclass(frozen=True)
class RuleTable:
    """The rules of one version.

    Parameters
    ----------
    version : str
    adult_from : float
        Age in years from which the rules apply.
    rules : tuple of Rule
    """

    version: str
    adult_from: float
    rules: tuple[Rule, ...]

    def people(self) -> list[tuple[str, float]]:
        """Return a sex and an age for each group of people that has limits of its own."""
        limits = [x for r in self.rules for c in r.conditions for x in (*c.strict, *c.alternative)]
        cuts = {end for x in limits for end in x.ages if 0 < end < math.inf}
        return list(product("FM", [self.adult_from, *sorted(cuts)]))


@lru_cache
def load_rules(version: str = VERSION) -> RuleTable:
    """Return the rules that come with ecgeval.

    Raises
    ------
    UsageError
        If there is no such version.
    """
    text = (
        files("ecgeval.comparison.plausibility").joinpath("rules.toml").read_text(encoding="utf-8")
    )
    body = tomllib.loads(text)
    if version != body["version"]:
        raise UsageError(f"no rules of version {version!r}; there is {body['version']}")
    return RuleTable(version, body["adult_from"], tuple(map(_rule, body["rules"])))


def _rule(body: Mapping[str, Any]) -> Rule:
    conditions = tuple(
        Condition(
            c["measure"],
            tuple(c.get("leads", ())),
            _limits(c["strict"]),
            _limits(c.get("alternative", c["strict"])),
        )
        for c in body["conditions"]
    )
    return Rule(body["id"], body["label"], body["source"], body.get("decides", True), conditions)


def _limits(body: Mapping[str, Any] | list[Mapping[str, Any]]) -> tuple[Limit, ...]:
    return tuple(
        Limit(
            low=x.get("min", x.get("above", -math.inf)),
            high=x.get("max", x.get("below", math.inf)),
            closed=("above" not in x, "below" not in x),
            sex=x.get("sex"),
            ages=(x.get("from", 0.0), x.get("until", math.inf)),
        )
        for x in (body if isinstance(body, list) else [body])
    )


# ---- judging ------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judged:
    """A table of measures under the rules, for every group of people with limits of its own.

    Parameters
    ----------
    table : RuleTable
    rules : tuple of Rule
        Those with a column in the table of measures.
    passed, failed : ndarray of bool, shape (people, rules, n)
        Neither where something is not measurable.
    value : ndarray of float, shape (rules, n)
        The value that is nearest to its limit, or furthest beyond it.
    which : ndarray of int, shape (rules, n)
        Its column, in `columns` of that rule.
    columns : tuple of tuple of str
    may_be : ndarray of bool, shape (people, n)
        Whether the record may be of these people; of none below the adult age.
    complete : ndarray of bool, shape (rules, n)
        Whether the record has every value that the rule needs.
    """

    table: RuleTable
    rules: tuple[Rule, ...]
    passed: Bools
    failed: Bools
    value: Floats
    which: NDArray[np.intp]
    columns: tuple[tuple[str, ...], ...]
    may_be: Bools
    complete: Bools

    @property
    def adult(self) -> Bools:
        return np.logical_or.reduce(self.may_be, axis=0)

    def with_normal(self) -> tuple[Bools, Bools]:
        """Return `passed` and `failed` with one more row: all rules that decide.

        A record is normal if it passes all, and not normal if it fails one.
        """
        use = [r.decides for r in self.rules]
        normal = self.passed[:, use].all(axis=1, keepdims=True)
        broken = self.failed[:, use].any(axis=1, keepdims=True)
        return (
            np.concatenate([self.passed, normal], axis=1),
            np.concatenate([self.failed, broken], axis=1),
        )

    def words(self) -> NDArray[np.object_]:
        """Return the words, shape (rules + 1, n); the last row is for all rules together."""
        passed, failed = self.with_normal()
        mine = self.may_be[:, None]
        code = np.full(passed.shape[1:], 3)
        code[(passed | ~mine).all(axis=0)] = 1
        code[(failed | ~mine).all(axis=0)] = 0
        code[((~passed & ~failed) | ~mine).all(axis=0)] = 2  # children too: the rules say nothing
        return _WORDS[code]


def judge(
    measures: pd.DataFrame,
    *,
    sex: ArrayLike | None = None,
    age: ArrayLike | None = None,
    version: str = VERSION,
    strict: bool = True,
    columns: Sequence[str] | None = None,
) -> Judged:
    """Return how the records stand under the rules (see `apply_rules` for the parameters).

    `columns` are those to use, all by default: two sets are judged on the columns they share.
    """
    table = load_rules(version)
    frame = _derived(measures if columns is None else measures[list(columns)])
    people = table.people()
    n = len(measures)
    rules, passed, failed, value, which, used, complete = [], [], [], [], [], [], []
    for rule in table.rules:
        parts = [(c, name) for c in rule.conditions for name in c.columns() if name in frame]
        if not parts:
            continue
        ok, known = np.ones((len(people), n), bool), np.ones(n, bool)
        bad = np.zeros_like(ok)
        slack = np.full((len(parts), n), np.inf)
        for k, (condition, name) in enumerate(parts):
            values = frame[name]
            missing = np.isnan(values)
            known &= ~missing
            for i, (s, a) in enumerate(people):
                (limit,) = (x for x in condition.limits(strict) if x.holds_for(s, a))
                keeps = limit.keeps(values)
                ok[i] &= keeps
                bad[i] |= ~keeps & ~missing
                room = np.minimum(values - limit.low, limit.high - values)
                slack[k] = np.fmin(slack[k], room / _STEP.get(name.rsplit("_", 1)[-1], 1.0))
            slack[k, missing] = np.inf
        nearest = slack.argmin(axis=0)
        rules.append(rule)
        passed.append(ok & known)
        failed.append(bad)
        complete.append(known)
        which.append(nearest)
        used.append(tuple(name for _, name in parts))
        value.append(np.stack([frame[name] for _, name in parts])[nearest, np.arange(n)])
    if not rules:
        raise UsageError(
            "no rule can be judged: none of the columns is a measure that the rules use; expected "
            "columns such as hr_bpm or qrs_ms, as `ecgeval measure` writes them"
        )
    return Judged(
        table,
        tuple(rules),
        np.stack(passed, axis=1),
        np.stack(failed, axis=1),
        np.stack(value),
        np.stack(which),
        tuple(used),
        _may_be(people, table.adult_from, n, sex, age),
        np.stack(complete),
    )


def _may_be(
    people: Sequence[tuple[str, float]],
    adult_from: float,
    n: int,
    sex: ArrayLike | None,
    age: ArrayLike | None,
) -> Bools:
    sexes = np.full(n, None, object) if sex is None else np.asarray(sex, dtype=object)
    numbers = pd.to_numeric(pd.Series(np.full(n, np.nan) if age is None else age), errors="coerce")
    # An age that nobody has is a code, and says nothing of the person.
    ages = numbers.where(numbers.between(0, MOST_YEARS)).to_numpy(float)
    if len(sexes) != n or len(ages) != n:
        raise UsageError(
            f"{len(sexes)} sexes and {len(ages)} ages for {n} records; expected one each"
        )
    unknown = ~np.isin(sexes.astype(str), ["F", "M"])
    starts = sorted({age for _, age in people})
    band = np.searchsorted(starts, ages, side="right") - 1
    out = np.stack(
        [(unknown | (sexes == s)) & (np.isnan(ages) | (band == starts.index(a))) for s, a in people]
    )
    return out & ~(ages < adult_from)


def _derived(measures: pd.DataFrame) -> dict[str, Floats]:
    """Return the measures and what the rules make of them, as arrays."""
    frame = {
        str(c): measures[c].to_numpy(float, na_value=np.nan)
        for c in measures.columns
        if pd.api.types.is_numeric_dtype(measures[c]) or measures[c].isna().all()
    }

    def amp(wave: str, lead: str) -> Floats | None:
        return frame.get(f"{wave}_amp_{lead}_mv")

    def add(name: str, *needed: Floats | None, make: Any) -> None:
        if all(x is not None for x in needed):
            frame[name] = make(*needed)

    def p_present(pr: Floats, qrs: Floats) -> Floats:
        return np.where(np.isnan(qrs), np.nan, np.isfinite(pr).astype(float))

    def share(q: Floats, r: Floats, least: float = 0.0) -> Floats:
        with np.errstate(divide="ignore", invalid="ignore"):
            percent = np.where(q < 0, np.minimum(-100 * q / r, _NO_R), 0.0)
        percent = np.where(q > -least, 0.0, percent)
        return np.where(np.isnan(q) | np.isnan(r), np.nan, percent)

    add("p_present", frame.get("pr_ms"), frame.get("qrs_ms"), make=p_present)
    for lead in (*_LIMB, *_CHEST):
        q, r = amp("q", lead), amp("r", lead)
        add(f"q_share_{lead}", q, r, make=share)
        add(f"deep_q_share_{lead}", q, r, make=lambda q, r: share(q, r, 0.1))
    # S is the deepest part of the QRS: where V1 has a QS with a notch, the measure calls it Q.
    depth = {}
    for lead in (*_LIMB, *_CHEST):
        q, s = amp("q", lead), amp("s", lead)
        depth[lead] = None if q is None or s is None else -np.minimum(q, s)
    add(
        "sokolow_mv",
        depth["V1"],
        amp("r", "V5"),
        amp("r", "V6"),
        make=lambda s, r5, r6: s + np.maximum(r5, r6),
    )
    add("cornell_mv", amp("r", "aVL"), depth["V3"], make=np.add)
    add("r_gain_mv", amp("r", "V4"), amp("r", "V1"), make=np.subtract)
    add("s_loss_mv", depth["V2"], depth["V5"], make=np.subtract)
    pairs = {lead: (r, depth[lead]) for lead in depth if (r := amp("r", lead)) is not None}
    spans = [r + s for lead, (r, s) in pairs.items() if lead in _LIMB and s is not None]
    if spans:
        frame["limb_pp_mv"] = np.max(spans, axis=0)
    chest = [(r, s) for lead, (r, s) in pairs.items() if lead in _CHEST and s is not None]
    if len(chest) == len(_CHEST):
        r, s = (np.stack(part) for part in zip(*chest, strict=True))
        at_least = r >= s
        first = np.where(at_least.any(axis=0), at_least.argmax(axis=0) + 1.0, 7.0)
        frame["transition"] = np.where(np.isnan(r + s).any(axis=0), np.nan, first)
    return frame


def apply_rules(
    measures: pd.DataFrame,
    *,
    sex: ArrayLike | None = None,
    age: ArrayLike | None = None,
    version: str = VERSION,
    strict: bool = True,
) -> pd.DataFrame:
    """Judge each record by the rules for a normal adult ECG.

    Parameters
    ----------
    measures : DataFrame
        One row a record, columns as of `ecgeval.measure` and, where there are any, the columns
        ``p_beats_pct``, ``pr_sd_ms`` and ``q_dur_ms`` of `signal_checks`. A measure without a
        column is left out of its rule; a missing value makes a rule not measurable, unless
        another of its values already fails.
    sex : array_like of str, optional
        ``F`` or ``M``; anything else is unknown.
    age : array_like of float, optional
        Years; NaN is unknown.
    version : str
        Of the rule table.
    strict : bool
        The strict limits, or the alternative ones.

    Returns
    -------
    DataFrame
        The index of `measures`; for each rule a column of its name with ``pass``, ``fail``,
        ``not measurable`` or ``depends on sex or age``, and ``{rule}_value`` and
        ``{rule}_measure``, the value nearest to its limit or furthest beyond it; and ``normal``:
        all rules that decide. Below 18 years everything is not measurable: the limits are those
        of adults.

    Raises
    ------
    UsageError
        If no column is one that the rules use, sexes or ages are of another number, or there is
        no such version.

    References
    ----------
    Each rule's source is in ``rules.toml`` beside this module: Surawicz et al. 2009
    doi:10.1016/j.jacc.2008.12.013, Rautaharju et al. 2009 doi:10.1016/j.jacc.2008.12.014,
    Hancock et al. 2009 doi:10.1016/j.jacc.2008.12.015, Wagner et al. 2009
    doi:10.1016/j.jacc.2008.12.016.
    """
    judged = judge(measures, sex=sex, age=age, version=version, strict=strict)
    words = judged.words()
    out: dict[str, Any] = {}
    for k, rule in enumerate(judged.rules):
        out[rule.id] = words[k]
        out[f"{rule.id}_value"] = judged.value[k]
        out[f"{rule.id}_measure"] = np.array(judged.columns[k], object)[judged.which[k]]
    return pd.DataFrame({**out, "normal": words[-1]}, index=measures.index)


def calibrate_rules(
    measures: pd.DataFrame,
    is_normal: ArrayLike,
    patients: ArrayLike,
    *,
    sex: ArrayLike | None = None,
    age: ArrayLike | None = None,
    version: str = VERSION,
) -> pd.DataFrame:
    """Return how well the rules agree with labels: sensitivity and specificity, rule by rule.

    A positive is a record that a rule does not pass. A record that cannot be measured counts as
    one for ``normal``, which must be shown, and is left out of the single rules.

    Parameters
    ----------
    measures : DataFrame
        As for `apply_rules`.
    is_normal : array_like of bool, shape (n,)
        Whether the record is labelled a normal ECG.
    patients : array_like, shape (n,)
    sex, age, version
        As for `apply_rules`.

    Returns
    -------
    DataFrame
        One row a rule, the last ``normal``; columns ``rule``, ``limits`` (strict or alternative),
        ``specificity`` (share of normal records that pass) and ``sensitivity`` (share of others
        that do not), %, each with ``_low``, ``_high`` (95 %, Wilson on the effective number of
        records), ``_n`` and ``_patients``; ``depends`` the share of records whose answer hangs on
        an unknown sex or age, which are in neither.
    """
    normal = np.asarray(is_normal, bool)
    who = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)[1]
    rows = []
    for strict in (True, False):
        judged = judge(measures, sex=sex, age=age, version=version, strict=strict)
        words = judged.words()
        for k, name in enumerate([*(r.id for r in judged.rules), "normal"]):
            told = judged.adult & (words[k] != DEPENDS)
            if name != "normal":
                told &= words[k] != NOT_MEASURABLE
            row: dict[str, Any] = {"rule": name, "limits": "strict" if strict else "alternative"}
            for column, use, event in (
                ("specificity", told & normal, words[k] == PASS),
                ("sensitivity", told & ~normal, words[k] != PASS),
            ):
                code = np.unique(who[use], return_inverse=True)[1]
                row |= {f"{column}_n": int(use.sum()), f"{column}_patients": len(np.unique(code))}
                if use.any():
                    share = float(event[use].mean())
                    low, high = wilson(share, effective_n(event[use], code))
                    row |= {
                        column: 100 * share,
                        f"{column}_low": 100 * low,
                        f"{column}_high": 100 * high,
                    }
            row["depends"] = 100 * float((words[k] == DEPENDS)[judged.adult].mean())
            rows.append(row)
    order = (
        ["rule", "limits"]
        + [
            f"{c}{end}"
            for c in ("specificity", "sensitivity")
            for end in ("", "_low", "_high", "_n", "_patients")
        ]
        + ["depends"]
    )
    return pd.DataFrame(rows).reindex(columns=order)
