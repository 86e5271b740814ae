"""Which false positive rates are given, and what is tolerated at each."""

import numpy as np
import pytest

from ecgeval.privacy.attacks.rates import TOLERATED, hits_at, levels, percent
from ecgeval.stats.intervals import clopper_pearson


def test_a_false_positive_rate_is_given_only_with_ten_expected_false_alarms() -> None:
    assert levels(99) == []
    assert levels(100) == [0.1]
    assert levels(1000) == [0.1, 0.01]
    assert levels(10_000) == [0.1, 0.01, 0.001]


def test_tolerance_is_that_of_the_rule() -> None:
    assert TOLERATED == {0.1: 0.15, 0.01: 0.02, 0.001: 0.01}
    # 24 of 100 at 10 % is above, 23 is not.
    assert clopper_pearson(24, 100)[0] > 0.15 > clopper_pearson(22, 100)[0]


def test_hits_by_hand() -> None:
    p = np.array([0.1, 0.05, 0.2, 0.1, 0.5, 0.6])
    found = hits_at(0.1, p, np.arange(6) < 3)
    assert found == (0.1, 2, 3, 1, 3)
    assert (found.tpr, found.fpr) == pytest.approx((2 / 3, 1 / 3))
    assert found.interval == clopper_pearson(2, 3)
    estimate = found.estimate("privacy.mia.domias", "density", n_real=6)
    assert estimate.id == "privacy.mia.domias.tpr_at_10pct"
    assert (estimate.value, estimate.null, estimate.n_real) == (found.tpr, 0.1, 6)
    assert [percent(f) for f in TOLERATED] == ["10pct", "1pct", "0p1pct"]
