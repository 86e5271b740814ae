"""What every step of the comparison of joint structure needs."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ecgeval.comparison.joint.checks import STATISTICS
from ecgeval.comparison.rows import Common
from ecgeval.measures import measure_info
from ecgeval.parallel import Progress
from ecgeval.results import Estimate
from ecgeval.stats.arrays import Floats
from ecgeval.stats.kernels import Tested
from ecgeval.stats.sample import Effort, Sample
from ecgeval.wording import listed

__all__ = ["CHEST", "FITTED", "LEVEL", "QT_RR", "Part", "Relation", "fisher_z", "statistics"]


CHEST = ("V1", "V2", "V3", "V4", "V5", "V6")
LEVEL = 0.05


@dataclass(frozen=True)
class Relation:
    """Two measures that physiology ties together; `log` takes logarithms of (x, y)."""

    name: str
    x: str
    y: str
    label: str
    unit: str
    log: tuple[bool, bool] = (False, False)


QT_RR = Relation("qt_rr", "rr_ms", "qt_ms", "QT on RR", "ms/ms")
FITTED = (
    QT_RR,
    Relation("qt_rr_loglog", "rr_ms", "qt_ms", "ln QT on ln RR", "", (True, True)),
    Relation("pr_hr", "hr_bpm", "pr_ms", "PR on heart rate", "ms/bpm"),
    Relation("rr_sd_hr", "hr_bpm", "rr_sd_ms", "ln SD of RR on heart rate", "1/bpm", (False, True)),
    Relation("r_qrs", "qrs_ms", "r_amp_V5_mv", "R amplitude V5 on QRS", "mV/ms"),
)


def statistics(relation: Relation) -> tuple[tuple[str, str, str], ...]:
    """Return key, statistic and unit of what is reported of a relation."""
    y = "ln" if relation.log[1] else measure_info(relation.y).unit
    if relation.name == "qt_rr_loglog":
        return (("slope", "slope_diff", ""),)
    return (
        ("slope", "slope_diff", relation.unit),
        ("residual_sd", "residual_sd_diff", "" if y == "ln" else y),
        ("r2", "r2_diff", ""),
    )


def fisher_z(rho: Floats) -> Floats:
    return np.arctanh(np.clip(rho, -0.9999, 0.9999))


@dataclass(frozen=True)
class Part:
    """What every step needs."""

    common: Common
    columns: Sequence[str]
    effort: Effort
    jobs: int
    progress: Progress

    @property
    def least_p(self) -> float:
        return 1 / (self.effort.permutations + 1)

    def name(self, *parts: str) -> str:
        return ".".join((self.common.section, *parts))

    def pick(self, columns: Sequence[str]) -> tuple[Sample, Sample] | str:
        """Return these columns of both sets, or which is in neither or one only."""
        absent = [c for c in columns if c not in self.columns]
        if absent:
            return f"{listed([measure_info(c).label for c in absent])} not in both tables"
        at = [self.columns.index(c) for c in columns]
        real, synth = (Sample(s.values[:, at], s.patient) for s in self.common.samples)
        return real, synth

    def empty(self, columns: Sequence[str]) -> str:
        """Return what the synthetic set has no value of at all while the real set has."""
        real, synth = (
            {c: bool(np.isfinite(s.values[:, i]).any()) for i, c in enumerate(self.columns)}
            for s in self.common.samples
        )
        full = len(self.common.samples[1].patient) > 0
        gone = [c for c in columns if full and real.get(c) and c in synth and not synth[c]]
        return listed([measure_info(c).label for c in gone])

    def estimate(
        self,
        thing: str,
        statistic: str,
        stat: Tested | str | None,
        label: str,
        method: str,
        *,
        unit: str | None = None,
        scale: float = 1.0,
        sizes: tuple[tuple[int, int], tuple[int, int]] | None = None,
        **rest: Any,
    ) -> Estimate:
        """Return an estimate with direction, null value and unit of the catalogue.

        `sizes` are records and patients of (real, synth); those of the whole sets by default.
        """
        about = STATISTICS[statistic]
        samples = self.common.samples
        n, patients = sizes or (
            (len(samples[0].patient), len(samples[1].patient)),
            (samples[0].n_patients, samples[1].n_patients),
        )
        given: dict[str, Any] = {
            "unit": about.unit if unit is None else unit,
            "better": about.better,
            "null": about.null,
            "label": label,
            "seed": self.common.seed,
            "n_real": n[0],
            "n_synth": n[1],
            "patients_real": patients[0],
            "patients_synth": patients[1],
        }
        id = self.name(thing, statistic)
        if stat is None or isinstance(stat, str) or not math.isfinite(stat.value):
            reason = stat if isinstance(stat, str) else "no finite value"
            return Estimate(id, None, method=f"not computed: {reason}", **(given | rest))
        ci, floor = (_finite(pair, scale) for pair in (stat.ci, stat.floor))
        return Estimate(
            id, scale * stat.value, ci=ci, floor=floor, p=stat.p, method=method, **(given | rest)
        )


def _finite(pair: tuple[float, float], scale: float = 1.0) -> tuple[float, float] | None:
    return (scale * pair[0], scale * pair[1]) if all(map(math.isfinite, pair)) else None
