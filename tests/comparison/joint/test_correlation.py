"""Correlation matrices: against scipy, a pair of copulas, size of the p by patient."""

import numpy as np
import pytest
from scipy.stats import ks_2samp, spearmanr

from ecgeval.comparison.joint.correlation import (
    compare_correlations,
    rank_scores,
    weighted_correlations,
)
from ecgeval.stats.sample import Effort, Sample

PAIRS = np.array([(0, 1), (0, 2), (1, 2)])
LIGHT = Effort(bootstrap=2, floor=2, permutations=39)


def own(x):
    return Sample(np.asarray(x, float), np.arange(len(x)))


def copula(rng, n, rho, icc=0.0, each=1):
    """Return N(0, 1) pairs with correlation rho, `each` a patient."""
    root = np.linalg.cholesky([[1, rho], [rho, 1]])
    person = rng.normal(size=(n, 1, 2)) * np.sqrt(icc)
    record = rng.normal(size=(n, each, 2)) * np.sqrt(1 - icc)
    return Sample(((person + record) @ root.T).reshape(-1, 2), np.repeat(np.arange(n), each))


def rho_of(sample, pairs=PAIRS):
    ones = np.ones((sample.n_patients, 1), np.float32)
    return weighted_correlations(rank_scores(sample.values), sample.patient, pairs, [ones])[0][:, 0]


def test_equals_scipy_with_ties():
    rng = np.random.default_rng(0)
    x = np.round(rng.normal(size=(60, 3)) @ np.array([[1, 0.5, 0], [0, 1, 0.5], [0, 0, 1]]), 1)
    want = spearmanr(x).statistic[tuple(PAIRS.T)]
    np.testing.assert_allclose(rho_of(own(x)), want, atol=1e-5)


def test_a_patient_counts_once_and_records_without_a_value_do_not_count():
    rng = np.random.default_rng(1)
    x = rng.normal(size=(30, 3))
    twice = Sample(np.repeat(x, 2, axis=0), np.repeat(np.arange(30), 2))
    np.testing.assert_allclose(rho_of(twice), rho_of(own(x)), atol=1e-5)
    gone = np.concatenate([x, np.full((5, 3), np.nan)])
    np.testing.assert_allclose(rho_of(own(gone)), rho_of(own(x)), atol=1e-5)


def test_a_constant_column_goes_with_nothing():
    x = np.random.default_rng(2).normal(size=(30, 3))
    x[:, 1] = 4
    assert rho_of(own(x))[[0, 2]].tolist() == [0, 0]


def test_weights_are_a_resample_of_whole_patients():
    rng = np.random.default_rng(3)
    x, weight = rng.normal(size=(20, 2)), np.array([2] * 5 + [0] * 5 + [1] * 10)
    scores = rank_scores(x)
    (drawn,) = weighted_correlations(
        scores, np.arange(20), PAIRS[:1], [weight[:, None].astype(np.float32)]
    )
    z = np.repeat(scores, weight, axis=0).astype(float)
    want = np.corrcoef(z[:, 0], z[:, 1])[0, 1]
    assert drawn[0, 0] == pytest.approx(want, abs=1e-5)


def test_equal_margins_different_copulas():
    """PROOF (1.6): Gaussian copulas of 0.3 and 0.5: the margins agree, the joint test rejects."""
    rng, margins, joint, reps = np.random.default_rng(4), 0, 0, 40
    for rep in range(reps):
        real, synth = copula(rng, 400, 0.3), copula(rng, 400, 0.55)
        margins += sum(
            ks_2samp(real.values[:, i], synth.values[:, i]).pvalue <= 0.05 for i in range(2)
        )
        found = compare_correlations(real, synth, seed=rep, name="c", effort=LIGHT)
        joint += found.rms.p <= 0.05
    assert margins / (2 * reps) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / (2 * reps))
    assert joint / reps > 0.9


@pytest.mark.parametrize(
    ("patients", "each", "reps"),
    [((50, 50), (3, 3), 200), ((50, 90), (3, 1), 200), ((200, 200), (3, 3), 80)],
)
def test_size_with_several_records_a_patient(patients, each, reps):
    rng = np.random.default_rng(sum(patients) + each[1])
    hits = np.zeros(2)
    for rep in range(reps):
        pair = [copula(rng, n, 0.4, 0.8, k) for n, k in zip(patients, each, strict=True)]
        found = compare_correlations(*pair, seed=rep, name="c", effort=LIGHT)
        hits += [found.rms.p <= 0.05, found.p_adjusted[0] <= 0.05]
    assert (np.abs(hits / reps - 0.05) <= 3 * np.sqrt(0.05 * 0.95 / reps)).all(), hits / reps


def test_the_same_test_fails_when_the_grouping_is_taken_out():
    rng, reps, hits = np.random.default_rng(5), 150, 0
    for rep in range(reps):
        pair = [own(copula(rng, 50, 0.4, 0.8, 3).values) for _ in range(2)]
        hits += compare_correlations(*pair, seed=rep, name="c", effort=LIGHT).rms.p <= 0.05
    assert hits / reps > 0.05 + 3 * np.sqrt(0.05 * 0.95 / reps)


def test_margins_that_differ_are_no_difference_of_correlation():
    rng = np.random.default_rng(6)
    real, synth = copula(rng, 300, 0.6), copula(rng, 300, 0.6)
    moved = Sample(np.exp(synth.values) + 40, synth.patient)
    one = compare_correlations(real, synth, seed=0, name="c", effort=LIGHT)
    two = compare_correlations(real, moved, seed=0, name="c", effort=LIGHT)
    assert two.rms.value == pytest.approx(one.rms.value, abs=1e-6)
    assert two.rms.p == one.rms.p


def test_intervals_floors_and_adjusted_p_keep_their_order():
    rng = np.random.default_rng(7)
    mix = np.eye(5) + 0.5
    real, synth = own(rng.normal(size=(150, 5)) @ mix), own(rng.normal(size=(200, 5)))
    found = compare_correlations(real, synth, seed=0, name="c", effort=Effort(200, 100, 199))
    assert (found.p_adjusted >= found.p).all()
    assert found.p.min() == 1 / 200
    assert found.rms.p == found.largest.p == 1 / 200
    for stat in (found.rms, found.largest):
        assert stat.ci[0] <= stat.value <= stat.ci[1]
        assert stat.floor[1] < stat.value
    difference = found.synth - found.real
    assert ((found.ci[:, 0] <= difference) & (difference <= found.ci[:, 1])).all()
    swapped = compare_correlations(synth, real, seed=0, name="c", effort=Effort(200, 100, 199))
    np.testing.assert_allclose(swapped.synth - swapped.real, -difference, atol=1e-6)


def test_intervals_of_a_pair_cover():
    rng, covered, reps = np.random.default_rng(8), 0, 200
    # Spearman's rho of a Gaussian copula: 6 / pi asin(rho / 2).
    truth = 6 / np.pi * (np.arcsin(0.25) - np.arcsin(0.1))
    for rep in range(reps):
        pair = copula(rng, 80, 0.2, 0.5, 3), copula(rng, 120, 0.5)
        ci = compare_correlations(*pair, seed=rep, name="c", effort=Effort(200, 2, 1)).ci[0]
        covered += ci[0] <= truth <= ci[1]
    assert abs(covered / reps - 0.95) < 3 * np.sqrt(0.95 * 0.05 / reps) + 0.01, covered / reps


@pytest.mark.parametrize("patients", [50, pytest.param(200, marks=pytest.mark.slow)])
def test_size_of_the_root_mean_square_over_many_independent_pairs(patients) -> None:
    """With many pairs it hardly varies, so a null off by 1 % is seen: .12 about fixed means."""
    rng, small = np.random.default_rng(patients), []
    for seed in range(60):
        real, synth = (
            Sample(
                np.round(np.repeat(rng.normal(size=(patients, 45)), 2, axis=0), 1)
                + np.round(rng.normal(0, 0.4, (2 * patients, 45)), 1),
                np.repeat(np.arange(patients), 2),
            )
            for _ in range(2)
        )
        found = compare_correlations(real, synth, seed=seed, name="size", effort=Effort(40, 20, 99))
        small.append(found.rms.p)
    assert np.mean(small) == pytest.approx(0.5, abs=3 * np.sqrt(1 / 12 / len(small)))
    assert np.mean(np.array(small) <= 0.05) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / len(small))
