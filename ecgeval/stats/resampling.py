"""Patient resampling as matrix products, and intervals from the draws.

A set is a table of counts, levels by patients; a draw is a weight a patient; the drawn histograms
are their product. One draw then costs one pass over the records, for any statistic that is a
function of histograms and sums, and whole patients move by construction.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from scipy.sparse import csc_array

__all__ = [
    "Changes",
    "distance_changes",
    "level_counts",
    "monte_carlo_p",
    "resample_weights",
    "subset_weights",
]

Draws = NDArray[np.float32]


def resample_weights(n_patients: int, draws: int, rng: np.random.Generator) -> Draws:
    """Return how often each patient is drawn with replacement, shape (patients, draws).

    References
    ----------
    Davison and Hinkley 1997, Bootstrap Methods and their Application, section 3.8,
    doi:10.1017/CBO9780511802843
    """
    out = np.empty((draws, n_patients), np.float32)
    for row in out:
        row[:] = np.bincount(
            rng.integers(n_patients, size=n_patients, dtype=np.int32), minlength=n_patients
        )
    return np.ascontiguousarray(out.T)


def subset_weights(n_patients: int, size: int, draws: int, rng: np.random.Generator) -> Draws:
    """Return 1 for `size` patients drawn without replacement, shape (patients, draws)."""
    out = np.zeros((draws, n_patients), np.float32)
    for row in out:
        row[rng.choice(n_patients, size, replace=False, shuffle=False)] = 1
    return np.ascontiguousarray(out.T)


def level_counts(
    level: NDArray[np.integer], patient: NDArray[np.integer], n_levels: int, n_patients: int
) -> csc_array:
    """Return how many records each patient has at each level, shape (n_levels, n_patients)."""
    from scipy.sparse import csc_array

    shape = (n_levels, n_patients)
    ones = np.ones(len(level), np.float32)
    order = np.argsort(patient, kind="stable")
    start = np.searchsorted(patient[order], np.arange(n_patients + 1))
    return csc_array((ones, level[order].astype(np.int32), start.astype(np.int32)), shape=shape)


def monte_carlo_p(draws: NDArray[np.floating], observed: float) -> float:
    """Return (1 + number of draws >= observed) / (draws + 1), which is never 0.

    References
    ----------
    Phipson and Smyth 2010, Stat Appl Genet Mol Biol 9:39, doi:10.2202/1544-6115.1585
    """
    # Equal histograms may give sums that differ in the last bits: count them as reached.
    reached = draws >= observed - 1e-6 * max(abs(observed), 1e-30)
    return float((1 + np.count_nonzero(reached)) / (len(draws) + 1))


@dataclass(frozen=True)
class Changes:
    """How far a distance may lie above its true value (`up`) or below it (`down`), by draw."""

    up: NDArray[np.floating]
    down: NDArray[np.floating]

    def interval(self, value: float, level: float = 0.95) -> tuple[float, float]:
        """Return the interval of the distance observed as `value`, cut at 0."""
        tail = (1 - level) / 2
        low = value - np.quantile(self.up, 1 - tail)
        high = value - np.quantile(self.down, tail)
        return float(max(low, 0)), float(max(high, value))


def distance_changes(
    difference: NDArray[np.floating],
    draws: NDArray[np.floating],
    gap: NDArray[np.floating],
    n: float,
) -> tuple[Changes, Changes]:
    """Return how sup |F - G| and the integral of |F - G| move over the draws.

    Both distances have a kink where F = G: near it they are biased upward, and a percentile
    bootstrap of the distance itself adds that bias once more. Here the *process* F - G is
    bootstrapped, which is always consistent, and passed through the directional derivative of the
    distance: |h| where F - G may be 0, h with its sign elsewhere. Whether it may be 0 cannot be
    known for certain, so the lower end allows for it wherever the data do, the upper end nowhere:
    the coverage is at least nominal on the null, near it and away from it.

    Parameters
    ----------
    difference : ndarray, shape (levels, 1)
        F - G as observed.
    draws : ndarray, shape (levels, draws)
        F - G in each bootstrap draw.
    gap : ndarray, shape (levels,)
        Distance from each level to the next.
    n : float
        Harmonic number of patients, n m / (n + m); F - G is not 0 for certain beyond
        sqrt(2 log n) SD.

    Returns
    -------
    supremum, integral : Changes

    References
    ----------
    Fang and Santos 2019, Rev Econ Stud 86:377, doi:10.1093/restud/rdy049
    """
    moved = draws - difference
    spread = np.sqrt(np.einsum("kb,kb->k", moved, moved) / moved.shape[1])[:, None]
    kappa = np.sqrt(2 * np.log(max(n, 3))) * spread
    size = np.abs(difference)
    moved *= np.sign(difference).astype(moved.dtype)
    # The true supremum may lie where F - G is smaller but less certain.
    top = int((size + 2 * spread).argmax())
    sup_down = moved[top] + (size.max() - size[top])
    sum_down = gap @ moved
    maybe_zero = (size <= kappa)[:, 0]
    moved[maybe_zero] = np.abs(moved[maybe_zero])
    maybe_top = (size + kappa >= size.max())[:, 0]
    return Changes(moved[maybe_top].max(axis=0), sup_down), Changes(gap @ moved, sum_down)
