import numpy as np
import pytest

from ecgeval.stats.intervals import newcombe, wilson
from ecgeval.stats.sample import effective_n


def test_newcombe_published_example():
    # Newcombe 1998, table II (a): 56/70 against 48/80, method 10.
    low, high = newcombe(48 / 80, 80, 56 / 70, 70)
    assert (low, high) == (pytest.approx(0.0524, abs=5e-5), pytest.approx(0.3339, abs=5e-5))
    assert newcombe(0, 20, 0, 10) == (
        pytest.approx(-0.1611, abs=5e-5),
        pytest.approx(0.2775, abs=5e-5),
    )


def test_wilson_agrees_with_scipy_and_holds_zero():
    from scipy.stats import binomtest

    expected = binomtest(7, 50).proportion_ci(method="wilson")
    assert wilson(7 / 50, 50) == pytest.approx((expected.low, expected.high))
    assert wilson(0, 30)[0] == 0


def test_exchanging_the_sets_flips_the_interval():
    low, high = newcombe(0.1, 50, 0.3, 70)
    assert newcombe(0.3, 70, 0.1, 50) == pytest.approx((-high, -low))


def test_newcombe_covers_with_repeated_patients_and_by_record_it_does_not():
    rng = np.random.default_rng(2)
    by_patient, by_record = [], []
    patient = np.repeat(np.arange(60), 4)
    for _ in range(600):
        share = np.repeat(rng.beta(0.5, 2.0, 60), 4)  # mean 0.2, ICC 1 / 3.5
        event = rng.uniform(size=240) < share
        for n, covered in ((effective_n(event, patient), by_patient), (240, by_record)):
            low, high = newcombe(event.mean(), n, 0.2, 1e7)
            covered.append(low <= 0 <= high)
    assert abs(np.mean(by_patient) - 0.95) < 3 * np.sqrt(0.95 * 0.05 / 600)
    assert np.mean(by_record) < 0.9
