"""Distances between two clouds of points: Fréchet, kernel, and what lies in whose neighbourhood.

Arrays in, numbers out. Distances are float32 in blocks of `BLOCK` numbers, never a whole matrix;
where an order decides (the nearest record), the nearest few are measured again in float64.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from ecgeval.stats.arrays import Floats

__all__ = [
    "GRID",
    "alpha_curve",
    "authenticity",
    "clipped_density",
    "close_pairs",
    "count_inside",
    "expected_clipped_coverage",
    "expected_coverage",
    "extrapolate",
    "frechet_by_size",
    "frechet_distance",
    "integrated",
    "kid",
    "nearest",
    "neighbour_distances",
]


BLOCK = 2**20
CLOSE = 0.5
GRID = np.linspace(0, 1, 101)
"""The levels α at which supports are compared."""


# ---- moments ---------------------------------------------------------------------------------


def frechet_distance(x: Floats, y: Floats) -> float:
    """Return the squared Fréchet distance of the normal distributions fitted to two samples.

    ``|m1 - m2|² + tr(C1 + C2 - 2 (C1^½ C2 C1^½)^½)``; the symmetric product has the eigenvalues of
    C1 C2, real and not negative but for rounding. Biased upwards: for two samples of n of N(0, I)
    in d dimensions by about ``2/n (d + d(d + 1)/4)``.

    Parameters
    ----------
    x, y : ndarray, shapes (n, d) and (m, d)

    Raises
    ------
    ArithmeticError
        If an eigenvalue is negative beyond rounding.

    References
    ----------
    Dowson and Landau 1982, J Multivar Anal 12:450, doi:10.1016/0047-259X(82)90077-X; Heusel et al.
    2017, NeurIPS, arXiv:1706.08500
    """
    (mean_x, c_x), (mean_y, c_y) = map(_moments, (x, y))
    value, vector = np.linalg.eigh(c_x)
    root = (vector * np.sqrt(_not_negative(value))) @ vector.T
    product = root @ c_y @ root
    cross = np.sqrt(_not_negative(np.linalg.eigvalsh((product + product.T) / 2))).sum()
    return float(((mean_x - mean_y) ** 2).sum() + np.trace(c_x) + np.trace(c_y) - 2 * cross)


def _moments(x: Floats) -> tuple[Floats, Floats]:
    mean = x.mean(axis=0, dtype=float)
    centred = x - mean
    return mean, centred.T @ centred / (len(x) - 1)


def _not_negative(eigenvalues: Floats) -> Floats:
    scale = max(float(np.abs(eigenvalues).max(initial=0)), 1e-300)
    if eigenvalues.min() < -1e-6 * scale:
        raise ArithmeticError(
            f"eigenvalue {eigenvalues.min():.3g} of a covariance is negative (largest {scale:.3g})"
        )
    return np.maximum(eigenvalues, 0)


def frechet_by_size(x: Floats, y: Floats, parts: int = 4) -> tuple[Floats, Floats]:
    """Return sizes n, n/2, ... n/`parts` and the mean Fréchet distance of the blocks of that size.

    Parameters
    ----------
    x, y : ndarray, shape (n, d)
        In random order.
    parts : int

    Returns
    -------
    sizes, values : ndarray, shape (parts,)
    """
    sizes = len(x) // np.arange(1, parts + 1)
    values = [
        np.mean([frechet_distance(x[a : a + n], y[a : a + n]) for a in range(0, n * k, n)])
        for k, n in enumerate(sizes, 1)
    ]
    return sizes.astype(float), np.array(values)


def extrapolate(sizes: Floats, values: Floats) -> float:
    """Return the value at n → ∞ of the least-squares line through the values against 1/n.

    References
    ----------
    Chong and Forsyth 2020, CVPR, doi:10.1109/CVPR42600.2020.00611
    """
    return float(np.polyfit(1 / sizes, values, 1)[1])


def kid(x: Floats, y: Floats) -> float:
    """Return the kernel distance: unbiased MMD² with the kernel (x·y / d + 1)³.

    Its mean is 0 where the distributions are equal, so it may be negative: it is not cut.

    Parameters
    ----------
    x, y : ndarray, shapes (n, d) and (m, d)

    References
    ----------
    Bińkowski et al. 2018, ICLR, arXiv:1801.01401
    """

    def total(a: Floats, b: Floats) -> float:
        rows = _rows(len(a), len(b))
        return sum(float(_cubic(a[s] @ b.T, x.shape[1]).sum(dtype=float)) for s in rows)

    def others(a: Floats) -> float:
        own = float(_cubic(np.einsum("ij,ij->i", a, a), x.shape[1]).sum(dtype=float))
        return (total(a, a) - own) / (len(a) * (len(a) - 1))

    x, y = np.asarray(x, float), np.asarray(y, float)
    return others(x) + others(y) - 2 * total(x, y) / (len(x) * len(y))


def _cubic(product: Floats, dimensions: int) -> Floats:
    base = product / dimensions + 1
    return base * base * base


# ---- neighbourhoods --------------------------------------------------------------------------


def neighbour_distances(x: Floats, k: int) -> Floats:
    """Return the distance of each point to its 1st ... k-th nearest other point, shape (n, k)."""
    out = np.empty((len(x), k), np.float32)
    for rows, squared in _squared(x, x):
        squared[np.arange(len(squared)), np.arange(rows.start, rows.stop)] = np.inf
        out[rows] = np.sort(np.partition(squared, k - 1, axis=1)[:, :k], axis=1)
    return np.sqrt(out)


def count_inside(
    points: Floats, centres: Floats, radii: Floats
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """Count points in balls.

    Parameters
    ----------
    points : ndarray, shape (m, d)
    centres : ndarray, shape (n, d)
    radii : ndarray, shape (kinds, n)
        One or more radii of each ball; the surface belongs to it.

    Returns
    -------
    of_point : ndarray, shape (kinds, m)
        Balls that a point lies in. Its share above 0 is the improved precision, with the roles of
        the sets exchanged the improved recall (k = 3); its mean over k is the density (k = 5).
    of_centre : ndarray, shape (kinds, n)
        Points that a ball holds. Its share above 0 is the coverage (k = 5).

    References
    ----------
    Kynkäänniemi et al. 2019, NeurIPS, arXiv:1904.06991; Naeem et al. 2020, ICML, arXiv:2002.09797
    """
    of_point = np.zeros((len(radii), len(points)), np.intp)
    of_centre = np.zeros((len(radii), len(centres)), np.intp)
    limits = np.square(radii, dtype=np.float32)
    for rows, squared in _squared(points, centres):
        for kind, limit in enumerate(limits):
            inside = squared <= limit
            of_point[kind, rows] = np.count_nonzero(inside, axis=1)
            of_centre[kind] += np.count_nonzero(inside, axis=0)
    return of_point, of_centre


def expected_coverage(n: int, m: int, k: int) -> float:
    """Return the mean coverage of n real by m synthetic points of one distribution, whatever it is.

    ``1 - prod (n - i) / (m + n - i)`` over i = 1 ... k: the chance that the k nearest of the m + n
    - 1 other points are not all real.

    References
    ----------
    Naeem et al. 2020, ICML, arXiv:2002.09797
    """
    i = np.arange(1, k + 1)
    return float(1 - np.prod((n - i) / (m + n - i)))


def expected_clipped_coverage(n: int, m: int, k: int) -> float:
    """Return the mean of min(points in a ball, k) / k under one distribution, whatever it is.

    The number of synthetic points nearer than the k-th real neighbour is negative hypergeometric.
    """
    from scipy.stats import nhypergeom

    count = nhypergeom(m + n - 1, m, k)
    return float(sum(count.sf(j - 1) for j in range(1, k + 1)) / k)


def clipped_density(of_point: NDArray[np.intp], of_real: NDArray[np.intp], k: int) -> float:
    """Return the mean of min(balls a point lies in, k), relative to that of the real points.

    The balls are those of the real points with radii cut at their median, so that no outlier
    spans the space; no point counts for more than k.

    Parameters
    ----------
    of_point, of_real : ndarray, shapes (m,) and (n,)
        Cut balls that each synthetic point, and each real point its own ball left out, lies in.
    k : int

    References
    ----------
    Salvy, Talbot and Thirion 2025, arXiv:2507.01761
    """
    real = np.minimum(of_real, k).mean()
    return float(np.minimum(of_point, k).mean() / real) if real > 0 else 0.0


def nearest(points: Floats, centres: Floats) -> tuple[NDArray[np.intp], Floats]:
    """Return the nearest centre of each point and the distances to the two nearest.

    Returns
    -------
    index : ndarray, shape (m,)
    distance : ndarray, shape (m, 2)
        In float64, from the differences: a copy is at 0.
    """
    index = np.empty(len(points), np.intp)
    distance = np.empty((len(points), 2))
    few = min(4, len(centres))
    for rows, squared in _squared(points, centres):
        near = np.sort(np.argpartition(squared, few - 1, axis=1)[:, :few], axis=1)
        exact = np.linalg.norm(
            np.asarray(points[rows], float)[:, None] - np.asarray(centres, float)[near], axis=2
        )
        order = np.argsort(exact, axis=1, kind="stable")[:, :2]
        index[rows] = np.take_along_axis(near, order[:, :1], axis=1)[:, 0]
        distance[rows] = np.take_along_axis(exact, order, axis=1)
    return index, distance


def authenticity(index: NDArray[np.intp], distance: Floats, spacing: Floats) -> float:
    """Return the share of points farther from their nearest real one than that is from its own.

    Parameters
    ----------
    index, distance : ndarray
        As `nearest` returns them.
    spacing : ndarray, shape (n,)
        Distance of each real point to the nearest other one.

    References
    ----------
    Alaa et al. 2022, ICML, arXiv:2102.08921
    """
    return float((distance[:, 0] > spacing[index]).mean())


def close_pairs(distance: Floats) -> float:
    """Return the share of points at most half as far from the nearest as from the second nearest.

    A copy is near one record only; a point in the middle of the cloud is near many.
    """
    return float((distance[:, 0] <= CLOSE * distance[:, 1]).mean())


def alpha_curve(reference: Floats, points: Floats) -> Floats:
    """Return the share of points inside the ball that holds α of the reference, for α of `GRID`.

    The ball is centred on the reference's mean. The paper learns an embedding in which the
    reference is a ball (one-class SVDD); here the space is taken as it is, so a point at the right
    distance from the centre in a wrong direction is inside.

    References
    ----------
    Alaa et al. 2022, ICML, arXiv:2102.08921
    """
    centre = reference.mean(axis=0)
    own, other = (np.sort(np.linalg.norm(v - centre, axis=1)) for v in (reference, points))
    return np.searchsorted(other, np.quantile(own, GRID), side="right") / len(other)


def integrated(curve: Floats) -> float:
    """Return 1 - 2 ∫ |P(α) - α| dα: 1 on the diagonal, 0 where the curve is 0 or 1 throughout."""
    gap = np.abs(curve - GRID)
    return float(1 - (gap[1:] + gap[:-1]).mean())


def _rows(n: int, m: int) -> list[slice]:
    step = max(1, BLOCK // max(m, 1))
    return [slice(a, min(a + step, n)) for a in range(0, n, step)]


def _squared(x: Floats, y: Floats) -> Iterator[tuple[slice, Floats]]:
    """Yield rows of x and their squared distances to all of y, float32.

    Both are centred first: the smaller the norms, the less is lost in their difference.
    """
    centre = y.mean(axis=0, dtype=float)
    x, y = ((np.asarray(v) - centre).astype(np.float32) for v in (x, y))
    norm_x, norm_y = (np.einsum("ij,ij->i", v, v) for v in (x, y))
    for rows in _rows(len(x), len(y)):
        squared = x[rows] @ y.T
        squared *= -2
        squared += norm_x[rows, None]
        squared += norm_y
        yield rows, np.maximum(squared, 0, out=squared)
