"""The rules for a normal adult ECG, as ``rules.toml`` declares them."""

from __future__ import annotations

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from itertools import product
from typing import Any

from ecgeval.comparison.plausibility.derived_measures import DERIVED
from ecgeval.measures import MEASURES
from ecgeval.signal_checks import CHECKS
from ecgeval.stats.arrays import Bools, Floats

__all__ = ["Condition", "Limit", "Rule", "RuleTable", "load_rules"]


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
            label, unit = DERIVED[name]
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

    def columns(self) -> list[str]:
        return [name for condition in self.conditions for name in condition.columns()]

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


@cache
def load_rules() -> RuleTable:
    """Return the rules that come with ecgeval."""
    path = files("ecgeval.comparison.plausibility").joinpath("rules.toml")
    body = tomllib.loads(path.read_text(encoding="utf-8"))
    return RuleTable(body["version"], body["adult_from"], tuple(map(_rule, body["rules"])))


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
