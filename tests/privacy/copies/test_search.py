"""Search against float64 brute force, on data made to be hard: duplicates, constants, zeros."""

import tracemalloc

import numpy as np

from ecgeval.privacy.copies.kernels.lagged import Lagged
from ecgeval.privacy.copies.kernels.samplewise import Euclid
from ecgeval.privacy.copies.search import Rows, search


def test_the_float64_rerank_is_needed(squared_distances, hard) -> None:
    # Mutation: the float32 similarities alone choose wrong partners among near-copies.
    a, b = hard
    truth = squared_distances(a, b).argmin(axis=1)
    close, _ = Euclid(a, b).block(slice(0, len(a)))
    assert (close.argmax(axis=1) != truth).any()
    assert (search(Euclid(a, b))[0].partner[:, 0] == truth).all()


def test_the_margin_holds_what_rounding_does(squared_distances, hard) -> None:
    a, b = hard
    close, margin = Euclid(a, b).block(slice(0, len(a)))
    assert (np.abs(close + squared_distances(a, b)) <= margin).all()
    x, y = (v.reshape(len(v), 3, 20)[100:150] for v in (a, b))
    kernel = Lagged(x, y, 8)
    i, j = (v.ravel() for v in np.indices((len(x), len(y))))
    off = np.abs(kernel.block(slice(0, len(x)))[0].ravel() - kernel.exact(i, j))
    assert off.max() <= kernel.margin


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


def test_rows_are_read_where_they_are_asked_for(waves) -> None:
    x = waves(10, 0)
    rows = np.array([7, 2, 5])
    direct, lazy = (search(Euclid(q, x)) for q in (x[rows], Rows(x, rows)))
    np.testing.assert_array_equal(direct[0].partner, lazy[0].partner)
    assert direct[0].partner[:, 0].tolist() == [7, 2, 5]
