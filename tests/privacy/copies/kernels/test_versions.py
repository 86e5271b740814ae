"""The best of several versions of a record, against brute force."""

import numpy as np
import pytest

from ecgeval.privacy.copies.kernels.versions import Versions
from ecgeval.privacy.copies.search import search


@pytest.mark.parametrize("rank", [None, 3])
def test_versions_equal_brute_force_whatever_the_directions_kept(
    brute_force, unit, waves, rank
) -> None:
    x, y = waves(15, 0, 40), waves(12, 1, 40)
    move = [np.eye(40)[:, 5 + lag : 35 + lag] for lag in (0, -3, 4)]
    maps = np.stack(move)
    y[3] = np.roll(x[6], 4, axis=1)
    kernel = Versions(x, y, maps, rank)

    def plain(a: np.ndarray, way: np.ndarray) -> np.ndarray:
        return unit(a.astype(float) @ way).astype(float).reshape(len(a), -1)

    truth = np.max([plain(x, m) @ plain(y, maps[0]).T for m in maps], axis=0)
    close, margin = kernel.block(slice(0, 15))
    assert (np.abs(close - truth) <= margin).all()
    for found, expected in zip(search(kernel, k=2), (truth, truth.T), strict=True):
        similarity, order = brute_force(expected, 2)
        np.testing.assert_allclose(found.similarity, similarity, atol=1e-6)
        np.testing.assert_array_equal(found.partner, order)
