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

from ecgeval.compare.bootstrap import (
    monte_carlo_p,
    percentile_interval,
    resample_weights,
    subset_weights,
)
from ecgeval.compare.univariate import MIN_PATIENTS, Effort, Sample, rescale
from ecgeval.parallel import Progress, child_rng, map_shards, quiet

__all__ = [
    "BANDWIDTHS",
    "MAX_PATIENTS",
    "KernelTest",
    "Statistic",
    "aggregate_p",
    "discrepancy",
    "kernel_test",
    "norm_moves",
    "patient_kernels",
    "standardise",
]

Floats = NDArray[np.floating]

BANDWIDTHS = (0.5, 1.0, 2.0)
"""Times the median distance of the pooled sample."""
MAX_PATIENTS = 1000
"""Patients of either set in a block; larger sets are several blocks, whose statistics average."""
CLIP = 8.0
ROWS = 512


@dataclass(frozen=True)
class Statistic:
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

    energy: Statistic
    mmd: Statistic
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
    low, centre, high = np.nanquantile(x, [0.25, 0.5, 0.75], axis=0)
    spread = (high - low) / 1.349
    spread = np.where(spread > 0, spread, np.nanstd(x, axis=0))
    z = np.clip((x - centre) / np.where(spread > 0, spread, 1), -CLIP, CLIP)
    gone = np.isnan(pooled)
    flags = gone[:, gone.any(axis=0) & ~gone.all(axis=0)]
    points = np.column_stack([np.nan_to_num(z), flags]).astype(np.float32)
    return points[: len(real)], points[len(real) :]


def _squared_distances(a: Floats, b: Floats) -> Floats:
    """Return |a_i - b_j|^2, shape (len(a), len(b)), by one matrix product."""
    square = np.einsum("ij,ij->i", a, a)[:, None] + np.einsum("ij,ij->i", b, b)
    return np.maximum(square - 2 * (a @ b.T), 0)


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
        Diagonal 0, the mean of the rest taken off: no statistic of `discrepancy` depends on it,
        and single precision then goes further.
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
        square = _squared_distances(x[start[first] : start[last]], x)
        for k, rows in enumerate(out):
            value = np.exp(square / (-2 * bandwidths[k - 1] ** 2)) if k else -np.sqrt(square)
            if len(x) > n:
                value = np.add.reduceat(value, start[:-1], axis=1)
                value = np.add.reduceat(value, start[first:last] - start[first], axis=0)
                value /= np.outer(records[first:last], records)
            rows[first:last] = value
        first = last
    for kernel in out:
        np.fill_diagonal(kernel, 0)
        kernel -= np.float32(kernel.sum(dtype=float) / (n * (n - 1)))
        np.fill_diagonal(kernel, 0)
    return out


def discrepancy(kernel: Floats, real: Floats) -> NDArray[np.float64]:
    """Return the mean kernel within each side less twice that across, for every draw of labels.

    With k = -|x - y| this is the energy distance, with a Gaussian kernel MMD squared. Both are
    unbiased (pairs of distinct patients only), so that they may be negative where the sets agree.

    Parameters
    ----------
    kernel : ndarray, shape (patients, patients)
        Symmetric, diagonal 0.
    real : ndarray, shape (patients, draws)
        1 for the patients of one side, 0 for those of the other.

    References
    ----------
    Gretton et al. 2012, J Mach Learn Res 13:723 (equation 3); Szekely and Rizzo 2013,
    J Stat Plan Inference 143:1249, doi:10.1016/j.jspi.2013.03.018
    """
    n = real.sum(axis=0, dtype=float)
    m = len(real) - n
    row = kernel.sum(axis=1, dtype=float)
    within_real = np.einsum("ib,ib->b", real, kernel @ real, dtype=float)
    across = row @ real - within_real
    within_synth = row.sum() - within_real - 2 * across
    return within_real / (n * (n - 1)) + within_synth / (m * (m - 1)) - 2 * across / (n * m)


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
    apart = np.sqrt(_squared_distances(some, some)[np.triu_indices(len(some), 1)])
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
        _block, n_real=each[0], n_synth=each[1], seed=seed, name=name, effort=effort,
        bandwidths=[median * factor for factor in BANDWIDTHS],
    )  # fmt: skip
    done = map_shards(work, items, jobs=jobs, stage="kernel tests", progress=progress)
    permuted, floor, moved = (np.mean(part, axis=0) for part in zip(*done, strict=True))
    half = each[0] // 2
    floor *= rescale(each[0], each[1], half, each[0] - half) ** 2
    p = [monte_carlo_p(permuted[0, 1:], permuted[0, 0]), aggregate_p(permuted[1:])]
    stats = []
    for k, at in enumerate((0, 1 + BANDWIDTHS.index(1.0))):
        value = float(permuted[at, 0])
        low, high = percentile_interval(moved[k])
        stats.append(
            Statistic(
                value, (value - max(high, 0), value - min(low, 0)), percentile_interval(floor[k]),
                p[k], permuted[at, 1:],
            )
        )  # fmt: skip
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
    """Return statistics of one block: observed and permuted, of real halves, bootstrap moves."""
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
    moved = norm_moves(shown, n_real, n_synth, effort.bootstrap, rng)
    return permuted, floor, moved


def norm_moves(
    kernels: Sequence[Floats], n_real: int, n_synth: int, draws: int, rng: np.random.Generator
) -> Floats:
    """Return how far `discrepancy` moves in each bootstrap draw of patients.

    The bootstrap is that of the square of a norm, |h + d|^2 - |h|^2 = 2 <h, d> + |d|^2, h the
    difference of the sets' mean embeddings and d its move in a draw: it covers at the null, where
    the first term ends, and away from it. Its mean is the bias that the statistic does not have.

    Parameters
    ----------
    kernels : sequence of ndarray, shape (n_real + n_synth, n_real + n_synth)
        Over the real patients, then the synthetic ones.
    n_real, n_synth, draws : int
    rng : numpy.random.Generator

    Returns
    -------
    ndarray, shape (kernels, draws)
    """
    move = np.concatenate(
        [
            (resample_weights(n_real, draws, rng) - 1) / n_real,
            (1 - resample_weights(n_synth, draws, rng)) / n_synth,
        ]
    )
    gap = np.repeat(np.array([1 / n_real, -1 / n_synth], np.float32), [n_real, n_synth])
    moved = []
    for kernel in kernels:
        pushed = kernel @ move
        square = np.einsum("ib,ib->b", move, pushed, dtype=float)
        moved.append(2 * gap @ pushed + square - square.mean())
    return np.stack(moved)
