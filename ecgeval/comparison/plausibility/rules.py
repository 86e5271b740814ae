"""Which records keep the rules for a normal adult ECG, and how well that agrees with labels.

Sex and age are never guessed: where a limit depends on one that is not known, a record is judged
under every limit that may be its own, and the answer is "depends" where these disagree.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecgeval.comparison.plausibility.derived_measures import with_derived
from ecgeval.comparison.plausibility.rule_table import Rule, load_rules
from ecgeval.errors import UsageError
from ecgeval.io.labels import MOST_YEARS
from ecgeval.stats.arrays import Bools, Floats
from ecgeval.stats.intervals import wilson
from ecgeval.stats.sample import effective_n

__all__ = [
    "DEPENDS",
    "FAIL",
    "NOT_MEASURABLE",
    "PASS",
    "Judged",
    "apply_rules",
    "calibrate_rules",
    "judge",
]

PASS, FAIL, NOT_MEASURABLE, DEPENDS = "pass", "fail", "not measurable", "depends on sex or age"
_WORDS = np.array([FAIL, PASS, NOT_MEASURABLE, DEPENDS], dtype=object)

_STEP = {"ms": 10.0, "mv": 0.1, "deg": 10.0, "bpm": 5.0, "pct": 10.0}
"""One step of closeness to a limit in each unit: orders values by how near their limits are."""


@dataclass(frozen=True)
class Judged:
    """A table of measures under the rules, for every group of people with limits of its own.

    Parameters
    ----------
    rules : tuple of Rule
        Those with a column in the table of measures.
    passed, failed : ndarray of bool, shape (people, rules, n)
        Neither where something is not measurable.
    complete : ndarray of bool, shape (rules, n)
        Whether the record has every value that the rule needs.
    value : ndarray of float, shape (rules, n)
        The value that is nearest to its limit, or furthest beyond it.
    which : ndarray of int, shape (rules, n)
        Its column, in `columns` of that rule.
    columns : tuple of tuple of str
    may_be : ndarray of bool, shape (people, n)
        Whether the record may be of these people; of none below the adult age.
    """

    rules: tuple[Rule, ...]
    passed: Bools
    failed: Bools
    complete: Bools
    value: Floats
    which: NDArray[np.intp]
    columns: tuple[tuple[str, ...], ...]
    may_be: Bools

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
        others = ~self.may_be[:, None]
        code = np.full(passed.shape[1:], 3)
        code[(passed | others).all(axis=0)] = 1
        code[(failed | others).all(axis=0)] = 0
        code[((~passed & ~failed) | others).all(axis=0)] = 2  # children too: no rule is for them
        return _WORDS[code]


def judge(
    measures: pd.DataFrame,
    *,
    sex: ArrayLike | None = None,
    age: ArrayLike | None = None,
    strict: bool = True,
) -> Judged:
    """Return how the records stand under the rules (see `apply_rules` for the parameters)."""
    table = load_rules()
    frame = with_derived(measures)
    people = table.people()
    rules = [r for r in table.rules if any(c in frame for c in r.columns())]
    if not rules:
        raise UsageError(
            "no rule can be judged: none of the columns is a measure that the rules use; expected "
            "columns such as hr_bpm or qrs_ms, as `ecgeval measure` writes them"
        )
    passed, failed, complete, value, which, columns = zip(
        *(_judge_rule(rule, frame, people, strict) for rule in rules), strict=True
    )
    return Judged(
        tuple(rules),
        np.stack(passed, axis=1),
        np.stack(failed, axis=1),
        np.stack(complete),
        np.stack(value),
        np.stack(which),
        columns,
        _may_be(people, table.adult_from, len(measures), sex, age),
    )


def _judge_rule(
    rule: Rule, frame: Mapping[str, Floats], people: Sequence[tuple[str, float]], strict: bool
) -> tuple[Bools, Bools, Bools, Floats, NDArray[np.intp], tuple[str, ...]]:
    """Return `passed`, `failed`, `complete`, `value`, `which` and `columns` of one rule."""
    parts = [(c, name) for c in rule.conditions for name in c.columns() if name in frame]
    columns = tuple(name for _, name in parts)
    values = np.stack([frame[name] for name in columns])
    missing: Bools = np.isnan(values)
    kept = np.ones((len(people), values.shape[1]), bool)
    broken = np.zeros_like(kept)
    to_limit = np.full(values.shape, np.inf)  # below 0 beyond the limit
    for k, (condition, name) in enumerate(parts):
        for i, (sex, age) in enumerate(people):
            (limit,) = (x for x in condition.limits(strict) if x.holds_for(sex, age))
            keeps = limit.keeps(values[k])
            kept[i] &= keeps
            broken[i] |= ~keeps & ~missing[k]
            steps = np.minimum(values[k] - limit.low, limit.high - values[k])
            steps = steps / _STEP.get(name.rsplit("_", 1)[-1], 1.0)
            to_limit[k] = np.fmin(to_limit[k], steps)
    to_limit[missing] = np.inf
    nearest: NDArray[np.intp] = to_limit.argmin(axis=0)
    complete: Bools = np.logical_not(missing.any(axis=0))
    value = values[nearest, np.arange(values.shape[1])]
    return kept & complete, broken, complete, value, nearest, columns


def _may_be(
    people: Sequence[tuple[str, float]],
    adult_from: float,
    n: int,
    sex: ArrayLike | None,
    age: ArrayLike | None,
) -> Bools:
    """Return whether each record may be of these people, shape (people, n)."""
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


def apply_rules(
    measures: pd.DataFrame,
    *,
    sex: ArrayLike | None = None,
    age: ArrayLike | None = None,
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
        If no column is one that the rules use, or sexes or ages are of another number.

    References
    ----------
    Each rule's source is in ``rules.toml`` beside this module: Surawicz et al. 2009
    doi:10.1016/j.jacc.2008.12.013, Rautaharju et al. 2009 doi:10.1016/j.jacc.2008.12.014,
    Hancock et al. 2009 doi:10.1016/j.jacc.2008.12.015, Wagner et al. 2009
    doi:10.1016/j.jacc.2008.12.016.
    """
    judged = judge(measures, sex=sex, age=age, strict=strict)
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
    sex, age
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
    patient = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)[1]
    rows = []
    for strict in (True, False):
        judged = judge(measures, sex=sex, age=age, strict=strict)
        names = [*(rule.id for rule in judged.rules), "normal"]
        for name, words in zip(names, judged.words(), strict=True):
            decided = judged.adult & (words != DEPENDS)
            if name != "normal":
                decided &= words != NOT_MEASURABLE
            rows.append(
                {
                    "rule": name,
                    "limits": "strict" if strict else "alternative",
                    **_share("specificity", words == PASS, decided & normal, patient),
                    **_share("sensitivity", words != PASS, decided & ~normal, patient),
                    "depends": 100 * float((words == DEPENDS)[judged.adult].mean()),
                }
            )
    return pd.DataFrame(rows)


def _share(name: str, event: Bools, use: Bools, patient: NDArray[np.intp]) -> dict[str, Any]:
    """Return the columns of one share, %; NaN where there are no records to `use`."""
    code = np.unique(patient[use], return_inverse=True)[1]
    share, low, high = (np.nan,) * 3
    if use.any():
        share = float(event[use].mean())
        low, high = wilson(share, effective_n(event[use], code))
    return {
        name: 100 * share,
        f"{name}_low": 100 * low,
        f"{name}_high": 100 * high,
        f"{name}_n": int(use.sum()),
        f"{name}_patients": len(np.unique(code)),
    }
