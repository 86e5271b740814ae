"""Correlation over shifts against its definition."""

import numpy as np

from ecgeval.privacy.copies.kernels.lagged import Lagged
from ecgeval.privacy.copies.search import search


def test_lagged_equals_brute_force(brute_force, best_correlation) -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(24, 2, 60)).astype(np.float32)
    y = rng.normal(size=(20, 2, 60)).astype(np.float32)
    y[4] = y[2]
    x[7, :, :-5] = 3 * y[2, :, 5:]
    x[9, :, 20:] *= 0.01  # nearly all energy at the start
    truth = np.array([[best_correlation(a, b, 20) for b in y] for a in x])
    for found, expected in zip(search(Lagged(x, y, 20), k=3), (truth, truth.T), strict=True):
        similarity, order = brute_force(expected, 3)
        np.testing.assert_array_equal(found.partner, order)
        np.testing.assert_allclose(found.similarity, similarity, atol=1e-12)


def test_a_shifted_copy_with_foreign_fill_is_the_same_on_the_overlap() -> None:
    rng = np.random.default_rng(2)
    y = rng.normal(size=(5, 2, 200)).astype(np.float32)
    x = np.concatenate([rng.normal(size=(5, 2, 60)), 0.5 * y[:, :, :-60]], axis=2)
    kernel = Lagged(x.astype(np.float32), y, 100)
    own = np.arange(5)
    np.testing.assert_allclose(kernel.exact(own, own), 1, atol=1e-7)
    assert (kernel.lag(own, own) == -60).all()
    # Mutation: without the search over lags the copies look like anybody.
    zero_lag = search(Lagged(x.astype(np.float32), y, 0))[0]
    assert zero_lag.similarity.max() < 0.5
