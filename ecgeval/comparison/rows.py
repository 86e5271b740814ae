"""Row: one measure of two sets, with what was computed of it and how it is written."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from ecgeval.comparison.margins import Margins
from ecgeval.measures import Measure, measure_info
from ecgeval.parallel import Progress, child_rng, quiet
from ecgeval.stats.arrays import Floats
from ecgeval.stats.effects import harrell_davis
from ecgeval.stats.intervals import newcombe, percentile_interval
from ecgeval.stats.resampling import subset_weights
from ecgeval.stats.sample import Effort, Sample, effective_n, rescale, split
from ecgeval.stats.univariate import DECIDING, Comparison, compare_columns
from ecgeval.wording import quantity

__all__ = ["Missing", "Row", "centre", "compare_rows", "median_iqr", "relative_margins"]


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


@dataclass(frozen=True, eq=False)
class Row:
    """One measure of two sets.

    Parameters
    ----------
    column : str
    info : Measure
    result : Comparison
    missing : Missing
    real, synth : ndarray, shape (n,)
        The values of either set; a missing value is left out.
    margins : Margins
    """

    column: str
    info: Measure
    result: Comparison
    missing: Missing
    real: Floats
    synth: Floats
    margins: Margins

    @property
    def location(self) -> str:
        """The statistic that is the difference in location."""
        return "circ_mean_diff" if self.info.circular else "median_diff"

    @property
    def distance(self) -> str:
        """The statistic that is the distance of the distributions."""
        return "circ_wasserstein" if self.info.circular else "wasserstein"

    @cached_property
    def margin(self) -> float | None:
        """The margin of the difference in location, None where none is declared."""
        return self.margins.of(self.column, self._real_median)

    def margin_of(self, statistic: str) -> float:
        """Return the margin of a statistic of a declared measure: location, quantile, distance."""
        margin = self.margins.of(self.column, self._real_median, self._kind(statistic))
        assert margin is not None  # load_margins saw to it
        return margin

    def relative_margin(self, statistic: str = "") -> str:
        """Return "10 % of the real median" where a margin is that, else an empty string."""
        share = self.margins.share(self.column, self._real_median, self._kind(statistic))
        return f"{100 * share:g} % of the real median" if share else ""

    def margin_text(self, statistic: str = "") -> str:
        """Return a margin as it is written, with what it is a share of."""
        relative = self.relative_margin(statistic)
        written = quantity(self.margin_of(statistic), self.info.unit)
        return f"{written} = {relative}" if relative else written

    @cached_property
    def _real_median(self) -> float:
        known = len(self.real) and not self.info.circular
        return float(np.median(self.real)) if known else 0.0

    def _kind(self, statistic: str) -> str:
        """Return under which name the margin of a statistic is declared; none for the location."""
        if statistic in DECIDING:
            return "quantiles"
        return "wasserstein" if statistic == self.distance else ""


def compare_rows(
    samples: tuple[Sample, Sample],
    columns: Sequence[str],
    margins: Margins,
    *,
    seed: int,
    name: str,
    effort: Effort,
    shift: bool = False,
    jobs: int = 1,
    progress: Progress = quiet,
) -> list[Row]:
    """Compare two sets measure by measure.

    Parameters
    ----------
    samples : (Sample, Sample)
        The real and the synthetic set. One without records gives rows without statistics.
    columns : sequence of str
        Their measures, in order.
    margins : Margins
    seed : int
    name : str
        Names the random streams.
    effort : Effort
    shift : bool
        Compute the shift function of the declared measures, and their percentiles with it.
    jobs : int
    progress : callable
    """
    infos = [measure_info(column) for column in columns]
    results = compare_columns(
        *samples,
        [info.circular for info in infos],
        seed=seed,
        name=name,
        effort=effort,
        shift=[shift and column in margins.primary for column in columns],
        jobs=jobs,
        progress=progress,
    )
    absences = [Missing(np.nan, np.nan, (0, 0), (0, 0), None)] * len(columns)
    if all(len(sample.patient) for sample in samples):
        absences = Missing.of(*samples, effort.floor, child_rng(seed, name, "missing"))
    rows = []
    for i, (column, info) in enumerate(zip(columns, infos, strict=True)):
        real, synth = (v[~np.isnan(v)] for v in (sample.values[:, i] for sample in samples))
        rows.append(Row(column, info, results[i], absences[i], real, synth, margins))
    return rows


def relative_margins(rows: Iterable[Row]) -> str:
    """Return which margins are a share of the real median, for a caption; empty if none is."""
    found = [f"{row.info.label} ({share})" for row in rows if (share := row.relative_margin())]
    return f"; sizes of their own except {', '.join(found)}" if found else ""


def centre(values: Floats, info: Measure) -> float:
    """Return the median by Harrell and Davis, of angles the mean direction."""
    if info.circular:
        return float(np.rad2deg(np.angle(np.exp(1j * np.deg2rad(values)).mean())))
    return harrell_davis(values)


def median_iqr(values: Floats, info: Measure) -> str:
    """Return "median [quartiles]" by Harrell and Davis, of angles the mean direction."""
    if not len(values):
        return "–"
    if info.circular:
        return quantity(centre(values, info), "deg")
    low, middle, high = (
        quantity(q, info.unit).removesuffix(f" {info.unit}")
        for q in (harrell_davis(values, p) for p in (0.25, 0.5, 0.75))
    )
    return f"{middle} [{low} to {high}]"
