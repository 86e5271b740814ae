"""Mean curves: by hand, and bands that cover all leads together."""

import numpy as np
import pytest

from ecgeval.comparison.joint.curves import (
    compare_curves,
    largest,
    total_variation,
    transition_lead,
)
from ecgeval.stats.sample import Effort, Sample

INTERVALS = Effort(bootstrap=200, floor=2, permutations=1)


def own(x):
    return Sample(np.asarray(x, float), np.arange(len(x)))


def test_curves_by_hand():
    real = Sample(np.array([[0.0, 2], [2, 4]] * 12 + [[np.nan, 1]]), np.arange(25))
    synth = Sample(np.array([[1.0, 5], [3, 7]] * 12), np.arange(24))
    curve = compare_curves(real, synth, largest, seed=0, name="c", effort=Effort(300, 50, 99))
    np.testing.assert_allclose(curve.real, [1, 3])
    np.testing.assert_allclose(curve.difference, [1, 3])
    assert curve.distance.value == 3
    assert curve.distance.p == 0.01
    assert (curve.band[:, 0] < curve.difference).all()
    assert curve.at(1).value == 3
    assert curve.at(1).ci == pytest.approx(tuple(curve.band[1]))
    assert curve.at(1).floor == pytest.approx(tuple(curve.floor[1]))


def test_bands_cover_all_leads_together():
    rng, reps, covered = np.random.default_rng(8), 200, 0
    truth = np.array([0.1, 0, -0.1, 0, 0, 0.05])
    for rep in range(reps):
        pair = [own(rng.normal(0, 1, (n, 1)) + rng.normal(0, 1, (n, 6))) for n in (60, 90)]
        pair[1] = own(pair[1].values + truth)
        band = compare_curves(*pair, largest, seed=rep, name="c", effort=INTERVALS).band
        covered += ((band[:, 0] <= truth) & (truth <= band[:, 1])).all()
    assert abs(covered / reps - 0.95) < 3 * np.sqrt(0.95 * 0.05 / reps) + 0.015, covered / reps


def test_transition_by_hand():
    r = np.array([[0.1, 0.3, 0.9], [0.1, 0.2, 0.3], [1.0, 1, 1], [0.1, 0.2, np.nan]])
    s = np.array([[-1.0, -0.3, -0.1], [-1, -1, -1], [-0.2, 0, 0], [-1, -1, -1]])
    zone = transition_lead(r, s)
    np.testing.assert_array_equal(zone[0], [0, 1, 0, 0])
    np.testing.assert_array_equal(zone[1], [0, 0, 0, 1])
    np.testing.assert_array_equal(zone[2], [1, 0, 0, 0])
    assert np.isnan(zone[3]).all()
    shares = np.array([[0.5, 0.5, 0, 0], [0.25, 0.5, 0.25, 0]])
    assert total_variation((shares[0] - shares[1])[:, None])[0] == 0.25
