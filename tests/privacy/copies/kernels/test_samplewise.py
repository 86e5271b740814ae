"""Euclidean distances and single leads against float64 brute force."""

import numpy as np
import pytest

from ecgeval.privacy.copies.kernels.samplewise import Euclid, Leadwise
from ecgeval.privacy.copies.search import search


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("memory", [1, 40_000, 2**29])
def test_euclid_equals_brute_force(
    brute_force, squared_distances, hard, k: int, memory: int
) -> None:
    a, b = hard
    d2 = squared_distances(a, b)
    for found, expected in zip(search(Euclid(a, b), k=k, memory=memory), (-d2, -d2.T), strict=True):
        similarity, order = brute_force(expected, k)
        np.testing.assert_array_equal(found.partner, order)
        np.testing.assert_allclose(found.similarity, similarity, rtol=1e-12)


def test_leadwise_equals_brute_force_also_with_flat_leads(brute_force, waves) -> None:
    x, y = waves(20, 0), waves(15, 1)
    x[3, 1] = -2 * y[7, 1]  # one lead, inverted and louder
    x[5, 0] = 0
    y[6] = 0
    truth = np.zeros((20, 15))
    for lead in range(3):
        a, b = (v[:, lead].astype(float) for v in (x, y))
        norms = np.outer(np.sqrt((a**2).sum(1)), np.sqrt((b**2).sum(1)))
        truth = np.maximum(truth, np.abs(a @ b.T) / np.where(norms > 0, norms, np.inf))
    for found, expected in zip(search(Leadwise(x, y), k=2), (truth, truth.T), strict=True):
        similarity, order = brute_force(expected, 2)
        np.testing.assert_allclose(found.similarity, similarity, atol=1e-7)
        same = similarity > 0  # nothing but zeros is similar to a flat record
        np.testing.assert_array_equal(found.partner[same], order[same])
    assert search(Leadwise(x, y))[0].partner[3, 0] == 7
    assert Leadwise(x, y).by_lead(np.array([3]), np.array([7]))[0, 1] == pytest.approx(-1)
