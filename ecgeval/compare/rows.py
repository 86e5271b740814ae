"""What is known of one measure, and how it is written down."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ecgeval.compare.equivalence import Margins
from ecgeval.compare.rates import effective_n, newcombe
from ecgeval.compare.univariate import Comparison, Sample
from ecgeval.measures import Measure
from ecgeval.results import Finding, Verdict

__all__ = ["Common", "Missing", "Row", "between", "names", "number", "value_of"]


@dataclass(frozen=True)
class Missing:
    """The share without a value in either set, and the interval of the difference."""

    real: float
    synth: float
    ci: tuple[float, float]
    ci90: tuple[float, float]

    @classmethod
    def of(cls, real: Sample, synth: Sample, column: int) -> Missing:
        shares, sizes = [], []
        for sample in (real, synth):
            gone = np.isnan(sample.values[:, column])
            shares.append(float(gone.mean()))
            sizes.append(effective_n(gone, sample.patient))
        wide, narrow = (newcombe(shares[0], sizes[0], shares[1], sizes[1], q) for q in (0.95, 0.9))
        return cls(shares[0], shares[1], wide, narrow)


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


def number(value: float, unit: str = "", sign: bool = False) -> str:
    """Return a value with the digits that its unit deserves."""
    digits = {"ms": 1, "bpm": 1, "deg": 1, "mV": 3}.get(unit, 2)
    shown = f"{value:+.{digits}f}" if sign else f"{value:.{digits}f}"
    return shown.replace("-", "−") + (f" {unit}" if unit else "")


def between(pair: tuple[float, float], unit: str = "") -> str:
    digits = number(pair[0], unit).removesuffix(f" {unit}") if unit else number(pair[0])
    return f"{digits} to {number(pair[1], unit)}"


def names(labels: Sequence[str], shown: int = 3) -> str:
    more = len(labels) - shown
    return ", ".join(labels[:shown]) + (f" and {more} more measures" if more > 0 else "")


def value_of(row: Row, name: str) -> float | None:
    stat = row.result.stats.get(name)
    return float(stat.value) if stat is not None and math.isfinite(stat.value) else None
