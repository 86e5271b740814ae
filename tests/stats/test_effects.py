"""Kernels against hand-computed answers, closed forms, scipy, and what must not change them."""

import numpy as np
import pytest
from scipy import stats

from ecgeval.stats import effects as d

N = 100_000


@pytest.fixture(scope="module")
def gaussian():
    """Return quantiles of N(0, 1): a sample without sampling error."""
    return stats.norm.ppf((np.arange(N) + 0.5) / N)


@pytest.mark.parametrize("mu", [0.1, 0.5, -1.0])
def test_closed_forms_for_a_shift(gaussian, mu):
    x, y = gaussian, gaussian + mu
    assert d.ks_statistic(x, y) == pytest.approx(2 * stats.norm.cdf(abs(mu) / 2) - 1, abs=1e-4)
    assert d.auc(x, y) == pytest.approx(stats.norm.cdf(mu / np.sqrt(2)), abs=1e-4)
    assert d.cliffs_delta(x, y) == pytest.approx(2 * stats.norm.cdf(mu / np.sqrt(2)) - 1, abs=2e-4)
    assert d.hedges_g(x, y) == pytest.approx(mu, rel=1e-4)
    assert d.wasserstein(x, y) == pytest.approx(abs(mu), rel=1e-6)
    assert d.log_sd_ratio(x, y) == pytest.approx(0, abs=1e-9)
    assert d.median_diff(x, y) == pytest.approx(mu, abs=1e-9)


@pytest.mark.parametrize("sigma", [0.5, 2.0])
def test_closed_forms_for_a_scale(gaussian, sigma):
    y = gaussian * sigma
    assert d.wasserstein(gaussian, y) == pytest.approx(
        abs(sigma - 1) * np.sqrt(2 / np.pi), rel=1e-3
    )
    assert d.log_sd_ratio(gaussian, y) == pytest.approx(np.log(sigma), abs=1e-9)
    assert d.cliffs_delta(gaussian, y) == pytest.approx(0, abs=1e-9)


def test_no_overlap_has_d_one_and_exact_p_of_one_tenth():
    assert d.ks_statistic([1, 2, 3], [4, 5, 6]) == 1
    p, method = d.ks_pvalue([1, 2, 3], [4, 5, 6])
    assert p == pytest.approx(2 / 20)
    assert method == "exact"


def test_an_underflowing_p_is_not_zero():
    x = np.arange(3000.0)
    p, method = d.ks_pvalue(x, x + 1e4)
    assert 0 < p < 1e-300
    assert method == "asymptotic"


def test_hand_computed_with_ties():
    real, synth = [1, 2, 2, 3], [2, 3, 3, 4]
    # 16 pairs: 11 with S > R, 2 + 2 ... counted: S=2: 1 > , 2 ties; S=3 twice: 3 >, 1 tie; S=4: 4 >
    assert d.auc(real, synth) == (1 + 3 + 3 + 4 + (2 + 1 + 1) / 2) / 16
    assert d.ks_statistic(real, synth) == 0.5
    assert d.wasserstein(real, synth) == 1
    assert d.tied_share(real, synth) == 0.5


def test_agrees_with_scipy():
    rng = np.random.default_rng(1)
    x, y = rng.normal(size=83), np.round(rng.normal(0.3, 1.4, 131), 1)
    assert d.ks_statistic(x, y) == pytest.approx(stats.ks_2samp(x, y).statistic)
    assert d.wasserstein(x, y) == pytest.approx(stats.wasserstein_distance(x, y))
    assert d.auc(x, y) == pytest.approx(stats.mannwhitneyu(y, x).statistic / (83 * 131))
    assert d.harrell_davis(x, 0.3) == pytest.approx(float(stats.mstats.hdquantiles(x, [0.3])[0]))


def test_exchanging_the_sets_flips_signs_and_units_cancel():
    rng = np.random.default_rng(2)
    x, y = rng.gamma(3, size=70), rng.gamma(4, size=90)
    for signed in (d.cliffs_delta, d.hedges_g, d.log_sd_ratio, d.median_diff):
        assert signed(x, y) == pytest.approx(-signed(y, x))
    for distance in (d.ks_statistic, d.wasserstein):
        assert distance(x, y) == pytest.approx(distance(y, x))
    for pure in (d.ks_statistic, d.cliffs_delta, d.hedges_g, d.log_sd_ratio):
        assert pure(1000 * x, 1000 * y) == pytest.approx(pure(x, y))
    for physical in (d.wasserstein, d.median_diff):
        assert physical(1000 * x, 1000 * y) == pytest.approx(1000 * physical(x, y))
    shuffled = rng.permutation(y)
    for each in (d.ks_statistic, d.cliffs_delta, d.wasserstein, d.median_diff):
        assert each(x, shuffled) == each(x, y)


def test_constants_give_no_finite_spread_and_no_warning():
    flat = np.full(30, 0.1)  # its computed SD is 1e-17, not 0
    assert d.log_sd_ratio(np.arange(30), flat) == -np.inf
    assert np.isnan(d.log_sd_ratio(flat, flat))
    assert np.isnan(d.hedges_g(flat, flat))
    assert d.cliffs_delta(flat, flat) == 0


# ---- angles ----------------------------------------------------------------------------------


def test_359_and_1_degrees_are_two_degrees_apart():
    assert d.circular_mean_diff([359.0] * 5, [1.0] * 5) == pytest.approx(2)
    assert d.circular_mean_diff([-1.0] * 5, [1.0] * 5) == pytest.approx(2)
    assert d.circular_wasserstein([359.0] * 5, [1.0] * 5) == pytest.approx(2)
    assert d.ks_statistic([359.0] * 5, [1.0] * 5) == 1  # why D is not used on angles


def test_circular_statistics_do_not_depend_on_the_origin_or_the_range():
    rng = np.random.default_rng(3)
    x, y = rng.normal(170, 25, 80), rng.normal(190, 40, 60)
    for statistic in (d.circular_mean_diff, d.circular_wasserstein, d.watson_u2):
        expected = statistic(x, y)
        assert statistic(x + 33.3, y + 33.3) == pytest.approx(expected)
        assert statistic(np.mod(x + 180, 360) - 180, np.mod(y, 360)) == pytest.approx(expected)


def test_circular_wasserstein_of_a_rotation_is_the_angle():
    x = np.random.default_rng(4).normal(0, 20, 500)
    assert d.circular_wasserstein(x, x + 15) == pytest.approx(15, rel=1e-6)
    assert d.circular_wasserstein(x, x + 350) == pytest.approx(10, rel=1e-6)
    assert d.circular_wasserstein(x, x) == 0


def test_circular_wasserstein_is_the_least_over_cuts():
    rng = np.random.default_rng(5)
    x, y = np.mod(rng.normal(350, 40, 40), 360), np.mod(rng.normal(20, 60, 40), 360)
    # Equal sizes: the best matching of sorted angles over all rotations of one of them.
    xs, ys = np.sort(x), np.sort(y)
    lifted = np.concatenate([ys - 360, ys, ys + 360])
    brute = min(np.abs(xs - lifted[k : k + 40]).mean() for k in range(81))
    assert d.circular_wasserstein(x, y) == pytest.approx(brute)


def test_watson_u2_of_separated_sets_by_hand():
    # R at 10, 20, S at 30, 40: F - G = 1/2, 1, 1/2, 0 at the four points.
    differences = np.array([0.5, 1, 0.5, 0])
    expected = 4 / 16 * ((differences**2).sum() - differences.sum() ** 2 / 4)
    assert d.watson_u2([10.0, 20.0], [30.0, 40.0]) == pytest.approx(expected)
