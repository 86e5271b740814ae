"""What is known of one measure, and how it is written down."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgeval.compare.bootstrap import percentile_interval, subset_weights
from ecgeval.compare.equivalence import Margins
from ecgeval.compare.rates import effective_n, newcombe, split
from ecgeval.compare.univariate import DECIDING, Comparison, Sample, rescale
from ecgeval.measures import Measure
from ecgeval.results import Finding, Verdict

__all__ = [
    "Common",
    "Missing",
    "Row",
    "between",
    "names",
    "nothing",
    "number",
    "p_text",
    "value_of",
]


@dataclass(frozen=True)
class Missing:
    """The share without a value in either set; interval and floor of the difference."""

    real: float
    synth: float
    ci: tuple[float, float]
    ci90: tuple[float, float]
    floor: tuple[float, float] | None

    @classmethod
    def of(cls, real: Sample, synth: Sample, draws: int, rng: np.random.Generator) -> list[Missing]:
        """Return one for each column; `draws` halves of the real patients give the floors."""
        gone = [np.isnan(sample.values) for sample in (real, synth)]
        n, half = real.n_patients, real.n_patients // 2
        floors: list[tuple[float, float] | None] = [None] * gone[0].shape[1]
        if half:
            chosen = subset_weights(n, half, draws, rng)
            scale = rescale(n, synth.n_patients, half, n - half)
            floors = list(map(percentile_interval, scale * split(gone[0], real.patient, chosen)))
        out = []
        for column, floor in enumerate(floors):
            events = [g[:, column] for g in gone]
            r, s = (float(event.mean()) for event in events)
            n_r, n_s = map(effective_n, events, (real.patient, synth.patient))
            wide, narrow = (newcombe(r, n_r, s, n_s, level) for level in (0.95, 0.9))
            out.append(cls(r, s, wide, narrow, floor))
        return out


@dataclass(frozen=True)
class Row:
    """All that is known of one column."""

    column: str
    info: Measure
    result: Comparison
    missing: Missing
    real: NDArray[np.float64]
    synth: NDArray[np.float64]

    @property
    def location(self) -> str:
        return "circ_mean_diff" if self.info.circular else "median_diff"

    @property
    def distance(self) -> str:
        return "circ_wasserstein" if self.info.circular else "wasserstein"

    @property
    def _real_median(self) -> float:
        known = len(self.real) and not self.info.circular
        return float(np.median(self.real)) if known else 0.0

    def margin(self, margins: Margins) -> float | None:
        """Return the margin of the difference in location, None where none is declared."""
        return margins.of(self.column, self._real_median)

    def shape_margin(self, name: str, margins: Margins) -> float | None:
        """Return the margin of a quantile (`DECIDING`) or of the distance, None where none is."""
        kind = "quantiles" if name in DECIDING else "wasserstein"
        return margins.shape(kind, self.column, self._real_median)

    def basis(self, margins: Margins, name: str = "") -> str:
        """Return "10 % of the real median" where a margin is that, else an empty string.

        Of the difference in location, or of a quantile or the distance (`name`).
        """
        kind = ("quantiles" if name in DECIDING else "wasserstein") if name else ""
        share = margins.share(self.column, self._real_median, kind)
        return f"{100 * share:g} % of the real median" if share else ""

    def limit(self, margin: float, margins: Margins, name: str = "") -> str:
        """Return a margin as it is written, with what it is a share of (`basis`)."""
        basis = self.basis(margins, name)
        return number(margin, self.info.unit) + (f" = {basis}" if basis else "")


@dataclass(frozen=True)
class Common:
    """What every part of the answer needs."""

    section: str
    seed: int
    margins: Margins
    samples: tuple[Sample, Sample]

    def finding(
        self, code: str, verdict: Verdict, title: str, *, gate: bool = True, **rest: Any
    ) -> Finding:
        return Finding(code, verdict, title, section=self.section, gate=gate, **rest)


_DIGITS = {"ms": 1, "bpm": 1, "deg": 1, "mV": 3}


def number(value: float, unit: str = "", sign: bool = False) -> str:
    """Return a value with the digits that its unit deserves."""
    shown = f"{value:{'+' if sign else ''}.{_DIGITS.get(unit, 2)}f}"
    if not float(shown):
        shown = shown.lstrip("+-")
    return shown.replace("-", "−") + (f" {unit}" if unit else "")


def nothing(value: float, unit: str = "") -> str:
    """Return the last digit of `number` where it would print 0, else an empty string."""
    step = 10.0 ** -_DIGITS.get(unit, 2)
    return number(step, unit) if abs(value) < step / 2 else ""


def p_text(p: float, least: float) -> str:
    """Return a p-value; the smallest that the draws can give is an upper limit."""
    return f"p {'≤' if p <= least * (1 + 1e-9) else '='} {p:.2g}"


def between(pair: tuple[float, float], unit: str = "") -> str:
    digits = number(pair[0], unit).removesuffix(f" {unit}") if unit else number(pair[0])
    return f"{digits} to {number(pair[1], unit)}"


def names(labels: Sequence[str], shown: int = 3) -> str:
    more = len(labels) - shown
    return ", ".join(labels[:shown]) + (f" and {more} more measures" if more > 0 else "")


def value_of(row: Row, name: str) -> float | None:
    stat = row.result.stats.get(name)
    return float(stat.value) if stat is not None and math.isfinite(stat.value) else None
