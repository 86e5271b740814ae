import numpy as np
import pytest
from scipy.spatial.distance import cdist

from ecgeval.stats.distances import squared_distances


def test_squared_distances_are_those_of_scipy_and_hand():
    assert squared_distances(np.array([[0.0], [3.0]]), np.array([[1.0], [5.0]])).tolist() == [
        [1, 25],
        [4, 4],
    ]
    rng = np.random.default_rng(0)
    a, b = rng.normal(size=(30, 7)), rng.normal(size=(20, 7))
    np.testing.assert_allclose(squared_distances(a, b), cdist(a, b, "sqeuclidean"), rtol=1e-12)


def test_copies_are_at_distance_nothing_and_none_is_below():
    x = np.random.default_rng(1).normal(size=(50, 12))
    found = squared_distances(x, x)
    assert np.diagonal(found) == pytest.approx(0, abs=1e-13)
    assert found.min() >= 0
