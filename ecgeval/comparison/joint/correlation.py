"""Rank correlations among the measures: do the two matrices agree, and where not?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ecgeval.comparison.joint.differences import norm_statistic
from ecgeval.parallel import child_rng
from ecgeval.stats.arrays import Floats
from ecgeval.stats.intervals import pair as ends
from ecgeval.stats.kernels import Assessed
from ecgeval.stats.resampling import resample_weights, subset_weights
from ecgeval.stats.sample import Effort, Sample, rescale

__all__ = [
    "Correlations",
    "compare_correlations",
    "fisher_z",
    "rank_scores",
    "weighted_correlations",
]


PAIRS_A_BLOCK = 256
MOST = 0.9999  # Fisher's z is infinite at 1


@dataclass(frozen=True)
class Correlations:
    """Spearman's rho of every pair of columns in both sets, and what is known of the differences.

    Parameters
    ----------
    pairs : ndarray of int, shape (pairs, 2)
    real, synth : ndarray, shape (pairs,)
    ci, floor : ndarray, shape (pairs, 2)
        Of the difference, synthetic minus real.
    p, p_adjusted : ndarray, shape (pairs,)
        Of the difference in Fisher's z; adjusted for all pairs (largest of each permutation).
    rms : Assessed
        Root mean square of the differences.
    largest : Assessed
        Largest absolute difference in Fisher's z.
    """

    pairs: NDArray[np.intp]
    real: Floats
    synth: Floats
    ci: Floats
    floor: Floats
    p: Floats
    p_adjusted: Floats
    rms: Assessed
    largest: Assessed

    def at(self, k: int) -> Assessed:
        """Return the difference of one pair of columns."""
        value = float(self.synth[k] - self.real[k])
        return Assessed(value, ends(self.ci[k]), ends(self.floor[k]), float(self.p[k]))

    def ranked(self) -> NDArray[np.intp]:
        """Return the pairs by their difference in Fisher's z, the largest first."""
        return np.argsort(-np.abs(fisher_z(self.synth) - fisher_z(self.real)), kind="stable")


def rank_scores(values: Floats) -> NDArray[np.float32]:
    """Return the ranks of each column (mean rank of ties), centred, SD 1; NaN where missing.

    A constant column is 0: it goes up and down with nothing.
    """
    from scipy.stats import rankdata

    ranks = rankdata(values, axis=0, nan_policy="omit")
    ranks = ranks - np.nanmean(ranks, axis=0)
    spread = np.nanstd(ranks, axis=0)
    return (ranks / np.where(spread > 0, spread, 1)).astype(np.float32)


def weighted_correlations(
    scores: Floats, patient: NDArray[np.intp], pairs: NDArray[np.intp], draws: Sequence[Floats]
) -> list[NDArray[np.float32]]:
    """Return the correlation of every pair under every weighting of the patients.

    A patient's records share its weight. Records that lack one of the two values do not count.
    The correlation is about the means of each draw: about those of the whole set it would vary a
    little less than the observed one, and hundreds of pairs together show that (the root mean
    square over pairs rejected 12 % of true nulls of 50 patients).

    Parameters
    ----------
    scores : ndarray, shape (n, columns)
        As `rank_scores` gives them.
    patient : ndarray of int, shape (n,)
    pairs : ndarray of int, shape (pairs, 2)
    draws : sequence of ndarray, each of shape (patients, draws)

    Returns
    -------
    list of ndarray, each of shape (pairs, draws)
    """
    from scipy.sparse import csr_array

    records = np.bincount(patient)
    shape = (len(records), len(patient))
    share = (1 / records[patient]).astype(np.float32)
    mean = csr_array((share, (patient, np.arange(len(patient)))), shape=shape)
    present = (~np.isnan(scores)).astype(np.float32)
    z = np.where(present > 0, scores, 0).astype(np.float32)
    out: list[list[Floats]] = [[] for _ in draws]
    for start in range(0, len(pairs), PAIRS_A_BLOCK):
        i, j = pairs[start : start + PAIRS_A_BLOCK].T
        a, b = z[:, i] * present[:, j], z[:, j] * present[:, i]
        both = present[:, i] * present[:, j]
        sums = [(mean @ part).T for part in (a * b, a**2, b**2, a, b, both)]
        for done, weights in zip(out, draws, strict=True):
            ab, aa, bb, a_sum, b_sum, n = (part @ weights for part in sums)
            n = np.maximum(n, np.float32(1e-9))
            ab -= a_sum * b_sum / n
            left = (aa - a_sum**2 / n) * (bb - b_sum**2 / n)
            # What rounding leaves of a constant column is no variance.
            moves = left > 1e-6 * aa * bb
            scale = np.sqrt(np.where(moves, left, 1))
            done.append(np.where(moves, ab / scale, np.float32(0)))
    return [np.concatenate(done) for done in out]


def compare_correlations(
    real: Sample, synth: Sample, *, seed: int, name: str, effort: Effort
) -> Correlations:
    """Compare Spearman's rho of every pair of columns.

    Ranks are taken within each set, so that sets that differ in the measures but not in how these
    go together agree here. Under the null patients, with their ranks, are exchangeable.

    Parameters
    ----------
    real, synth : Sample
        At least two columns, each with values in both sets.
    seed : int
    name : str
        Names the random streams.
    effort : Effort

    Returns
    -------
    Correlations
    """
    pairs = np.stack(np.triu_indices(real.values.shape[1], 1), axis=1)
    scores = [rank_scores(sample.values) for sample in (real, synth)]
    sizes = real.n_patients, synth.n_patients
    half = sizes[0] // 2
    rng = child_rng(seed, name, "bootstrap")
    own, synths = (
        [np.ones((n, 1), np.float32), resample_weights(n, effort.bootstrap, rng)] for n in sizes
    )
    halves = subset_weights(sizes[0], half, effort.floor, child_rng(seed, name, "floor"))
    observed_r, drawn_r, one, other = weighted_correlations(
        scores[0], real.patient, pairs, [*own, halves, 1 - halves]
    )
    observed_s, drawn_s = weighted_correlations(scores[1], synth.patient, pairs, synths)
    rng = child_rng(seed, name, "permutation")
    labels = subset_weights(sum(sizes), sizes[0], effort.permutations, rng)
    a, b = weighted_correlations(
        np.concatenate(scores),
        np.concatenate([real.patient, sizes[0] + synth.patient]),
        pairs,
        [labels, 1 - labels],
    )
    difference = observed_s - observed_r
    moved = drawn_s - drawn_r - difference
    scale = rescale(*sizes, half, sizes[0] - half)
    floor = scale * (other - one)
    apart = fisher_z(observed_s) - fisher_z(observed_r)
    moved_z = np.abs(fisher_z(drawn_s) - fisher_z(drawn_r) - apart).max(axis=0)
    floor_z = scale * np.abs(fisher_z(other) - fisher_z(one)).max(axis=0)
    null_z = np.abs(fisher_z(b) - fisher_z(a))
    size = np.abs(apart)
    # Equal correlations may differ in the last bits: count them as reached.
    reached = (null_z >= size * (1 - 1e-6)).sum(axis=1)
    top = np.sort(null_z.max(axis=0))
    above = len(top) - np.searchsorted(top, size[:, 0] * (1 - 1e-6))
    total = effort.permutations + 1
    return Correlations(
        pairs,
        observed_r[:, 0],
        observed_s[:, 0],
        difference + np.quantile(moved, [0.025, 0.975], axis=1).T,
        np.quantile(floor, [0.025, 0.975], axis=1).T,
        (1 + reached) / total,
        (1 + above) / total,
        norm_statistic(float(_rms(difference)[0]), _rms(moved), _rms(floor), _rms(b - a)),
        norm_statistic(float(size.max()), moved_z, floor_z, top),
    )


def fisher_z(rho: Floats) -> Floats:
    """Return Fisher's z of correlations, finite at 1."""
    return np.arctanh(np.clip(rho, -MOST, MOST))


def _rms(difference: Floats) -> Floats:
    return np.sqrt(np.mean(difference**2, axis=0))
