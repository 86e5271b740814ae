"""Search against float64 brute force, on data made to be hard: duplicates, constants, zeros."""

import tracemalloc

import numpy as np
import pytest

from ecgeval.privacy.copies.kernels.lagged import Lagged
from ecgeval.privacy.copies.kernels.samplewise import Euclid, Leadwise
from ecgeval.privacy.copies.kernels.versions import Versions
from ecgeval.privacy.copies.kernels.windowed import Windowed
from ecgeval.privacy.copies.range_search import LagBound, search_above
from ecgeval.privacy.copies.search import Rows, search


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


def unit(x: np.ndarray) -> np.ndarray:
    x = x - x.mean(axis=2, keepdims=True)
    norm = np.sqrt((x**2).sum(axis=(1, 2), keepdims=True))
    return (x / np.where(norm > 0, norm, np.inf)).astype(np.float32)


def waves(n: int, seed: int, samples: int = 200) -> np.ndarray:
    """Return band-limited records of three leads with a beat, and shifted copies among them."""
    rng = np.random.default_rng(seed)
    t = np.arange(samples)
    x = 0.02 * rng.normal(size=(n, 3, samples))
    for record in x:
        for at in np.arange(rng.uniform(5, 40), samples, rng.uniform(35, 60)):
            shape = np.exp(-0.5 * ((t - at) / rng.uniform(1.5, 3)) ** 2)
            record += rng.normal(1, 0.3, (3, 1)) * shape
    return unit(x)


def test_leadwise_equals_brute_force_also_with_flat_leads() -> None:
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


def test_windowed_equals_brute_force_and_finds_a_part_of_a_record() -> None:
    x, y = waves(12, 0), waves(10, 1)
    x[4, :, 120:] = y[2, :, 40:120]  # the end of one is from the middle of the other
    width, starts = 80, (0, 120)
    truth = np.full((12, 10), -np.inf)
    for i, a in enumerate(x.astype(float)):
        for j, b in enumerate(y.astype(float)):
            least = 0.25 * width / 200
            for s in starts:
                w = a[:, s : s + width]
                for p in range(121):
                    r = b[:, p : p + width]
                    kept = [max((v**2).sum(), least * (u**2).sum()) for v, u in ((w, a), (r, b))]
                    truth[i, j] = max(truth[i, j], (w * r).sum() / np.sqrt(kept[0] * kept[1]))
    for found, expected in zip(
        search(Windowed(x, y, starts, width), k=2), (truth, truth.T), strict=True
    ):
        similarity, order = brute_force(expected, 2)
        np.testing.assert_allclose(found.similarity, np.minimum(similarity, 1), atol=1e-6)
        np.testing.assert_array_equal(found.partner, order)
    assert search(Windowed(x, y, starts, width))[0].partner[4, 0] == 2


@pytest.mark.parametrize("rank", [None, 3])
def test_versions_equal_brute_force_whatever_the_directions_kept(rank) -> None:
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


def some_pairs(seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return records with copies, shifts, parts, a constant lead and a flat record among them."""
    x, y = waves(60, seed), waves(50, seed + 1)
    for row, lag in enumerate((0, 3, -30, 60, 100, -100)):
        x[row] = 0.5 * np.roll(y[row], lag, axis=1)
        fill = slice(0, lag) if lag > 0 else slice(lag, None)
        x[row, :, fill] = x[row + 20, :, fill] if lag else x[row, :, fill]
    x[10, 1] = 0.1
    x[11] = 0
    x[12, :, 30:] *= 1e-3
    return x, y


@pytest.mark.parametrize("width", [7, 25])
@pytest.mark.parametrize("apart", [0, 2])
def test_the_bounds_are_never_below_the_correlation(width: int, apart: int, monkeypatch) -> None:
    monkeypatch.setattr(LagBound, "APART", apart)
    x, y = some_pairs(0)
    kernel = Lagged(x, y, 100)
    floors = np.linspace(0.5, 0.9, 101)
    i, j = (v.ravel() for v in np.indices((len(x), len(y))))
    over = (kernel.correlations(i, j) / floors[np.abs(kernel.lags)]).max(axis=1)
    bound = LagBound(kernel, floors, width, (0.02, 0.3))
    assert (bound.over_floor(x).ravel() >= over - 1e-5).all()
    kept = np.zeros((len(x), len(y)), bool)
    kept[bound.correlated(x, np.ones_like(kept))] = True
    assert kept.ravel()[over >= 1].all()
    assert kept.mean() < 0.9


def test_real_records_are_within_the_bounds(real_data) -> None:
    import wfdb

    folder = real_data("ptbxl")
    names = sorted(folder.rglob("*_hr.hea"))[:24]
    assert len(names) == 24
    x = np.array([wfdb.rdrecord(str(n)[:-4]).p_signal.T[:, ::5] for n in names], np.float32)
    x = unit(np.nan_to_num(x))
    kernel = Lagged(x[:12], x[12:], 500)
    floors = np.full(501, 0.5)
    i, j = (v.ravel() for v in np.indices((12, 12)))
    over = kernel.exact(i, j) / 0.5
    bound = LagBound(kernel, floors, 50, (0.025, 0.41))
    assert (bound.over_floor(x[:12]).ravel() >= over - 1e-5).all()


@pytest.mark.parametrize("floors", [(0.9, 0.95), (0.6, 0.6)])
def test_a_range_query_finds_what_brute_force_finds(floors) -> None:
    x, y = some_pairs(3)
    usable = np.flatnonzero((x**2).sum(axis=(1, 2)) > 0)
    floor = np.where(np.arange(101) <= 40, *floors)
    kernel = Lagged(x[:0], y, 100).of(Rows(x, usable))
    found = search_above(kernel, floor, bound=LagBound(kernel, floor, 25, (0.02, 0.3)), k=3)
    p, j = (v.ravel() for v in np.indices((len(usable), len(y))))
    rho = kernel.correlations(p, j)
    near = np.where(rho >= floor[np.abs(kernel.lags)], rho, -np.inf).max(axis=1)
    for pair in np.flatnonzero(near > -np.inf)[:20]:  # the definition itself
        expected = correlation(x[usable[p[pair]]], y[j[pair]], 100)
        assert rho[pair].max() == pytest.approx(expected, abs=1e-9)
    truth = near.reshape(len(usable), len(y))
    assert (truth > -np.inf).sum() == found.stages[3] >= 5
    assert found.stages[0] >= found.stages[1] >= found.stages[2] >= found.stages[3]
    for one, expected in ((found.by_query, truth), (found.by_reference, truth.T)):
        similarity, order = brute_force(expected, 3)
        hit = similarity > -np.inf
        np.testing.assert_allclose(one.similarity[hit], np.minimum(similarity, 1)[hit], atol=1e-12)
        np.testing.assert_array_equal(one.partner, np.where(hit, order, -1))
        assert np.isnan(one.similarity[~hit]).all()


def test_rows_are_read_where_they_are_asked_for() -> None:
    x = waves(10, 0)
    rows = np.array([7, 2, 5])
    direct, lazy = (search(Euclid(q, x)) for q in (x[rows], Rows(x, rows)))
    np.testing.assert_array_equal(direct[0].partner, lazy[0].partner)
    assert direct[0].partner[:, 0].tolist() == [7, 2, 5]
