"""Resampling by patient, and intervals that cover as often as they say."""

import numpy as np
import pytest

from ecgeval.stats.intervals import percentile_interval
from ecgeval.stats.resampling import (
    Changes,
    level_counts,
    monte_carlo_p,
    resample_weights,
    subset_weights,
)
from ecgeval.stats.sample import Effort, Sample, rescale
from ecgeval.stats.univariate import compare_columns

REPEATS = 300
LIGHT = Effort(bootstrap=400, floor=20, permutations=0)
ROUND = 0.1  # few levels, so that the simulations are quick; far below every effect here


def clustered(rng, patients, each, icc, repeats=REPEATS):
    """Return N(0, 1) values, `each` a patient with this intra-class correlation, and patients."""
    person = rng.normal(size=(patients, 1, repeats)) * np.sqrt(icc)
    beat = rng.normal(size=(patients, each, repeats)) * np.sqrt(1 - icc)
    values = (person + beat).reshape(patients * each, repeats)
    return values, np.repeat(np.arange(patients), each)


def coverage(results, statistic, truth):
    ci = np.array([r.stats[statistic].ci for r in results])
    return np.mean((ci[:, 0] <= truth) & (truth <= ci[:, 1]))


def tolerance(p, repeats=REPEATS):
    return 3 * np.sqrt(p * (1 - p) / repeats)


def test_weights_move_whole_patients():
    rng = np.random.default_rng(0)
    weights = resample_weights(50, 40, rng)
    assert (weights.sum(axis=0) == 50).all()
    assert weights.mean(axis=1).std() < 0.3
    subsets = subset_weights(50, 20, 40, rng)
    assert (subsets.sum(axis=0) == 20).all()
    assert set(np.unique(subsets)) == {0, 1}


def test_a_draw_is_the_histogram_of_the_drawn_records():
    rng = np.random.default_rng(1)
    patient = rng.permutation(np.repeat(np.arange(7), 3))
    level = rng.integers(0, 5, 21)
    weights = resample_weights(7, 3, rng)
    drawn = level_counts(level, patient, 5, 7) @ weights
    for b in range(3):
        records = np.repeat(np.arange(21), weights[patient, b].astype(int))
        np.testing.assert_array_equal(drawn[:, b], np.bincount(level[records], minlength=5))


def test_monte_carlo_p_counts_the_observed_statistic():
    assert monte_carlo_p(np.zeros(999), 1.0) == 1 / 1000
    assert monte_carlo_p(np.zeros(999), 0.0) == 1
    # Sums that differ in the last bit are the same value.
    assert monte_carlo_p(np.array([0.3]), 0.1 + 0.2) == 1


def test_percentile_interval_keeps_infinities():
    assert percentile_interval(np.arange(101.0), 0.5) == (25, 75)
    assert percentile_interval(np.full(10, -np.inf)) == (-np.inf, -np.inf)


def test_a_distance_interval_holds_the_estimate():
    assert Changes(np.full(9, 0.2), np.full(9, 0.1)).interval(0.15) == (0, 0.15)


def test_cluster_bootstrap_covers_and_the_record_bootstrap_does_not():
    """Remove the patient grouping and the intervals become too short (expected about 83 %)."""
    rng = np.random.default_rng(2)
    real, patient = clustered(rng, 80, 3, 0.5)
    synth = 0.5 + rng.normal(size=(800, REPEATS))
    real, synth = np.round(real / ROUND) * ROUND, np.round(synth / ROUND) * ROUND
    delta = 0.27632  # 2 Phi(0.5 / sqrt 2) - 1
    alone = np.arange(800)
    flags = [False] * REPEATS
    right = compare_columns(
        Sample(real, patient), Sample(synth, alone), flags, seed=0, effort=LIGHT
    )
    few = slice(150)
    wrong = compare_columns(
        Sample(real[:, few], np.arange(240)),
        Sample(synth[:, few], alone),
        flags[few],
        seed=0,
        effort=LIGHT,
    )
    for statistic, truth in (("cliffs_delta", delta), ("hedges_g", 0.5), ("median_diff", 0.5)):
        assert abs(coverage(right, statistic, truth) - 0.95) < tolerance(0.95)
    for statistic, truth in (("cliffs_delta", delta), ("hedges_g", 0.5)):
        assert coverage(wrong, statistic, truth) < 0.95 - tolerance(0.95, 150)


@pytest.mark.parametrize(("shift", "sigma"), [(0.0, 1.0), (0.2, 1.1), (0.6, 1.0)])
def test_distance_intervals_cover_on_near_and_off_the_null(shift, sigma):
    from scipy.stats import norm

    rng = np.random.default_rng(3)
    repeats = 200
    real = rng.normal(size=(100, repeats))
    synth = shift + sigma * rng.normal(size=(200, repeats))
    real, synth = np.round(real / ROUND) * ROUND, np.round(synth / ROUND) * ROUND
    at = np.linspace(-9, 9, 20_001)
    gap = np.abs(norm.cdf(at) - norm.cdf((at - shift) / sigma))
    results = compare_columns(
        Sample(real, np.arange(100)),
        Sample(synth, np.arange(200)),
        [False] * repeats,
        seed=0,
        effort=LIGHT,
    )
    for statistic, truth in (("ks", gap.max()), ("wasserstein", gap.sum() * (at[1] - at[0]))):
        assert coverage(results, statistic, truth) > 0.95 - tolerance(0.95, repeats)


@pytest.mark.slow
def test_distance_intervals_cover_with_three_records_a_patient_and_not_without_the_grouping():
    """N(0, 1), ICC 0.5, against N(0.5, 1): D = 2 Phi(0.25) - 1, W1 = 0.5."""
    rng = np.random.default_rng(6)
    real, patient = clustered(rng, 80, 3, 0.5, 200)
    synth = 0.5 + rng.normal(size=(600, 200))
    real, synth = np.round(real / ROUND) * ROUND, np.round(synth / ROUND) * ROUND
    alone = np.arange(600)
    right = compare_columns(
        Sample(real, patient), Sample(synth, alone), [False] * 200, seed=0, effort=LIGHT
    )
    wrong = compare_columns(
        Sample(real, np.arange(240)), Sample(synth, alone), [False] * 200, seed=0, effort=LIGHT
    )
    for statistic, truth in (("ks", 0.19741), ("wasserstein", 0.5)):
        assert coverage(right, statistic, truth) > 0.95 - tolerance(0.95, 200), statistic
    assert coverage(wrong, "wasserstein", 0.5) < 0.95 - tolerance(0.95, 200)


@pytest.mark.parametrize("turn", [0.0, pytest.param(20.0, marks=pytest.mark.slow)])
def test_circular_intervals_cover_on_and_off_the_null(turn):
    """Wrapped N(0, 30) against the same turned: W1 is the turn, U2 by numerical integration."""
    from scipy.stats import norm

    rng = np.random.default_rng(7)
    n, m, repeats = 60, 200, 120
    person = np.repeat(rng.normal(size=(n, repeats)), 3, axis=0) * np.sqrt(0.5)
    real = 30 * (person + rng.normal(size=(3 * n, repeats)) * np.sqrt(0.5))
    synth = turn + 30 * rng.normal(size=(m, repeats))
    results = compare_columns(
        Sample(real, np.repeat(np.arange(n), 3)),
        Sample(synth, np.arange(m)),
        [True] * repeats,
        seed=0,
        effort=LIGHT,
    )
    at = np.linspace(-180, 180, 20_001)
    gap = norm.cdf(at / 30) - norm.cdf((at - turn) / 30)
    weight = 3 * n * norm.pdf(at / 30) + m * norm.pdf((at - turn) / 30)
    weight /= weight.sum()
    u2 = 3 * n * m / (3 * n + m) * (weight @ gap**2 - (weight @ gap) ** 2)
    for statistic, truth in (("circ_wasserstein", turn), ("watson_u2", u2)):
        assert coverage(results, statistic, truth) > 0.95 - tolerance(0.95, repeats), statistic
    assert abs(coverage(results, "circ_mean_diff", turn) - 0.95) < tolerance(0.95, repeats)


def test_the_plain_bootstrap_of_a_distance_would_miss_on_the_null():
    """Why `distance_changes` exists: percentiles of D and W1 themselves never reach 0."""
    from ecgeval.stats.effects import wasserstein

    rng = np.random.default_rng(4)
    real, synth = np.round(rng.normal(size=(2, 100, 60)) / ROUND) * ROUND
    for x, y in zip(real.T[:10], synth.T[:10], strict=True):
        draws = [wasserstein(rng.choice(x, 100), rng.choice(y, 100)) for _ in range(100)]
        assert percentile_interval(np.array(draws))[0] > 0
    each = np.arange(100)
    results = compare_columns(
        Sample(real, each), Sample(synth, each), [False] * 60, seed=0, effort=LIGHT
    )
    assert coverage(results, "wasserstein", 0) > 0.95 - tolerance(0.95, 60)


@pytest.mark.parametrize("statistic", ["ks", "cliffs_delta", "wasserstein", "median_diff"])
def test_the_floor_is_what_real_against_real_of_that_size_gives(statistic):
    """Halves of 120 patients, rescaled, against direct draws of 120 and 600 of one population."""
    from ecgeval.stats.univariate import KERNELS

    rng = np.random.default_rng(5)
    direct = [KERNELS[statistic](rng.normal(size=120), rng.normal(size=600)) for _ in range(600)]
    floors = compare_columns(
        Sample(rng.normal(size=(120, 30)), np.arange(120)),
        Sample(rng.normal(size=(600, 30)), np.arange(600)),
        [False] * 30,
        seed=0,
        effort=Effort(20, 400, 0),
    )
    high = np.mean([r.stats[statistic].floor[1] for r in floors])
    # 600 draws know their 97.5 % quantile to about 7 %.
    assert high == pytest.approx(np.quantile(direct, 0.975), rel=0.12)
    assert rescale(120, 600, 60, 60) == pytest.approx(np.sqrt((1 / 120 + 1 / 600) * 30))
