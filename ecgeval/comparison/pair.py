"""Side and Pair: two sets with what was computed of them, the one argument of every section."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from ecgeval.comparison.margins import Margins, load_margins
from ecgeval.ecgset import EcgSet
from ecgeval.errors import UsageError
from ecgeval.measures import measure_info
from ecgeval.parallel import Progress, quiet
from ecgeval.references import Aligned
from ecgeval.stats.sample import Effort, Sample

__all__ = ["Pair", "Side"]


@dataclass(frozen=True, eq=False)
class Side:
    """One set of a comparison, with what was computed of it.

    Parameters
    ----------
    measures : DataFrame
        One row a record, columns among those of `ecgeval.measure`; NaN is "no value".
    patients : array_like, shape (n,)
        One patient id a record. Synthetic records drawn independently are each their own.
    labels : DataFrame, optional
        Labels of the same records (sex, age, ...).
    outcomes : DataFrame, optional
        One row a record that was found, with the columns ``outcome`` (empty where it can be used,
        else why not) and ``patient``; by default every record can be used.
    ecgs : EcgSet, optional
        The records themselves; None for a reference cohort, which is a table of measures.
    beats : ndarray, shape (n, leads, samples), optional
        Representative beats, mV, NaN where missing.
    checks : DataFrame, optional
        As of `ecgeval.signal_checks.signal_checks`.
    interpreter : path, optional
        Another interpreter's output (CSV) on these records.
    """

    measures: pd.DataFrame
    patients: ArrayLike
    labels: pd.DataFrame | None = None
    outcomes: pd.DataFrame | None = None
    ecgs: EcgSet | None = None
    beats: np.ndarray | None = None
    checks: pd.DataFrame | None = None
    interpreter: str | Path | None = None

    @cached_property
    def ids(self) -> np.ndarray:
        """The patient of each record, shape (n,)."""
        return np.asarray(self.patients, dtype=object)

    @cached_property
    def known(self) -> pd.DataFrame:
        """The labels; a table without columns where there are none."""
        return pd.DataFrame(index=self.measures.index) if self.labels is None else self.labels

    @cached_property
    def found(self) -> pd.DataFrame:
        """What became of every record that was found."""
        if self.outcomes is not None:
            return self.outcomes
        return pd.DataFrame({"outcome": "", "patient": self.ids}, index=self.measures.index)


@dataclass(frozen=True, eq=False)
class Pair:
    """Two sets, and how they are to be compared.

    Parameters
    ----------
    real, synth : Side
    margins : Margins
    beats_fs : float
        Rate of the representative beats, Hz.
    beats_zero : int
        Their sample of the R peak.
    notes : tuple of str
        Differences of form between the sets (rate, leads, length, rounding), one sentence each.
    cohort : Aligned, optional
        Where the real side is a reference cohort: the two in one form.
    judged : bool
        Whether a section is compared that decides; readable records alone make no release.
    derived : tuple of str
        Limb leads that the synthetic set computed from I and II.
    by : tuple of str
        Label columns for usefulness and subgroups.
    refit : bool
        Fit the waveform classifier anew for every permutation.
    seed : int
        Seed of every random step.
    jobs : int
        Processes; the result does not depend on it.
    quick : bool
        Fewer draws (500 instead of 2000 for intervals) and no slow classifier.
    device : {"cpu", "cuda"}
        Where neural networks run.
    progress : callable

    Raises
    ------
    UsageError
        If ids and rows of a side do not match, or a record has no patient.
    """

    real: Side
    synth: Side
    margins: Margins = field(default_factory=load_margins)
    beats_fs: float = 250.0
    beats_zero: int = 0
    notes: tuple[str, ...] = ()
    cohort: Aligned | None = None
    judged: bool = True
    derived: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    refit: bool = False
    seed: int = 0
    jobs: int = 1
    quick: bool = False
    device: str = "cpu"
    progress: Progress = quiet

    def __post_init__(self) -> None:
        for name, side in (("real", self.real), ("synthetic", self.synth)):
            n, missing = len(side.measures), int(pd.isna(side.ids).sum())
            if side.ids.shape != (n,):
                raise UsageError(
                    f"{side.ids.size} patient ids for {n} rows of the {name} table; expected one "
                    "id a record"
                )
            if missing:
                raise UsageError(
                    f"{missing} records of the {name} table have no patient id; give each an id of "
                    "its own if they are different people"
                )

    @cached_property
    def columns(self) -> list[str]:
        """The measures that both tables have.

        Raises
        ------
        UsageError
            If there is none, or one is not numeric.
        """
        in_real, in_synth = (_measures(side.measures) for side in (self.real, self.synth))
        columns = [c for c in in_real if c in set(in_synth)]
        if not columns:
            raise UsageError(
                f"no measure is in both tables ({len(in_real)} measures in the real table, "
                f"{len(in_synth)} in the synthetic one); expected columns such as hr_bpm or "
                "qrs_ms, as `ecgeval measure` writes them"
            )
        for name, side in (("real", self.real), ("synthetic", self.synth)):
            for column in columns:
                values = side.measures[column]
                if not pd.api.types.is_numeric_dtype(values) and values.notna().any():
                    raise UsageError(f"column {column} of the {name} table is not numeric")
        return columns

    @cached_property
    def absent(self) -> dict[str, str]:
        """The measures that one table has, and which of the two ("real", "synthetic") lacks it."""
        in_real, in_synth = (_measures(side.measures) for side in (self.real, self.synth))
        lacking = {c: "synthetic" for c in in_real if c not in self.columns}
        return lacking | {c: "real" for c in in_synth if c not in self.columns}

    @cached_property
    def samples(self) -> tuple[Sample, Sample]:
        """The values of `columns` in either set, with patients as codes."""
        return self.samples_of(self.columns)

    def samples_of(self, columns: list[str]) -> tuple[Sample, Sample]:
        """Return the values of these columns in either set, with patients as codes."""
        real, synth = (
            Sample.of(side.measures, columns, side.ids) for side in (self.real, self.synth)
        )
        return real, synth

    @cached_property
    def effort(self) -> Effort:
        """How many draws intervals, floors and permutations take."""
        return Effort.of(self.quick)


def _measures(table: pd.DataFrame) -> list[str]:
    def known(column: object) -> bool:
        try:
            measure_info(str(column))
        except KeyError:
            return False
        return True

    return [c for c in table.columns if known(c)]
