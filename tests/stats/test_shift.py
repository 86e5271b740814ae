"""The shift function: where along a distribution two sets differ, and how sure that is."""

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats.mstats import hdquantiles

from ecgeval.stats.effects import harrell_davis
from ecgeval.stats.intervals import simultaneous_band
from ecgeval.stats.sample import Effort, Sample
from ecgeval.stats.univariate import DECIDING, PROBABILITIES, compare_columns

REPEATS = 150
LIGHT = Effort(bootstrap=300, floor=20, permutations=0)
ROUND = 0.2  # few levels, so that the simulations are quick
SHIFT = 0.6


def compare(real, synth, patient_real=None, patient_synth=None, effort=LIGHT):
    n, m, k = len(real), len(synth), real.shape[1]
    return compare_columns(
        Sample(real, np.arange(n) if patient_real is None else patient_real),
        Sample(synth, np.arange(m) if patient_synth is None else patient_synth),
        [False] * k,
        seed=0,
        effort=effort,
        shift=[True] * k,
    )


def three_se(p, n=REPEATS):
    return 3 * np.sqrt(p * (1 - p) / n)


def whole(results, truth):
    return np.mean([((r.shift.low <= truth) & (truth <= r.shift.high)).all() for r in results])


def test_quantiles_are_those_of_scipy():
    rng = np.random.default_rng(0)
    for n in (5, 50, 400):
        x = rng.gamma(2, 1, n)
        ours = [harrell_davis(x, p) for p in PROBABILITIES]
        np.testing.assert_allclose(ours, hdquantiles(x, PROBABILITIES), rtol=1e-6)


def test_closed_form_of_a_shift_and_of_a_scale():
    """N(0, 1) against N(0.5, 1): 0.5 everywhere; against N(0, 1.5^2): 0.5 z(p)."""
    x = norm.ppf((np.arange(4000) + 0.5) / 4000)
    z = norm.ppf(PROBABILITIES)
    pairs = np.column_stack([x, x]), np.column_stack([x + 0.5, 1.5 * x])
    moved, scaled = compare(*pairs, effort=Effort(50, 20, 0))
    np.testing.assert_allclose(moved.shift.value, 0.5, atol=1e-9)
    np.testing.assert_allclose(scaled.shift.value, 0.5 * z, atol=2e-3)
    assert [scaled.stats[name].value for name in DECIDING] == [
        scaled.shift.value[PROBABILITIES.index(p)] for p in DECIDING.values()
    ]


def test_a_band_of_one_point_is_the_pointwise_interval_and_of_many_is_wider():
    draws = np.random.default_rng(0).normal(size=(10, 200_000))
    low, high = simultaneous_band(draws[:1], np.zeros(1))
    assert high[0] == -low[0] == pytest.approx(1.96, abs=0.02)
    # Ten independent points: 0.95^(1/10) each (Sidak).
    _, high = simultaneous_band(draws, np.zeros(10))
    np.testing.assert_allclose(high, norm.ppf(0.5 + 0.95**0.1 / 2), rtol=0.01)


def test_a_point_that_never_moves_has_no_width_and_widens_no_other():
    draws = np.vstack([np.random.default_rng(0).normal(size=(1, 20_000)), np.full((1, 20_000), 3)])
    low, high = simultaneous_band(draws, np.array([0.0, 3.0]))
    assert (low[1], high[1]) == (3, 3)
    assert high[0] == pytest.approx(1.96, abs=0.04)
    low, high = simultaneous_band(np.ones((2, 50)), np.ones(2))
    assert (low == 1).all()
    assert (high == 1).all()


def test_the_band_covers_the_whole_function_and_without_the_grouping_it_does_not():
    rng = np.random.default_rng(1)
    person = rng.normal(size=(100, 1, REPEATS)) * np.sqrt(0.5)
    real = (person + rng.normal(size=(100, 3, REPEATS)) * np.sqrt(0.5)).reshape(300, REPEATS)
    synth = SHIFT + rng.normal(size=(600, REPEATS))
    real, synth = np.round(real / ROUND) * ROUND, np.round(synth / ROUND) * ROUND
    results = compare(real, synth, np.repeat(np.arange(100), 3))
    assert abs(whole(results, SHIFT) - 0.95) < three_se(0.95)
    for name in DECIDING:
        ci = np.array([r.stats[name].ci for r in results])
        covered = np.mean((ci[:, 0] <= SHIFT) & (ci[:, 1] >= SHIFT))
        assert abs(covered - 0.95) < three_se(0.95), name
    by_record = compare(real[:, :80], synth[:, :80])
    assert whole(by_record, SHIFT) < 0.95 - three_se(0.95, 80)


def test_pointwise_intervals_would_not_hold_the_whole_function():
    """Mutation: the band made of 95 % intervals at each point."""
    rng = np.random.default_rng(2)
    real, synth = np.round(rng.normal(size=(2, 150, 60)) / ROUND) * ROUND
    results = compare(real, synth)
    every = np.mean(
        [all(r.stats[n].ci[0] <= 0 <= r.stats[n].ci[1] for n in DECIDING) for r in results]
    )
    assert every < whole(results, 0) - 0.03


def test_the_floor_holds_the_curves_of_real_against_real():
    rng = np.random.default_rng(3)
    real, synth = np.round(rng.normal(size=(2, 200, 100)) / ROUND) * ROUND
    results = compare(real, synth)
    inside = np.mean(
        [
            ((r.shift.floor_low <= r.shift.value) & (r.shift.value <= r.shift.floor_high)).all()
            for r in results
        ]
    )
    assert abs(inside - 0.95) < three_se(0.95, 100)


def test_exchanging_the_sets_turns_the_curve_over():
    rng = np.random.default_rng(4)
    real, synth = rng.gamma(3, 1, (250, 1)), rng.gamma(4, 1, (200, 1))
    forth, back = compare(real, synth)[0].shift, compare(synth, real)[0].shift
    np.testing.assert_allclose(forth.value, -back.value, atol=1e-12)
    width = forth.high - forth.low
    assert (np.abs(forth.low + back.high) < 0.2 * width).all()


def test_a_constant_set_has_a_curve_too():
    rng = np.random.default_rng(5)
    result = compare(rng.normal(size=(60, 1)), np.zeros((60, 1)))[0]
    assert np.isfinite(result.shift.value).all()
    assert np.isfinite(result.shift.low).all()
