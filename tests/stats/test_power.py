"""Power to show equivalence, against simulation."""

import math

import numpy as np
import pytest

from ecgeval.stats.effects import log_sd_ratio
from ecgeval.stats.power import (
    _direction_influence,
    _log_sd_influence,
    _quantile_influence,
    n_for_power,
    power_equivalence,
)


def test_the_planned_n_of_qrs():
    """2 (z.95 + z.90)^2 8^2 / 2^2 = 274 a side for a mean; twice the patients' share clustered."""
    assert n_for_power(64, 2) == math.ceil(2 * (1.6449 + 1.2816) ** 2 * 16) == 275
    assert power_equivalence(8 * math.sqrt(2 / 275), 2) == pytest.approx(0.8, abs=2e-3)
    assert n_for_power(64, 2, design_effect=3) == pytest.approx(2 * 274.1, abs=1)
    assert n_for_power(64, 2, power=0.9) == math.ceil(2 * (1.6449 + 1.6449) ** 2 * 16)


@pytest.mark.parametrize(("n", "shift"), [(150, 0), (275, 0), (275, 1), (275, 2), (400, -1.5)])
def test_power_of_means_against_simulation(n, shift):
    rng = np.random.default_rng(n)
    reps = 20_000
    se = 8 * math.sqrt(2 / n)
    found = shift + se * rng.normal(size=reps)
    passed = np.abs(found) + 1.6449 * se < 2
    power = power_equivalence(se, 2, shift=shift)
    assert np.mean(passed) == pytest.approx(power, abs=3 * math.sqrt(0.25 / reps))
    if abs(shift) == 2:
        assert power <= 0.05


def test_power_at_the_ends():
    assert power_equivalence(0, 1) == 1
    assert power_equivalence(0, 1, shift=2) == 0
    assert power_equivalence(10, 1) == 0


def test_influences_are_derivatives():
    """Adding a thousandth of a record's weight moves the statistic by its influence."""
    rng = np.random.default_rng(0)
    x = np.sort(rng.gamma(3, 1, 60))
    k, copies = 17, 400
    many = np.repeat(x, copies)
    more = np.sort(np.append(many, x[k]))
    step = 1 / len(more)
    moved = (log_sd_ratio(many, more) - 0) / step
    assert moved == pytest.approx(_log_sd_influence(x)[k], rel=2e-3, abs=2e-3)
    degrees = rng.normal(40, 30, 60)
    mean = np.exp(1j * np.deg2rad(degrees)).mean()
    new = (1 - 1e-6) * mean + 1e-6 * np.exp(1j * np.deg2rad(degrees[k]))
    turned = np.rad2deg(np.angle(new / mean)) / 1e-6
    assert turned == pytest.approx(_direction_influence(degrees)[k], rel=1e-4)
    for influence in (_quantile_influence(x, 0.25), _log_sd_influence(x)):
        assert influence.mean() == pytest.approx(0, abs=1e-12)
