"""Two sets of records with their patients, and how much effort a comparison takes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

from ecgeval.stats.arrays import Floats

__all__ = ["Effort", "Sample", "effective_n", "rescale", "split"]


MIN_PATIENTS = 20


@dataclass(frozen=True)
class Effort:
    """How many draws: bootstrap, real-against-real halves, permutations.

    Permutations stay at 9,999 in a quick run: with 999 the smallest p of one measure among a
    hundred could not pass the correction for testing so many.
    """

    bootstrap: int = 2000
    floor: int = 500
    permutations: int = 9999

    @classmethod
    def of(cls, quick: bool) -> Effort:
        return cls(500, 200, 9999) if quick else cls()


@dataclass(frozen=True)
class Sample:
    """One set's values of all measures, with patients as codes from 0.

    Parameters
    ----------
    values : ndarray of float, shape (n, measures)
        NaN where missing.
    patient : ndarray of int, shape (n,)
    """

    values: Floats
    patient: NDArray[np.intp]

    @classmethod
    def of(cls, frame: pd.DataFrame, columns: Sequence[str], patients: ArrayLike) -> Sample:
        """Return the columns of a measures table, infinities as missing.

        Patients are numbered by name, so that the order of records moves no draw.
        """
        values = frame[list(columns)].to_numpy(float, na_value=np.nan)
        code = np.unique(np.asarray(patients, dtype=object).astype(str), return_inverse=True)[1]
        return cls(np.where(np.isfinite(values), values, np.nan), code)

    @property
    def n_patients(self) -> int:
        return int(self.patient.max(initial=-1)) + 1


def rescale(n_real: float, n_synth: float, n_1: float, n_2: float) -> float:
    """Return the factor from the noise of n_1 against n_2 to that of n_real against n_synth.

    Every statistic here shrinks as the square root of 1/n + 1/m where both sides are alike.
    """
    return float(np.sqrt((1 / n_real + 1 / n_synth) / (1 / n_1 + 1 / n_2)))


def split(
    events: NDArray[np.bool_], patient: NDArray[np.intp], chosen: NDArray[np.floating]
) -> NDArray[np.float64]:
    """Return how far the shares of two parts of one set lie apart.

    Parameters
    ----------
    events : ndarray of bool, shape (n, columns)
    patient : ndarray of int, shape (n,)
        Codes from 0.
    chosen : ndarray, shape (patients, draws)
        1 for the patients of one part, 0 for those of the other.

    Returns
    -------
    ndarray, shape (columns, draws)
        Share in the chosen part minus share in the rest.
    """
    records = np.bincount(patient)
    counts = np.stack([np.bincount(patient, column, len(records)) for column in events.T])
    part, size = counts @ chosen, records @ chosen
    rest, size_rest = counts.sum(axis=1)[:, None] - part, records.sum() - size
    return part / size - rest / size_rest


def effective_n(event: NDArray[np.bool_], patient: NDArray[np.intp]) -> float:
    """Return how many independent records carry the same information on a proportion.

    The number of records over the design effect of the patients; the number of patients where
    the proportion is 0 or 1 and the design effect cannot be seen.

    Parameters
    ----------
    event : ndarray of bool, shape (n,)
    patient : ndarray of int, shape (n,)
        Codes from 0.

    References
    ----------
    Rao and Scott 1992, Biometrics 48:577, doi:10.2307/2532311
    """
    records = np.bincount(patient)
    n, n_patients = len(event), len(records)
    share = event.mean()
    if n == n_patients or n_patients < 2:
        return n
    if share in (0, 1):
        return n_patients
    residual = np.bincount(patient, weights=event) - records * share
    variance = n_patients / (n_patients - 1) * (residual**2).sum() / n**2
    return float(min(n, share * (1 - share) / variance)) if variance > 0 else n
