"""Distances and densities by hand and against closed forms; copies as alike as asked."""

import numpy as np
import pytest
from scipy.stats import gaussian_kde, multivariate_normal

from ecgeval.privacy.attacks.scores import blend, log_density, nearest_distance, share_within
from ecgeval.stats.distances import squared_distances


def test_kernels_by_hand() -> None:
    x, s = np.array([[0.0, 0.0], [3.0, 4.0]]), np.array([[0.0, 1.0], [3.0, 0.0], [0.0, 0.5]])
    assert squared_distances(x, s).tolist() == [[1, 9, 0.25], [18, 16, 21.25]]
    assert nearest_distance(x, s).tolist() == [0.5, 4]
    assert share_within(x, s, 1.0).tolist() == pytest.approx([2 / 3, 0])


def test_density_is_a_gaussian_kernel_estimate() -> None:
    rng = np.random.default_rng(0)
    data, x = rng.normal(size=(40, 3)), rng.normal(size=(7, 3))
    width = 40 ** (-1 / 7)
    by_hand = np.mean([multivariate_normal(d, width**2 * np.eye(3)).pdf(x) for d in data], axis=0)
    assert log_density(x, data) == pytest.approx(np.log(by_hand))
    line = rng.normal(size=200)
    line = (line - line.mean()) / line.std(ddof=1)
    kde = gaussian_kde(line)
    assert log_density(x[:, :1], line[:, None]) == pytest.approx(np.log(kde(x[:, 0])))


def test_copies_correlate_as_asked() -> None:
    rng = np.random.default_rng(2)
    x, s = rng.normal(size=(50, 8)), rng.normal(size=(90, 8))
    copies = blend(x, s, 0.9, rng)
    size = np.linalg.norm(x, axis=1)
    assert (x * copies).sum(axis=1) / size**2 == pytest.approx(0.9)
    assert np.linalg.norm(copies, axis=1) == pytest.approx(size)
