import numpy as np
import pytest
from scipy import stats

from ecgeval.stats.multiplicity import benjamini_hochberg, benjamini_yekutieli


def test_evenly_spaced_p_values_all_adjust_to_the_largest():
    np.testing.assert_allclose(benjamini_hochberg([0.01, 0.02, 0.03, 0.04, 0.05]), 0.05)


@pytest.mark.parametrize(
    ("ours", "method"), [(benjamini_hochberg, "bh"), (benjamini_yekutieli, "by")]
)
def test_agrees_with_scipy_in_any_order(ours, method):
    p = np.random.default_rng(0).uniform(size=40) ** 2
    np.testing.assert_allclose(ours(p), stats.false_discovery_control(p, method=method))
    assert len(ours([])) == 0


def test_mean_false_discovery_proportion_stays_below_q():
    rng = np.random.default_rng(1)
    proportions = []
    for _ in range(2000):
        z = rng.normal(size=50) + np.where(np.arange(50) < 10, 3, 0)
        found = benjamini_hochberg(2 * stats.norm.sf(np.abs(z))) <= 0.05
        proportions.append(found[10:].sum() / max(found.sum(), 1))
    standard_error = np.std(proportions) / np.sqrt(2000)
    assert np.mean(proportions) <= 0.05 + 3 * standard_error
