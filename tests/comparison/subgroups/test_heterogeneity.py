"""Cochran's Q: by hand, and its size on bootstrap errors with and without the grouping."""

import numpy as np
import pytest
from scipy.stats import chi2

from ecgeval.comparison.subgroups.heterogeneity import cochran_q
from ecgeval.stats.sample import Effort, Sample
from ecgeval.stats.univariate import compare_columns


def test_cochran_by_hand():
    """Differences 1, 3 with SE 1, 1: mean 2, Q = 2; with df 1 p = 0.157."""
    assert cochran_q([1, 3], [1, 1]) == pytest.approx((2, chi2.sf(2, 1)))
    q, _ = cochran_q([1, 3, 3], [1, 1, 2])
    mean = (1 + 3 + 0.75) / 2.25
    assert q == pytest.approx((1 - mean) ** 2 + (3 - mean) ** 2 * 1.25)
    assert cochran_q([0, 1e4], [1, 1])[1] > 0


@pytest.mark.slow
def test_size_of_cochran_on_bootstrap_errors_with_and_without_the_grouping():
    rng = np.random.default_rng(13)
    repeats, people = 150, 40
    rate = {}
    for grouped in (True, False):
        values, errors = [], []
        for _ in range(3):
            person = np.repeat(rng.normal(size=(people, repeats)), 3, axis=0) * np.sqrt(0.9)
            real = person + rng.normal(size=(3 * people, repeats)) * np.sqrt(0.1)
            real, synth = np.round(real * 5) / 5, np.round(rng.normal(size=(160, repeats)) * 5) / 5
            who = np.repeat(np.arange(people), 3) if grouped else np.arange(3 * people)
            found = compare_columns(
                Sample(real, who),
                Sample(synth, np.arange(160)),
                [False] * repeats,
                seed=0,
                effort=Effort(200, 20, 0),
            )
            stats = [r.stats["median_diff"] for r in found]
            values.append([s.value for s in stats])
            errors.append([(s.ci90[1] - s.ci90[0]) / 3.29 for s in stats])
        p = [
            cochran_q(x, e)[1]
            for x, e in zip(np.transpose(values), np.transpose(errors), strict=True)
        ]
        rate[grouped] = np.mean(np.array(p) <= 0.05)
    tolerance = 3 * np.sqrt(0.05 * 0.95 / repeats)
    assert abs(rate[True] - 0.05) < tolerance
    assert rate[False] > 0.05 + tolerance
