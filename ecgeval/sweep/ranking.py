"""A few numbers that rank many synthetic sets against the same real patients.

A comparison of two sets scales its measures by both of them; sets that are to be ranked need one
scale, and that is the real patients' own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecgeval.comparison.declared import decide_location, decide_spread
from ecgeval.comparison.margins import Margins
from ecgeval.comparison.rows import compare_rows
from ecgeval.measures import measure_info
from ecgeval.parallel import child_rng
from ecgeval.results import Verdict
from ecgeval.stats.arrays import Floats
from ecgeval.stats.intervals import norm_interval, percentile_interval
from ecgeval.stats.kernels import CLIP, bootstrap_moves, discrepancy, patient_kernels
from ecgeval.stats.resampling import resample_weights, subset_weights
from ecgeval.stats.sample import Effort, Sample, rescale

__all__ = ["Energy", "MeasureScorer"]


MAX_PATIENTS = 2000
"""Patients of either set that the energy distance looks at; its cost grows with their square."""
_EFFORT = Effort(bootstrap=1000, floor=500, permutations=99)


@dataclass(frozen=True, eq=False)
class Energy:
    """Energy distance of a synthetic set, its interval, floor, and moves in bootstrap draws.

    Draws of two sets of one size have the same patients in them: the difference of their moves
    is a paired bootstrap of the difference of their distances.
    """

    value: float
    ci: tuple[float, float]
    floor: tuple[float, float]
    moves: Floats
    n: tuple[int, int]
    patients: tuple[int, int]

    def less(self, other: Energy, level: float = 0.95) -> tuple[float, tuple[float, float]]:
        """Return this distance less another's to the same patients, with its paired interval."""
        difference = self.value - other.value
        low, high = percentile_interval(self.moves - other.moves, level)
        return difference, (difference - high, difference - low)


class MeasureScorer:
    """The declared measures of some real patients, to score synthetic sets against.

    Parameters
    ----------
    real : DataFrame
        One row a record, columns as of `ecgeval.measure`.
    patients : array_like, shape (n,)
    margins : Margins
        Its primary measures are compared, as far as they are in the table.
    seed : int
    """

    def __init__(
        self, real: pd.DataFrame, patients: ArrayLike, margins: Margins, seed: int = 0
    ) -> None:
        self.columns = [c for c in margins.primary if c in real.columns]
        self.margins, self.seed = margins, seed
        self.circular = np.array([measure_info(c).circular for c in self.columns])
        self.real = Sample.of(real, self.columns, patients)
        x = self._coordinates(self.real.values)
        low, self.centre, high = np.nanquantile(x, [0.25, 0.5, 0.75], axis=0)
        spread = (high - low) / 1.349
        self.spread = np.where(spread > 0, spread, 1.0)

    def energy(self, synth: pd.DataFrame) -> Energy:
        """Return the energy distance of the declared measures, all at once.

        A coordinate is a measure less the real median over the real IQR / 1.349, within 8 of
        either side; an angle is its cosine and sine; a missing value is the median, with a
        coordinate of its own that says so. Synthetic records are each their own patient.

        References
        ----------
        Szekely and Rizzo 2013, J Stat Plan Inference 143:1249, doi:10.1016/j.jspi.2013.03.018
        """
        both = self.real, Sample.of(synth, self.columns, np.arange(len(synth)))
        points, codes, used = [], [], [0, 0]
        for side, sample in enumerate(both):
            rng = child_rng(self.seed, "yardstick", "patients", side)
            kept = np.sort(rng.permutation(sample.n_patients)[:MAX_PATIENTS])
            rows = np.isin(sample.patient, kept)
            points.append(self._points(sample.values[rows]))
            codes.append(np.searchsorted(kept, sample.patient[rows]) + used[0])
            used[side] = len(kept)
        n, m = used
        (kernel,) = patient_kernels(np.concatenate(points), np.concatenate(codes), [])
        labels = (np.arange(n + m) < n).astype(np.float32)[:, None]
        value = float(discrepancy(kernel, labels)[0])
        rng = child_rng(self.seed, "yardstick", "bootstrap")
        draws = [resample_weights(k, _EFFORT.bootstrap, rng) for k in (n, m)]
        along, square = moves = bootstrap_moves(kernel, *draws)
        rng = child_rng(self.seed, "yardstick", "floor")
        halves = subset_weights(n, n // 2, _EFFORT.floor, rng)
        floor = rescale(n, m, n // 2, n - n // 2) ** 2 * discrepancy(kernel[:n, :n], halves)
        return Energy(
            value,
            norm_interval(value, moves),
            percentile_interval(floor),
            2 * np.sqrt(max(value, 0)) * along + square,
            (len(points[0]), len(points[1])),
            (n, m),
        )

    def gates(self, synth: pd.DataFrame) -> tuple[int, int]:
        """Return how many declared medians and spreads are equivalent, and how many there are.

        The tests are those of FID-EQUIV and FID-SPREAD (`ecgeval explain FID-EQUIV`).
        """
        both = self.real, Sample.of(synth, self.columns, np.arange(len(synth)))
        rows = compare_rows(
            both, self.columns, self.margins, seed=self.seed, name="yardstick", effort=_EFFORT
        )
        decisions = [decide_location(row) for row in rows]
        decisions += [decide_spread(row) for row in rows if not row.info.circular]
        return sum(d.verdict == Verdict.PASS for d in decisions), len(decisions)

    def _coordinates(self, values: Floats) -> Floats:
        radians = np.deg2rad(values[:, self.circular])
        return np.column_stack([values[:, ~self.circular], np.cos(radians), np.sin(radians)])

    def _points(self, values: Floats) -> NDArray[np.float32]:
        z = np.clip((self._coordinates(values) - self.centre) / self.spread, -CLIP, CLIP)
        return np.column_stack([np.nan_to_num(z), np.isnan(values)]).astype(np.float32)
