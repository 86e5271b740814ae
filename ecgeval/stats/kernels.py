"""Energy distance and maximum mean discrepancy between two sets, all measures at once.

Both are one formula with two kernels. A patient is one point whatever its number of records: the
kernel between two patients is the mean over their records, and pairs within a patient never count.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ecgeval.parallel import Progress, child_rng, map_shards, quiet
from ecgeval.stats.arrays import Floats
from ecgeval.stats.distances import squared_distances
from ecgeval.stats.intervals import norm_interval, percentile_interval
from ecgeval.stats.resampling import monte_carlo_p, resample_weights, subset_weights
from ecgeval.stats.sample import MIN_PATIENTS, Effort, Sample, rescale

__all__ = [
    "BANDWIDTHS",
    "MAX_PATIENTS",
    "Assessed",
    "KernelTest",
    "aggregate_p",
    "bootstrap_moves",
    "discrepancy",
    "kernel_test",
    "patient_kernels",
    "standardise",
]


BANDWIDTHS = (0.5, 1.0, 2.0)
"""Times the median distance of the pooled sample."""
MAX_PATIENTS = 1000
"""Patients of either set in a block; larger sets are several blocks, whose statistics average."""
CLIP = 8.0
ROWS = 512
DIRECTIONS = 200


@dataclass(frozen=True)
class Assessed:
    """One number: its 95 % interval, real-against-real floor, p and null draws, 90 % interval."""

    value: float
    ci: tuple[float, float]
    floor: tuple[float, float]
    p: float | None = None
    null: Floats | None = None
    ci90: tuple[float, float] | None = None


@dataclass(frozen=True)
class KernelTest:
    """Energy distance and MMD (at the median bandwidth; its p is that of all bandwidths)."""

    energy: Assessed
    mmd: Assessed
    blocks: int
    n: tuple[int, int]
    patients: tuple[int, int]


def standardise(
    real: Floats, synth: Floats, circular: Sequence[bool]
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Return both sets as points: median 0, IQR / 1.349 of 1, within 8 of either side.

    A missing value is the median, with a coordinate of its own that says so; an angle is its
    cosine and sine. Centre and scale are those of the pooled sample: with those of the real set
    alone the labels would enter the points, and permuting them would not give an exact p.

    Parameters
    ----------
    real, synth : ndarray, shape (n, measures) and (m, measures)
        NaN where missing.
    circular : sequence of bool
        Which columns are angles in degrees.
    """
    pooled = np.concatenate([real, synth]).astype(float)
    angle = np.asarray(circular, bool)
    radians = np.deg2rad(pooled[:, angle])
    x = np.column_stack([pooled[:, ~angle], np.cos(radians), np.sin(radians)])
    x = x[:, ~np.isnan(x).all(axis=0)]
    if not x.shape[1]:
        return np.empty((len(real), 0), np.float32), np.empty((len(synth), 0), np.float32)
    low, centre, high = np.nanquantile(x, [0.25, 0.5, 0.75], axis=0)
    spread = (high - low) / 1.349
    spread = np.where(spread > 0, spread, np.nanstd(x, axis=0))
    z = np.clip((x - centre) / np.where(spread > 0, spread, 1), -CLIP, CLIP)
    gone = np.isnan(pooled)
    flags = gone[:, gone.any(axis=0) & ~gone.all(axis=0)]
    points = np.column_stack([np.nan_to_num(z), flags]).astype(np.float32)
    return points[: len(real)], points[len(real) :]


def patient_kernels(
    points: Floats, patient: NDArray[np.intp], bandwidths: Sequence[float]
) -> list[NDArray[np.float32]]:
    """Return -|x - y| and the Gaussian kernels, each as means between patients.

    Parameters
    ----------
    points : ndarray, shape (n, d)
    patient : ndarray of int, shape (n,)
        Codes from 0, none unused.
    bandwidths : sequence of float
        s in exp(-|x - y|^2 / (2 s^2)).

    Returns
    -------
    list of ndarray, shape (patients, patients)
        The mean of the off-diagonal is taken off: nothing here depends on it, and single precision
        then goes further.
    """
    order = np.argsort(patient, kind="stable")
    x = np.ascontiguousarray(points[order])
    records = np.bincount(patient)
    start = np.concatenate([[0], np.cumsum(records)])
    n = len(records)
    out = [np.empty((n, n), np.float32) for _ in range(1 + len(bandwidths))]
    first = 0
    while first < n:
        last = max(int(np.searchsorted(start, start[first] + ROWS, side="right")) - 1, first + 1)
        square = squared_distances(x[start[first] : start[last]], x)
        for k, rows in enumerate(out):
            value = np.exp(square / (-2 * bandwidths[k - 1] ** 2)) if k else -np.sqrt(square)
            if len(x) > n:
                value = np.add.reduceat(value, start[:-1], axis=1)
                value = np.add.reduceat(value, start[first:last] - start[first], axis=0)
                value /= np.outer(records[first:last], records)
            rows[first:last] = value
        first = last
    for kernel in out:
        total = kernel.sum(dtype=float) - np.trace(kernel, dtype=float)
        kernel -= np.float32(total / (n * (n - 1)))
    return out


def discrepancy(kernel: Floats, real: Floats) -> NDArray[np.float64]:
    """Return the mean kernel within each side less twice that across, for every draw of labels.

    With k = -|x - y| this is the energy distance, with a Gaussian kernel MMD squared. Both are
    unbiased (pairs of distinct patients only), so that they may be negative where the sets agree.

    Parameters
    ----------
    kernel : ndarray, shape (patients, patients)
        Symmetric; the diagonal does not count.
    real : ndarray, shape (patients, draws)
        1 for the patients of one side, 0 for those of the other.

    References
    ----------
    Gretton et al. 2012, J Mach Learn Res 13:723 (equation 3); Szekely and Rizzo 2013,
    J Stat Plan Inference 143:1249, doi:10.1016/j.jspi.2013.03.018
    """
    n = real.sum(axis=0, dtype=float)
    m = len(real) - n
    row, own = kernel.sum(axis=1, dtype=float), np.diagonal(kernel).astype(float)
    square = np.einsum("ib,ib->b", real, kernel @ real, dtype=float)
    across = row @ real - square
    within_real = square - own @ real
    within_synth = row.sum() - square - 2 * across - own @ (1 - real)
    return within_real / (n * (n - 1)) + within_synth / (m * (m - 1)) - 2 * across / (n * m)


def bootstrap_moves(kernel: Floats, real: Floats, synth: Floats) -> NDArray[np.float64]:
    """Return how the mean embeddings move in each bootstrap draw of patients.

    Parameters
    ----------
    kernel : ndarray, shape (n + m, n + m)
        Patients of the real set first.
    real, synth : ndarray, shape (n, draws) and (m, draws)
        How often each patient is drawn.

    Returns
    -------
    ndarray, shape (2, draws)
        With h the difference of the sets' mean embeddings and d its move: <h, d> / |h|, and |d|^2
        less its mean. As far as h is no larger than its moves its direction is not known, and the
        first is widened to the direction in which d moves most.
    """
    n, m = len(real), len(synth)
    move = np.concatenate([(real - 1) / n, (1 - synth) / m])
    gap = np.concatenate([np.full(n, 1 / n), np.full(m, -1 / m)])
    pushed = kernel @ move
    square = np.einsum("ib,ib->b", move, pushed, dtype=float)
    norm2 = max(float(gap @ (kernel @ gap)), 1e-30)
    along = gap @ pushed / np.sqrt(norm2)
    few = slice(0, DIRECTIONS)
    most = np.linalg.norm(move[:, few].T @ pushed[:, few], 2) / len(square[few])
    spread = max(float(along.var()), 1e-30)
    unknown = min(1.0, square.mean() / norm2)
    along *= np.sqrt(1 + max(most / spread - 1, 0) * unknown)
    return np.stack([along, square - square.mean()])


def aggregate_p(statistics: Floats) -> float:
    """Return one exact p for several statistics, each seen under the same permutations.

    Each column is ranked within its row, the least p of a column taken, and the observed least p
    ranked among all: MMDAgg with equal weights, its level corrected on the same permutations.

    Parameters
    ----------
    statistics : ndarray, shape (kernels, 1 + permutations)
        The observed labels first.

    References
    ----------
    Schrab et al. 2023, J Mach Learn Res 24:194; Westfall and Young 1993, section 2.6
    """
    from scipy.stats import rankdata

    least = rankdata(-statistics, method="max", axis=1).min(axis=0)
    return float(np.count_nonzero(least <= least[0]) / statistics.shape[1])


def kernel_test(
    real: Sample,
    synth: Sample,
    circular: Sequence[bool],
    *,
    seed: int,
    name: str,
    effort: Effort,
    jobs: int = 1,
    progress: Progress = quiet,
) -> KernelTest | str:
    """Compare all columns of two samples at once.

    Up to `MAX_PATIENTS` patients of either set are compared in one piece. Larger sets are cut at
    random into blocks of that size; statistics are averaged over blocks and labels permuted within
    each, which is exact, uses every block's records, and costs time in proportion to their number
    (Zaremba, Gretton and Blaschko 2013, arXiv:1307.1954).

    Parameters
    ----------
    real, synth : Sample
    circular : sequence of bool
    seed : int
    name : str
        Names the random streams.
    effort : Effort
    jobs : int
        Processes, over blocks; the result does not depend on it.
    progress : callable

    Returns
    -------
    KernelTest, or str
        The reason where there are too few patients.
    """
    sizes = real.n_patients, synth.n_patients
    if min(sizes) < MIN_PATIENTS:
        return f"{min(sizes)} patients in the smaller set (at least {MIN_PATIENTS} needed)"
    points = standardise(real.values, synth.values, circular)
    if not points[0].shape[1]:
        return "no measure has a value"
    rng = child_rng(seed, name)
    blocks = -(-min(sizes) // MAX_PATIENTS)
    each = [min(n // blocks, MAX_PATIENTS) for n in sizes]
    shuffled = [rng.permutation(n)[: k * blocks] for n, k in zip(sizes, each, strict=True)]
    pooled = np.concatenate(points)
    some = pooled[np.sort(rng.choice(len(pooled), min(len(pooled), MAX_PATIENTS), replace=False))]
    apart = np.sqrt(squared_distances(some, some)[np.triu_indices(len(some), 1)])
    median = float(np.median(apart)) or 1.0
    items, used = [], [0, 0]
    for b in range(blocks):
        parts, codes = [], []
        for side, (x, sample) in enumerate(zip(points, (real, synth), strict=True)):
            chosen = np.sort(shuffled[side][b * each[side] : (b + 1) * each[side]])
            keep = np.isin(sample.patient, chosen)
            parts.append(x[keep])
            codes.append(np.searchsorted(chosen, sample.patient[keep]) + side * each[0])
            used[side] += int(keep.sum())
        items.append((b, np.concatenate(parts), np.concatenate(codes)))
    work = partial(
        _block,
        n_real=each[0],
        n_synth=each[1],
        seed=seed,
        name=name,
        effort=effort,
        bandwidths=[median * factor for factor in BANDWIDTHS],
    )
    done = map_shards(work, items, jobs=jobs, stage="kernel tests", progress=progress)
    permuted, floor, moved = (np.mean(part, axis=0) for part in zip(*done, strict=True))
    half = each[0] // 2
    floor *= rescale(each[0], each[1], half, each[0] - half) ** 2
    p = [monte_carlo_p(permuted[0, 1:], permuted[0, 0]), aggregate_p(permuted[1:])]
    stats = []
    for k, at in enumerate((0, 1 + BANDWIDTHS.index(1.0))):
        value = float(permuted[at, 0])
        stats.append(
            Assessed(
                value,
                norm_interval(value, moved[k]),
                percentile_interval(floor[k]),
                p[k],
                permuted[at, 1:],
            )
        )
    return KernelTest(
        stats[0], stats[1], blocks, (used[0], used[1]), (each[0] * blocks, each[1] * blocks)
    )


def _block(
    item: tuple[int, Floats, NDArray[np.intp]],
    *,
    n_real: int,
    n_synth: int,
    seed: int,
    name: str,
    effort: Effort,
    bandwidths: Sequence[float],
) -> tuple[Floats, Floats, Floats]:
    """Return one block's statistics: observed and permuted, of real halves, bootstrap moves."""
    b, points, patient = item
    kernels = patient_kernels(points, patient, bandwidths)
    observed = (np.arange(n_real + n_synth) < n_real).astype(np.float32)[:, None]
    rng = child_rng(seed, name, "permutation", b)
    labels = subset_weights(n_real + n_synth, n_real, effort.permutations, rng)
    labels = np.concatenate([observed, labels], axis=1)
    permuted = np.stack([discrepancy(kernel, labels) for kernel in kernels])
    shown = kernels[0], kernels[1 + BANDWIDTHS.index(1.0)]
    rng = child_rng(seed, name, "floor", b)
    halves = subset_weights(n_real, n_real // 2, effort.floor, rng)
    floor = np.stack([discrepancy(kernel[:n_real, :n_real], halves) for kernel in shown])
    rng = child_rng(seed, name, "bootstrap", b)
    weights = [resample_weights(n, effort.bootstrap, rng) for n in (n_real, n_synth)]
    moved = np.stack([bootstrap_moves(kernel, *weights) for kernel in shown])
    return permuted, floor, moved
