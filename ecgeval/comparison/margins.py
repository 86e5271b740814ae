"""Equivalence within declared margins, by two one-sided tests."""

from __future__ import annotations

import math
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from ecgeval.ecgset import STANDARD_LEADS
from ecgeval.errors import UsageError
from ecgeval.measures import measure_info

__all__ = ["MAX_PRIMARY", "Margins", "load_margins"]

MAX_PRIMARY = 12
LEVELS = ("strict", "lenient")
SHAPES = ("quantiles", "wasserstein")
_LEAD = re.compile("_(" + "|".join(STANDARD_LEADS) + ")_")


def _any_lead(column: str) -> str:
    return _LEAD.sub("_{lead}_", column)


@dataclass(frozen=True)
class Margins:
    """The margins of one level, read from a margins file.

    Parameters
    ----------
    level : {"strict", "lenient"}
    primary : tuple of str
        Columns that decide.
    measures : mapping of str to (float, float)
        Margin in the measure's unit, and as a share of the real median.
    sd_ratio : (float, float)
    missing : float
        Largest difference of failure rates, as a proportion.
    source : str
        The file.
    factors : mapping of str to float
        "quantiles" and "wasserstein": their margin in margins of the median.
    shapes : mapping of (str, str) to float
        Margins that a column, with one of these, has of its own, in the measure's unit.
    joint : mapping of str to float
        Margins of relations between measures (``qt_rr_slope``, ms/ms).
    plausibility : float
        Largest difference in the share of rule-normal records, as a proportion.
    """

    level: str
    primary: tuple[str, ...]
    measures: Mapping[str, tuple[float, float]]
    sd_ratio: tuple[float, float]
    missing: float
    source: str
    factors: Mapping[str, float] = field(default_factory=dict)
    shapes: Mapping[tuple[str, str], float] = field(default_factory=dict)
    joint: Mapping[str, float] = field(default_factory=dict)
    plausibility: float = 0.03

    def of(self, column: str, real_median: float, kind: str = "") -> float | None:
        """Return the margin of a column's median, None where none is declared.

        With `kind` that of its "quantiles" or of its "wasserstein" distance.
        """
        if (own := self._own(column, kind)) is not None:
            return own
        if (found := self._declared(column)) is None:
            return None
        absolute, share = found
        return max(absolute, share * abs(real_median)) * self.factors.get(kind, 1)

    def share(self, column: str, real_median: float, kind: str = "") -> float:
        """Return which share of the real median `of` is; 0 where it is a size of its own."""
        absolute, share = self._declared(column) or (0.0, 0.0)
        own = self._own(column, kind) is not None
        if own or not share * abs(real_median) > absolute:
            return 0.0
        return share * self.factors.get(kind, 1)

    def _declared(self, column: str) -> tuple[float, float] | None:
        """Return the margin and share of a column, or of any lead's."""
        return self.measures.get(column) or self.measures.get(_any_lead(column))

    def _own(self, column: str, kind: str) -> float | None:
        """Return the margin that a kind of a column, or of any lead's, has of its own."""
        return self.shapes.get((column, kind), self.shapes.get((_any_lead(column), kind)))


def load_margins(level: str = "lenient", path: str | Path | None = None) -> Margins:
    """Read the margins that come with ecgeval, or those of a file of the same layout.

    Parameters
    ----------
    level : {"strict", "lenient"}
    path : path, optional
        A TOML file; what it does not set keeps its default.

    Returns
    -------
    Margins

    Raises
    ------
    UsageError
        If the level, a column or a value is not one that can be used.
    """
    if level not in LEVELS:
        raise UsageError(f"margins are {' or '.join(LEVELS)}; found {level!r}")
    default = files("ecgeval.comparison").joinpath("margins.toml")
    body = tomllib.loads(default.read_text(encoding="utf-8"))
    source = "margins.toml of ecgeval"
    if path is not None:
        source = str(path)
        try:
            own = tomllib.loads(Path(path).read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
            raise UsageError(f"cannot read the margins file {path}: {error}") from None
        unknown = sorted(set(own) - set(body))
        if unknown:
            raise UsageError(
                f"{path}: unknown key {unknown[0]!r}; expected {', '.join(sorted(body))}"
            )
        merged = {k: {**body[k], **_table(own, k, source)} for k in ("measures", "joint")}
        unknown = sorted(set(merged["joint"]) - set(body["joint"]))
        if unknown:
            expected = ", ".join(sorted(body["joint"]))
            raise UsageError(f"{path}: unknown key joint.{unknown[0]!r}; expected {expected}")
        body = {**body, **own, **merged}
    return _checked(body, level, source)


def _checked(body: Mapping[str, Any], level: str, source: str) -> Margins:
    primary = body["primary"]
    if not isinstance(primary, list) or not 1 <= len(primary) <= MAX_PRIMARY:
        raise UsageError(f"{source}: primary must list 1 to {MAX_PRIMARY} measures")
    measures, shapes = {}, {}
    for column, value in body["measures"].items():
        _known(column.replace("{lead}", "II"), source)
        for kind in SHAPES:
            if isinstance(value, dict) and kind in value:
                where = f"{source}: measures.{column}.{kind}"
                shapes[column, kind] = _positive(value[kind], level, where)
        share = value.get("share", {}) if isinstance(value, dict) else {}
        measures[column] = (
            _positive(value, level, f"{source}: measures.{column}"),
            _positive(share, level, f"{source}: measures.{column}.share") if share else 0.0,
        )
    for column in primary:
        _known(column, source)
        if column not in measures and _any_lead(column) not in measures:
            raise UsageError(f"{source}: primary measure {column!r} has no margin in [measures]")
    ratio = _table(body, "sd_ratio", source).get(level)
    if not (isinstance(ratio, list) and len(ratio) == 2 and 0 < ratio[0] < 1 < ratio[1]):
        raise UsageError(f"{source}: sd_ratio.{level} is {ratio!r}; expected [below 1, above 1]")
    missing = _positive(body["missing_pp"], level, f"{source}: missing_pp") / 100
    joint = {k: _positive(v, level, f"{source}: joint.{k}") for k, v in body["joint"].items()}
    normal = _positive(body["plausibility"], level, f"{source}: plausibility") / 100
    factors = {kind: _positive(body[kind], level, f"{source}: {kind}") for kind in SHAPES}
    return Margins(
        level,
        tuple(primary),
        measures,
        (ratio[0], ratio[1]),
        missing,
        source,
        factors,
        shapes,
        joint,
        normal,
    )


def _table(body: Mapping[str, Any], key: str, source: str) -> Mapping[str, Any]:
    value = body.get(key, {})
    if not isinstance(value, dict):
        raise UsageError(f"{source}: {key} is {value!r}; expected a table")
    return value


def _positive(table: Any, level: str, where: str) -> float:
    value = table.get(level) if isinstance(table, dict) else table
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 < value < math.inf:
        raise UsageError(f"{where}.{level} is {value!r}; expected a positive number")
    return float(value)


def _known(column: Any, source: str) -> None:
    try:
        measure_info(column)
    except (KeyError, AttributeError, TypeError):
        raise UsageError(f"{source}: {column!r} is no measure of ecgeval") from None
