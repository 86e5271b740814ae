"""The parts of a comparison, each a section: what it needs of the two sets, and in which order."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ecgeval.comparison.margins import Margins
from ecgeval.ecgset import EcgSet
from ecgeval.parallel import Progress, quiet

__all__ = ["Pair", "Side"]


@dataclass(frozen=True, eq=False)
class Side:
    """One set of a comparison, with what was computed of it.

    Parameters
    ----------
    measures : DataFrame
        One row a record, as of `ecgeval.measure`.
    patients : ndarray, shape (n,)
        One patient id a record.
    labels : DataFrame
        Labels of the same records (sex, age, ...); may have no columns.
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
    patients: np.ndarray
    labels: pd.DataFrame
    ecgs: EcgSet | None = None
    beats: np.ndarray | None = None
    checks: pd.DataFrame | None = None
    interpreter: str | Path | None = None


@dataclass(frozen=True, eq=False)
class Pair:
    """Two sets, and how they are to be compared.

    Parameters
    ----------
    real, synth : Side
    beats_fs : float
        Rate of the representative beats, Hz.
    beats_zero : int
        Their sample of the R peak.
    margins : Margins
    derived : tuple of str
        Limb leads that the synthetic set computed from I and II.
    by : tuple of str
        Label columns for usefulness and subgroups.
    refit : bool
        Fit the waveform classifier anew for every permutation.
    seed, jobs, quick, device, progress
        As in `compare_measures`; `device` is where neural networks run.
    """

    real: Side
    synth: Side
    beats_fs: float
    beats_zero: int
    margins: Margins
    derived: tuple[str, ...] = ()
    by: tuple[str, ...] = ()
    seed: int = 0
    jobs: int = 1
    quick: bool = False
    refit: bool = False
    device: str = "cpu"
    progress: Progress = field(default=quiet)

    @property
    def usual(self) -> dict[str, Any]:
        """The settings that every part takes."""
        return {
            "patients_real": self.real.patients,
            "patients_synth": self.synth.patients,
            "seed": self.seed,
            "jobs": self.jobs,
            "quick": self.quick,
            "progress": self.progress,
        }
