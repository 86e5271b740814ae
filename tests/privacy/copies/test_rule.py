"""The copy rule and its bounds, against tables one can compute by hand."""

import numpy as np
import pytest

from ecgeval.privacy.copies.rule import ALPHA, CopyRule, calibrate
from ecgeval.stats.intervals import clopper_pearson
from ecgeval.stats.multiplicity import benjamini_hochberg_flags, conformal_p


@pytest.mark.parametrize(("n", "upper"), [(1000, 0.0030), (7233, 4.14e-4), (121_977, 2.456e-5)])
def test_upper_bound_of_none_found(n: int, upper: float) -> None:
    assert clopper_pearson(0, n, level=0.9)[1] == pytest.approx(1 - 0.05 ** (1 / n))
    assert clopper_pearson(0, n, level=0.9)[1] == pytest.approx(upper, rel=0.01)


def test_clopper_pearson_known_values() -> None:
    assert clopper_pearson(60, 60) == (pytest.approx(0.025 ** (1 / 60)), 1.0)
    assert clopper_pearson(5, 10) == pytest.approx((0.1871, 0.8129), abs=1e-4)


@pytest.mark.parametrize(
    ("train", "holdout", "copy"),
    [
        (0.95, 0.50, True),  # distance .316 against 1.0
        (0.95, 0.85, False),  # .316 against .548: not half as far
        (0.89, 0.10, False),  # below the limit
        (np.nan, 0.50, False),
        (0.95, np.nan, True),  # nobody to be closer to
        (1.00, 1.00, True),  # at distance 0 from both: the recording is in both sets
    ],
)
def test_the_rule(train: float, holdout: float, copy: bool) -> None:
    rule = CopyRule(limit=0.9)
    assert rule(np.array([train]), np.array([holdout]))[0] == copy


def test_without_a_holdout_only_the_limit_counts() -> None:
    np.testing.assert_array_equal(CopyRule(0.9)(np.array([0.95, 0.85])), [True, False])


def test_without_holdout_calibration_prototypes_are_called_copies() -> None:
    # Mutation: a smooth prototype is close to everybody, in training set and holdout alike.
    train, holdout = np.array([0.95]), np.array([0.94])
    assert not CopyRule(0.9)(train, holdout)[0]
    assert CopyRule(0.9)(train)[0]


@pytest.mark.parametrize("n", [30, 60, 240])
def test_the_limit_keeps_its_level_on_honest_sets(n: int) -> None:
    # Distances to the nearest of many points in five dimensions, the tail the limit assumes.
    rng = np.random.default_rng(0)

    def nearest(n: int) -> np.ndarray:
        return 1 - 0.4 * rng.exponential(size=n).clip(1e-9) ** (2 / 5) / 2

    failed = [
        (nearest(400) >= calibrate(nearest(n), 400, (0.0, 1.0)).limit).any() for _ in range(600)
    ]
    # Three standard errors; .10 with 60 records where the tail's estimate is taken for the truth.
    assert np.mean(failed) <= ALPHA + 3 * np.sqrt(ALPHA * (1 - ALPHA) / 600)


def test_pairs_that_are_each_others_nearest_count_once() -> None:
    nearest = np.random.default_rng(3).beta(20, 14, 120)
    once = calibrate(nearest, 400, (0.0, 1.0)).limit
    assert calibrate(np.repeat(nearest, 2), 400, (0.0, 1.0)).limit == pytest.approx(once, abs=0.002)


def test_more_synthetic_records_need_a_higher_limit() -> None:
    nearest = np.random.default_rng(1).beta(20, 14, 240)
    limits = [calibrate(nearest, n, (0.0, 1.0)).limit for n in (100, 10_000, 1_000_000)]
    assert limits == sorted(limits)
    assert limits[0] < limits[2]


def test_the_limit_stays_in_its_range_and_needs_enough_records() -> None:
    assert calibrate(np.full(100, 0.1), 10, (0.85, 0.98)).limit == 0.85
    few = calibrate(np.full(19, 0.1), 10, (0.85, 0.98))
    assert (few.limit, few.n) == (0.98, 0)
    assert calibrate(np.full(30, np.nan), 10, (0.85, 0.98)).limit == 0.98


def test_conformal_p_by_hand() -> None:
    p = conformal_p(np.array([5.0, 2.0, 0.0]), np.array([1.0, 2.0, 3.0]))
    np.testing.assert_allclose(p, [1 / 4, 3 / 4, 1])


def test_conformal_p_cannot_flag_a_lone_copy() -> None:
    # Its smallest value is 1 / (n + 1): with 119 holdout patients, Benjamini-Hochberg needs 20.
    rng = np.random.default_rng(2)
    holdout = rng.normal(size=119)
    for copies, flagged in ((1, 0), (19, 0), (20, 20), (30, 30)):
        train = rng.uniform(-5, -4, 119)
        train[:copies] = 10
        assert benjamini_hochberg_flags(conformal_p(train, holdout)).sum() == flagged
    assert len(benjamini_hochberg_flags(np.zeros(0))) == 0
