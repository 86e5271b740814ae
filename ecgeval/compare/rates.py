"""Differences of proportions: missing values and failures, by record, varying by patient."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

__all__ = ["effective_n", "newcombe", "split", "wilson"]


def wilson(share: float, n: float, level: float = 0.95) -> tuple[float, float]:
    """Return Wilson's score interval of a proportion.

    Parameters
    ----------
    share : float
        Observed proportion, 0 to 1.
    n : float
        Number of independent records (may be an effective number).
    level : float

    References
    ----------
    Wilson 1927, J Am Stat Assoc 22:209, doi:10.1080/01621459.1927.10502953
    """
    from scipy.special import ndtri

    z2 = ndtri(0.5 + level / 2) ** 2 / n
    centre = (share + z2 / 2) / (1 + z2)
    half = np.sqrt(z2 * share * (1 - share) + z2**2 / 4) / (1 + z2)
    return float(max(centre - half, 0)), float(min(centre + half, 1))


def newcombe(
    share_real: float, n_real: float, share_synth: float, n_synth: float, level: float = 0.95
) -> tuple[float, float]:
    """Return the interval of ``share_synth - share_real`` (Newcombe's hybrid score, method 10).

    References
    ----------
    Newcombe 1998, Stat Med 17:873,
    doi:10.1002/(SICI)1097-0258(19980430)17:8<873::AID-SIM779>3.0.CO;2-I
    """
    low_r, high_r = wilson(share_real, n_real, level)
    low_s, high_s = wilson(share_synth, n_synth, level)
    difference = share_synth - share_real
    return (
        float(difference - np.hypot(share_synth - low_s, high_r - share_real)),
        float(difference + np.hypot(high_s - share_synth, share_real - low_r)),
    )


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
