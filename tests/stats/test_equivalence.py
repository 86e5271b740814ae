import numpy as np
import pytest

from ecgeval.results import Verdict
from ecgeval.stats.equivalence import tost
from ecgeval.stats.sample import Effort, Sample
from ecgeval.stats.univariate import DECIDING, compare_columns

REPEATS = 300


@pytest.mark.parametrize(
    ("interval", "verdict"),
    [
        ((-1.0, 1.9), Verdict.PASS),
        ((-1.0, 2.0), Verdict.INCONCLUSIVE),
        ((1.0, 3.0), Verdict.INCONCLUSIVE),
        ((-3.0, 3.0), Verdict.INCONCLUSIVE),
        ((2.1, 3.0), Verdict.FAIL),
        ((-9.0, -2.1), Verdict.FAIL),
        ((float("nan"), 1.0), Verdict.NOT_ASSESSABLE),
        (None, Verdict.NOT_ASSESSABLE),
    ],
)
def test_tost(interval, verdict):
    assert tost(interval, -2, 2) == verdict


def medians(n, shift, seed, curves=0):
    """Compare QRS of SD 8 ms, on a 1-ms grid, n a side, the medians `shift` apart."""
    rng = np.random.default_rng(seed)
    real, synth = (np.round(rng.normal(m, 8, (n, REPEATS))) for m in (90, 90 + shift))
    return compare_columns(
        Sample(real, np.arange(n)),
        Sample(synth, np.arange(n)),
        [False] * REPEATS,
        seed=0,
        effort=Effort(400, 20, 0),
        shift=[i < curves for i in range(REPEATS)],
    )


def pass_rate(results):
    return np.mean([tost(r.stats["median_diff"].ci90, -2, 2) == Verdict.PASS for r in results])


def test_a_shift_of_the_margin_passes_at_most_one_time_in_twenty():
    results = medians(430, 2, 0, curves=100)
    assert pass_rate(results) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / REPEATS)
    # A shift of 2 ms is a Wasserstein distance of 2 ms and shifts every quantile by 2 ms.
    distance = [tost(r.stats["wasserstein"].ci90, -np.inf, 2) == Verdict.PASS for r in results]
    assert np.mean(distance) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / REPEATS)
    for name in DECIDING:
        passed = [tost(r.stats[name].ci90, -2, 2) == Verdict.PASS for r in results[:100]]
        assert np.mean(passed) <= 0.05 + 3 * np.sqrt(0.05 * 0.95 / 100), name


@pytest.mark.slow
def test_no_shift_passes_at_the_planned_size():
    # 90 % at shift 0, with two sides to fail on: 2 (1.645 + 1.645)^2 8^2 / 2^2 = 346 a side for
    # means, and pi / 2 times as many for medians.
    rate = pass_rate(medians(544, 0, 1))
    assert rate >= 0.9 - 3 * np.sqrt(0.9 * 0.1 / REPEATS)


def test_no_significant_difference_is_not_equivalence():
    """Replace the 90 % interval by the rule p > 0.05 and small studies pass at the margin."""
    results = medians(50, 2, 2)
    no_difference = [
        r.stats["cliffs_delta"].ci[0] <= 0 <= r.stats["cliffs_delta"].ci[1] for r in results
    ]
    assert np.mean(no_difference) > 0.5
    assert pass_rate(results) <= 0.05
