"""The wide ridge classifier and its test: closed forms, size, floor."""

import numpy as np
import pytest
from scipy.stats import norm
from sklearn.linear_model import LogisticRegression

from ecgeval.stats.classifiers import WIDE_RIDGE, wide_ridge_logistic, wide_ridge_weights
from ecgeval.stats.two_sample import Pool, two_sample_test


def test_the_wide_ridge_is_sklearns_logistic_regression():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(80, 200)), np.arange(80) >= 30
    x[y, :20] += 0.5
    z = (x - x.mean(axis=0)) / x.std(axis=0)
    reference = LogisticRegression(
        C=1 / (WIDE_RIDGE * 200), class_weight="balanced", tol=1e-10, max_iter=10000
    ).fit(z, y)
    new = rng.normal(size=(20, 200))
    expected = reference.decision_function((new - x.mean(axis=0)) / x.std(axis=0))
    assert wide_ridge_logistic(x, y)(new) == pytest.approx(expected, abs=1e-3)


def test_a_constant_feature_says_nothing():
    rng = np.random.default_rng(0)
    x, y = rng.normal(size=(60, 100)).astype(np.float32), np.arange(60) >= 30
    x[:, 3] = 0.7
    _, weight, _ = wide_ridge_weights(x, y)
    assert weight[3] == 0
    assert np.isfinite(weight).all()


def test_auc_of_shifted_gaussians_is_the_closed_form():
    """PROOF of methods 1.6: a linear classifier of N(0, I) and N(mu, I) has AUC Phi(|mu|/sqrt 2)"""
    rng = np.random.default_rng(1)
    x = rng.normal(size=(2000, 6))
    label = np.arange(2000) >= 1000
    x[label] += np.sqrt(1 / 6)
    each = np.arange(2000)
    test = two_sample_test(
        Pool(x, each, each),
        label,
        Pool(x[~label], each[:1000], each[:1000]),
        wide_ridge_logistic,
        seed=0,
        name="t",
        permutations=199,
        draws=200,
        halves=2,
        within=20,
        shuffles=2,
    )
    assert test.auc == pytest.approx(norm.cdf(1 / np.sqrt(2)), abs=3 * 0.0154)  # Hanley-McNeil SE
    assert test.p == 1 / 200


@pytest.mark.parametrize("refits", [0, 19])
def test_size_with_repeated_patients_and_without_the_grouping(refits):
    """Half-permutation and refit: the size must break when patients are taken for records."""
    repeats = 25 if refits else 120

    def p(seed, grouped):
        rng = np.random.default_rng(seed)
        person = np.repeat(rng.normal(size=(40, 20)), 3, axis=0)
        x = person + 0.3 * rng.normal(size=person.shape)
        label = np.arange(120) >= 60
        patient = np.repeat(np.arange(40), 3) if grouped else np.arange(120)
        pool = Pool(x, patient, patient)
        alone = Pool(x[~label], patient[~label], patient[~label])
        return two_sample_test(
            pool,
            label,
            alone,
            wide_ridge_logistic,
            seed=seed,
            name="t",
            permutations=199,
            draws=2,
            halves=1,
            within=2,
            shuffles=0,
            refits=refits,
        ).p

    right = np.mean([p(seed, True) <= 0.05 for seed in range(repeats)])
    assert right <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / repeats)
    assert np.mean([p(seed, False) <= 0.05 for seed in range(8 if refits else 20)]) > 0.3


def test_the_floor_of_permutations_within_halves_is_that_of_halves():
    """150 + 150 held out: the SD of an AUC under the null is 0.0334."""
    rng = np.random.default_rng(6)
    x, each, label = rng.normal(size=(600, 30)), np.arange(600), np.arange(600) >= 300
    alone = Pool(x[~label], each[:300], each[:300])
    for settings in ({"halves": 60, "within": 0}, {"halves": 6, "within": 100}):
        test = two_sample_test(
            Pool(x, each, each),
            label,
            alone,
            wide_ridge_logistic,
            seed=0,
            name="t",
            permutations=99,
            draws=9,
            shuffles=20,
            **settings,
        )
        assert test.floor == pytest.approx((0.5 - 1.96 * 0.0334, 0.5 + 1.96 * 0.0334), abs=0.03)
        assert test.shuffled == pytest.approx(0.5, abs=3 * 0.0334 / np.sqrt(20) * 1.5)
