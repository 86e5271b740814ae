"""The step that samples are rounded to, and whether it alone tells which set a record is of."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgeval.stats.effects import auc
from ecgeval.stats.intervals import percentile_interval
from ecgeval.stats.resampling import monte_carlo_p
from ecgeval.stats.sample import rescale
from ecgeval.stats.two_sample import bootstrap_auc, permuted_auc

__all__ = ["Rounding", "compare_rounding", "rounding_step"]


@dataclass(frozen=True)
class Rounding:
    """AUC of a record's rounding step alone, and the median step of either set, µV (0 for none)."""

    auc: float
    ci: tuple[float, float]
    p: float
    floor: tuple[float, float]
    step_real: float
    step_synth: float
    n_real: int
    n_synth: int
    patients_real: int
    patients_synth: int

    @property
    def apart(self) -> bool:
        inside = self.floor[0] <= self.auc <= self.floor[1]
        return self.p < 0.05 and not inside and abs(self.auc - 0.5) > 0.05


def rounding_step(samples: NDArray[np.floating]) -> float:
    """Return the step that a record's samples are rounded to, µV; 0 where there is none.

    The median distance between neighbouring values among the samples between the quartiles. Where
    more than half of these are values of their own, no step can be seen.

    Parameters
    ----------
    samples : ndarray
        mV, of any shape.
    """
    values = np.sort(np.rint(samples.ravel() * 1e5))  # hundredths of a microvolt
    values = values[len(values) // 4 : 3 * len(values) // 4 + 1]
    distinct = np.unique(values)
    if len(distinct) < 2 or len(distinct) > len(values) / 2 or not np.isfinite(distinct).all():
        return 0.0
    return float(np.median(np.diff(distinct)) / 100)


def compare_rounding(
    step: NDArray[np.floating],
    label: NDArray[np.bool_],
    patient: NDArray[np.intp],
    permutations: int,
    draws: int,
    rng: np.random.Generator,
) -> Rounding:
    """Ask whether the rounding step of a record alone tells which set it is of; nothing is fitted.

    `step`, µV, `label`, True for synthetic, and `patient`, codes with real ones first, have one
    value a record. `permutations` of patients give p, `draws` the interval and the floor.
    """
    value = auc(step[~label], step[label])
    null = permuted_auc(step, label, patient, permutations, rng)
    p = min(2 * min(monte_carlo_p(null, value), monte_carlo_p(-null, -value)), 1.0)
    own = patient[~label]
    half = np.isin(own, rng.permutation(own.max() + 1)[: (own.max() + 1) // 2])
    between = permuted_auc(step[~label], half, own, draws, rng)
    n = len(np.unique(own)), len(np.unique(patient[label]))
    between = 0.5 + (between - 0.5) * rescale(*n, n[0] / 2, n[0] / 2)
    return Rounding(
        value,
        percentile_interval(bootstrap_auc(step, label, patient, draws, rng)),
        p,
        percentile_interval(np.clip(between, 0, 1)),
        float(np.median(step[~label])),
        float(np.median(step[label])),
        int((~label).sum()),
        int(label.sum()),
        *n,
    )
