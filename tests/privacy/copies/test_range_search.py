"""Bounds are never too low, and the range query misses nothing."""

import numpy as np
import pytest

from ecgeval.privacy.copies.kernels.lagged import Lagged
from ecgeval.privacy.copies.range_search import LagBound, search_above
from ecgeval.privacy.copies.search import Rows


@pytest.mark.parametrize("width", [7, 25])
@pytest.mark.parametrize("apart", [0, 2])
def test_the_bounds_are_never_below_the_correlation(
    some_pairs, width: int, apart: int, monkeypatch
) -> None:
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


def test_real_records_are_within_the_bounds(unit, real_data) -> None:
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
def test_a_range_query_finds_what_brute_force_finds(
    brute_force, best_correlation, some_pairs, floors
) -> None:
    x, y = some_pairs(3)
    usable = np.flatnonzero((x**2).sum(axis=(1, 2)) > 0)
    floor = np.where(np.arange(101) <= 40, *floors)
    kernel = Lagged(x[:0], y, 100).of(Rows(x, usable))
    found = search_above(kernel, floor, bound=LagBound(kernel, floor, 25, (0.02, 0.3)), k=3)
    p, j = (v.ravel() for v in np.indices((len(usable), len(y))))
    rho = kernel.correlations(p, j)
    near = np.where(rho >= floor[np.abs(kernel.lags)], rho, -np.inf).max(axis=1)
    for pair in np.flatnonzero(near > -np.inf)[:20]:  # the definition itself
        expected = best_correlation(x[usable[p[pair]]], y[j[pair]], 100)
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
