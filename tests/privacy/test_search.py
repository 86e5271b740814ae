"""Search against float64 brute force, on data made to be hard: duplicates, constants, zeros."""

import tracemalloc

import numpy as np
import pytest

from ecgeval.privacy.search import Euclid, Lagged, search


def brute_force(similarity: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    order = np.argsort(-similarity, axis=1, kind="stable")[:, :k]
    return np.take_along_axis(similarity, order, axis=1), order


def squared_distances(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return ((a[:, None].astype(float) - b[None]) ** 2).sum(axis=2)


def correlation(x: np.ndarray, y: np.ndarray, max_lag: int) -> float:
    """Return the best normalised correlation on the overlap, straight from its definition."""
    n, best = x.shape[1], -np.inf
    x, y = x.astype(float), y.astype(float)
    for lag in range(-max_lag, max_lag + 1):
        a = x[:, max(0, -lag) : n - max(0, lag)]
        b = y[:, max(0, lag) : n - max(0, -lag)]
        kept = (a**2).sum(), (b**2).sum()
        if kept[0] < (x**2).sum() / 4 or kept[1] < (y**2).sum() / 4:
            best = max(best, 0)  # a lag with too little signal left counts as no similarity
        else:
            best = max(best, (a * b).sum() / np.sqrt(kept[0] * kept[1]))
    return best


@pytest.fixture(scope="module")
def hard() -> tuple[np.ndarray, np.ndarray]:
    """Vectors of large norm with duplicates, near-duplicates, constants and zeros among them."""
    rng = np.random.default_rng(0)
    a = (30 * rng.normal(size=(300, 60))).astype(np.float32)
    b = (30 * rng.normal(size=(200, 60))).astype(np.float32)
    b[8] = b[7]
    a[3] = b[7]
    a[5] = b[9] = b[10] = 0
    a[6] = b[11] = 1
    a[20:40] = b[30:50] + rng.normal(0, 1e-3, (20, 60))
    b[60:80] = b[30:50] + rng.normal(0, 1e-3, (20, 60))
    return a, b


@pytest.mark.parametrize("k", [1, 5])
@pytest.mark.parametrize("memory", [1, 40_000, 2**29])
def test_euclid_equals_brute_force(hard, k: int, memory: int) -> None:
    a, b = hard
    d2 = squared_distances(a, b)
    for found, expected in zip(search(Euclid(a, b), k=k, memory=memory), (-d2, -d2.T), strict=True):
        similarity, order = brute_force(expected, k)
        np.testing.assert_array_equal(found.partner, order)
        np.testing.assert_allclose(found.similarity, similarity, rtol=1e-12)


def test_the_float64_rerank_is_needed(hard) -> None:
    # Mutation: the float32 similarities alone choose wrong partners among near-copies.
    a, b = hard
    truth = squared_distances(a, b).argmin(axis=1)
    close, _ = Euclid(a, b).block(slice(0, len(a)))
    assert (close.argmax(axis=1) != truth).any()
    assert (search(Euclid(a, b))[0].partner[:, 0] == truth).all()


def test_the_margin_holds_what_rounding_does(hard) -> None:
    a, b = hard
    close, margin = Euclid(a, b).block(slice(0, len(a)))
    assert (np.abs(close + squared_distances(a, b)) <= margin).all()
    x, y = (v.reshape(len(v), 3, 20)[100:150] for v in (a, b))
    kernel = Lagged(x, y, 8)
    i, j = (v.ravel() for v in np.indices((len(x), len(y))))
    off = np.abs(kernel.block(slice(0, len(x)))[0].ravel() - kernel.exact(i, j))
    assert off.max() <= kernel.margin


def test_lagged_equals_brute_force() -> None:
    rng = np.random.default_rng(1)
    x = rng.normal(size=(24, 2, 60)).astype(np.float32)
    y = rng.normal(size=(20, 2, 60)).astype(np.float32)
    y[4] = y[2]
    x[7, :, :-5] = 3 * y[2, :, 5:]
    x[9, :, 20:] *= 0.01  # nearly all energy at the start
    truth = np.array([[correlation(a, b, 20) for b in y] for a in x])
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


def test_groups_are_left_out() -> None:
    x = np.array([[0.0], [1.0], [10.0]], np.float32)
    found, _ = search(Euclid(x, x), k=2, groups=(np.array([0, 0, 1]), np.array([0, 0, 1])))
    np.testing.assert_array_equal(found.partner, [[2, -1], [2, -1], [1, 0]])
    assert np.isnan(found.similarity[0, 1])


def test_nothing_to_search_gives_no_partner() -> None:
    found, back = search(Euclid(np.zeros((2, 3), np.float32), np.zeros((0, 3), np.float32)), k=2)
    assert (found.partner == -1).all()
    assert back.similarity.shape == (0, 2)


def test_jobs_do_not_change_the_result() -> None:
    x = np.random.default_rng(3).normal(size=(1000, 2, 16)).astype(np.float32)
    flat = x.reshape(1000, -1)
    for kernel in (Euclid(flat, flat[:600]), Lagged(x, x[:600], 2)):
        one, two = (search(kernel, k=2, jobs=jobs) for jobs in (1, 2))
        for a, b in zip(one, two, strict=True):
            assert a.similarity.tobytes() == b.similarity.tobytes()
            assert a.partner.tobytes() == b.partner.tobytes()


def test_memory_is_bounded() -> None:
    rng = np.random.default_rng(4)
    x = rng.normal(size=(4000, 8)).astype(np.float32)
    y = rng.normal(size=(2000, 8)).astype(np.float32)
    limit = 8 * 2**20  # the similarities alone would take 32 MB
    tracemalloc.start()
    search(Euclid(x, y), memory=limit)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < limit + 4 * 2**20
