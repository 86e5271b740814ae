"""Does the synthetic set tell training patients from holdout patients? An exact permutation test.

Patients were allotted to the two sides at random before training, so if the synthetic set carries
no trace of that allotment, any statistic of (similarity to the synthetic set, side) is as likely
as the same statistic under a shuffled allotment.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ecgeval.parallel import shards

__all__ = ["TOP", "Exchange", "exchange_test", "patient_scores"]

TOP = (10, 20, 50)
"""Sizes q of the top of the pooled scores in which training patients are counted."""

_BLOCK = 1000  # permutations at a time; fixed, for the draws depend on it


def patient_scores(similarity: np.ndarray, patients: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return each patient's highest similarity and number of usable records.

    Parameters
    ----------
    similarity : ndarray, shape (records, detectors)
        NaN where a record could not be compared.
    patients : ndarray of int, shape (records,)
        Codes 0..P-1.

    Returns
    -------
    scores : ndarray, shape (P, detectors)
        Minus infinity where none of a patient's records could be compared.
    counts : ndarray of int, shape (P,)
        Records with any similarity.
    """
    p = int(patients.max(initial=-1)) + 1
    scores = np.full((p, similarity.shape[1]), -np.inf)
    np.maximum.at(scores, patients, np.where(np.isnan(similarity), -np.inf, similarity))
    usable = ~np.isnan(similarity).all(axis=1)
    return scores, np.bincount(patients[usable], minlength=p)


@dataclass(frozen=True, eq=False)
class Exchange:
    """Outcome of the exchangeability test.

    Parameters
    ----------
    p : float
        Training patients are closer to the synthetic set than holdout patients.
    p_reversed : float
        Holdout patients are closer.
    statistics : tuple of (detector, statistic) names
        Statistic ``auc`` or ``top10`` and so on, in the order of the arrays below.
    observed, expected : ndarray, shape (statistics,)
        Values and their mean over permutations; top counts are shares of q.
    floor : ndarray, shape (statistics, 2)
        Central 95 % over permutations.
    null_max : ndarray, shape (permutations,)
        Largest standardised statistic of each permutation.
    observed_max : float
    informative : int
        Patients in a stratum that holds both sides.
    most, least : int
        Statistic that is furthest above and furthest below its mean, in its standard deviations:
        those behind `p` and `p_reversed`.
    """

    p: float
    p_reversed: float
    statistics: tuple[tuple[str, str], ...]
    observed: np.ndarray
    expected: np.ndarray
    floor: np.ndarray
    null_max: np.ndarray
    observed_max: float
    informative: int
    most: int
    least: int

    def in_words(self, number: int) -> str:
        """Return a statistic in words."""
        detector, statistic = self.statistics[number]
        value = self.observed[number]
        if statistic == "auc":
            return f"AUC {value:.2f} by {detector}"
        q = int(statistic.removeprefix("top"))
        expected = round(self.expected[number] * q)
        return (
            f"{round(value * q)} of the {q} patients closest by {detector} in training, {expected} "
            "expected"
        )


def exchange_test(
    scores: np.ndarray,
    is_train: np.ndarray,
    *,
    rng: np.random.Generator,
    names: tuple[str, ...] = ("score",),
    strata: np.ndarray | None = None,
    permutations: int = 9999,
    top: tuple[int, ...] = TOP,
) -> Exchange:
    """Test whether scores are exchangeable between training and holdout patients.

    Every statistic is a sum of weights over the training patients: the ranks for the Mann-Whitney
    AUC (diffuse leakage), membership of the top q for the count Q (few strong copies; ties at the
    border share the places left). One matrix product of labels and weights therefore gives all
    statistics of a block of permutations. They are combined by the largest standardised statistic
    within the same permutation (Westfall and Young), and p = (1 + #{null >= observed}) / (B + 1).

    Parameters
    ----------
    scores : ndarray, shape (patients, detectors)
        Higher is closer to the synthetic set; computed without the labels.
    is_train : ndarray of bool, shape (patients,)
    rng : numpy.random.Generator
    names : tuple of str
        Name of each detector.
    strata : ndarray of int, shape (patients,), optional
        Labels are permuted within strata only (patients with the same number of records: the
        highest of many scores is larger than that of few).
    permutations : int
    top : tuple of int
        Sizes q; those of half the patients or more are left out.

    Returns
    -------
    Exchange

    References
    ----------
    Phipson B, Smyth GK. Stat Appl Genet Mol Biol 2010;9:39. doi:10.2202/1544-6115.1585
    Westfall PH, Young SS. Resampling-Based Multiple Testing. Wiley 1993.
    """
    n = len(is_train)
    sizes = [q for q in top if q < n / 2]
    labels = [(name, s) for name in names for s in ("auc", *(f"top{q}" for q in sizes))]
    weights = np.column_stack([w for column in scores.T for w in _weights(column, sizes)])
    scale = _scale(is_train, sizes, len(names))
    strata = np.zeros(n, int) if strata is None else strata
    groups = [np.flatnonzero(strata == s) for s in np.unique(strata)]
    observed = is_train.astype(np.float64) @ weights
    null = np.empty((permutations, weights.shape[1]))
    for part in shards(permutations, _BLOCK):
        shuffled = np.tile(is_train, (part.stop - part.start, 1))
        for group in groups:
            shuffled[:, group] = rng.permuted(shuffled[:, group], axis=1)
        null[part] = shuffled.astype(np.float64) @ weights
    both = np.vstack([observed, null])
    spread = both.std(axis=0)
    standard = (both - both.mean(axis=0)) / np.where(spread > 1e-9, spread, np.inf)
    high, low = standard.max(axis=1), -standard.min(axis=1)
    values = (both - scale[0]) / scale[1]
    return Exchange(
        p=_p_value(high),
        p_reversed=_p_value(low),
        statistics=tuple(labels),
        observed=values[0],
        expected=values[1:].mean(axis=0),
        floor=np.quantile(values[1:], [0.025, 0.975], axis=0).T,
        null_max=high[1:],
        observed_max=float(high[0]),
        informative=sum(len(g) for g in groups if 0 < is_train[g].sum() < len(g)),
        most=int(standard[0].argmax()),
        least=int(standard[0].argmin()),
    )


def _weights(score: np.ndarray, sizes: list[int]) -> list[np.ndarray]:
    """Return a detector's weights: ranks, then shares of the top q places."""
    from scipy.stats import rankdata

    higher = len(score) - rankdata(score, "max")  # how many score strictly higher
    ties = rankdata(score, "max") - rankdata(score, "min") + 1
    return [rankdata(score), *(np.clip((q - higher) / ties, 0, 1) for q in sizes)]


def _scale(is_train: np.ndarray, sizes: list[int], detectors: int) -> tuple[np.ndarray, np.ndarray]:
    """Return offset and divisor that turn sums of weights into AUCs and shares of q."""
    t, h = int(is_train.sum()), int((~is_train).sum())
    offset = [t * (t + 1) / 2, *(0 for _ in sizes)]
    divisor = [max(t * h, 1), *sizes]
    return np.tile(np.array(offset, float), detectors), np.tile(np.array(divisor, float), detectors)


def _p_value(statistic: np.ndarray) -> float:
    """Return the share of entries at or above the first, itself counted."""
    return float((statistic >= statistic[0] - 1e-9).mean())
